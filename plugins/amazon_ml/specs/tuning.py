"""SageMaker hyperparameter tuning: what is trained, with which values, and by what the results are compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from amazon_ml.specs.job import TrainingJobSpec, to_hyperparameters

#: the longest name that SageMaker takes for a tuning job: those of its training jobs are made of it.
MAX_TUNING_LENGTH = 32

_CONFIG = "HyperParameterTuningJobConfig"
_TRAINING = "TrainingJobDefinition"
_SEVERAL = "TrainingJobDefinitions"
#: what SageMaker adds to the static hyperparameters.
_ADDED = "_tuning_objective_metric"
#: the members of CreateTrainingJob that go into TrainingJobDefinition.
_DEFINITION = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "Environment",
)
#: of a training job definition, what says what is computed from what.
_COMPUTATION = (
    "AlgorithmSpecification.TrainingImage",
    "StaticHyperParameters",
    "sort_by(InputDataConfig || `[]`, &ChannelName)[].[ChannelName, DataSource.S3DataSource.S3Uri]",
    "Environment",
)


def continuous(low: float | str, high: float | str, scaling: str = "Auto") -> dict[str, Any]:
    """Define a range of real numbers, both ends in it."""
    return {"Type": "Continuous", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def integer(low: int | str, high: int | str, scaling: str = "Auto") -> dict[str, Any]:
    """Define a range of whole numbers, both ends in it."""
    return {"Type": "Integer", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def categorical(*values: Any) -> dict[str, Any]:
    """Define a choice of these values."""
    return {"Type": "Categorical", "Values": list(values)}


def categorical_of(values: str) -> dict[str, Any]:
    """Define a choice of the values of a JSON list; for a template such as ``{{ params.batch_sizes | tojson }}``."""
    return {"Type": "Categorical", "Values": values}


@dataclass(frozen=True, kw_only=True)
class TuningJobSpec(TrainingJobSpec):
    """
    A tuning job of a script-mode training job. Any text may be a Jinja template, rendered when the task runs.

    :param objective_metric: name of the metric to go by; its regex is among the operator's ``metric_regexes``.
    :param objective_type: "Maximize" or "Minimize".
    :param strategy: "Random", "Grid", "Bayesian" or "Hyperband".
    :param max_jobs: training jobs in all.
    :param max_parallel: training jobs at once.
    :param early_stopping: "Auto" to stop training jobs that do worse than those before them, or "Off".
    :param seed: of the choice of values: the same one gives the same ones.
    :param max_runtime: seconds for the whole job, 120 at least.
    :param max_runtime_per_training_job: seconds for one training job.
    :param min_resource: for Hyperband: epochs after which a training job may be stopped, at the earliest.
    :param max_resource: for Hyperband: epochs of a training job, at most; default the hyperparameter ``epochs``.
    :param target: the job is done when a training job reaches this objective; None or "" for no target.
    :param max_jobs_not_improving: training jobs without a better objective after which it is done, 3 at least.
    :param complete_on_convergence: it is done when SageMaker finds that it does not get better.
    :param warm_start_from: names of the tuning jobs whose results it starts from, separated by commas; "" for none.
    :param warm_start_type: "IdenticalDataAndAlgorithm", or "TransferLearning" where data or code are others.
    :param extra: further members of CreateHyperParameterTuningJob as AWS names them.
    """

    objective_metric: str
    objective_type: str = "Maximize"
    strategy: str = "Random"
    max_jobs: int | str = 2
    max_parallel: int | str = 2
    early_stopping: str = "Off"
    seed: int | str | None = None
    max_runtime: int | str = 7200
    max_runtime_per_training_job: int | str = 3600
    min_resource: int | str | None = None
    max_resource: int | str | None = None
    target: float | str | None = None
    max_jobs_not_improving: int | str | None = None
    complete_on_convergence: bool | str = False
    warm_start_from: str = ""
    warm_start_type: str = "TransferLearning"

    # Limits and completion criteria are not in it: they say how long to look, not where. AWS also gives a target back
    # in single precision.
    identity: ClassVar[tuple[str, ...]] = (
        f"{_CONFIG}.[Strategy, HyperParameterTuningJobObjective, RandomSeed, TrainingJobEarlyStoppingType]",
        f"{_CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs",
        f"{_CONFIG}.StrategyConfig.HyperbandStrategyConfig.[MinResource, MaxResource]",
        # One by one: AWS describes kinds of ranges that were not given as empty ones.
        *(f"{_CONFIG}.ParameterRanges.{kind}ParameterRanges" for kind in ("Integer", "Continuous", "Categorical")),
        *(f"{_TRAINING}.{path}" for path in _COMPUTATION),
        f"({_SEVERAL} || `[]`)[].[DefinitionName, TuningObjective, {', '.join(_COMPUTATION)}, "
        "HyperParameterRanges.[IntegerParameterRanges, ContinuousParameterRanges, CategoricalParameterRanges][]]",
        "WarmStartConfig.[WarmStartType, ParentHyperParameterTuningJobs]",
    )

    @classmethod
    def fingerprint(cls, request: Mapping[str, Any]) -> str:
        """As that of any job, but for the hyperparameter that SageMaker adds."""
        given: dict[str, Any] = {}
        if _TRAINING in request:
            given[_TRAINING] = _as_sent(request[_TRAINING])
        if _SEVERAL in request:
            given[_SEVERAL] = [_as_sent(definition) for definition in request[_SEVERAL]]
        return super().fingerprint({**request, **given})

    @property
    def parents(self) -> list[str]:
        """The tuning jobs that a warm start begins from."""
        return [name for each in self.warm_start_from.split(",") if (name := each.strip())]

    def to_tuning_request(
        self,
        *,
        name: str,
        dag_id: str,
        code_uri: str,
        region: str,
        channels: Mapping[str, str],
        ranges: Mapping[str, Mapping[str, Any]],
        hyperparameters: Mapping[str, Any],
        metric_regexes: Mapping[str, str],
        definitions: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """
        Return the CreateHyperParameterTuningJob request, without tags.

        :param ranges: hyperparameter -> :func:`continuous`, :func:`integer` or :func:`categorical`.
        :param hyperparameters: the same for all training jobs.
        :param definitions: name -> ``{"ranges": ..., "hyperparameters": ...}``, which add to those of all: a search of
            its own for each.
        :raises ValueError: a range of another type, or that holds nothing; an objective without a regex; a
            hyperparameter longer than SageMaker takes; members that the strategy does not know.
        """
        if self.objective_metric not in metric_regexes:
            raise ValueError(
                f"the objective {self.objective_metric} is not among the metrics that have a regex: "
                f"{', '.join(metric_regexes) or 'none'}"
            )
        # Every training job has a folder of its own beside the tuning job's. On demand: without checkpoints a spot
        # instance's end would be the end of what it has learnt.
        one = replace(self, max_runtime=self.max_runtime_per_training_job, spot=False, extra={})

        def definition(more: Mapping[str, Any]) -> dict[str, Any]:
            training = one.to_request(
                name=name,
                dag_id=dag_id,
                code_uri=code_uri,
                region=region,
                channels=channels,
                hyperparameters={**hyperparameters, **more},
                metric_regexes=metric_regexes,
            )
            return {
                "StaticHyperParameters": training["HyperParameters"],
                **{member: training[member] for member in _DEFINITION if member in training},
            }

        objective = {"Type": self.objective_type, "MetricName": self.objective_metric}
        request: dict[str, Any] = {"HyperParameterTuningJobName": name, _CONFIG: self._config()}
        if definitions:
            request[_SEVERAL] = [
                {
                    "DefinitionName": each,
                    "TuningObjective": objective,
                    "HyperParameterRanges": to_ranges({**ranges, **own.get("ranges", {})}),
                    **definition(own.get("hyperparameters", {})),
                }
                for each, own in definitions.items()
            ]
        else:
            request[_CONFIG] |= {"HyperParameterTuningJobObjective": objective, "ParameterRanges": to_ranges(ranges)}
            request[_TRAINING] = definition({})
        if parents := self.parents:
            listed = [{"HyperParameterTuningJobName": parent} for parent in parents]
            request["WarmStartConfig"] = {
                "WarmStartType": self.warm_start_type,
                "ParentHyperParameterTuningJobs": listed,
            }
        return {**request, **self.extra}

    def _config(self) -> dict[str, Any]:
        """HyperParameterTuningJobConfig without objective and ranges."""
        config: dict[str, Any] = {
            "Strategy": self.strategy,
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": int(self.max_jobs),
                "MaxParallelTrainingJobs": int(self.max_parallel),
                "MaxRuntimeInSeconds": int(self.max_runtime),
            },
            "TrainingJobEarlyStoppingType": self.early_stopping,
        }
        if _given(self.seed):
            config["RandomSeed"] = int(self.seed or 0)
        if resources := self._resources():
            config["StrategyConfig"] = {"HyperbandStrategyConfig": resources}
        if criteria := self._criteria():
            config["TuningJobCompletionCriteria"] = criteria
        return config

    def _resources(self) -> dict[str, int]:
        given = {"MinResource": self.min_resource, "MaxResource": self.max_resource}
        found = {member: int(value) for member, value in given.items() if value is not None and _given(value)}
        if found and self.strategy != "Hyperband":
            raise ValueError(f"min_resource and max_resource are Hyperband's, and the strategy is {self.strategy}")
        if found.get("MinResource", 0) > found.get("MaxResource", math.inf):
            raise ValueError(f"min_resource {self.min_resource} is greater than max_resource {self.max_resource}")
        return found

    def _criteria(self) -> dict[str, Any]:
        criteria: dict[str, Any] = {}
        if self.target is not None and _given(self.target):
            criteria["TargetObjectiveMetricValue"] = float(self.target)
        if self.max_jobs_not_improving is not None and _given(self.max_jobs_not_improving):
            patience = {"MaxNumberOfTrainingJobsNotImproving": int(self.max_jobs_not_improving)}
            criteria["BestObjectiveNotImproving"] = patience
        if str(self.complete_on_convergence).lower() == "true":
            criteria["ConvergenceDetected"] = {"CompleteOnConvergence": "Enabled"}
        return criteria


def to_ranges(ranges: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """
    Return AWS's ParameterRanges, whose values are all strings.

    :raises ValueError: a range of another type, or that holds nothing.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, given in ranges.items():
        kind = given.get("Type")
        if kind not in _CHECKS:
            raise ValueError(f"the range of {name} has the type {kind}: there are Continuous, Integer and Categorical")
        members = _CHECKS[kind](name, {key: value for key, value in given.items() if key != "Type"})
        found.setdefault(f"{kind}ParameterRanges", []).append({"Name": name, **_texts(members)})
    return found


