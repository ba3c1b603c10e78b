"""SageMaker processing jobs: the operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.naming import RunKey
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.job import ProcessingJobSpec

if TYPE_CHECKING:
    from airflow.sdk import Context


class ProcessingJobOperator(SageMakerJobOperator[ProcessingJobSpec]):
    """
    Run a script over data in S3, exactly once per task instance; see :class:`SageMakerJobOperator`.

    The script runs as ``python3 /opt/ml/processing/input/code/<entry_point> --flag value ...``. Input ``x`` is at
    ``/opt/ml/processing/input/x``; what it leaves in ``/opt/ml/processing/output/y`` is output ``y``.

    Returns ``{"name", "arn", "status", "outputs": {name: S3 URI}, "result": document | None, "seconds": int}``. Later
    tasks take ``task.outputs["y"]`` and ``task.result`` in templated fields and as arguments of ``@task`` functions;
    either makes them depend on this task.

    :param job: image, script and resources.
    :param inputs: input name -> S3 URI of an object or of a prefix. Templated.
    :param outputs: names, or name -> S3 URI; default ``s3://<bucket>/<prefix>/<dag id>/<job name>/<output>/``.
        Templated.
    :param arguments: flag without its hyphens -> value, see :func:`amazon_ml.specs.job.to_arguments`. Templated.
    :param optional_inputs: inputs that the job goes without where their URI renders to nothing: SageMaker takes no
        input without objects.
    :param sharded_inputs: inputs whose objects are shared out among the instances, instead of copied to each.
    :param result: ``<output>/<file>`` of a JSON document of at most 32 KiB to hand on. Templated.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason, its last log lines in the task's log.
    :raises BadResult: it completed without the document that ``result`` promises.

    .. seealso:: CreateProcessingJob in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerJobOperator.template_fields,
        "inputs",
        "output_uris",
        "arguments",
        "result_file",
    )
    template_fields_renderers = {"inputs": "json", "output_uris": "json", "arguments": "json", "tags": "json"}

    kind = "ProcessingJob"
    waiter = "processing_job_finished"

    def __init__(
        self,
        *,
        job: ProcessingJobSpec,
        inputs: Mapping[str, str] | None = None,
        outputs: Sequence[str] | Mapping[str, str] = (),
        arguments: Mapping[str, Any] | None = None,
        optional_inputs: Collection[str] = (),
        sharded_inputs: Collection[str] = (),
        result: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, **kwargs)
        self.inputs = dict(inputs or {})
        self.output_uris: dict[str, str | None] = (
            dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs)
        )
        self.arguments = dict(arguments or {})
        self.optional_inputs = tuple(optional_inputs)
        self.sharded_inputs = tuple(sharded_inputs)
        self.result_file = result
        if result is not None and result.partition("/")[0] not in self.output_uris:
            raise ValueError(f"result {result!r} is not in an output of {self.task_id}: {', '.join(self.output_uris)}")

    @property
    def outputs(self) -> dict[str, XComArg]:
        """Output name -> its S3 URI, for later tasks."""
        return {name: XComArg(self, key=f"output_{name}") for name in self.output_uris}

    @property
    def result(self) -> XComArg:
        """The document of ``result``, for later tasks."""
        if self.result_file is None:
            raise ValueError(f"{self.task_id} has no result: name its file with result=")
        return XComArg(self, key="result")

    def request(self, spec: ProcessingJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateProcessingJob request for this task instance."""
        inputs = {key: uri for key, uri in self.inputs.items() if uri or key not in self.optional_inputs}
        return spec.to_request(
            name=name,
            dag_id=key.dag_id,
            code_uri=code_uri,
            inputs=inputs,
            outputs=self.output_uris,
            arguments=self.arguments,
            sharded_inputs=self.sharded_inputs,
        )

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the URIs of the outputs, and the document of ``result``."""
        outputs = {
            output["OutputName"]: output["S3Output"]["S3Uri"]
            for output in description.get("ProcessingOutputConfig", {}).get("Outputs", [])
        }
        result = None
        if self.result_file is not None:
            output, _, file = self.result_file.partition("/")
            result = self.hook.s3.read_json(f"{outputs[output].rstrip('/')}/{file}")
        for name, uri in outputs.items():
            context["ti"].xcom_push(key=f"output_{name}", value=uri)
        if self.result_file is not None:
            context["ti"].xcom_push(key="result", value=result)
        started, ended = description.get("ProcessingStartTime"), description.get("ProcessingEndTime")
        return {
            "name": description["ProcessingJobName"],
            "arn": description["ProcessingJobArn"],
            "status": description["ProcessingJobStatus"],
            "outputs": outputs,
            "result": result,
            "seconds": round((ended - started).total_seconds()) if started and ended else 0,
        }
