"""
Processing job: a tuning job's training jobs -> a table and a chart.

Asks SageMaker for the tuning job ``--job-name`` and its training jobs. Writes, the best first::

    OUTPUT/report/trials.json   {"job", "strategy", "metric", "direction", "started_from", "ranges": {name: {"kind",
                                "scaling"}}, "trials": [{"number", "name", "definition", "status", "value",
                                "hyperparameters", "seconds", "failure_reason"}], "synthetic"}
    OUTPUT/report/trials.csv    the same, a column for each hyperparameter
    OUTPUT/report/trials.md     the best of them
    OUTPUT/report/trials.png

A trial's number is its place in the order in which they were started. Exit status 2, and one sentence, when there is no
such job or it has no training job; nothing is written then.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from drawing import draw
from job import BadInput, aws_failure, is_synthetic, processing_parser, run, write_files
from wording import cell, duration

#: rows of the table in Markdown; a tuning job may have 750 training jobs.
MOST_ROWS = 50

Record = dict[str, Any]


def read(job: str, region: str | None) -> Record:
    """
    Ask for the job and its training jobs; the report without its mark of made-up reviews.

    :raises BadInput: it cannot be asked for, or has no training job.
    """
    sagemaker = boto3.client("sagemaker", region_name=region)
    try:
        described = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job)
        pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=job
        )
        found = [summary for page in pages for summary in page["TrainingJobSummaries"]]
    except (BotoCoreError, ClientError) as error:
        raise aws_failure(f"the tuning job {job} cannot be described", error) from error
    if not found:
        raise BadInput(f"the tuning job {job} has no training job")
    config, definitions = described["HyperParameterTuningJobConfig"], described.get("TrainingJobDefinitions", [])
    objective = config.get("HyperParameterTuningJobObjective") or definitions[0]["TuningObjective"]
    parents = described.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    found.sort(key=lambda summary: (summary["CreationTime"], summary["TrainingJobName"]))
    searched = [("Parameter", config), *(("HyperParameter", definition) for definition in definitions)]
    sign = 1 if objective["Type"] == "Minimize" else -1
    rows = [_row(number, summary) for number, summary in enumerate(found, start=1)]
    rows.sort(key=lambda row: (row["value"] is None, sign * (row["value"] or 0.0), row["number"]))
    return {
        "job": job,
        "strategy": config["Strategy"],
        "metric": objective["MetricName"],
        "direction": objective["Type"],
        "started_from": [parent["HyperParameterTuningJobName"] for parent in parents],
        "ranges": _ranges([each.get(f"{kind}Ranges", {}) for kind, each in searched]),
        "trials": rows,
    }


def _row(number: int, summary: Record) -> Record:
    value = summary.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    began, ended = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    return {
        "number": number,
        "name": summary["TrainingJobName"],
        "definition": summary.get("TrainingJobDefinitionName"),
        "status": summary["TrainingJobStatus"],
        "value": value if value is not None and math.isfinite(value) else None,
        "hyperparameters": {key: _plain(text) for key, text in sorted(summary["TunedHyperParameters"].items())},
        "seconds": round((ended - began).total_seconds(), 1) if began and ended else None,
        "failure_reason": summary.get("FailureReason"),
    }


def _plain(text: str) -> str:
    """Return the text of a hyperparameter without the quotation marks that script mode puts around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _ranges(each: list[Record]) -> dict[str, Record]:
    found = {}
    for ranges in each:
        for kind in ("Integer", "Continuous", "Categorical"):
            for one in ranges.get(f"{kind}ParameterRanges", []):
                found[one["Name"]] = {"kind": kind, "scaling": one.get("ScalingType")}
    return dict(sorted(found.items()))


def as_csv(report: Record) -> str:
    """Return all trials as CSV, with a column for each hyperparameter."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(report["ranges"])
    writer.writerow(["number", "name", "definition", "status", report["metric"], *names, "seconds", "failure_reason"])
    for row in report["trials"]:
        values = [row["hyperparameters"].get(name) for name in names]
        first = [row[member] for member in ("number", "name", "definition", "status", "value")]
        writer.writerow([*first, *values, row["seconds"], row["failure_reason"]])
    return text.getvalue()


def as_markdown(report: Record) -> str:
    """Return the table in Markdown, for a log or a repository; a long one is cut."""
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    names, rows = list(report["ranges"]), report["trials"]
    parents = f" Started from {', '.join(report['started_from'])}." if report["started_from"] else ""
    lines = [
        f"# {mark}Training jobs of {report['job']}",
        "",
        f"{report['strategy']}, {report['direction']} {report['metric']}, {len(rows)} training jobs.{parents}",
        "",
        f"| # | {' | '.join(map(cell, [report['metric'], *names]))} | training | status | training job |",
        f"|---:|---:|{'---:|' * len(names)}---:|:---|:---|",
    ]
    for place, row in enumerate(rows[:MOST_ROWS], start=1):
        value = "none" if row["value"] is None else f"{row['value']:.4f}"
        values = [_short(row["hyperparameters"].get(name, "")) for name in names]
        status = f"{row['status']}: {row['failure_reason']}" if row["failure_reason"] else row["status"]
        words = (value, *values, duration(row["seconds"]), status, row["name"])
        lines.append(f"| {place} | {' | '.join(map(cell, words))} |")
    if len(rows) > MOST_ROWS:
        lines += ["", f"And {len(rows) - MOST_ROWS} more: all of them are in trials.csv."]
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    """Shorten a real number to four digits; other texts stay as they are."""
    try:
        return text if text.lstrip("-").isdecimal() else f"{float(text):.4g}"
    except ValueError:
        return text


def work(target: Path, job: str, region: str | None, synthetic: bool) -> Record:
    """Ask, and write everything below ``target``; the report."""
    report = {**read(job, region), "synthetic": synthetic}
    files = {
        "trials.json": (json.dumps(report, indent=2) + "\n").encode(),
        "trials.csv": as_csv(report).encode(),
        "trials.md": as_markdown(report).encode(),
        "trials.png": draw(report),
    }
    write_files(target / "report", files)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("a tuning job's training jobs -> a table and a chart", reads=None)
    parser.add_argument("--job-name", required=True)
    parser.add_argument("--region", help="default: the container's AWS settings")
    options = parser.parse_args(arguments)

    def job() -> None:
        print(as_markdown(work(options.output, options.job_name, options.region, is_synthetic(options))))

    return run("tuning_report", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