def _numbers(number: Callable[[str], float]) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    def check(name: str, members: dict[str, Any]) -> dict[str, Any]:
        low, high = members["MinValue"], members["MaxValue"]
        try:
            bounds = number(str(low)), number(str(high))
        except ValueError as error:
            raise ValueError(f"the range of {name} is not of numbers: {low} to {high}") from error
        if not bounds[0] <= bounds[1]:
            raise ValueError(f"the range of {name} has a minimum above its maximum: {low} to {high}")
        return members

    return check


def _values(name: str, members: dict[str, Any]) -> dict[str, Any]:
    values = members["Values"]
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError as error:
            raise ValueError(f"the values of {name} are not a JSON list: {values}") from error
    if not isinstance(values, list) or not values:
        raise ValueError(f"the range of {name} needs a list of one value or more: {values}")
    return {**members, "Values": values}


_CHECKS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "Continuous": _numbers(float),
    "Integer": _numbers(int),
    "Categorical": _values,
}


def _as_sent(definition: Mapping[str, Any]) -> dict[str, Any]:
    static = {key: value for key, value in definition["StaticHyperParameters"].items() if key != _ADDED}
    return {**definition, "StaticHyperParameters": static}


def _given(value: Any) -> bool:
    """Return True if an optional value is given: a template renders None as text."""
    return value is not None and str(value).strip() not in ("", "None")


