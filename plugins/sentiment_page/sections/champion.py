"""The current champion: the newest approved version, whether it serves, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from include.settings import settings
from include.tasks.registry import APPROVED, evaluation_uri, learnt_from_synthetic
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

#: of what was made from the model, these.
_AFTER = {"ModelPackage", "Endpoint"}

#: nodes that are drawn; the table has all.
MOST = 18

Vertex = dict[str, Any]


def read(aws: Aws) -> dict[str, Any]:
    """Return the champion's entry in the registry, its figures and its lineage."""
    hook = aws.sagemaker
    package = hook.newest_model_package(settings.model_group, **APPROVED)
    if package is None:
        raise NothingYet("No version is approved yet: run train_sentiment.")
    model_data = str(package["InferenceSpecification"]["Containers"][0].get("ModelDataUrl", ""))
    quality = evaluation_uri(package)
    evaluation = (aws.json(quality) if quality else None) or {}
    metrics = evaluation.get("metrics", {})
    return {
        "group": settings.model_group,
        "version": package["ModelPackageVersion"],
        "created": package["CreationTime"],
        "why": package.get("ModelPackageDescription", ""),
        "approved_by": package.get("ApprovalDescription", ""),
        "synthetic": learnt_from_synthetic(package),
        "endpoint": settings.endpoint_name,
        "serves": hook.serves(settings.endpoint_name, package["ModelPackageArn"]),
        "figures": {name: metrics[name]["value"] for name in ("accuracy", "macro_f1") if name in metrics},
        "lineage": _lineage(aws, model_data),
    }


def _lineage(aws: Aws, model_data: str) -> dict[str, Any] | None:
    """Return the graph around a model's data, drawn and as rows; None where SageMaker has not tracked it."""
    vertices: dict[str, Vertex] = {}
    edges: set[tuple[str, str]] = set()
    for start in aws.sagemaker.artifacts(model_data) if model_data else ():
        above, below = (aws.sagemaker.graph(start, direction) for direction in ("Ascendants", "Descendants"))
        vertices |= {each["arn"]: each for each in above["vertices"] if each["type"] in KINDS}
        # Whoever has used the model for something else, such as an evaluation, is no part of it.
        vertices |= {each["arn"]: each for each in below["vertices"] if each["type"] in _AFTER}
        edges |= {(each["source"], each["destination"]) for found in (above, below) for each in found["edges"]}
    shown = _shown(vertices)
    sources = _sources(shown, edges)
    if not any(sources.values()):
        return None
    nodes = {arn: _node(vertices[arn]) for arn in _ordered(sources)}
    rows = [
        {
            "kind": node.kind,
            "name": node.name,
            "source": vertices[arn]["source"],
            "made_from": [nodes[source].name for source in sorted(sources[arn])],
        }
        for arn, node in nodes.items()
    ]
    near = _nearest(sources)
    drawn = {arn: node for arn, node in nodes.items() if arn in near}
    edges_drawn = [(source, arn) for arn in drawn for source in sorted(sources[arn])]
    said = "; ".join(f"{node.kind} {node.name}" for node in drawn.values())
    chart = graph("Lineage, from data to endpoint", said, drawn, edges_drawn)
    return {"rows": rows, "drawn": len(drawn), "chart": chart}


def _shown(vertices: Mapping[str, Vertex]) -> set[str]:
    """Return what is drawn: no actions, which are about a resource, and a script that is data to its job once."""
    code = {each["source"] for each in vertices.values() if each["type"] == "Code"}
    return {
        arn
        for arn, each in vertices.items()
        if each["lineage_type"] != "Action" and not (each["type"] == "DataSet" and each["source"] in code)
    }


def _sources(shown: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return what each node was made from, also by way of what is not drawn."""
    above: dict[str, set[str]] = {}
    for source, end in edges:
        above.setdefault(end, set()).add(source)
    found: dict[str, set[str]] = {}
    for node in shown:
        found[node], seen = set(), {node}
        waiting = list(above.get(node, ()))
        while waiting:
            source = waiting.pop()
            if source in seen:
                continue
            seen.add(source)
            if source in shown:
                found[node].add(source)
            else:
                waiting += above.get(source, ())
    return found


def _nearest(sources: Mapping[str, set[str]]) -> set[str]:
    """Return the nodes that are drawn: the last of all, and those that the fewest steps lead from to it."""
    used = {source for of in sources.values() for source in of}
    found = dict.fromkeys(sorted(set(sources) - used))
    for node in (walk := list(found)):
        new = [source for source in sorted(sources[node]) if source not in found]
        found |= dict.fromkeys(new)
        # The loop goes on with these.
        walk += new
    return set(islice(found, MOST))


def _ordered(sources: Mapping[str, set[str]]) -> list[str]:
    """Return the nodes, each as near below what it was made from as may be."""
    order: dict[str, None] = {}
    used = {source for of in sources.values() for source in of}
    waiting = [(node, False) for node in sorted(set(sources) - used, reverse=True)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            order[node] = None
        elif node not in order:
            waiting.append((node, True))
            waiting += [(source, False) for source in sorted(sources[node], reverse=True)]
    return list(order)


def _node(vertex: Vertex) -> Node:
    kind, css = KINDS[vertex["type"]]
    source = str(vertex["source"])
    if source.startswith("s3://"):
        parts = source.removeprefix("s3://").strip("/").split("/")
        name = vertex["properties"].get("script") or "/".join(parts[1:][-2:])
    else:
        name = source.rpartition(":")[2].partition("/")[2] or vertex["name"]
    return Node(kind, str(name), css)
