"""
What a pipeline adds to its jobs: the time from one step's end to the start of the next, with a server of its own.

    python -m benchmarks.pipeline [--steps 10]     # prints Markdown
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.local import ROLE, session

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, session(Path(folder) / "home") as aws:
        report(aws.client("sagemaker"), arguments.steps)


def report(sagemaker: Any, number: int) -> None:
    sagemaker.create_pipeline(PipelineName="chain", PipelineDefinition=json.dumps(chain(number)), RoleArn=ROLE)
    asked = time.time()
    arn = sagemaker.start_pipeline_execution(PipelineName="chain")["PipelineExecutionArn"]
    steps = executed(sagemaker, arn)
    jobs = [job(sagemaker, step) for step in steps]
    pairs = list(zip(jobs[1:], jobs[:-1], strict=True))
    rows = {
        "end of a job -> its step has ended": gaps(
            (step["EndTime"], made["ProcessingEndTime"]) for step, made in zip(steps, jobs, strict=True)
        ),
        "end of a step -> start of the next": gaps(
            (after["StartTime"], before["EndTime"]) for after, before in zip(steps[1:], steps[:-1], strict=True)
        ),
        "end of a job -> the next job is created": gaps(
            (after["CreationTime"], before["ProcessingEndTime"]) for after, before in pairs
        ),
        "end of a job -> the next job runs": gaps(
            (after["ProcessingStartTime"], before["ProcessingEndTime"]) for after, before in pairs
        ),
        "StartPipelineExecution -> the first step": [steps[0]["StartTime"].timestamp() - asked],
    }
    print("### Pipeline\n")
    print(f"A chain of {number} processing steps of a trivial command.\n")
    print("| | median | min | max |\n|---|---|---|---|")
    for name, values in rows.items():
        print(f"| {name} | {statistics.median(values):.2f} s | {min(values):.2f} | {max(values):.2f} |")


def chain(number: int) -> dict[str, Any]:
    """Each step needs the one before it by its property, as it does where data is handed on."""
    steps = []
    for index in range(number):
        arguments: dict[str, Any] = {
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
            },
            "RoleArn": ROLE,
        }
        if index:
            arguments["Environment"] = {"BEFORE": {"Get": f"Steps.Step{index - 1}.ProcessingJobName"}}
        steps.append({"Name": f"Step{index}", "Type": "Processing", "Arguments": arguments})
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}


def executed(sagemaker: Any, arn: str) -> list[dict[str, Any]]:
    """The steps, in their order, once the execution has succeeded; ends the benchmark if it did otherwise."""
    while (found := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))["PipelineExecutionStatus"] in (
        "Executing",
        "Stopping",
    ):
        time.sleep(0.2)
    if found["PipelineExecutionStatus"] != "Succeeded":
        raise SystemExit(f"{found['PipelineExecutionStatus']}: {found.get('FailureReason')}")
    answer = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100)
    steps: list[dict[str, Any]] = answer["PipelineExecutionSteps"]
    return steps


def job(sagemaker: Any, step: dict[str, Any]) -> dict[str, Any]:
    name = step["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    found: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
    return found


def gaps(pairs: Any) -> list[float]:
    return [(after - before).total_seconds() for after, before in pairs]


if __name__ == "__main__":
    main()
