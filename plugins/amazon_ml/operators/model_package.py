"""SageMaker Model Registry: the operators that register a version of a model, and that approve one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import islice
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import Overtaken
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: the property of a package that says which task instance has registered it.
RUN_PROPERTY = "airflow-run-key"


class RegisterModelOperator(SageMakerOperator):
    """
    Register a model as the next version of a package group, once a task instance whatever its tries.

    The group is made if it is missing. The package carries the task instance's key as a customer metadata property, by
    which a later try finds it; two tries at the same time share a ClientToken. A clear with another model registers
    another version. Returns ``{"arn", "group", "version", "status"}``, status being that of the approval.

    :param group_name: the package group. Templated.
    :param image_uri: inference image. Templated.
    :param model_data: S3 URI of ``model.tar.gz``. Templated.
    :param environment: variables in the container. Templated.
    :param metrics: name -> S3 URI of a JSON file, such as ``{"ModelQuality": "s3://.../evaluation.json"}``; the names
        are ModelQuality, ModelDataQuality, Bias and Explainability. Templated.
    :param properties: customer metadata: text by name. Templated.
    :param approval_status: PendingManualApproval, Approved or Rejected. Templated.
    :param instance_types: that an endpoint may use. Templated.
    :param content_type: of requests.
    :param description: for people. Templated.

    .. seealso:: CreateModelPackage in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "group_name",
        "image_uri",
        "model_data",
        "environment",
        "metrics",
        "properties",
        "approval_status",
        "instance_types",
        "description",
    )
    template_fields_renderers = {"environment": "json", "metrics": "json", "properties": "json", "tags": "json"}

    def __init__(
        self,
        *,
        group_name: str,
        image_uri: str,
        model_data: str | XComArg,
        environment: Mapping[str, str] | None = None,
        metrics: Mapping[str, str] | None = None,
        properties: Mapping[str, Any] | None = None,
        approval_status: str = "PendingManualApproval",
        instance_types: Sequence[str] = ("ml.m5.large",),
        content_type: str = "application/jsonlines",
        description: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group_name = group_name
        self.image_uri = image_uri
        self.model_data = model_data
        self.environment = dict(environment or {})
        self.metrics = dict(metrics or {})
        self.properties = dict(properties or {})
        self.approval_status = approval_status
        self.instance_types = list(instance_types)
        self.content_type = content_type
        self.description = description

    def execute(self, context: Context) -> dict[str, Any]:
        """Register the version, or find the one that an earlier try has registered."""
        key = RunKey.of(context)
        request = self._request()
        digest = hashlib.sha256(json.dumps([*astuple(key), request], sort_keys=True).encode()).hexdigest()[:32]
        self._ensure_group(key)
        arn = self._registered(digest)
        if arn is None:
            request["CustomerMetadataProperties"][RUN_PROPERTY] = digest
            arn = self.hook.register_model_package({**request, "ClientToken": digest})
            # AWS takes no tags with a version of a group: those of the group count.
            self.log.info("Registered %s", arn)
        else:
            self.log.info("%s was registered by an earlier try", arn)
        self.note_data([str(self.model_data), *self.metrics.values()], [arn])
        return summary(self.hook.require("ModelPackage", arn))

    def _ensure_group(self, key: RunKey) -> None:
        if self.hook.describe("ModelPackageGroup", self.group_name):
            return
        try:
            self.hook.create(
                "ModelPackageGroup", {"ModelPackageGroupName": self.group_name, "Tags": self.resource_tags(key)}
            )
            self.log.info("Made model package group %s", self.group_name)
        except AlreadyExists:
            self.log.info("Model package group %s was made by another process in the meantime", self.group_name)

    def _request(self) -> dict[str, Any]:
        container: dict[str, Any] = {"Image": self.image_uri, "ModelDataUrl": str(self.model_data)}
        if self.environment:
            container["Environment"] = {name: str(value) for name, value in self.environment.items()}
        request: dict[str, Any] = {
            "ModelPackageGroupName": self.group_name,
            "InferenceSpecification": {
                "Containers": [container],
                "SupportedContentTypes": [self.content_type],
                "SupportedResponseMIMETypes": [self.content_type],
                "SupportedRealtimeInferenceInstanceTypes": list(self.instance_types),
                "SupportedTransformInstanceTypes": list(self.instance_types),
            },
            "ModelApprovalStatus": self.approval_status,
            "CustomerMetadataProperties": {name: str(value) for name, value in self.properties.items()},
        }
        if self.metrics:
            request["ModelMetrics"] = {name: _statistics(name, uri) for name, uri in self.metrics.items()}
        if self.description:
            request["ModelPackageDescription"] = self.description
        return request

    def _registered(self, digest: str) -> str | None:
        """Find the ARN of the package that this task instance has registered, among the hundred newest."""
        for package in islice(self.hook.model_packages(self.group_name), 100):
            if package.get("CustomerMetadataProperties", {}).get(RUN_PROPERTY) == digest:
                return str(package["ModelPackageArn"])
        return None


class ApproveModelOperator(SageMakerOperator):
    """
    Approve or reject a version in the model registry.

    Returns ``{"arn", "group", "version", "status"}``. A version that has the status already is left as it is.

    Who approves the better of two versions gives the other as ``instead_of``: of two runs that have each found their
    own version to be better than that one, only the first then gets its way.

    :param model_package_arn: the version. Templated.
    :param status: Approved or Rejected. Templated.
    :param reason: kept with the version. Templated.
    :param instead_of: ARN of the version that must still be the newest approved one, "" where there must be none; None
        to approve in any case. Templated.
    :raises RequestRefused: there is no such version.
    :raises Overtaken: another version than ``instead_of`` is the newest approved one.

    .. seealso:: UpdateModelPackage in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "model_package_arn",
        "status",
        "reason",
        "instead_of",
    )

    def __init__(
        self,
        *,
        model_package_arn: str | XComArg,
        status: str = "Approved",
        reason: str = "",
        instead_of: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_package_arn = model_package_arn
        self.status = status
        self.reason = reason
        self.instead_of = instead_of

    def execute(self, context: Context) -> dict[str, Any]:
        """Update the approval if needed."""
        arn = str(self.model_package_arn)
        found = self.hook.require("ModelPackage", arn)
        if found.get("ModelApprovalStatus") != self.status:
            self._check_not_overtaken(found["ModelPackageGroupName"])
            self.hook.set_approval(arn, self.status, self.reason)
            self.log.info("%s was %s and is %s", arn, found.get("ModelApprovalStatus"), self.status)
        self.note_data([arn], [])
        return summary({**found, "ModelApprovalStatus": self.status})

    def _check_not_overtaken(self, group: str) -> None:
        if self.instead_of is None:
            return
        newest = self.hook.newest_model_package(group, ModelApprovalStatus="Approved")
        arn = newest["ModelPackageArn"] if newest else ""
        if arn != self.instead_of:
            raise Overtaken(
                f"{self.model_package_arn} was to take the place of {self.instead_of or 'no version'}, but the newest "
                f"approved version is {arn or 'none'}: compare it with that one, by clearing the task that compares"
            )


def summary(package: Mapping[str, Any]) -> dict[str, Any]:
    """Summarise what later tasks need of a package."""
    return {
        "arn": package["ModelPackageArn"],
        "group": package["ModelPackageGroupName"],
        "version": package["ModelPackageVersion"],
        "status": package["ModelApprovalStatus"],
    }


def _statistics(name: str, uri: str) -> dict[str, Any]:
    # Bias and explainability have a report, the quality of model and data have statistics.
    member = "Report" if name in {"Bias", "Explainability"} else "Statistics"
    return {member: {"ContentType": "application/json", "S3Uri": uri}}
