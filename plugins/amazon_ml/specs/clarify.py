"""SageMaker Clarify: what a bias analysis is to look at, and the processing job that does it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amazon_ml.code_bundle import SourceFolder
from amazon_ml.specs.job import ProcessingJobSpec

CONFIG_FILE = "analysis_config.json"
CONFIG = "/opt/ml/processing/input/config"
DATASET = "/opt/ml/processing/input/data"
RESULT = "/opt/ml/processing/output"


@dataclass(frozen=True)
class Facet:
    """
    A sensitive attribute.

    :param column: its name or place in the data set.
    :param values: those that together make the sensitive group, or one threshold of a continuous attribute, above which
        a row is in it; none: each value by itself against all others.
    """

    column: str | int
    values: Sequence[str | int | float] = ()

    def document(self) -> dict[str, Any]:
        """Its part of ``analysis_config.json``."""
        return {"name_or_index": self.column} | ({"value_or_threshold": list(self.values)} if self.values else {})


@dataclass(frozen=True, kw_only=True)
class BiasConfig:
    """
    Pre-training bias of a data set: does the label's positive outcome go to some groups more than to others?

    :param label: column of the label; of JSON Lines with ``features``, a JMESPath.
    :param positive: values of the label that are the positive outcome, or one threshold above which it is.
    :param facets: sensitive attributes.
    :param headers: column names of a data set that has none itself.
    :param dataset_type: ``text/csv``, ``application/jsonlines`` or ``application/x-parquet``.
    :param group_variable: column for the metric CDDL.
    :param features: JMESPath of the features in a line of JSON Lines.
    :param metrics: names out of CI, DPL, KL, JS, LP, TVD, KS, CDDL, or "all".
    :param report_title: title of the report in HTML, as notebook and as PDF; None for ``analysis.json`` alone.
    """

    label: str | int
    positive: Sequence[str | int | float]
    facets: Sequence[Facet]
    headers: Sequence[str] = ()
    dataset_type: str = "text/csv"
    group_variable: str | int | None = None
    features: str | None = None
    metrics: str | Sequence[str] = "all"
    report_title: str | None = "Analysis Report"

    def document(self) -> dict[str, Any]:
        """``analysis_config.json``, as the SageMaker SDK writes it."""
        methods: dict[str, Any] = {
            "pre_training_bias": {"methods": self.metrics if isinstance(self.metrics, str) else list(self.metrics)}
        }
        if self.report_title is not None:
            methods["report"] = {"name": "report", "title": self.report_title}
        optional = {
            "headers": list(self.headers) or None,
            "group_variable": self.group_variable,
            "features": self.features,
        }
        return {
            "version": "1.0",
            "dataset_type": self.dataset_type,
            "label": self.label,
            "label_values_or_threshold": list(self.positive),
            "facet": [facet.document() for facet in self.facets],
            **{key: value for key, value in optional.items() if value is not None},
            "methods": methods,
        }


@dataclass(frozen=True, kw_only=True)
class ClarifyJobSpec(ProcessingJobSpec):
    """
    Clarify's container and its resources. Its code is in the image: what is put to S3 is the configuration, under its
    content hash like any other job's code.

    :param analysis: ``analysis_config.json``; the operator fills it in.
    """

    source_dir: str = ""
    entry_point: str = CONFIG_FILE
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def source(self) -> SourceFolder:
        """Return the configuration as the code that is uploaded."""
        return SourceFolder({CONFIG_FILE: json.dumps(self.analysis, indent=2, sort_keys=True).encode()})

    @property
    def _code_key(self) -> str:
        return CONFIG_FILE

    def uploads(self, source: SourceFolder) -> dict[str, bytes]:
        """Return the one object to upload, by its key."""
        return {self.code_uri(source).removeprefix(f"s3://{self.bucket}/"): source.files[CONFIG_FILE]}

    def to_clarify_request(
        self, *, name: str, dag_id: str, config_uri: str, dataset: str, output: str | None
    ) -> dict[str, Any]:
        """
        Return the CreateProcessingJob request, without tags; inputs and outputs are as in the SageMaker SDK.

        :param output: S3 prefix, or None for the job's own folder.
        """
        request = self.to_request(name=name, dag_id=dag_id, code_uri=config_uri, inputs={}, outputs={}, arguments={})
        inputs = (("analysis_config", config_uri, CONFIG), ("dataset", dataset, DATASET))
        target = output or f"{self.output_uri(dag_id, name)}/analysis/"
        return {
            **request,
            # No entry point: the image's own.
            "AppSpecification": {"ImageUri": self.image_uri},
            "ProcessingInputs": [
                {
                    "InputName": kind,
                    "S3Input": {
                        "S3Uri": str(uri),
                        "LocalPath": path,
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                    },
                }
                for kind, uri, path in inputs
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "analysis_result",
                        "S3Output": {"S3Uri": target, "LocalPath": RESULT, "S3UploadMode": "EndOfJob"},
                    }
                ]
            },
        }


def metrics_by_facet(analysis: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """
    ``{facet: {value: {metric: number}}}`` out of an ``analysis.json``; None for a metric without a value.

    :raises ValueError: it is no analysis of pre-training bias.
    """
    try:
        facets = analysis["pre_training_bias_metrics"]["facets"]
        return {
            facet: {
                str(entry["value_or_threshold"]): {metric["name"]: metric["value"] for metric in entry["metrics"]}
                for entry in entries
            }
            for facet, entries in facets.items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no analysis of pre-training bias: {error!r}") from error
