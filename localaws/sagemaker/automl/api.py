"""SageMaker Autopilot: AutoML jobs that classify texts. Their children are ordinary processing and training jobs."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination, reconciler
from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.automl import definition, machine
from localaws.sagemaker.experiments import trials
from localaws.sagemaker.tags import api as tags

auto_ml_job = Service("sagemaker", resource="auto-ml-job")

_RESOURCE = reconciler.Resource(machine.KIND, "AutoMLJobName", "AutoMLJobStatus", machine.advance, machine.fail)
reconciler.register(_RESOURCE)


@auto_ml_job.operation
def create_auto_ml_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Start a job for a table with a text column and a target; what is wrong with the data is in FailureReason."""
    return _create(request, ctx, 1, definition.of_v1(request))


@auto_ml_job.operation
def create_auto_ml_job_v2(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Start a job of the problem type TextClassification."""
    return _create(request, ctx, 2, definition.of_v2(request))


def _create(request: dict[str, Any], ctx: Context, version: int, what: dict[str, Any]) -> dict[str, Any]:
    name = request["AutoMLJobName"]
    arn = ctx.arn("sagemaker", f"automl-job/{name}")
    now = ctx.now()
    record = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "AutoMLJobArn": arn,
        "AutoMLJobStatus": "InProgress",
        "AutoMLJobSecondaryStatus": "Starting",
        "CreationTime": now,
        "LastModifiedTime": now,
        "_Version": version,
        "_Definition": what,
        "_Features": False,
        "_Candidates": {},
    }
    if version == 1:
        record.setdefault("GenerateCandidateDefinitionsOnly", False)
    with ctx.store.transaction():
        if ctx.store.spelling(machine.KIND, name) is not None:
            raise ResourceInUse(f"An AutoML job with the name {name} already exists ({arn}): choose another name.")
        ctx.store.insert(machine.KIND, name, record)
        tags.put(ctx, arn, request.get("Tags", []))
        trials.begin(ctx, "AutoMLJobArn", name, arn)
    reconciler.poke()
    return {"AutoMLJobArn": arn}


def find(name: str, ctx: Context) -> dict[str, Any]:
    """
    Return the record of a job.

    :raises ResourceNotFound: there is none.
    """
    record = ctx.store.find(machine.KIND, name)
    if record is None:
        raise ResourceNotFound(f"Could not find the AutoML job {ctx.arn('sagemaker', f'automl-job/{name}')}.")
    return record


@auto_ml_job.operation
def describe_auto_ml_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe a job that was created by CreateAutoMLJob."""
    record = find(request["AutoMLJobName"], ctx)
    if record["_Version"] == 2:
        raise ValidationException(
            f"The AutoML job {record['AutoMLJobName']} was created by CreateAutoMLJobV2, and is described by "
            "DescribeAutoMLJobV2."
        )
    return record


@auto_ml_job.operation
def describe_auto_ml_job_v2(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe a job, whichever operation created it."""
    record = find(request["AutoMLJobName"], ctx)
    if record["_Version"] == 2:
        return {**record, **_resolved(record, {}), "AutoMLProblemTypeConfigName": "TextClassification"}
    return _as_v2(record)


def _as_v2(record: dict[str, Any]) -> dict[str, Any]:
    """Convert a tabular job to the shape of the second version."""
    config = record.get("AutoMLJobConfig", {})
    channels = record["InputDataConfig"]
    generation = config.get("CandidateGenerationConfig", {})
    tabular = {
        "TargetAttributeName": record["_Definition"]["Target"],
        "ProblemType": record.get("ProblemType"),
        "GenerateCandidateDefinitionsOnly": record["GenerateCandidateDefinitionsOnly"],
        "CompletionCriteria": config.get("CompletionCriteria"),
        "CandidateGenerationConfig": generation or None,
        "Mode": config.get("Mode"),
    }
    return {
        **record,
        "AutoMLJobInputDataConfig": [
            {key: value for key, value in channel.items() if key != "TargetAttributeName"} for channel in channels
        ],
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {k: v for k, v in tabular.items() if v is not None}},
        "AutoMLProblemTypeConfigName": "Tabular",
        "SecurityConfig": config.get("SecurityConfig"),
        "DataSplitConfig": config.get("DataSplitConfig"),
        **_resolved(record, {"TabularResolvedAttributes": ["ProblemType"]}),
    }


def _resolved(record: dict[str, Any], by_type: dict[str, list[str]]) -> dict[str, Any]:
    """ResolvedAttributes in the shape of the second version: what depends on the problem type lies a level deeper."""
    found = record.get("ResolvedAttributes")
    if found is None:
        return {}
    deeper = {name: {key: found[key] for key in keys} for name, keys in by_type.items()}
    resolved = {key: found[key] for key in ("AutoMLJobObjective", "CompletionCriteria")}
    return {"ResolvedAttributes": {**resolved, "AutoMLProblemTypeResolvedAttributes": deeper or None}}


@auto_ml_job.operation
def list_auto_ml_jobs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return jobs of both versions by name, status and time."""
    chosen = pagination.select(
        ctx.store.all(machine.KIND), request, name="AutoMLJobName", status="AutoMLJobStatus", by="Name"
    )
    found, more = pagination.page(chosen, request)
    return {"AutoMLJobSummaries": found, **more}


@auto_ml_job.operation
def stop_auto_ml_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Stop a job and the child that runs; candidates that were trained stay."""

    def change(stored: dict[str, Any]) -> None:
        if stored["AutoMLJobStatus"] in TERMINAL:
            raise ValidationException(
                f"The AutoML job {stored['AutoMLJobArn']} has already reached a terminal state: "
                f"{stored['AutoMLJobStatus']}."
            )
        now = ctx.now()
        stored |= {"AutoMLJobStatus": "Stopping", "AutoMLJobSecondaryStatus": "Stopping", "LastModifiedTime": now}

    record = find(request["AutoMLJobName"], ctx)
    ctx.store.update(machine.KIND, record["AutoMLJobName"], change)
    reconciler.poke()
    return {}
