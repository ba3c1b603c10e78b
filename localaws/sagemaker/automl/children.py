"""The processing and training jobs of an AutoML job: their names, their requests, and starting each of them once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from localaws.core.context import Context
from localaws.images.autopilot.kinds import KINDS, Kind
from localaws.sagemaker.jobs.staging import split_uri
from localaws.sagemaker.processing import api as processing
from localaws.sagemaker.training import api as training

Record = dict[str, Any]

ANALYSIS, FEATURES, EXPLANATION = "analysis", "features", "explanation"

_INPUT, _OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
_INSTANCE = {"InstanceType": "ml.m5.4xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50}


class NameTaken(Exception):
    """A job that is not of this AutoML job has the name that a child would get."""


def name(record: Record, part: str) -> str:
    """Return a child's name: the job's name, the part, and a digest that differs between AutoML jobs."""
    mark = hashlib.sha256(f"{record['AutoMLJobArn']} {record['CreationTime'].isoformat()}".encode()).hexdigest()[:8]
    return f"{record['AutoMLJobName']}-{part}-{mark}"


def image(ctx: Context) -> str:
    """Return the URI of the image that runs all children and serves the candidates."""
    return f"{ctx.account_id}.dkr.ecr.{ctx.region}.amazonaws.com/sagemaker-autopilot:1"


def kinds(record: Record) -> tuple[Kind, ...]:
    """Return the candidates of a job, in the order in which they are trained."""
    return KINDS[: record["_Definition"]["Criteria"]["MaxCandidates"]]


def processing_job(record: Record, part: str, seconds: int, ctx: Context) -> Record:
    """
    Return the job :data:`ANALYSIS`, :data:`FEATURES` or :data:`EXPLANATION` as Describe does; start it if needed.

    :param seconds: that it may take.
    :raises NameTaken: another job has its name.
    """
    known = _known(record, processing.KIND, name(record, part), ctx)
    if known is not None:
        return processing.JOBS.shown(known, ctx)
    command, inputs, outputs = _PARTS[part](record)
    request = {
        "ProcessingJobName": name(record, part),
        "AppSpecification": {"ImageUri": image(ctx), "ContainerArguments": command},
        "RoleArn": record["RoleArn"],
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {"Outputs": outputs},
        "ProcessingResources": {"ClusterConfig": _INSTANCE},
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
    }
    return processing.begin(request, ctx, AutoMLJobArn=record["AutoMLJobArn"])


def training_job(record: Record, kind: Kind, ctx: Context) -> Record | None:
    """
    Return the training job of a candidate as Describe does, or ``None`` if it was not started.

    :raises NameTaken: another job has its name.
    """
    known = _known(record, training.KIND, name(record, kind.name), ctx)
    return None if known is None else training.JOBS.shown(known, ctx)


def train(record: Record, kind: Kind, seconds: int, ctx: Context) -> Record:
    """Start the training job of a candidate, and limit the seconds that it may take."""
    output = record["_Definition"]["Output"]
    request = {
        "TrainingJobName": name(record, kind.name),
        "AlgorithmSpecification": {"TrainingImage": image(ctx), "TrainingInputMode": "File"},
        "RoleArn": record["RoleArn"],
        "HyperParameters": {**kind.hyperparameters, "candidate": kind.name, "max_runtime": str(seconds)},
        "InputDataConfig": [
            {"ChannelName": channel, "DataSource": {"S3DataSource": _source(f"{output}/transformed-data/{channel}/")}}
            for channel in ("train", "validation", "dataset")
        ],
        "OutputDataConfig": {"S3OutputPath": f"{output}/tuning"},
        "ResourceConfig": _INSTANCE,
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
    }
    return training.begin(request, ctx, AutoMLJobArn=record["AutoMLJobArn"])


def stop(record: Record, ctx: Context) -> bool:
    """
    Ask every child that runs to stop; whether none runs any more.

    :raises Exception: the first of what kept one from being stopped.
    """
    ended = True
    errors: list[Exception] = []
    for jobs, parts in (
        (processing.JOBS, (ANALYSIS, FEATURES, EXPLANATION)),
        (training.JOBS, tuple(kind.name for kind in kinds(record))),
    ):
        for part in parts:
            child = ctx.store.get(jobs.kind, name(record, part))
            if child is None or child.get("AutoMLJobArn") != record["AutoMLJobArn"]:
                continue
            try:
                child = jobs.sync(child, ctx)
                if jobs.status(child) == "InProgress":
                    jobs.stop(child, ctx)
            except Exception as error:
                # The others are to be stopped all the same.
                errors.append(error)
            ended = ended and jobs.status(child) not in ("InProgress", "Stopping")
    if errors:
        raise errors[0]
    return ended


def analysis(record: Record, ctx: Context) -> Record:
    """``analysis.json``, which the first processing job wrote."""
    bucket, key = split_uri(f"{record['_Definition']['Output']}/analysis/analysis.json")
    found: Record = json.loads(ctx.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


def notebooks(record: Record) -> str:
    """Return where its notebooks are."""
    return f"{record['_Definition']['Output']}/sagemaker-automl-candidates/{name(record, ANALYSIS)}/notebooks"


def documentation(record: Record, candidate: str) -> dict[str, str]:
    """CandidateArtifactLocations: the prefixes of what explains a candidate."""
    folder = f"{record['_Definition']['Output']}/documentation"
    return {
        "Explainability": f"{folder}/explainability/output/{candidate}",
        "ModelInsights": f"{folder}/model_monitor/output/{candidate}",
    }


def _analysis(record: Record) -> tuple[list[str], list[Record], list[Record]]:
    """Command line, inputs and outputs."""
    definition = record["_Definition"]
    settings = {
        "job": record["AutoMLJobName"],
        "target": definition["Target"],
        "text": definition["Text"],
        "problem-type": definition["ProblemType"],
        "objective": definition["Objective"],
        "validation-fraction": definition["ValidationFraction"],
        "max-candidates": definition["Criteria"]["MaxCandidates"],
        "base-model": definition["BaseModel"],
        "output": definition["Output"],
        **{f"{channel['Type']}-form": channel["Form"] for channel in definition["Channels"]},
    }
    inputs = [_input(channel["Type"], channel["Uri"], channel["S3DataType"]) for channel in definition["Channels"]]
    outputs = [
        _output("split", f"{definition['Output']}/preprocessed-data"),
        _output("analysis", f"{definition['Output']}/analysis"),
        _output("notebooks", notebooks(record)),
        _output("validations", f"{definition['Output']}/validations/{name(record, ANALYSIS)}"),
    ]
    return ["analyse", *_arguments(settings)], inputs, outputs


def _features(record: Record) -> tuple[list[str], list[Record], list[Record]]:
    definition = record["_Definition"]
    inputs = [
        _input("split", f"{definition['Output']}/preprocessed-data/"),
        _input("analysis", f"{definition['Output']}/analysis/"),
    ]
    outputs = [
        _output(part, f"{definition['Output']}/transformed-data/{part}") for part in ("train", "validation", "dataset")
    ]
    place = f"{definition['Output']}/data-processor-models/{name(record, FEATURES)}/output"
    outputs.append(_output("processor", place))
    arguments = _arguments({"base-model": definition["BaseModel"]})
    return ["features", *arguments], inputs, outputs


def _explanation(record: Record) -> tuple[list[str], list[Record], list[Record]]:
    best = record["BestCandidate"]
    inputs = [
        _input("model", best["InferenceContainers"][0]["ModelDataUrl"]),
        _input("validation", f"{record['_Definition']['Output']}/transformed-data/validation/"),
    ]
    places = documentation(record, best["CandidateName"])
    outputs = [_output("explainability", places["Explainability"]), _output("insights", places["ModelInsights"])]
    return ["explain", *_arguments({"candidate": best["CandidateName"]})], inputs, outputs


#: what makes command line, inputs and outputs of each processing job.
_PARTS: dict[str, Callable[[Record], tuple[list[str], list[Record], list[Record]]]] = {
    ANALYSIS: _analysis,
    FEATURES: _features,
    EXPLANATION: _explanation,
}


def _arguments(settings: Record) -> list[str]:
    # One argument each, with an equals sign: a column may be named "-x".
    return [f"--{key}={value}" for key, value in settings.items() if value is not None]


def _known(record: Record, kind: str, child: str, ctx: Context) -> Record | None:
    found = ctx.store.get(kind, child)
    if found is not None and found.get("AutoMLJobArn") != record["AutoMLJobArn"]:
        raise NameTaken(f"the name {child} is that of another {kind}")
    return found


def _source(uri: str) -> Record:
    return {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}


def _input(entry: str, uri: str, data_type: str = "S3Prefix") -> Record:
    return {
        "InputName": entry,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"{_INPUT}/{entry}",
            "S3DataType": data_type,
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
    }


def _output(entry: str, uri: str) -> Record:
    return {
        "OutputName": entry,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{_OUTPUT}/{entry}", "S3UploadMode": "EndOfJob"},
    }
