"""What a task has read and written, for OpenLineage: data in S3, and what SageMaker has made of it."""

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
    """Return the S3 URIs that a job has read and written, by its Describe answer; none for a kind without data."""
    import jmespath

    reads, writes = _URIS.get(kind, ("`[]`", "`[]`"))
    return tuple([uri for uri in jmespath.search(path, description) or [] if uri] for path in (reads, writes))  # type: ignore[return-value]


def as_lineage(read: Iterable[str], written: Iterable[str]) -> OperatorLineage[Any, Any]:
    """
    S3 URIs and ARNs of SageMaker as OpenLineage's inputs and outputs; what is neither is passed over.

    Of a URI the namespace is ``s3://bucket`` and the name the key, or the prefix without a slash at its end, as
    https://openlineage.io/docs/spec/naming has it. It has nothing about SageMaker: we follow what it says of Glue, with
    the namespace ``arn:aws:sagemaker:region:account`` and the name ``endpoint/name``.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    def datasets(places: Iterable[str]) -> list[Dataset]:
        found = dict.fromkeys(_dataset(place) for place in places)
        return [Dataset(namespace=each[0], name=each[1]) for each in found if each]

    return OperatorLineage(inputs=datasets(read), outputs=datasets(written))


def _dataset(place: str) -> tuple[str, str] | None:
    """Namespace and name."""
    if place.startswith("s3://"):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        return f"s3://{bucket}", key.rstrip("/") or "/"
    if place.startswith("arn:") and place.count(":") == 5 and place.split(":")[2] == "sagemaker":
        namespace, _, name = place.rpartition(":")
        return namespace, name
    return None
