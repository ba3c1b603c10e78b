"""What a task has read and written in S3, for OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_CHANNELS = "InputDataConfig[].DataSource.S3DataSource.S3Uri"
#: kind of job -> where its Describe answer has the URIs of what it reads, and of what it writes. Code is no data.
_URIS = {
    "ProcessingJob": (
        "ProcessingInputs[?InputName!='code'].S3Input.S3Uri",
        "ProcessingOutputConfig.Outputs[].S3Output.S3Uri",
    ),
    "TrainingJob": (_CHANNELS, "[ModelArtifacts.S3ModelArtifacts]"),
    "TransformJob": ("[TransformInput.DataSource.S3DataSource.S3Uri]", "[TransformOutput.S3OutputPath]"),
    "HyperParameterTuningJob": (
        f"[TrainingJobDefinition, TrainingJobDefinitions[]][].{_CHANNELS} | []",
        "[TrainingJobDefinition, TrainingJobDefinitions[]][].OutputDataConfig.S3OutputPath",
    ),
    "AutoMLJob": (_CHANNELS, "[OutputDataConfig.S3OutputPath]"),
    "AutoMLJobV2": ("AutoMLJobInputDataConfig[].DataSource.S3DataSource.S3Uri", "[OutputDataConfig.S3OutputPath]"),
}


def of_job(kind: str, description: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The S3 URIs that a job has read and written, by its Describe answer; none for a kind that has no data."""
    import jmespath

    reads, writes = _URIS.get(kind, ("`[]`", "`[]`"))
    return tuple([uri for uri in jmespath.search(path, description) or [] if uri] for path in (reads, writes))  # type: ignore[return-value]


def as_lineage(read: Iterable[str], written: Iterable[str]) -> OperatorLineage[Any, Any]:
    """
    S3 URIs as OpenLineage's inputs and outputs.

    The namespace is ``s3://bucket`` and the name the key, or the prefix without a slash at its end, as
    https://openlineage.io/docs/spec/naming has it.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    def datasets(uris: Iterable[str]) -> list[Dataset]:
        parts = [uri.removeprefix("s3://").partition("/") for uri in dict.fromkeys(uris) if uri.startswith("s3://")]
        return [Dataset(namespace=f"s3://{bucket}", name=key.rstrip("/") or "/") for bucket, _, key in parts]

    return OperatorLineage(inputs=datasets(read), outputs=datasets(written))
