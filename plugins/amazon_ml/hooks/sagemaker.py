"""SageMaker through boto3: the few calls that the operators make, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook, error_code
from amazon_ml.hooks.logs import LogsHook
from amazon_ml.hooks.s3 import ObjectsHook
from amazon_ml.naming import identifier, unversioned


class AlreadyExists(Exception):
    """Somebody made it between our look and our Create: the name is taken."""


class SageMakerJobHook(ServiceHook):
    """Jobs, models and endpoints, by the name of their kind as AWS spells it: "TrainingJob", "EndpointConfig"."""

    service = "sagemaker"

    @cached_property
    def s3(self) -> ObjectsHook:
        """The hook for S3."""
        return self.sibling(ObjectsHook)

    @cached_property
    def logs(self) -> LogsHook:
        """The hook for CloudWatch Logs."""
        return self.sibling(LogsHook)

    def describe(self, kind: str, name: str) -> dict[str, Any] | None:
        """Describe the resource; None where there is none of that name."""
        try:
            return self.call(f"describe_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return None
            raise

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
        for page in self.pages("list_model_packages", ModelPackageGroupName=group, **asked):
            for summary in page["ModelPackageSummaryList"]:
                yield self.call("describe_model_package", ModelPackageName=summary["ModelPackageArn"])

    def serves(self, endpoint: str, model_package_arn: str) -> bool:
        """Whether a variant of the endpoint, or of the update that it is taking, is made of this version."""
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
        Describe, with botocore's own errors: for a poll, whose rules say what each of them means.

        :param parts: a further operation whose answer goes into it, see :class:`amazon_ml.waiting.Rules`.
        """
        answer: dict[str, Any] = getattr(self.conn, f"describe_{_snake(kind)}")(**_named(kind, name))
        return {**answer, **getattr(self.conn, _snake(parts))(**_named(kind, name))} if parts else answer

    def create(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """
        Create it; AWS's answer.

        :raises AlreadyExists: the name is taken.
        """
        try:
            return self.call(f"create_{_snake(kind)}", **request)
        except RequestRefused as error:
            if _means_taken(error.__cause__):
                raise AlreadyExists(str(error)) from error
            raise

    def stop(self, kind: str, name: str) -> None:
        """Stop a job; one that has ended, or was never there, needs no stop."""
        try:
            self.call(f"stop_{_snake(unversioned(kind))}", **_named(kind, name))
        except RequestRefused as error:
            if not _is_validation(error.__cause__):
                raise
            self.log.info("%s %s needs no stop: %s", kind, name, error)

    def delete(self, kind: str, name: str) -> bool:
        """Delete a model, an endpoint or its configuration; False where there was none."""
        try:
            self.call(f"delete_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return False
            raise
        return True


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
