"""Expressions of a step's arguments, and what they come to in an execution."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.sagemaker.jobs.staging import split_uri
from localaws.sagemaker.pipelines import references
from localaws.sagemaker.pipelines.definition import Definition
from localaws.sagemaker.pipelines.failures import StepFailure
from localaws.sagemaker.pipelines.parameters import text

Record = dict[str, Any]

#: what an execution offers as ``Execution.X``, and PipelineExperimentConfig as its own.
VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)

#: SageMaker's own limit on a file that JsonGet reads.
_LARGEST_FILE = 2 * 1024 * 1024


@dataclass(frozen=True)
class Scope:
    """
    Where expressions are resolved.

    :param execution: its record.
    :param properties: of a step that has succeeded, in the shape of the Describe answer of what it made.
    :param job_name: of the job that the step begins.
    """

    execution: Record
    definition: Definition
    properties: Callable[[str], Record]
    ctx: Context
    job_name: str = ""

    def resolve(self, value: Any) -> Any:
        """
        Return a JSON value with its expressions resolved.

        :raises StepFailure: an expression has no value.
        """
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if not references.is_expression(value):
            return {key: self.resolve(item) for key, item in value.items()}
        function, operand = next(iter(value.items()))
        if function == "Get":
            return self._get(references.parse(operand))
        return self._join(operand) if function == "Std:Join" else self._json_get(operand)

    def _get(self, reference: references.Reference) -> Any:
        if reference.root == "Parameters":
            return self.execution["_Parameters"][reference.name]
        if reference.root == "Execution":
            return self._variables()[reference.name]
        if reference.root == "PipelineExperimentConfig":
            return self.resolve((self.definition.experiment or {})[reference.name])
        try:
            found = references.descend(self.properties(reference.name), reference.path)
        except LookupError:
            raise StepFailure(
                f"ClientError: Unable to resolve '{reference.text}': step '{reference.name}' has no such property."
            ) from None
        return moment(found) if isinstance(found, datetime) else found

    def _variables(self) -> dict[str, str]:
        arn = self.execution["PipelineExecutionArn"]
        return {
            "StartDateTime": moment(self.execution["CreationTime"]),
            "CurrentDateTime": moment(self.ctx.now()),
            "PipelineName": self.execution["_PipelineName"],
            "PipelineArn": self.execution["PipelineArn"],
            "PipelineExecutionId": arn.rpartition("/")[2],
            "PipelineExecutionArn": arn,
            "TrainingJobName": self.job_name,
            "ProcessingJobName": self.job_name,
        }

    def _join(self, operand: dict[str, Any]) -> str:
        values = [self.resolve(value) for value in operand["Values"]]
        for value in values:
            if not isinstance(value, str | int | float):
                raise StepFailure(f"ClientError: Unable to resolve Std:Join: '{value}' is not a primitive value.")
        return str(operand.get("On", "")).join(text(value) for value in values)

    def _json_get(self, operand: dict[str, Any]) -> Any:
        uri = self._property_file(operand["PropertyFile"]) if "PropertyFile" in operand else operand["S3Uri"]
        uri = self.resolve(uri)
        path = operand["Path"]
        try:
            return references.descend(self._document(uri), references.json_path(path))
        except LookupError:
            raise StepFailure(f"ClientError: Unable to resolve JsonGet: {uri} has nothing at '{path}'.") from None

    def _property_file(self, operand: dict[str, str]) -> str:
        """Return the URI of a property file, in the output that its job really made."""
        reference = references.parse(operand["Get"])
        file = self.definition.steps[reference.name].property_files[str(reference.property_file)]
        path: references.Path = ("ProcessingOutputConfig", "Outputs", file["OutputName"], "S3Output", "S3Uri")
        folder = references.descend(self.properties(reference.name), path)
        return f"{folder.rstrip('/')}/{file['FilePath']}"

    def _document(self, uri: Any) -> Any:
        if not str(uri).startswith("s3://"):
            raise StepFailure(f"ClientError: Unable to resolve JsonGet: '{uri}' is no S3 URI.")
        bucket, key = split_uri(uri)
        try:
            answer = self.ctx.client("s3").get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            reason = error.response["Error"]["Message"]
            raise StepFailure(f"ClientError: Unable to resolve JsonGet: {uri} cannot be read: {reason}") from error
        if answer["ContentLength"] > _LARGEST_FILE:
            raise StepFailure(f"ClientError: Unable to resolve JsonGet: {uri} has more than {_LARGEST_FILE} bytes.")
        try:
            return json.loads(answer["Body"].read())
        except ValueError as error:
            raise StepFailure(f"ClientError: Unable to resolve JsonGet: {uri} is not JSON: {error}") from error


def moment(time: datetime) -> str:
    """Format a time, such as ``2026-11-24T19:00:00.000Z``."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
