"""SageMaker hyperparameter tuning: what is trained, with which values, and by what the results are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from amazon_ml.jobs import TrainingJobSpec, to_hyperparameters

#: the longest name that SageMaker takes for a tuning job: those of its training jobs are made of it.
MAX_TUNING_LENGTH = 32

_CONFIG = "HyperParameterTuningJobConfig"
_TRAINING = "TrainingJobDefinition"
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


def continuous(low: float | str, high: float | str, scaling: str = "Auto") -> dict[str, Any]:
    """A range of real numbers, both ends in it."""
    return {"Type": "Continuous", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def integer(low: int | str, high: int | str, scaling: str = "Auto") -> dict[str, Any]:
    """A range of whole numbers, both ends in it."""
    return {"Type": "Integer", "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def categorical(*values: Any) -> dict[str, Any]:
    """One of these values."""
    return {"Type": "Categorical", "Values": list(values)}


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

    identity: ClassVar[tuple[str, ...]] = (
        f"{_CONFIG}.[Strategy, HyperParameterTuningJobObjective, RandomSeed, TrainingJobEarlyStoppingType]",
        f"{_CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs",
        # One by one: AWS describes kinds of ranges that were not given as empty ones.
        *(f"{_CONFIG}.ParameterRanges.{kind}ParameterRanges" for kind in ("Integer", "Continuous", "Categorical")),
        f"{_TRAINING}.AlgorithmSpecification.TrainingImage",
        f"{_TRAINING}.StaticHyperParameters",
        f"sort_by({_TRAINING}.InputDataConfig || `[]`, &ChannelName)[].[ChannelName, DataSource.S3DataSource.S3Uri]",
        f"{_TRAINING}.Environment",
    )

    @classmethod
    def fingerprint(cls, request: Mapping[str, Any]) -> str:
        """As that of any job, but for the hyperparameter that SageMaker adds."""
        definition = request[_TRAINING]
        static = {key: value for key, value in definition["StaticHyperParameters"].items() if key != _ADDED}
        return super().fingerprint({**request, _TRAINING: {**definition, "StaticHyperParameters": static}})

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
    ) -> dict[str, Any]:
        """
        The CreateHyperParameterTuningJob request, without tags.

        :param ranges: hyperparameter -> :func:`continuous`, :func:`integer` or :func:`categorical`.
        :param hyperparameters: the same for all training jobs.
        :raises ValueError: a range of another type, a hyperparameter longer than SageMaker takes.
        """
        # Every training job has a folder of its own beside the tuning job's.
        one = replace(self, max_runtime=self.max_runtime_per_training_job, extra={})
        training = one.to_request(
            name=name,
            dag_id=dag_id,
            code_uri=code_uri,
            region=region,
            channels=channels,
            hyperparameters=hyperparameters,
            metric_regexes=metric_regexes,
        )
        seed = {} if self.seed is None else {"RandomSeed": int(self.seed)}
        return {
            "HyperParameterTuningJobName": name,
            _CONFIG: {
                "Strategy": self.strategy,
                "HyperParameterTuningJobObjective": {"Type": self.objective_type, "MetricName": self.objective_metric},
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": int(self.max_jobs),
                    "MaxParallelTrainingJobs": int(self.max_parallel),
                    "MaxRuntimeInSeconds": int(self.max_runtime),
                },
                "ParameterRanges": to_ranges(ranges),
                "TrainingJobEarlyStoppingType": self.early_stopping,
                **seed,
            },
            _TRAINING: {
                "StaticHyperParameters": training["HyperParameters"],
                **{member: training[member] for member in _DEFINITION if member in training},
            },
            **self.extra,
        }


def to_ranges(ranges: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """
    AWS's ParameterRanges, whose values are all texts.

    :raises ValueError: a range of another type.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name, given in ranges.items():
        kind = given.get("Type")
        if kind not in ("Continuous", "Integer", "Categorical"):
            raise ValueError(f"the range of {name} has the type {kind}: there are Continuous, Integer and Categorical")
        members = {key: value for key, value in given.items() if key != "Type"}
        found.setdefault(f"{kind}ParameterRanges", []).append({"Name": name, **_texts(members)})
    return found


def trial_entry(summary: Mapping[str, Any]) -> dict[str, Any]:
    """
    One training job of a tuning job, as it goes into XCom: see :class:`amazon_ml.operators.tuning.TuningJobOperator`.

    The value is None where it was given up before it had one.
    """
    began, ended = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    return {
        "name": summary["TrainingJobName"],
        "status": summary["TrainingJobStatus"],
        "value": summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        "hyperparameters": dict(summary["TunedHyperParameters"]),
        "seconds": round((ended - began).total_seconds(), 1) if began and ended else None,
        **({"failure_reason": summary["FailureReason"]} if summary.get("FailureReason") else {}),
    }


def best_first(entries: Sequence[dict[str, Any]], objective_type: str) -> list[dict[str, Any]]:
    """By the objective; those without a value last."""
    sign = 1 if objective_type == "Minimize" else -1
    return sorted(
        entries, key=lambda entry: (entry["value"] is None, sign * (entry["value"] or 0.0), str(entry["name"]))
    )


def _texts(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: [to_hyperparameters({key: each})[key] for each in value] if isinstance(value, list) else str(value)
        for key, value in members.items()
    }
