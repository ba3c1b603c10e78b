"""SageMaker models: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.naming import RunKey, derived_name, tags
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelOperator(SageMakerOperator):
    """
    Make a model of artefacts and image, once: its name is derived from the run and from what it is made of.

    Returns ``{"name", "arn"}``. Later tasks take ``task.model_name`` in templated fields, and depend on this task by
    it.

    :param image_uri: inference image. Templated.
    :param role_arn: ARN of the role that the containers take. Templated.
    :param model_data: S3 URI of ``model.tar.gz``. Templated.
    :param environment: variables in the container. Templated.

    .. seealso:: CreateModel in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "image_uri",
        "role_arn",
        "model_data",
        "environment",
    )
    template_fields_renderers = {"environment": "json", "tags": "json"}

    def __init__(
        self,
        *,
        image_uri: str,
        role_arn: str,
        model_data: str | XComArg,
        environment: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_uri = image_uri
        self.role_arn = role_arn
        self.model_data = model_data
        self.environment = dict(environment or {})

    @property
    def model_name(self) -> XComArg:
        """The model's name, for later tasks."""
        return XComArg(self, key="model_name")

    def execute(self, context: Context) -> dict[str, str]:
        """Make it, unless it is there."""
        from amazon_ml.hooks.sagemaker import AlreadyExists

        key = RunKey.of(context)
        container: dict[str, Any] = {"Image": self.image_uri, "ModelDataUrl": str(self.model_data)}
        if self.environment:
            container["Environment"] = {name: str(value) for name, value in self.environment.items()}
        name = derived_name(key, [container, self.role_arn])
        request = {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": self.role_arn}
        try:
            answer = self.hook.create("Model", {**request, "Tags": tags(key, self.tags)})
            self.log.info("Made model %s", name)
        except AlreadyExists:
            answer = self.hook.describe("Model", name) or {}
            self.log.info("Model %s is there already", name)
        self.note_console("Model", name)
        context["ti"].xcom_push(key="model_name", value=name)
        return {"name": name, "arn": answer["ModelArn"]}
