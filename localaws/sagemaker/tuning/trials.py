"""
The training jobs of a tuning job: starting each of them once, and what is kept of those that have ended.

A trial is an entry of the record's ``_Trials``, in the shape of HyperParameterTrainingJobSummary, with ``_Values``: the
objective after each epoch, where early stopping wants them.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

from localaws.core.context import Context
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.training import api as training
from localaws.sagemaker.tuning import ranges, stopping
from localaws.sagemaker.tuning.search import Search, search_of

Record = dict[str, Any]

#: members of TrainingJobDefinition that are CreateTrainingJob's as they are.
_SAME = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
)
#: what a summary has of the training job's Describe answer.
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "TrainingJobStatus",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "FailureReason",
)


class NameTaken(Exception):
    """A job that is not of this tuning job has the name that a training job would get."""


def values(record: Record, number: int) -> dict[str, str]:
    """Return the hyperparameters of the training job ``number``, from 1, given the results so far."""
    definition = record["_Definition"]
    strategy = record["HyperParameterTuningJobConfig"]["Strategy"]
    search, turn = search_of(record, number)
    known = [(each["Values"], each["Objective"]) for each in definition.get("Known", [])]
    if strategy == "Grid":
        return ranges.grid(search.ranges, turn)
    if strategy != "Bayesian":
        return ranges.draw(search.ranges, _seed(definition, search), turn, [tried for tried, _ in known])
    # Loaded here: the server starts without NumPy.
    from localaws.sagemaker.tuning import bayesian

    own = [
        (trial["TunedHyperParameters"], value(trial))
        for place, trial in enumerate(record.get("_Trials", []), 1)
        if search_of(record, place)[0] == search
    ]
    results = [(tried, None if objective is None else search.sign * objective) for tried, objective in [*known, *own]]
    return bayesian.choose(search.ranges, results, _seed(definition, search), turn)


def _seed(definition: Record, search: Search) -> str:
    """Return the seed of a search: of several definitions each has its own."""
    return f"{definition['Seed']} {search.name}" if len(definition.get("Searches", [])) > 1 else definition["Seed"]


def request(record: Record, number: int, tuned: dict[str, str]) -> Record:
    """Return the CreateTrainingJob request of a training job."""
    definition, name = search_of(record, number)[0].definition, _name(record, number)
    if checkpoints := definition.get("CheckpointConfig"):
        # A folder each: none must go on from the checkpoints of another, which had other values.
        own = f"{checkpoints['S3Uri'].rstrip('/')}/{name}"
        definition = {**definition, "CheckpointConfig": {**checkpoints, "S3Uri": own}}
    return {
        "TrainingJobName": name,
        "HyperParameters": {**definition.get("StaticHyperParameters", {}), **tuned},
        **{member: definition[member] for member in _SAME if member in definition},
    }


def _name(record: Record, number: int) -> str:
    """``<tuning job>-001-1a2b3c4d``, by a mark that no two tuning jobs share."""
    # The request that is only being checked has neither ARN nor time.
    identity = f"{record.get('HyperParameterTuningJobArn')} {record.get('CreationTime')} {number}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return f"{record['HyperParameterTuningJobName']}-{number:03d}-{mark}"


def start(record: Record, number: int, ctx: Context) -> Record:
    """
    Return the trial ``number`` and start its training job if needed; the server may have been killed in between.

    :raises NameTaken: another training job has its name.
    :raises AwsError: the training job is refused.
    """
    arn = record["HyperParameterTuningJobArn"]
    job = ctx.store.get(training.KIND, _name(record, number))
    if job is None:
        chosen = {**request(record, number, values(record, number)), "Tags": tags.get(ctx, arn)}
        job = training.begin(chosen, ctx, TuningJobArn=arn)
    elif job.get("TuningJobArn") != arn:
        raise NameTaken(f"The name {job['TrainingJobName']} is that of another training job")
    # Of one that was started before a crash as they were then: a later choice might be another.
    search, _ = search_of(record, number)
    tuned = {each.name: job["HyperParameters"][each.name] for each in ranges.of(search.ranges)}
    named = {"TrainingJobDefinitionName": search.name} if search.name else {}
    return {**_summary(job), **named, "TunedHyperParameters": tuned, "ObjectiveStatus": "Pending"}


def look_at_all(record: Record, ctx: Context) -> list[Record]:
    """Return all trials of a tuning job as they are now."""
    return [look(record, number, trial, ctx) for number, trial in enumerate(record["_Trials"], 1)]


def look(record: Record, number: int, trial: Record, ctx: Context) -> Record:
    """Return the trial ``number``, from 1, as it is now."""
    if ended(trial):
        return trial
    job = ctx.store.get(training.KIND, trial["TrainingJobName"])
    if job is None:
        gone = {"TrainingJobStatus": "Stopped", "ObjectiveStatus": "Failed", "TrainingEndTime": ctx.now()}
        return {**trial, **gone, "FailureReason": "The training job was deleted."}
    job = training.JOBS.shown(job, ctx)
    now = {**trial, **_summary(job)}
    if not ended(now):
        return now
    search, _ = search_of(record, number)
    final = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList") or []}
    objective = final.get(search.metric)
    if stopping.wanted(record):
        now["_Values"] = stopping.values(search.metric, trial, ctx)
        stopping.forget(trial)
    if objective is None or not math.isfinite(objective) or now["TrainingJobStatus"] == "Failed":
        return {**now, "ObjectiveStatus": "Failed"}
    metric = {"Type": search.direction, "MetricName": search.metric, "Value": objective}
    return {**now, "ObjectiveStatus": "Succeeded", "FinalHyperParameterTuningJobObjectiveMetric": metric}


def stop(trial: Record, ctx: Context) -> None:
    """Ask its training job to stop, if it has not been asked."""
    job = ctx.store.get(training.KIND, trial["TrainingJobName"])
    if job is not None:
        job = training.JOBS.sync(job, ctx)
        if training.JOBS.status(job) == "InProgress":
            training.JOBS.stop(job, ctx)


def ended(trial: Record) -> bool:
    """Return True if its training job has ended."""
    return trial["TrainingJobStatus"] in TERMINAL


def value(trial: Record) -> float | None:
    """Return the objective of a trial, or ``None`` if it has none."""
    metric = trial.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if metric is None else float(metric["Value"])


def best(found: list[Record]) -> Record | None:
    """Return the trial with the best objective; of equal ones, the first."""
    succeeded = [trial for trial in found if value(trial) is not None]
    if not succeeded:
        return None
    sign = -1 if succeeded[0]["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] == "Maximize" else 1
    return min(succeeded, key=lambda trial: sign * (value(trial) or 0.0))


def counters(found: list[Record]) -> Record:
    """TrainingJobStatusCounters and ObjectiveStatusCounters."""
    statuses = [trial["TrainingJobStatus"] for trial in found]
    objectives = [trial["ObjectiveStatus"] for trial in found]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {each: objectives.count(each) for each in ("Succeeded", "Pending", "Failed")},
    }


def _summary(job: Record) -> Record:
    return {member: job[member] for member in _SUMMARY if member in job}
