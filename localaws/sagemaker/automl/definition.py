"""What an AutoML job is to do, the same for both versions of the Create operation; and what is not done here."""

from __future__ import annotations

import os
from typing import Any

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.images import hub
from localaws.images.autopilot.kinds import KINDS
from localaws.images.autopilot.objectives import OBJECTIVES

#: a name on the hub or a folder: the encoder of the jobs that are created from now on.
BASE_MODEL_VARIABLE = "LOCALAWS_AUTOPILOT_BASE_MODEL"

_CSV = {"text/csv", "text/csv;header=present"}
_PARQUET = "x-application/vnd.amazon+parquet"
_FRACTION = 0.2
_DAY_S = 86_400
_MONTH_S = 30 * _DAY_S

Members = dict[str, Any]


def of_v1(request: Members) -> Members:
    """
    Return the definition of a CreateAutoMLJob request.

    It has ``Target``, ``Text``, ``ProblemType``, ``Objective`` (``None`` if it is to be found out), ``Channels`` (each
    with ``Type``, ``Uri``, ``S3DataType``, ``Form``), ``ValidationFraction``, ``DefinitionsOnly``, ``Criteria`` (all of
    CompletionCriteria), ``Output`` (the job's S3 prefix) and ``BaseModel``.

    :raises ValidationException: the members do not fit together.
    :raises NotImplementedByLocalAws: a member asks for what is not done here.
    """
    config = request.get("AutoMLJobConfig", {})
    generation = config.get("CandidateGenerationConfig", {})
    for member in ("FeatureSpecificationS3Uri", "AlgorithmsConfig"):
        if generation.get(member):
            raise _not_done(f"CandidateGenerationConfig.{member}")
    if config.get("Mode", "AUTO") != "AUTO":
        raise _not_done(f"Mode {config['Mode']}", "localaws has AUTO")
    if request.get("ProblemType") == "Regression":
        raise _not_done("ProblemType Regression", "localaws does text classification only")
    for channel in request["InputDataConfig"]:
        if channel.get("SampleWeightAttributeName"):
            raise _not_done("SampleWeightAttributeName")
    targets = {channel["TargetAttributeName"] for channel in request["InputDataConfig"]}
    if len(targets) > 1:
        raise ValidationException(f"All channels must have the same TargetAttributeName: {', '.join(sorted(targets))}")
    objective = request.get("AutoMLJobObjective", {}).get("MetricName")
    _check_objective(objective, request.get("ProblemType"))
    return {
        **_common(request, request["InputDataConfig"], config.get("DataSplitConfig", {})),
        "Target": targets.pop(),
        "Text": None,
        "ProblemType": request.get("ProblemType"),
        "Objective": objective,
        "Criteria": _criteria(config.get("CompletionCriteria", {})),
        "DefinitionsOnly": request.get("GenerateCandidateDefinitionsOnly", False),
    }


def of_v2(request: Members) -> Members:
    """Return the definition of a CreateAutoMLJobV2 request, as :func:`of_v1` does."""
    kinds = [name for name, config in request["AutoMLProblemTypeConfig"].items() if config is not None]
    if len(kinds) != 1:
        raise ValidationException(f"AutoMLProblemTypeConfig must have exactly one problem type: {', '.join(kinds)}")
    if kinds[0] != "TextClassificationJobConfig":
        raise _not_done(f"AutoMLProblemTypeConfig.{kinds[0]}", "localaws has TextClassificationJobConfig")
    if request.get("AutoMLComputeConfig"):
        raise _not_done("AutoMLComputeConfig")
    config = request["AutoMLProblemTypeConfig"]["TextClassificationJobConfig"]
    if config["ContentColumn"] == config["TargetLabelColumn"]:
        raise ValidationException(f"ContentColumn and TargetLabelColumn must differ: {config['ContentColumn']}")
    objective = request.get("AutoMLJobObjective", {}).get("MetricName")
    _check_objective(objective, None)
    return {
        **_common(request, request["AutoMLJobInputDataConfig"], request.get("DataSplitConfig", {})),
        "Target": config["TargetLabelColumn"],
        "Text": config["ContentColumn"],
        "ProblemType": None,
        # AWS's default for texts, with two classes as well.
        "Objective": objective or "Accuracy",
        "Criteria": _criteria(config.get("CompletionCriteria", {})),
        "DefinitionsOnly": False,
    }