def trial_entry(summary: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return one training job of a tuning job for XCom: see :class:`amazon_ml.operators.tuning.TuningJobOperator`.

    The value is None where it was given up before it had one.
    """
    began, ended = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    return {
        "name": summary["TrainingJobName"],
        "status": summary["TrainingJobStatus"],
        "value": summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        "hyperparameters": dict(summary["TunedHyperParameters"]),
        "seconds": round((ended - began).total_seconds(), 1) if began and ended else None,
        **({"definition": summary["TrainingJobDefinitionName"]} if summary.get("TrainingJobDefinitionName") else {}),
        **({"failure_reason": summary["FailureReason"]} if summary.get("FailureReason") else {}),
    }


def objective_of(description: Mapping[str, Any]) -> tuple[Mapping[str, str], str]:
    """Return the objective of a tuning job, ``{"Type", "MetricName"}``, and the regex that finds it in a log."""
    definition = description.get(_TRAINING) or description[_SEVERAL][0]
    objective = description[_CONFIG].get("HyperParameterTuningJobObjective") or definition["TuningObjective"]
    metrics = {
        each["Name"]: each["Regex"] for each in definition["AlgorithmSpecification"].get("MetricDefinitions", [])
    }
    return objective, metrics.get(objective["MetricName"], "")


def best_first(entries: Sequence[dict[str, Any]], objective_type: str) -> list[dict[str, Any]]:
    """Sort by the objective, without a value last."""
    sign = 1 if objective_type == "Minimize" else -1
    return sorted(
        entries, key=lambda entry: (entry["value"] is None, sign * (entry["value"] or 0.0), str(entry["name"]))
    )


def _texts(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: [to_hyperparameters({key: each})[key] for each in value] if isinstance(value, list) else str(value)
        for key, value in members.items()
    }
