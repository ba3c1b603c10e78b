"""Check a request for a tuning job, and keep what its later steps need."""

from __future__ import annotations

from typing import Any

from localaws import images
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.training import api as training
from localaws.sagemaker.tuning import hyperband, ranges, trials, warm_start
from localaws.sagemaker.tuning.search import Search

Record = dict[str, Any]

#: AWS's quota, which counts where only the time is limited.
MOST_JOBS = 750
#: AWS's limit on TrainingJobDefinitions.
_MOST_DEFINITIONS = 10
_STRATEGIES = ("Random", "Grid", "Bayesian", "Hyperband")
_GIVE_OBJECTIVE = "You must specify a HyperParameterTuningJobObjective."
_GIVE_RANGES = "You must specify at least one hyperparameter range in ParameterRanges."


def of(request: Record, ctx: Context) -> Record:
    """
    Return what the steps go by: ``Jobs``, ``Seed``, ``Searches``, and ``Known`` of a warm start.

    :raises ValidationException: The request contradicts itself.
    :raises ResourceNotFound: A parent of the warm start does not exist.
    :raises NotImplementedByLocalAws: It asks for what is not here.
    """
    config = request["HyperParameterTuningJobConfig"]
    _refuse(request, config)
    searches = _searches(request, config)
    for search in searches:
        _check_search(search)
    if len({search.direction for search in searches}) > 1:
        raise ValidationException("The TuningObjective of all TrainingJobDefinitions must be of the same Type.")
    if config["Strategy"] == "Hyperband":
        hyperband.check(config, searches)
    elif "StrategyConfig" in config:
        raise ValidationException("StrategyConfig is supported for the Hyperband strategy only.")
    seed = config.get("RandomSeed")
    definition: Record = {
        "Jobs": _jobs(config, searches),
        "Seed": f"{request['HyperParameterTuningJobName']} {ctx.now().isoformat()}" if seed is None else str(seed),
        "Searches": [search.to_record() for search in searches],
    }
    if "WarmStartConfig" in request:
        definition["Known"] = warm_start.known(request, searches, definition["Jobs"], MOST_JOBS, ctx)
    draft = {**request, "_Definition": definition}
    for number in range(1, len(searches) + 1):
        training.check(trials.request(draft, number, trials.values(draft, number)))
    return definition


def with_metrics(request: Record) -> Record:
    """Return the training job definitions with what SageMaker adds to their static hyperparameters."""
    config = request["HyperParameterTuningJobConfig"]
    if "TrainingJobDefinition" in request:
        metric = config["HyperParameterTuningJobObjective"]["MetricName"]
        return {"TrainingJobDefinition": _with_metric(request["TrainingJobDefinition"], metric)}
    definitions = request["TrainingJobDefinitions"]
    return {
        "TrainingJobDefinitions": [_with_metric(each, each["TuningObjective"]["MetricName"]) for each in definitions]
    }


def _with_metric(definition: Record, metric: str) -> Record:
    static = {**definition.get("StaticHyperParameters", {}), "_tuning_objective_metric": metric}
    return {**definition, "StaticHyperParameters": static}


def _refuse(request: Record, config: Record) -> None:
    if "Autotune" in request:
        raise NotImplementedByLocalAws(
            "Autotune of a tuning job is not implemented by localaws: give the ranges, the limits and the strategy."
        )
    if config["Strategy"] not in _STRATEGIES:
        raise NotImplementedByLocalAws(
            f"The strategy {config['Strategy']} is not implemented by localaws: it has {', '.join(_STRATEGIES)}."
        )
    definitions = [request.get("TrainingJobDefinition", {}), *request.get("TrainingJobDefinitions", [])]
    found = [config.get("ParameterRanges", {}), *(each.get("HyperParameterRanges", {}) for each in definitions)]
    if any(each.get("AutoParameters") for each in found):
        raise NotImplementedByLocalAws("AutoParameters are not implemented by localaws: give the ranges.")
    for member in ("HyperParameterTuningResourceConfig", "RetryStrategy"):
        if any(member in each for each in definitions):
            raise NotImplementedByLocalAws(f"TrainingJobDefinition.{member} is not implemented by localaws.")


