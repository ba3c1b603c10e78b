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
    return _by_instances(
        task,
        "training",
        (
            (
                (job["ResourceConfig"].get("InstanceGroups") or [job["ResourceConfig"]])[0],
                job.get("BillableTimeInSeconds") or _seconds(job, "Training"),
            )
            for job in jobs
        ),
    )


def processing(task: str, jobs: Iterable[Mapping[str, Any]]) -> list[Line]:
    """
    Return a line for each kind of instances that processing jobs have had, from their starts to their ends.

    :param jobs: DescribeProcessingJob's answers.
    """
    ran = ((job["ProcessingResources"]["ClusterConfig"], _seconds(job, "Processing")) for job in jobs)
    return _by_instances(task, "processing", ran)


def transform(task: str, jobs: Iterable[Mapping[str, Any]]) -> list[Line]:
    """
    Return a line for each kind of instances that transform jobs have had, from their starts to their ends.

    :param jobs: DescribeTransformJob's answers.
    """
    ran = ((job["TransformResources"], _seconds(job, "Transform")) for job in jobs)
    return _by_instances(task, "transform", ran)


def hosting(task: str, variants: Iterable[Mapping[str, Any]], seconds: float) -> list[Line]:
    """
    Return a line for each variant of an endpoint, by the time that it was there.

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


def _by_instances(task: str, use: str, ran: Iterable[tuple[Mapping[str, Any], float]]) -> list[Line]:
    """
    Return a line for each kind and number of instances.

    :param ran: of each job its instances, and seconds.
    """
    counted: dict[tuple[str, int], list[float]] = {}
    for machines, seconds in ran:
        counted.setdefault((machines["InstanceType"], machines["InstanceCount"]), []).append(seconds)
    return [_together(task, use, *kind, seconds) for kind, seconds in counted.items()]


def _together(task: str, use: str, kind: str, count: int, seconds: list[float]) -> Line:
    """Return one line for jobs on the same instances."""
    whole = instances(task, use, kind, sum(seconds), count)
    return Line(task, f"{f'{len(seconds)} jobs: ' if len(seconds) > 1 else ''}{whole.what}", whole.usd)


def _seconds(job: Mapping[str, Any], noun: str) -> float:
    """Return how long a job ran; a job that never started, or still runs, has no time."""
    start, end = (job.get(f"{noun}{moment}Time") for moment in ("Start", "End"))
    return float((end - start).total_seconds()) if start and end else 0.0
