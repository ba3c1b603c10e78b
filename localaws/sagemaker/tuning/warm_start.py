"""Start a tuning job from the results of others: WarmStartConfig."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ResourceNotFound, ValidationException
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.tuning import ranges, trials
from localaws.sagemaker.tuning.search import KIND, Search, searches

Record = dict[str, Any]

IDENTICAL = "IdenticalDataAndAlgorithm"
#: AWS's limit on hyperparameters that change from tunable to static, or in their static value.
_MOST_CHANGES = 10
_OWN = "_tuning_objective_metric"


def known(request: Record, found: list[Search], jobs: int, most: int, ctx: Context) -> list[Record]:
    """
    Return the results of the parents that the search can use: ``{"Values": {name: text}, "Objective": float}``.

    A result counts where each of its values lies in the range that the new job has for it.

    :param jobs: Training jobs that the new job may start.
    :param most: Quota that they and the parents' training jobs share.
    :raises ResourceNotFound: A parent does not exist.
    :raises ValidationException: A parent has not ended, or is too different.
    """
    config = request["WarmStartConfig"]
    if request["HyperParameterTuningJobConfig"]["Strategy"] == "Grid":
        raise ValidationException("The Grid strategy tries each combination and takes no WarmStartConfig.")
    if len(found) > 1:
        raise NotImplementedByLocalAws("WarmStartConfig with TrainingJobDefinitions is not implemented by localaws.")
    names = [each["HyperParameterTuningJobName"] for each in config["ParentHyperParameterTuningJobs"]]
    if len(set(names)) < len(names):
        raise ValidationException(f"Each parent tuning job may be given once: {', '.join(names)}")
    parents = [_parent(name, ctx) for name in names]
    for parent in parents:
        _check(parent, found[0], identical=config["WarmStartType"] == IDENTICAL)
    total = jobs + sum(len(parent["_Trials"]) for parent in parents)
    if total > most:
        raise ValidationException(f"With the parents' training jobs there would be {total}, and {most} are the limit.")
    return [result for parent in parents for result in _results(parent, found[0])]


def overall_best(record: Record, ctx: Context) -> Record | None:
    """Return the best training job of a job and its parents, where they share data and algorithm."""
    config = record.get("WarmStartConfig", {})
    if config.get("WarmStartType") != IDENTICAL:
        return None
    found = [_named(record, trial) for trial in record["_Trials"]]
    for each in config["ParentHyperParameterTuningJobs"]:
        parent = ctx.store.get(KIND, each["HyperParameterTuningJobName"])
        # One that was deleted meanwhile has nothing to tell.
        found += [_named(parent, trial) for trial in parent["_Trials"]] if parent else []
    return trials.best(found)


def _named(record: Record, trial: Record) -> Record:
    return {**trial, "TuningJobName": record["HyperParameterTuningJobName"]}


def _parent(name: str, ctx: Context) -> Record:
    parent = ctx.store.get(KIND, name)
    if parent is None:
        raise ResourceNotFound(
            f"Amazon SageMaker can't find a tuning job with the name {name}. Review the job name and try your request "
            "again."
        )
    if parent["HyperParameterTuningJobStatus"] not in TERMINAL:
        raise ValidationException(
            f"The parent tuning job {name} is {parent['HyperParameterTuningJobStatus']}: a warm start needs parents "
            "that have ended."
        )
    if "TrainingJobDefinition" not in parent:
        raise NotImplementedByLocalAws(
            f"The parent tuning job {name} has several definitions, which localaws does not implement for a warm start."
        )
    return parent


def _check(parent: Record, search: Search, *, identical: bool) -> None:
    name = parent["HyperParameterTuningJobName"]
    (before,) = searches(parent)
    if (before.metric, before.direction) != (search.metric, search.direction):
        raise ValidationException(
            f"The objective must be that of the parent tuning job {name}: {before.direction} {before.metric}"
        )
    old, new = _parameters(before), _parameters(search)
    if len(old) != len(new):
        raise ValidationException(
            f"The number of static and tunable hyperparameters must be that of the parent tuning job {name}, "
            f"{len(old)}: {len(new)}"
        )
    for key in sorted(old.keys() & new.keys()):
        if None not in (old[key][0], new[key][0]) and old[key][0] != new[key][0]:
            raise ValidationException(
                f"The type of the hyperparameter {key} must be that in the parent tuning job {name}."
            )
    changed = [key for key in old if new.get(key, (None, None))[0] is None and new.get(key) != old[key]]
    if len(changed) > _MOST_CHANGES:
        raise ValidationException(
            f"At most {_MOST_CHANGES} hyperparameters may become static or change their static value: "
            f"{', '.join(sorted(changed))}"
        )
    if identical and (different := _different(before.definition, search.definition)):
        raise ValidationException(
            f"With {IDENTICAL} the {different} must be that of the parent tuning job {name}. Use TransferLearning "
            "instead."
        )


def _parameters(search: Search) -> dict[str, tuple[str | None, str | None]]:
    """Return each hyperparameter's kind of range, where it is tuned, and its value, where it is static."""
    static = search.definition.get("StaticHyperParameters", {})
    tuned = {each["Name"]: (kind, None) for kind, listed in search.ranges.items() for each in listed}
    return {**{key: (None, value) for key, value in static.items() if key != _OWN}, **tuned}


def _different(before: Record, now: Record) -> str:
    if before.get("InputDataConfig") != now.get("InputDataConfig"):
        return "input data"
    image = "TrainingImage"
    return (
        "training image"
        if before["AlgorithmSpecification"].get(image) != now["AlgorithmSpecification"].get(image)
        else ""
    )


def _results(parent: Record, search: Search) -> list[Record]:
    static = parent["TrainingJobDefinition"].get("StaticHyperParameters", {})
    each = ranges.of(search.ranges)
    results = []
    for trial in parent["_Trials"]:
        objective = trials.value(trial)
        values = {**static, **trial["TunedHyperParameters"]}
        if objective is not None and all(one.name in values and one.covers(values[one.name]) for one in each):
            results.append({"Values": {one.name: values[one.name] for one in each}, "Objective": objective})
    return results
