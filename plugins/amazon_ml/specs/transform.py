"""SageMaker batch transform: how a model is to read objects, and what is kept of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from amazon_ml.specs.job import JobSpec, WithoutCode


@dataclass(frozen=True, kw_only=True)
class TransformJobSpec(WithoutCode, JobSpec):
    """
    A batch transform job. It has no code and no image: the model has. Any text may be a Jinja template.

    :param content_type: of the input.
    :param accept: of the output; without one the model chooses.
    :param split: "Line" where each line is a record, "None" where the whole object is.
    :param compression: "Gzip" where the objects are compressed.
    :param batch_strategy: "MultiRecord" for as many records in a request as it may have, or "SingleRecord".
    :param max_payload_mb: of a request.
    :param max_concurrent: requests to an instance at once.
    :param invocation_timeout: seconds that the model may take for a request.
    :param invocation_retries: of a request that failed, 0 to 3.
    :param input_filter: JSONPath of what of a record the model gets.
    :param output_filter: JSONPath of what of the answer is kept; of record and answer, where they are joined.
    :param join_input: put each record before its answer. "True" and "False" do as text, too.
    :param max_runtime: seconds for the operator to wait, and half an hour more; SageMaker has no limit for a job.
    """

    image_uri: str = ""
    role_arn: str = ""
    source_dir: str = ""
    entry_point: str = ""
    content_type: str = "application/jsonlines"
    accept: str | None = None
    split: str = "Line"
    compression: str = "None"
    batch_strategy: str = "MultiRecord"
    max_payload_mb: int | str = 6
    max_concurrent: int | str = 1
    invocation_timeout: int | str = 600
    invocation_retries: int | str = 3
    input_filter: str = "$"
    output_filter: str = "$"
    join_input: bool | str = False

    # AWS fills in what was not said: the defaults stand here, too, so that request and description compare.
    identity: ClassVar[tuple[str, ...]] = (
        "ModelName",
        "TransformInput.[DataSource.S3DataSource.[S3DataType, S3Uri], ContentType, SplitType, CompressionType]",
        "TransformOutput.[Accept, AssembleWith]",
        "BatchStrategy",
        "[MaxPayloadInMB, MaxConcurrentTransforms]",
        "[DataProcessing.InputFilter || '$', DataProcessing.OutputFilter || '$', DataProcessing.JoinSource || 'None']",
        "Environment",
    )

    def to_request(self, *, name: str, dag_id: str, model: str, source: str, output: str | None) -> dict[str, Any]:
        """
        Return the CreateTransformJob request, without tags.

        :param model: the SageMaker model's name.
        :param source: S3 prefix of the input; each object becomes one, of its key and ``.out``.
        :param output: S3 prefix, or None for the job's own folder.
        """
        accept = {"Accept": self.accept} if self.accept else {}
        return {
            "TransformJobName": name,
            "ModelName": model,
            "BatchStrategy": self.batch_strategy,
            "MaxPayloadInMB": int(self.max_payload_mb),
            "MaxConcurrentTransforms": int(self.max_concurrent),
            "ModelClientConfig": {
                "InvocationsTimeoutInSeconds": int(self.invocation_timeout),
                "InvocationsMaxRetries": int(self.invocation_retries),
            },
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                "ContentType": self.content_type,
                "CompressionType": self.compression,
                "SplitType": self.split,
            },
            "TransformOutput": {
                "S3OutputPath": output or f"{self.output_uri(dag_id, name)}/",
                "AssembleWith": "Line" if self.split == "Line" else "None",
                **accept,
            },
            "TransformResources": {"InstanceType": self.instance_type, "InstanceCount": int(self.instance_count)},
            **self._processing(),
            **({"Environment": _texts(self.environment)} if self.environment else {}),
            **self.extra,
        }

    def _processing(self) -> dict[str, Any]:
        """DataProcessing; without filters and join there is none, since it takes CSV and JSON only."""
        join = str(self.join_input).lower() == "true"
        if not join and self.input_filter == self.output_filter == "$":
            return {}
        filters = {"InputFilter": self.input_filter, "OutputFilter": self.output_filter}
        return {"DataProcessing": {**filters, "JoinSource": "Input" if join else "None"}}


def _texts(environment: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in environment.items()}
