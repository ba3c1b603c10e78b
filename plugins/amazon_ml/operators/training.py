"""SageMaker training jobs: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.naming import RunKey, job_name
from amazon_ml.operators.base import is_true
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.job import CHECKPOINTS, TrainingJobSpec

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrainingJobOperator(SageMakerJobOperator[TrainingJobSpec]):
    """
    Train a model, exactly once per task instance; see :class:`SageMakerJobOperator`.

    Returns ``{"name", "arn", "status", "model_data": S3 URI, "metrics": {str: float}, "billable_seconds": int}``. Later
    tasks take ``task.model_data`` in templated fields, and depend on this task by it.

    :param job: image, script and resources.
    :param channels: input channel -> S3 URI. Templated.
    :param hyperparameters: passed to the script as ``--key value``, see
        :func:`amazon_ml.specs.job.to_hyperparameters`. Templated.
    :param metric_regexes: metric name -> regex with one group, read from the job's log.
    :param checkpoints: keep what the script writes to ``/opt/ml/checkpoints`` in S3, and give it to the next attempt of
        the same computation: a job that broke continues where it was.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason, its last log lines in the task's log.

    .. seealso:: CreateTrainingJob in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (*SageMakerJobOperator.template_fields, "channels", "hyperparameters")
    template_fields_renderers = {"channels": "json", "hyperparameters": "json", "tags": "json"}

    kind = "TrainingJob"
    waiter = "training_job_finished"

    def __init__(
        self,
        *,
        job: TrainingJobSpec,
        channels: Mapping[str, str] | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        metric_regexes: Mapping[str, str] | None = None,
        checkpoints: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, **kwargs)
        self.channels = dict(channels or {})
        self.hyperparameters = dict(hyperparameters or {})
        self.metric_regexes = dict(metric_regexes or {})
        self.checkpoints = checkpoints

    @property
    def model_data(self) -> XComArg:
        """S3 URI of ``model.tar.gz``, for later tasks."""
        return XComArg(self, key="model_data")

    def request(self, spec: TrainingJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateTrainingJob request for this task instance."""
        request = spec.to_request(
            name=name,
            dag_id=key.dag_id,
            code_uri=code_uri,
            region=self.hook.conn_region_name,
            channels=self.channels,
            hyperparameters=self.hyperparameters,
            metric_regexes=self.metric_regexes,
        )
        if self.checkpoints:
            # Shared by the attempts of one computation: checkpoints of other code or parameters would be wrong, and an
            # attempt that is to compute everything again would find nothing left to do.
            again = is_true(self.force) or not self.durable
            first = name if again else job_name(key.dag_id, key.task_id, key.map_index, key.run_id)
            folder = f"{spec.output_uri(key.dag_id, first)}/checkpoints/{spec.fingerprint(request)}/"
            request["CheckpointConfig"] = {"S3Uri": folder, "LocalPath": CHECKPOINTS}
        return request

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the URI of the model, and its last metrics."""
        model_data = description["ModelArtifacts"]["S3ModelArtifacts"]
        context["ti"].xcom_push(key="model_data", value=model_data)
        return {
            "name": description["TrainingJobName"],
            "arn": description["TrainingJobArn"],
            "status": description["TrainingJobStatus"],
            "model_data": model_data,
            "metrics": {metric["MetricName"]: metric["Value"] for metric in description.get("FinalMetricDataList", [])},
            "billable_seconds": description.get("BillableTimeInSeconds", 0),
        }
