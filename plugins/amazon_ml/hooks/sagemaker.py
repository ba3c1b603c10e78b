"""SageMaker through boto3: the few calls that the operators make, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook, error_code
from amazon_ml.hooks.logs import LogsHook
from amazon_ml.hooks.s3 import ObjectsHook
from amazon_ml.naming import identifier, unversioned


class AlreadyExists(Exception):
    """Another client created the resource between Describe and Create: the name is taken."""


class SageMakerJobHook(ServiceHook):
    """Jobs, models and endpoints, by the name of their kind as AWS spells it: "TrainingJob", "EndpointConfig"."""

    service = "sagemaker"

    @property
    def s3(self) -> ObjectsHook:
        """The hook for S3."""
        return self.sibling(ObjectsHook)

    @property
    def logs(self) -> LogsHook:
        """The hook for CloudWatch Logs."""
        return self.sibling(LogsHook)

    def describe(self, kind: str, name: str) -> dict[str, Any] | None:
        """Describe the resource; None where there is none of that name."""
        try:
            return self._call(f"describe_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return None
            raise

    def require(self, kind: str, name: str) -> dict[str, Any]:
        """
        Describe the resource.

        :raises RequestRefused: there is none of that name.
        """
        return self._call(f"describe_{_snake(kind)}", **_named(kind, name))

    def newest_model_package(self, group: str, **chosen: str) -> dict[str, Any] | None:
        """
        Return the newest version of a package group; None without one, or without the group.

        :param chosen: what else ListModelPackages is asked for, such as ``ModelApprovalStatus``.
        """
        return next(self.model_packages(group, **chosen), None)

    def model_packages(self, group: str, **chosen: str) -> Iterator[dict[str, Any]]:
        """Describe the versions of a package group one by one, the newest first; nothing without the group."""
        if self.describe("ModelPackageGroup", group) is None:
            return
        # The order is said, since AWS gives the oldest first.
        asked = {"SortBy": "CreationTime", "SortOrder": "Descending", **chosen}
        for page in self._pages("list_model_packages", ModelPackageGroupName=group, **asked):
            for summary in page["ModelPackageSummaryList"]:
                yield self.require("ModelPackage", summary["ModelPackageArn"])

    def serves(self, endpoint: str, model_package_arn: str) -> bool:
        """Return True if a variant of the endpoint, or of an update in progress, serves this version."""
        found = self.describe("Endpoint", endpoint)
        if found is None or found["EndpointStatus"] in {"Failed", "OutOfService", "Deleting"}:
            return False
        config = self.describe("EndpointConfig", found["EndpointConfigName"]) or {}
        for variant in config.get("ProductionVariants", []):
            model = self.describe("Model", variant.get("ModelName", "")) or {}
            containers = [model.get("PrimaryContainer", {}), *model.get("Containers", [])]
            if model_package_arn in {container.get("ModelPackageName") for container in containers}:
                return True
        return False

    def look(self, kind: str, name: str, parts: str = "") -> dict[str, Any]:
        """
        Describe the resource and let botocore's errors through, for the rules of a poll.

        :param parts: a further operation whose answer goes into it, see :class:`amazon_ml.waiting.Rules`.
        """
        answer: dict[str, Any] = getattr(self.conn, f"describe_{_snake(kind)}")(**_named(kind, name))
        return {**answer, **getattr(self.conn, _snake(parts))(**_named(kind, name))} if parts else answer

    def create(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """
        Create the resource, and return AWS's answer.

        :raises AlreadyExists: the name is taken.
        """
        try:
            return self._call(f"create_{_snake(kind)}", **request)
        except RequestRefused as error:
            if _means_taken(error.__cause__):
                raise AlreadyExists(str(error)) from error
            raise

    def update(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Update the resource, and return AWS's answer."""
        return self._call(f"update_{_snake(kind)}", **request)

    def stop(self, kind: str, name: str) -> None:
        """Stop a job, if it exists and has not ended."""
        try:
            self._call(f"stop_{_snake(unversioned(kind))}", **_named(kind, name))
        except RequestRefused as error:
            if not _is_validation(error.__cause__):
                raise
            self.log.info("%s %s needs no stop: %s", kind, name, error)

    def delete(self, kind: str, name: str) -> bool:
        """Delete a model, an endpoint or its configuration, and return False if it does not exist."""
        try:
            self._call(f"delete_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return False
            raise
        return True

    def add_tags(self, arn: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Add tags to a resource, in place of those with the same keys."""
        self._call("add_tags", ResourceArn=arn, Tags=tags)

    def tags_of(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource."""
        return {tag["Key"]: tag["Value"] for tag in self._call("list_tags", ResourceArn=arn)["Tags"]}

    def update_weights(self, endpoint: str, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Start to change the weights and instance counts of an endpoint's variants."""
        self._call("update_endpoint_weights_and_capacities", EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)

    def endpoint_configs(self, part: str) -> Iterator[str]:
        """Yield the names of the endpoint configurations that have this in their names."""
        for page in self._pages("list_endpoint_configs", NameContains=part):
            yield from (found["EndpointConfigName"] for found in page["EndpointConfigs"])

    def endpoints(self, part: str) -> Iterator[str]:
        """Yield the names of the endpoints that have this in their names, the newest first."""
        for page in self._pages("list_endpoints", NameContains=part):
            yield from (found["EndpointName"] for found in page["Endpoints"])

    def training_jobs(self, part: str) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the training jobs that have this in their names, the newest first."""
        for page in self._pages("list_training_jobs", NameContains=part, SortOrder="Descending"):
            yield from page["TrainingJobSummaries"]

    def register_model_package(self, request: Mapping[str, Any]) -> str:
        """Create a version in the model registry, and return its ARN. An equal ClientToken gives the same version."""
        return str(self._call("create_model_package", **request)["ModelPackageArn"])

    def set_approval(self, model_package_arn: str, status: str, reason: str = "") -> None:
        """Approve or reject a version in the model registry."""
        described = {"ApprovalDescription": reason} if reason else {}
        self._call("update_model_package", ModelPackageArn=model_package_arn, ModelApprovalStatus=status, **described)

    def start_pipeline(self, request: Mapping[str, Any]) -> str:
        """Start a pipeline execution, and return its ARN. An equal ClientRequestToken gives the same execution."""
        return str(self._call("start_pipeline_execution", **request)["PipelineExecutionArn"])

    def pipeline_executions(self, pipeline: str) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of a pipeline's executions, the newest first."""
        newest_first = {"SortBy": "CreationTime", "SortOrder": "Descending"}
        for page in self._pages("list_pipeline_executions", PipelineName=pipeline, **newest_first):
            yield from page["PipelineExecutionSummaries"]

    def pipeline_steps(self, execution_arn: str) -> Iterator[dict[str, Any]]:
        """Yield the steps of a pipeline's execution, in the order of their starts."""
        for page in self._pages(
            "list_pipeline_execution_steps", PipelineExecutionArn=execution_arn, SortOrder="Ascending"
        ):
            yield from page["PipelineExecutionSteps"]

    def candidates(self, auto_ml_job: str) -> Iterator[dict[str, Any]]:
        """Yield the candidates of an AutoML job."""
        for page in self._pages("list_candidates_for_auto_ml_job", AutoMLJobName=auto_ml_job):
            yield from page["Candidates"]

    def completed_tuning_jobs(self, part: str) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the completed tuning jobs that have this in their names, the newest first."""
        asked = {"NameContains": part, "StatusEquals": "Completed", "SortBy": "CreationTime", "SortOrder": "Descending"}
        for page in self._pages("list_hyper_parameter_tuning_jobs", **asked):
            yield from page["HyperParameterTuningJobSummaries"]

    def training_jobs_of(self, tuning_job: str) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the training jobs of a tuning job."""
        name = {"HyperParameterTuningJobName": tuning_job}
        for page in self._pages("list_training_jobs_for_hyper_parameter_tuning_job", **name):
            yield from page["TrainingJobSummaries"]

    def flow_definitions(self) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the flow definitions of human reviews, the newest first."""
        for page in self._pages("list_flow_definitions", SortOrder="Descending"):
            yield from page["FlowDefinitionSummaries"]

    def workforces(self) -> Iterator[dict[str, Any]]:
        """Yield the workforces of the region."""
        for page in self._pages("list_workforces"):
            yield from page["Workforces"]

    def template_faults(self, content: str, task_input: str, role_arn: str) -> list[dict[str, str]]:
        """Let AWS render a worker task template with this input, and return its errors, each with Code and Message."""
        asked = {"UiTemplate": {"Content": content}, "Task": {"Input": task_input}, "RoleArn": role_arn}
        faults: list[dict[str, str]] = self._call("render_ui_template", **asked)["Errors"]
        return faults


def _named(kind: str, name: str) -> dict[str, str]:
    return {identifier(kind): name}


def _snake(kind: str) -> str:
    from botocore import xform_name

    return str(xform_name(kind))


def _message(error: BaseException | None) -> str:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "")).lower()


def _is_validation(error: BaseException | None) -> bool:
    return error_code(error) in {"ValidationException", "ValidationError", "ResourceNotFound"}


def _means_missing(error: BaseException | None) -> bool:
    # SageMaker has no one answer for "no such thing": most operations answer ValidationException and one of these.
    wordings: tuple[Callable[[str], bool], ...] = (
        lambda text: "not found" in text,
        lambda text: "could not find" in text,
        lambda text: "does not exist" in text,
        # DescribeWorkforce's and DescribeWorkteam's.
        lambda text: "no workforce" in text,
        lambda text: text.startswith("the work team"),
    )
    return error_code(error) == "ResourceNotFound" or (
        _is_validation(error) and any(says(_message(error)) for says in wordings)
    )


def _means_taken(error: BaseException | None) -> bool:
    # Jobs answer ResourceInUse; models, configurations and endpoints ValidationException with this wording.
    return error_code(error) == "ResourceInUse" or (_is_validation(error) and "already exist" in _message(error))
