"""What a request for a tuning job must be, and what the later steps need of it."""

from __future__ import annotations

from typing import Any

from localaws import images
from localaws.context import Context
from localaws.errors import NotImplementedByLocalAws, ValidationException
from localaws.services import training
from localaws.tuning import ranges, trials

Record = dict[str, Any]

#: AWS's quota, which counts where only the time is limited.
_MOST_JOBS = 750
_STRATEGIES = ("Random", "Grid", "Bayesian")
#: members that change what a tuning job does, and that nothing here does.
_UNSUPPORTED = ("TrainingJobDefinitions", "WarmStartConfig", "Autotune")


def of(request: Record, ctx: Context) -> Record:
    """
    The definition that the steps go by: ``Metric``, ``Direction``, ``Ranges``, ``Jobs``, ``Seed``.

    :raises ValidationException: the request contradicts itself.
    :raises NotImplementedByLocalAws: it asks for what is not here.
    """
    config = request["HyperParameterTuningJobConfig"]
    _refuse(request, config)
    if "TrainingJobDefinition" not in request:
        raise ValidationException("You must specify a TrainingJobDefinition.")
    found = config.get("ParameterRanges") or {}
    _check_ranges(found, request["TrainingJobDefinition"])
    objective = config.get("HyperParameterTuningJobObjective")
    if objective is None:
        raise ValidationException("You must specify a HyperParameterTuningJobObjective.")
    _check_metric(request["TrainingJobDefinition"], objective["MetricName"])
    seed = config.get("RandomSeed")
    definition = {
        "Metric": objective["MetricName"],
        "Direction": objective["Type"],
        "Ranges": found,
        "Jobs": _jobs(config, found),
        "Seed": f"{request['HyperParameterTuningJobName']} {ctx.now().isoformat()}" if seed is None else str(seed),
    }
    training.check(trials.request({**request, "_Definition": definition}, 1, trials.values(request, definition, 1)))
    return definition


def with_metric(request: Record) -> Record:
    """The TrainingJobDefinition with what SageMaker adds to the static hyperparameters."""
    definition: Record = request["TrainingJobDefinition"]
    metric = request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"]
    static = {**definition.get("StaticHyperParameters", {}), "_tuning_objective_metric": metric}
    return {**definition, "StaticHyperParameters": static}


def _refuse(request: Record, config: Record) -> None:
    for member in _UNSUPPORTED:
        if member in request:
            raise NotImplementedByLocalAws(f"{member} of a tuning job is not implemented by localaws.")
    if config["Strategy"] not in _STRATEGIES:
        raise NotImplementedByLocalAws(
            f"The strategy {config['Strategy']} is not implemented by localaws: it has {', '.join(_STRATEGIES)}."
        )
    if config.get("ParameterRanges", {}).get("AutoParameters"):
        raise NotImplementedByLocalAws("AutoParameters are not implemented by localaws: give the ranges.")
    converged = config.get("TuningJobCompletionCriteria", {}).get("ConvergenceDetected", {})
    if converged.get("CompleteOnConvergence") == "Enabled":
        raise NotImplementedByLocalAws("CompleteOnConvergence is not implemented by localaws.")
    for member in ("HyperParameterTuningResourceConfig", "HyperParameterRanges", "TuningObjective", "RetryStrategy"):
        if member in request.get("TrainingJobDefinition", {}):
            raise NotImplementedByLocalAws(f"TrainingJobDefinition.{member} is not implemented by localaws.")


def _check_ranges(found: Record, definition: Record) -> None:
    try:
        tuned = [each.name for each in ranges.of(found)]
    except ranges.RangeError as error:
        raise ValidationException(str(error)) from error
    if not tuned:
        raise ValidationException("You must specify at least one hyperparameter range in ParameterRanges.")
    if both := sorted(set(tuned) & set(definition.get("StaticHyperParameters", {}))):
        raise ValidationException(f"Hyperparameters must be either static or in a range: {', '.join(both)}")


def _check_metric(definition: Record, metric: str) -> None:
    algorithm = definition["AlgorithmSpecification"]
    image = images.find(algorithm.get("TrainingImage", ""))
    known = [each["Name"] for each in algorithm.get("MetricDefinitions", [])]
    known += [name for name, _ in image.metrics] if image else []
    if metric not in known:
        raise ValidationException(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            "definitions."
        )


def _jobs(config: Record, found: Record) -> int:
    """How many training jobs there are to be, at most."""
    limits = config["ResourceLimits"]
    given: int | None = limits.get("MaxNumberOfTrainingJobs")
    if config["Strategy"] == "Grid":
        if set(found) != {"CategoricalParameterRanges"}:
            raise ValidationException("The Grid strategy is for categorical hyperparameters only.")
        size = ranges.grid_size(found)
        if given not in (None, size) or size > _MOST_JOBS:
            raise ValidationException(
                f"With the Grid strategy MaxNumberOfTrainingJobs must be the number of distinct combinations, {size}, "
                f"and not more than {_MOST_JOBS}, or not be given."
            )
        return size
    if given is None and "MaxRuntimeInSeconds" not in limits and not config.get("TuningJobCompletionCriteria"):
        raise ValidationException(
            "You must specify at least one of MaxNumberOfTrainingJobs, MaxRuntimeInSeconds and "
            "TuningJobCompletionCriteria."
        )
    return min(given or _MOST_JOBS, _MOST_JOBS)
