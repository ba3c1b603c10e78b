"""The current champion: the newest approved version, whether it serves, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any

from include.settings import settings
from include.tasks.registry import APPROVED
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.charts import Node, graph

#: type of a lineage entity -> what people call it, and its colour. Others, such as images, are left out.
KINDS = {
    "DataSet": ("data", "data"),
    "Code": ("code", "code"),
    "ProcessingJob": ("processing job", "job"),
    "TrainingJob": ("training job", "job"),
    "Model": ("model", "model"),
    "ModelPackage": ("registered version", "model"),
    "Endpoint": ("endpoint", "endpoint"),
}

Vertex = dict[str, Any]


def read(aws: Aws) -> dict[str, Any]:
    """Return the champion's entry in the registry, its figures and its lineage."""
    hook = aws.sagemaker
    package = hook.newest_model_package(settings.model_group, **APPROVED)
    if package is None:
        raise NothingYet("No version is approved yet: run train_sentiment.")
    model_data = str(package["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", ""))
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    evaluation = (aws.json(quality) if quality else None) or {}
    metrics = evaluation.get("metrics", {})
    properties = package.get("CustomerMetadataProperties", {})
    return {
        "group": settings.model_group,
        "version": package["ModelPackageVersion"],
        "created": package["CreationTime"],
        "why": package.get("ModelPackageDescription", ""),
        "approved_by": package.get("ApprovalDescription", ""),
        "synthetic": str(properties.get("synthetic")).lower() == "true",
        "endpoint": settings.endpoint_name,
        "serves": hook.serves(settings.endpoint_name, package["ModelPackageArn"]),
        "figures": {
            name: metrics[name]["value"] for name in ("accuracy", "macro_f1") if metrics.get(name, {}).get("value")
        },
        "lineage": _lineage(aws, model_data),
    }


def _lineage(aws: Aws, model_data: str) -> dict[str, Any] | None:
    """Return the graph around a model's data, drawn and as rows; None where SageMaker has not tracked it."""
    vertices: dict[str, Vertex] = {}
    edges: set[tuple[str, str]] = set()
    for start in aws.sagemaker.artifacts(model_data) if model_data else ():
        for direction in ("Ascendants", "Descendants"):
            found = aws.sagemaker.graph(start, direction)
            vertices |= {each["arn"]: each for each in found["vertices"]}
            edges |= {(each["source"], each["destination"]) for each in found["edges"]}
    nodes = _nodes(vertices)
    drawn = sorted((source, end) for source, end in edges if source in nodes and end in nodes)
    order = {arn: nodes[arn] for arn in _ordered(nodes, drawn)}
    if not drawn:
        return None
    rows = [
        {
            "kind": node.kind,
            "name": node.name,
            "source": vertices[arn]["source"],
            "made_from": [order[source].name for source, end in drawn if end == arn],
        }
        for arn, node in order.items()
    ]
    said = "; ".join(f"{row['kind']} {row['name']}" for row in rows)
    return {"rows": rows, "chart": graph("Lineage, from data to endpoint", said, order, drawn)}


def _nodes(vertices: Mapping[str, Vertex]) -> dict[str, Node]:
    """Return what is drawn; a script that is data to its job as well is drawn once."""
    code = {each["source"] for each in vertices.values() if each["type"] == "Code"}
    return {
        arn: Node(*_called(each))
        for arn, each in vertices.items()
        # A deployment or approval is an action about the same resource.
        if each["type"] in KINDS
        and each["lineage_type"] != "Action"
        and not (each["type"] == "DataSet" and each["source"] in code)
    }


def _called(vertex: Vertex) -> tuple[str, str, str]:
    kind, css = KINDS[vertex["type"]]
    source = str(vertex["source"])
    if source.startswith("s3://"):
        parts = source.removeprefix("s3://").strip("/").split("/")
        name = vertex["properties"].get("script") or "/".join(parts[1:][-2:])
    else:
        name = source.rpartition(":")[2].partition("/")[2] or vertex["name"]
    return kind, name, css


def _ordered(nodes: Mapping[str, Node], edges: Iterable[tuple[str, str]]) -> list[str]:
    """Return sources before what was made of them."""
    sorter: TopologicalSorter[str] = TopologicalSorter({arn: () for arn in sorted(nodes)})
    for source, end in edges:
        sorter.add(end, source)
    return list(sorter.static_order())
