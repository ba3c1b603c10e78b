"""
Processing job: an AutoML job's candidates -> a table and a chart.

Asks SageMaker for the candidates of ``--job-name``. Writes, the best first::

    OUTPUT/report/candidates.json   {"job", "candidates": [{"name", "status", "metric", "value", "training_seconds",
                                     "failure_reason"}], "synthetic"}
    OUTPUT/report/candidates.md
    OUTPUT/report/candidates.png

Exit status 2, and one sentence, when there is no such job or it has no candidate; nothing is written then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from drawing import draw
from job import BadInput, aws_failure, is_synthetic, processing_parser, run, write_files
from wording import cell, duration


def read_candidates(job: str, region: str | None) -> list[dict[str, Any]]:
    """Return all candidates of the job, the best first. :raises BadInput: it cannot be described, or has none."""
    sagemaker = boto3.client("sagemaker", region_name=region)
    try:
        pages = sagemaker.get_paginator("list_candidates_for_auto_ml_job").paginate(AutoMLJobName=job)
        found = [candidate for page in pages for candidate in page["Candidates"]]
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(f"the candidates of {job} cannot be listed", error) from error
    if not found:
        raise BadInput(f"the AutoML job {job} has no candidate")
    return sorted(map(_row, found), key=_place)


def _row(candidate: dict[str, Any]) -> dict[str, Any]:
    metric = candidate.get("FinalAutoMLJobObjectiveMetric", {})
    began, ended = candidate.get("CreationTime"), candidate.get("EndTime")
    return {
        "name": candidate["CandidateName"],
        "status": candidate["CandidateStatus"],
        "metric": metric.get("MetricName"),
        "value": metric.get("Value"),
        "smaller_is_better": metric.get("Type") == "Minimize",
        "training_seconds": round((ended - began).total_seconds(), 1) if began and ended else None,
        "failure_reason": candidate.get("FailureReason"),
    }


def _place(row: dict[str, Any]) -> tuple[bool, float, str]:
    value = row["value"]
    return value is None, (value or 0.0) * (1 if row["smaller_is_better"] else -1), row["name"]


def as_markdown(report: dict[str, Any]) -> str:
    """Return the table in Markdown, for a log or a repository."""
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    rows = report["candidates"]
    metric = next((row["metric"] for row in rows if row["metric"]), "objective")
    lines = [
        f"# {mark}Candidates of {report['job']}",
        "",
        f"| # | candidate | {metric} | training | status |",
        "|---:|:---|---:|---:|:---|",
    ]
    for place, row in enumerate(rows, start=1):
        value = "none" if row["value"] is None else f"{row['value']:.4f}"
        status = f"{row['status']}: {row['failure_reason']}" if row["failure_reason"] else row["status"]
        words = (row["name"], value, duration(row["training_seconds"]), status)
        lines.append(f"| {place} | {' | '.join(map(cell, words))} |")
    return "\n".join(lines) + "\n"


def work(target: Path, job: str, region: str | None, synthetic: bool) -> dict[str, Any]:
    """Ask, and write everything below ``target``; the report."""
    report = {"job": job, "candidates": read_candidates(job, region), "synthetic": synthetic}
    files = {
        "candidates.json": (json.dumps(report, indent=2) + "\n").encode(),
        "candidates.md": as_markdown(report).encode(),
        "candidates.png": draw(report),
    }
    write_files(target / "report", files)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("an AutoML job's candidates -> a table and a chart", reads=None)
    parser.add_argument("--job-name", required=True)
    parser.add_argument("--region", help="default: the container's AWS settings")
    options = parser.parse_args(arguments)

    def job() -> None:
        report = work(options.output, options.job_name, options.region, is_synthetic(options))
        print(as_markdown(report))

    return run("autopilot_candidates", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
