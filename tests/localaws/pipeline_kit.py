"""What the tests of pipelines share: definitions of trivial steps, as the SDK writes them, and waiting."""

from __future__ import annotations

import itertools
import json
from typing import Any

import boto3
from job_helpers import IMAGE, ROLE, tar
from waiting_kit import until

BUCKET = "pipelines"
FOLDER = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}", {"Get": "Execution.PipelineExecutionId"}]}}
ENDS = {"Succeeded", "Failed", "Stopped", "CompletedWithFailures"}

Body = dict[str, Any]

_numbers = itertools.count(1)


def get(reference: str) -> Body:
    return {"Get": reference}


def join(*values: Any, on: str = "") -> Body:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, path: str, file: str = "Report") -> Body:
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{file}"), "Path": path}}


def processing(name: str, command: str = "true", *, report: bool = False, environment: Any = None, **body: Any) -> Body:
    """A processing step of a shell command; with ``report`` its output is read as the property file Report."""
    arguments: Body = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", command]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
        },
        "RoleArn": ROLE,
        **({"Environment": environment} if environment else {}),
        **body.pop("arguments", {}),
    }
    if report:
        output = {"S3Uri": join(FOLDER, name, on="/"), "LocalPath": "/opt/ml/processing/output/report"}
        arguments["ProcessingOutputConfig"] = {
            "Outputs": [{"OutputName": "report", "S3Output": {**output, "S3UploadMode": "EndOfJob"}}]
        }
        body["PropertyFiles"] = [
            {"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"},
        ]
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **body}


def reporting(name: str, report: Any, **body: Any) -> Body:
    """A processing step whose report is ``report``, which may have ``$VARIABLES`` of its environment."""
    text = json.dumps(report).replace('"', '\\"')
    return processing(name, f'echo "{text}" > /opt/ml/processing/output/report/report.json', report=True, **body)


def training(name: str, code: str, **arguments: Any) -> Body:
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "HyperParameters": {"sagemaker_program": "train.py", "sagemaker_submit_directory": code},
            "OutputDataConfig": {"S3OutputPath": join(FOLDER, name, on="/")},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **arguments,
        },
    }


def condition(name: str, conditions: list[Body], then: list[Body], otherwise: list[Body], **body: Any) -> Body:
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **body}


def compare(kind: str, left: Any, right: Any) -> Body:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def failing(name: str, message: Any, **body: Any) -> Body:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **body}


def parameter(name: str, kind: str = "String", default: Any = None, choices: list[Any] | None = None) -> Body:
    found = {"Name": name, "Type": kind, "DefaultValue": default, "EnumValues": choices}
    return {key: value for key, value in found.items() if value is not None}


def definition(*steps: Body, parameters: list[Body] | None = None, **members: Any) -> str:
    return json.dumps(
        {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": list(steps), **members}
    )


class Pipelines:
    """Drives pipelines through boto3 alone."""

    def __init__(self) -> None:
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker")
        self.s3 = session.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def code(self, script: str) -> str:
        return self.put(f"code/{next(_numbers)}/sourcedir.tar.gz", tar({"train.py": script}))

    def create(self, text: str, **members: Any) -> str:
        """A pipeline of a name of its own; the name."""
        name = f"pipeline-{next(_numbers)}"
        self.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **members)
        return name

    def start(self, name: str, parameters: dict[str, str] | None = None, **members: Any) -> str:
        given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
        return str(
            self.sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given, **members)[
                "PipelineExecutionArn"
            ]
        )

    def run(self, text: str, parameters: dict[str, str] | None = None, **members: Any) -> str:
        """Make a pipeline, start it and wait; the execution's ARN."""
        arn = self.start(self.create(text), parameters, **members)
        self.end(arn)
        return arn

    def describe(self, arn: str) -> Body:
        return dict(self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))

    def end(self, arn: str, seconds: float = 60) -> Body:
        """The execution once it has ended."""
        return until(
            lambda: self.describe(arn), lambda found: found["PipelineExecutionStatus"] in ENDS, seconds, every=0.1
        )

    def steps(self, arn: str) -> dict[str, Body]:
        """The steps that have begun, by name, in the order in which they began."""
        answer = self.sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100
        )
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}

    def statuses(self, arn: str) -> dict[str, str]:
        return {name: step["StepStatus"] for name, step in self.steps(arn).items()}

    def until_step(self, arn: str, name: str, status: str, seconds: float = 30) -> Body:
        """A step once it has a status."""
        steps = until(
            lambda: self.steps(arn),
            lambda found: name in found and found[name]["StepStatus"] == status,
            seconds,
            every=0.1,
            what=f"{name} is {status}",
        )
        return steps[name]

    def job(self, step: Body) -> Body:
        """The processing job of a step."""
        name = step["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
        return dict(self.sagemaker.describe_processing_job(ProcessingJobName=name))
