"""SageMaker batch transform jobs: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.naming import RunKey
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.transform import TransformJobSpec

if TYPE_CHECKING:
    from airflow.sdk import Context


class TransformJobOperator(SageMakerJobOperator[TransformJobSpec]):
    """
    Run a model on all objects of an S3 prefix, exactly once per task instance; see
    :class:`SageMakerJobOperator`.

    Returns ``{"name", "arn", "status", "model", "output": S3 URI, "seconds": int}``. Each object of the input has its
    answers at the same key below ``output``, with ``.out`` after its name. Later tasks take ``task.output_data`` in
    templated fields, and depend on this task by it.

    :param job: how the objects are read, and on what instances.
    :param model_name: the SageMaker model. Templated.
    :param source: S3 prefix of the objects. Templated.
    :param output_uri: S3 prefix; default ``s3://<bucket>/<prefix>/<dag id>/<job name>/``. Templated.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason, its last log lines in the task's log.

    .. seealso:: CreateTransformJob in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (*SageMakerJobOperator.template_fields, "model_name", "source", "output_uri")

    kind = "TransformJob"
    waiter = "transform_job_finished"

    def __init__(
        self,
        *,
        job: TransformJobSpec,
        model_name: str | XComArg,
        source: str | XComArg,
        output_uri: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, **kwargs)
        self.model_name = model_name
        self.source = source
        self.output_uri = output_uri

    @property
    def output_data(self) -> XComArg:
        """S3 URI of the answers, for later tasks."""
        return XComArg(self, key="output_data")

    def request(self, spec: TransformJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateTransformJob request for this task instance."""
        return spec.to_request(
            name=name,
            dag_id=key.dag_id,
            model=str(self.model_name),
            source=str(self.source),
            output=self.output_uri,
        )

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the URI of the answers."""
        output = description["TransformOutput"]["S3OutputPath"]
        context["ti"].xcom_push(key="output_data", value=output)
        began, ended = description.get("TransformStartTime"), description.get("TransformEndTime")
        return {
            "name": description["TransformJobName"],
            "arn": description["TransformJobArn"],
            "status": description["TransformJobStatus"],
            "model": description["ModelName"],
            "output": output,
            "seconds": round((ended - began).total_seconds()) if began and ended else 0,
        }
