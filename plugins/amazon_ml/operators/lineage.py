"""SageMaker ML Lineage: the operator that says what a deployed model was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import XComArg

from amazon_ml.hooks.lineage import LineageHook
from amazon_ml.hooks.s3 import split
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class TraceEndpointOperator(SageMakerOperator):
    """
    Trace an endpoint back to package, model, training job, data files and code.

    By QueryLineage and the Describe operations. What AWS leaves to its users is added to the lineage, once however
    often this runs: an artifact of the code with its content's hash, one of each raw data file with its ETag, and the
    association of model and endpoint where SageMaker has not made it.

    Returns ``{"endpoint", "arn", "config", "models": [{"variant", "model", "package": {"arn", "group", "version",
    "status"} | None, "image", "model_data", "training_job": {"name", "arn", "created", "channels"} | None, "code":
    {"uri", "script", "sha256"} | None, "data": [{"uri", "etag", "bytes", "changed"}], "processing_jobs": [{"name",
    "arn", "created", "code"}]}], "graph"}``. A file that is ``changed`` was written after the job that has read its
    place.

    :param endpoint_name: the endpoint. Templated.
    :param derived_from: ``{"uri", "sources": [URIs]}`` each, for data in S3, or a model, that was derived from other by
        a step that SageMaker does not track; empty URIs are passed over. Templated.
    :param graph_folder: S3 prefix under which the whole graph is written as ``<content hash>/graph.json``, see
        :meth:`LineageHook.graph`; later tasks take ``task.graph``, the prefix with that hash. Templated.
    :raises RequestRefused: there is no such endpoint.

    .. seealso:: QueryLineage in the SageMaker API reference.
    """

    aws_hook_class = LineageHook
    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "endpoint_name",
        "derived_from",
        "graph_folder",
    )
    template_fields_renderers = {"derived_from": "json", "tags": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str | XComArg,
        derived_from: Sequence[Mapping[str, Any]] = (),
        graph_folder: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.derived_from = list(derived_from)
        self.graph_folder = graph_folder

    @property
    def graph(self) -> XComArg:
        """S3 prefix of the graph, for later tasks: another graph has another one."""
        return XComArg(self, key="graph")

    def execute(self, context: Context) -> dict[str, Any]:
        """Trace, log what was found, and write the graph."""
        from amazon_ml.lineage import Tracer

        derived = {each["uri"]: [uri for uri in each["sources"] if uri] for each in self.derived_from if each["uri"]}
        tracer = Tracer(cast("LineageHook", self.hook), derived)
        answer = tracer.endpoint(str(self.endpoint_name))
        self.note_console("Endpoint", str(self.endpoint_name))
        self.log.info("%s", json.dumps(answer, indent=2))
        graph = self._write(tracer.graph(answer)) if self.graph_folder else None
        context["ti"].xcom_push(key="graph", value=graph)
        self.note_data([], [graph] if graph else [])
        return {**answer, "graph": graph}

    def _write(self, graph: dict[str, Any]) -> str:
        body = json.dumps(graph, indent=2).encode()
        folder = f"{self.graph_folder.rstrip('/')}/{hashlib.sha256(body).hexdigest()[:16]}/"
        bucket, key = split(folder)
        self.hook.s3.put_missing(bucket, {f"{key}graph.json": body})
        return folder
