"""SageMaker models: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey, derived_name
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelOperator(SageMakerOperator):
    """
    Create a model of artefacts and image, once: its name follows from the run and its content.

    Returns ``{"name", "arn"}``. Later tasks take ``task.model_name`` in templated fields, and depend on this task by
    it.

    :param role_arn: ARN of the role that the containers take. Templated.
    :param image_uri: inference image. Templated.
    :param model_data: S3 URI of ``model.tar.gz``. Templated.
    :param environment: variables in the container. Templated.
    :param ttl: tag ``expires-at``: how long the model is needed, if no endpoint uses it. None: for ever.
    :param containers: in place of these three, one or more that hand on to one another, each ``{"image", "model_data",
        "environment"}``, or one ``{"model_package", "environment"}``: a version of the model registry, by its ARN.
        Templated.

    .. seealso:: CreateModel in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "image_uri",
        "role_arn",
        "model_data",
        "environment",
        "containers",
    )
    template_fields_renderers = {"environment": "json", "containers": "json", "tags": "json"}

    def __init__(
        self,
        *,
        role_arn: str,
        image_uri: str = "",
        model_data: str | XComArg = "",
        environment: Mapping[str, str] | None = None,
        containers: Sequence[Mapping[str, Any]] | XComArg | None = None,
        ttl: timedelta | None = timedelta(days=30),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if bool(image_uri) == (containers is not None):
            raise ValueError("a model needs an image_uri, or containers, and not both")
        self.image_uri = image_uri
        self.role_arn = role_arn
        self.model_data = model_data
        self.environment = dict(environment or {})
        self.containers = containers
        self.ttl = ttl

    @property
    def model_name(self) -> XComArg:
        """The model's name, for later tasks."""
        return XComArg(self, key="model_name")

    def lifetime(self) -> timedelta | None:
        """Return the time to live."""
        return self.ttl

    def execute(self, context: Context) -> dict[str, str]:
        """Create the model, unless it exists."""
        key = RunKey.of(context)
        given: Any = self.containers
        if given is None:
            given = [{"image": self.image_uri, "model_data": self.model_data, "environment": self.environment}]
        containers = [_container(**container) for container in given]
        name = derived_name(key, [*containers, self.role_arn])
        what = {"PrimaryContainer": containers[0]} if len(containers) == 1 else {"Containers": containers}
        request = {"ModelName": name, **what, "ExecutionRoleArn": self.role_arn}
        try:
            answer = self.hook.create("Model", {**request, "Tags": self.resource_tags(key)})
            self.log.info("Made model %s", name)
        except AlreadyExists:
            answer = self.hook.describe("Model", name) or {}
            self.log.info("Model %s is there already", name)
        self.note_console("Model", name)
        made_of = [container.get("ModelPackageName") or container["ModelDataUrl"] for container in containers]
        self.note_data(made_of, [answer["ModelArn"]])
        context["ti"].xcom_push(key="model_name", value=name)
        return {"name": name, "arn": answer["ModelArn"]}


def _container(
    image: str = "", model_data: Any = "", environment: Mapping[str, Any] | None = None, model_package: str = ""
) -> dict[str, Any]:
    made: dict[str, Any] = (
        {"ModelPackageName": model_package} if model_package else {"Image": image, "ModelDataUrl": str(model_data)}
    )
    if environment:
        made["Environment"] = {name: str(value) for name, value in environment.items()}
    return made
