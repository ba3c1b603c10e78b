"""
Clarify on the transformed reviews: a processing job from CreateProcessingJob to Completed, report included.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.clarify     # prints Markdown; made-up reviews without a source
"""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.local import BUCKET, ROLE, ended, raw_reviews, script, session

IMAGE = "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0"
ROUNDS = 3
GOAL = 15
CONFIG = {
    "version": "1.0",
    "dataset_type": "text/csv",
    "headers": ["sentiment", "review_body", "product_category"],
    "label": "sentiment",
    "label_values_or_threshold": [1],
    "facet": [{"name_or_index": "product_category"}],
    "methods": {
        "pre_training_bias": {"methods": ["CI", "DPL", "KL", "JS", "LP", "TVD", "KS"]},
        "report": {"name": "report", "title": "Bias in the reviews"},
    },
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name, session(Path(name) / "home") as aws:
        folder = Path(name)
        kind = raw_reviews(folder / "raw")
        script("transform", input=folder / "raw", output=folder / "transformed")
        script("balance", input=folder / "transformed" / "table", output=folder / "balanced")
        s3 = aws.client("s3")
        s3.put_object(Bucket=BUCKET, Key="analysis_config.json", Body=json.dumps(CONFIG))
        rows = {}
        for data in ("transformed", "balanced"):
            table = folder / data / "reviews" / "reviews.csv"
            s3.upload_file(str(table), BUCKET, f"{data}/reviews.csv")
            rows[data] = sum(1 for _ in table.open(encoding="utf-8")) - 1
        print("# Clarify\n")
        print(f"Pre-training bias of {kind}: 7 metrics for each product category, with the report in three forms.")
        print(f"Medians of {ROUNDS} jobs; goal: a job on the real data under {GOAL} s.\n")
        print("| data set | rows | categories | job, s | slowest, s | of it analysis and report, s |")
        print("|---|---:|---:|---:|---:|---:|")
        for data, count in rows.items():
            found = [run(aws, data, number) for number in range(ROUNDS)]
            jobs, inside = [seconds for seconds, _, _ in found], [seconds for _, seconds, _ in found]
            figures = f"{statistics.median(jobs):.1f} | {max(jobs):.1f} | {statistics.median(inside):.1f}"
            print(f"| {data} | {count:,} | {found[0][2]} | {figures} |")


def run(aws: Any, data: str, number: int) -> tuple[float, float, int]:
    """Seconds of one job, of the work in its container, and how many categories it analysed."""
    sagemaker, name = aws.client("sagemaker"), f"clarify-{data}-{number}"
    inputs = (("analysis_config", "analysis_config.json", "config"), ("dataset", f"{data}/", "data"))
    began = time.perf_counter()
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": IMAGE},
        RoleArn=ROLE,
        ProcessingInputs=[
            {
                "InputName": kind,
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/{key}",
                    "LocalPath": f"/opt/ml/processing/input/{place}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for kind, key, place in inputs
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "analysis_result",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/{name}",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        ProcessingResources={
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
    )
    ended(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
    seconds = time.perf_counter() - began
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=f"{name}/analysis.json")["Body"].read()
    values = json.loads(body)["pre_training_bias_metrics"]["facets"]["product_category"]
    return seconds, work_of(aws, name), len(values)


def work_of(aws: Any, name: str) -> float:
    """What the container's log says that its work took."""
    logs, group = aws.client("logs"), "/aws/sagemaker/ProcessingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    found = re.search(r"after ([0-9.]+) s", "\n".join(event["message"] for event in events["events"]))
    return float(found[1]) if found else float("nan")


if __name__ == "__main__":
    main()