def _searches(request: Record, config: Record) -> list[Search]:
    if "TrainingJobDefinitions" not in request:
        if "TrainingJobDefinition" not in request:
            raise ValidationException("You must specify a TrainingJobDefinition.")
        definition = request["TrainingJobDefinition"]
        for member in ("TuningObjective", "HyperParameterRanges"):
            if member in definition:
                raise ValidationException(
                    f"{member} is for TrainingJobDefinitions; give it in the tuning job's config."
                )
        objective = config.get("HyperParameterTuningJobObjective")
        if not any((config.get("ParameterRanges") or {}).values()):
            raise ValidationException(_GIVE_RANGES)
        if objective is None:
            raise ValidationException(_GIVE_OBJECTIVE)
        return [Search(objective["MetricName"], objective["Type"], config["ParameterRanges"], definition)]
    if "TrainingJobDefinition" in request:
        raise ValidationException("You can specify either TrainingJobDefinition or TrainingJobDefinitions, not both.")
    for member in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        if member in config:
            raise ValidationException(
                f"With TrainingJobDefinitions each of them has its own, and {member} is not given."
            )
    return _several(request["TrainingJobDefinitions"], config["Strategy"])


def _several(definitions: list[Record], strategy: str) -> list[Search]:
    if strategy == "Grid":
        raise NotImplementedByLocalAws("TrainingJobDefinitions with the Grid strategy are not implemented by localaws.")
    if len(definitions) > _MOST_DEFINITIONS:
        raise ValidationException(f"A tuning job has at most {_MOST_DEFINITIONS} TrainingJobDefinitions.")
    names = [each.get("DefinitionName") for each in definitions]
    if None in names or len(set(names)) < len(names):
        raise ValidationException("Each of several TrainingJobDefinitions must have a DefinitionName of its own.")
    for each in definitions:
        if "TuningObjective" not in each:
            raise ValidationException(f"You must specify a TuningObjective in the definition {each['DefinitionName']}.")
    return [
        Search(
            each["TuningObjective"]["MetricName"],
            each["TuningObjective"]["Type"],
            each.get("HyperParameterRanges", {}),
            each,
        )
        for each in definitions
    ]


def _check_search(search: Search) -> None:
    try:
        tuned = [each.name for each in ranges.of(search.ranges)]
    except ranges.RangeError as error:
        raise ValidationException(str(error)) from error
    if not tuned:
        raise ValidationException(_GIVE_RANGES)
    if both := sorted(set(tuned) & set(search.definition.get("StaticHyperParameters", {}))):
        raise ValidationException(f"Hyperparameters must be either static or in a range: {', '.join(both)}")
    algorithm = search.definition["AlgorithmSpecification"]
    image = images.find(algorithm.get("TrainingImage", ""))
    known = [each["Name"] for each in algorithm.get("MetricDefinitions", [])]
    known += [name for name, _ in image.metrics] if image else []
    if search.metric not in known:
        raise ValidationException(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            "definitions."
        )


def _jobs(config: Record, searches: list[Search]) -> int:
    """Return how many training jobs there are to be, at most."""
    limits = config["ResourceLimits"]
    given: int | None = limits.get("MaxNumberOfTrainingJobs")
    if config["Strategy"] == "Grid":
        return _grid_size(searches[0].ranges, given)
    if given is None and "MaxRuntimeInSeconds" not in limits and not config.get("TuningJobCompletionCriteria"):
        raise ValidationException(
            "You must specify at least one of MaxNumberOfTrainingJobs, MaxRuntimeInSeconds and "
            "TuningJobCompletionCriteria."
        )
    return min(given or MOST_JOBS, MOST_JOBS)


def _grid_size(found: Record, given: int | None) -> int:
    if {kind for kind, each in found.items() if each} != {"CategoricalParameterRanges"}:
        raise ValidationException("The Grid strategy is for categorical hyperparameters only.")
    size = ranges.grid_size(found)
    if given not in (None, size) or size > MOST_JOBS:
        raise ValidationException(
            f"With the Grid strategy MaxNumberOfTrainingJobs must be the number of distinct combinations, {size}, "
            f"and not more than {MOST_JOBS}, or not be given."
        )
    return size
