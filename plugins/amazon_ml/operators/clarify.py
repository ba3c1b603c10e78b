"""SageMaker Clarify: the operator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.exceptions import BadResult, RequestRefused
from amazon_ml.hooks.s3 import split
from amazon_ml.naming import RunKey
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.clarify import BiasConfig, ClarifyJobSpec, metrics_by_facet

if TYPE_CHECKING:
    from airflow.sdk import Context

#: an analysis of some hundred facet values; XCom takes the metrics of about as many.
_MAX_ANALYSIS_BYTES = 4 * 1024 * 1024
_MAX_METRICS_BYTES = 32 * 1024


class ClarifyBiasOperator(SageMakerJobOperator[ClarifyJobSpec]):
    """
    Measure the bias in a data set before any training, exactly once per task instance; see
    :class:`SageMakerJobOperator`.

    Returns ``{"name", "arn", "status", "analysis": S3 prefix, "metrics": {facet: {value: {metric: number}}},
    "seconds"}``. At the prefix are ``analysis.json`` and, where the configuration asks for it, the report as
    ``report.html``, ``report.ipynb`` and ``report.pdf``. Later tasks take ``task.analysis`` and ``task.metrics`` in
    templated fields and as arguments of ``@task`` functions; either makes them depend on this task.

    :param job: image and resources.
    :param config: what to look at. Any text in it may be a Jinja template.
    :param dataset: S3 URI of the data set, an object or a prefix. Templated.
    :param output_uri: S3 prefix of the analysis; default ``s3://<bucket>/<prefix>/<dag id>/<job name>/analysis/``.
        Templated.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason, its last log lines in the task's log.
    :raises BadResult: it completed without an analysis, or with more facet values than XCom takes.

    .. seealso:: "Analysis configuration files" in the SageMaker developer guide.
    """

    template_fields: Sequence[str] = (*SageMakerJobOperator.template_fields, "dataset", "output_uri")

    kind = "ProcessingJob"
    waiter = "processing_job_finished"

    def __init__(
        self,
        *,
        job: ClarifyJobSpec,
        config: BiasConfig,
        dataset: str | XComArg,
        output_uri: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=replace(job, analysis=config.document()), **kwargs)
        self.config = config
        self.dataset = dataset
        self.output_uri = output_uri

    @property
    def analysis(self) -> XComArg:
        """S3 prefix of ``analysis.json`` and the report, for later tasks."""
        return XComArg(self, key="analysis")

    @property
    def metrics(self) -> XComArg:
        """The metrics by facet and value, for later tasks."""
        return XComArg(self, key="metrics")

    def request(self, spec: ClarifyJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateProcessingJob request for this task instance."""
        return spec.to_clarify_request(
            name=name, dag_id=key.dag_id, config_uri=code_uri, dataset=str(self.dataset), output=self.output_uri
        )

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Where the analysis is, and its metrics."""
        (output,) = description["ProcessingOutputConfig"]["Outputs"]
        analysis = output["S3Output"]["S3Uri"]
        metrics = self._metrics(f"{analysis.rstrip('/')}/analysis.json")
        context["ti"].xcom_push(key="analysis", value=analysis)
        context["ti"].xcom_push(key="metrics", value=metrics)
        started, ended = description.get("ProcessingStartTime"), description.get("ProcessingEndTime")
        return {
            "name": description["ProcessingJobName"],
            "arn": description["ProcessingJobArn"],
            "status": description["ProcessingJobStatus"],
            "analysis": analysis,
            "metrics": metrics,
            "seconds": round((ended - started).total_seconds()) if started and ended else 0,
        }

    def _metrics(self, uri: str) -> dict[str, Any]:
        bucket, key = split(uri)
        try:
            answer = self.hook.s3.get_object(bucket, key)
        except RequestRefused as error:
            if self.hook.s3.has_object(bucket, key):
                raise
            raise BadResult(f"The job completed and wrote no {uri}") from error
        with answer["Body"] as body:
            if answer["ContentLength"] > _MAX_ANALYSIS_BYTES:
                raise BadResult(f"{uri} has {answer['ContentLength']} bytes: name the facet values that matter")
            content = body.read()
        try:
            metrics = metrics_by_facet(json.loads(content))
        except ValueError as error:
            raise BadResult(f"{uri}: {error}") from error
        if (size := len(json.dumps(metrics))) > _MAX_METRICS_BYTES:
            raise BadResult(
                f"the metrics in {uri} have {size} bytes, XCom takes {_MAX_METRICS_BYTES}: name the facet values that "
                "matter"
            )
        return metrics
