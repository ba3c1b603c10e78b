"""What has run, from what AWS describes of it, as the lines of a bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from include.cost import prices
from include.cost.bill import Line, instances


def training(task: str, jobs: Iterable[Mapping[str, Any]]) -> list[Line]:
    """
    Return a line for each kind of instances that training jobs have had, by their billable seconds.

    Managed spot training has fewer billable seconds than it took, at the same price. Instance groups are counted as
    the group that is first.

    :param jobs: DescribeTrainingJob's answers.
    """
    counted: dict[tuple[str, int], list[float]] = {}
    for job in jobs:
        machines = job["ResourceConfig"]
        machines = (machines.get("InstanceGroups") or [machines])[0]
        seconds = job.get("BillableTimeInSeconds") or _seconds(job, "TrainingStartTime", "TrainingEndTime")
        counted.setdefault((machines["InstanceType"], machines["InstanceCount"]), []).append(seconds)
    return [_together(task, "training", *kind, seconds) for kind, seconds in counted.items()]


def processing(task: str, jobs: Iterable[Mapping[str, Any]]) -> list[Line]:
    """
    Return a line for each kind of instances that processing jobs have had, from their starts to their ends.

    :param jobs: DescribeProcessingJob's answers.
    """
    counted: dict[tuple[str, int], list[float]] = {}
    for job in jobs:
        machines = job["ProcessingResources"]["ClusterConfig"]
        seconds = _seconds(job, "ProcessingStartTime", "ProcessingEndTime")
        counted.setdefault((machines["InstanceType"], machines["InstanceCount"]), []).append(seconds)
    return [_together(task, "processing", *kind, seconds) for kind, seconds in counted.items()]


def transform(task: str, jobs: Iterable[Mapping[str, Any]]) -> list[Line]:
    """
    Return a line for each kind of instances that transform jobs have had, from their starts to their ends.

    :param jobs: DescribeTransformJob's answers.
    """
    counted: dict[tuple[str, int], list[float]] = {}
    for job in jobs:
        machines = job["TransformResources"]
        seconds = _seconds(job, "TransformStartTime", "TransformEndTime")
        counted.setdefault((machines["InstanceType"], machines["InstanceCount"]), []).append(seconds)
    return [_together(task, "transform", *kind, seconds) for kind, seconds in counted.items()]


def hosting(task: str, variants: Iterable[Mapping[str, Any]], seconds: float) -> list[Line]:
    """
    Return a line for each variant of an endpoint that was there for so long.

    :param variants: of the operator's result: ``instance_type`` and ``instances``.
    """
    return [instances(task, "hosting", each["instance_type"], seconds, int(each["instances"])) for each in variants]


def query(task: str, execution: Mapping[str, Any]) -> Line:
    """
    Return the line of a query.

    :param execution: GetQueryExecution's answer.
    """
    scanned = execution["QueryExecution"].get("Statistics", {}).get("DataScannedInBytes", 0)
    return Line(task, f"a query of {scanned / 1e6:.1f} MB", prices.query(scanned))


def ingestion(task: str, count: int) -> Line:
    """Return the line of records that were written to Feature Store."""
    return Line(task, f"{count:,} records written", prices.records(count))


def _together(task: str, use: str, kind: str, count: int, seconds: list[float]) -> Line:
    """Return one line for jobs on the same instances."""
    whole = instances(task, use, kind, sum(seconds), count)
    return Line(task, f"{f'{len(seconds)} jobs: ' if len(seconds) > 1 else ''}{whole.what}", whole.usd)


def _seconds(job: Mapping[str, Any], start: str, end: str) -> float:
    """Return how long a job ran; a job that never started, or still runs, has no time."""
    if start not in job or end not in job:
        return 0.0
    return float((job[end] - job[start]).total_seconds())