def _common(request: Members, channels: list[Members], split: Members) -> Members:
    deploy = request.get("ModelDeployConfig", {})
    if deploy.get("AutoGenerateEndpointName") or deploy.get("EndpointName"):
        raise _not_done("ModelDeployConfig", "create a model and an endpoint of the BestCandidate")
    found = [_channel(channel) for channel in channels]
    types = [channel["Type"] for channel in found]
    if len(set(types)) < len(types):
        raise ValidationException(f"The channels must be one of each ChannelType, and both are {types[0]}")
    if "training" not in types:
        raise ValidationException("There must be a channel of the ChannelType training.")
    fraction = split.get("ValidationFraction")
    if fraction is not None and "validation" in types:
        raise ValidationException("ValidationFraction cannot stand beside a validation channel.")
    if fraction is not None and not 0 < fraction < 1:
        raise ValidationException(f"ValidationFraction must lie between 0 and 1: {fraction:g}")
    output = request["OutputDataConfig"]["S3OutputPath"]
    _check_uri(output, "OutputDataConfig.S3OutputPath")
    return {
        "Channels": found,
        "ValidationFraction": fraction or _FRACTION,
        "Output": f"{output.rstrip('/')}/{request['AutoMLJobName']}",
        "BaseModel": os.environ.get(BASE_MODEL_VARIABLE) or hub.MODEL,
    }


def _channel(channel: Members) -> Members:
    kind = channel.get("ChannelType", "training")
    source = channel.get("DataSource", {}).get("S3DataSource")
    if source is None:
        raise ValidationException(f"The {kind} channel must have a DataSource.S3DataSource.")
    _check_uri(source["S3Uri"], f"S3Uri of the {kind} channel")
    if source["S3DataType"] == "AugmentedManifestFile":
        raise _not_done(f"S3DataType AugmentedManifestFile of the {kind} channel")
    given = "".join(channel.get("ContentType", "text/csv;header=present").split()).lower()
    if given not in _CSV and given != _PARQUET:
        raise ValidationException(
            f"ContentType of the {kind} channel is {channel['ContentType']}: it must be text/csv;header=present or "
            f"{_PARQUET}"
        )
    gzipped = channel.get("CompressionType", "None") == "Gzip"
    if given == _PARQUET and gzipped:
        raise ValidationException(f"CompressionType Gzip of the {kind} channel is for text/csv only.")
    form = "parquet" if given == _PARQUET else "csv+gzip" if gzipped else "csv"
    return {"Type": kind, "Uri": source["S3Uri"], "S3DataType": source["S3DataType"], "Form": form}


def _criteria(given: Members) -> Members:
    """Return all criteria. There are three kinds of candidates here, and so never more candidates than those."""
    defaults = {
        "MaxRuntimePerTrainingJobInSeconds": _DAY_S,
        "MaxAutoMLJobRuntimeInSeconds": _MONTH_S,
    }
    return {**defaults, **given, "MaxCandidates": min(given.get("MaxCandidates", len(KINDS)), len(KINDS))}


def _check_objective(objective: str | None, problem_type: str | None) -> None:
    if objective is None:
        return
    known = {name for names in OBJECTIVES.values() for name in names}
    if objective not in known:
        raise _not_done(f"AutoMLJobObjective {objective}", f"localaws has {', '.join(sorted(known))}")
    if problem_type is not None and objective not in OBJECTIVES[problem_type]:
        raise ValidationException(
            f"The objective {objective} does not suit the ProblemType {problem_type}, which has "
            f"{', '.join(OBJECTIVES[problem_type])}."
        )


def _check_uri(uri: str, where: str) -> None:
    if not uri.startswith("s3://") or uri == "s3://":
        raise ValidationException(f"{where} must be an address that begins with s3://bucket: {uri}")


def _not_done(what: str, instead: str = "") -> NotImplementedByLocalAws:
    return NotImplementedByLocalAws(f"{what} is not implemented by localaws{': ' if instead else ''}{instead}.")
