"""
Processing job: what made a deployed model -> one picture.

Reads ``INPUT/graph/*.json``, the one file there as TraceEndpointOperator writes it: ``{"endpoint", "vertices":
[{"arn", "type", "lineage_type", "name", "source", "properties"}], "edges": [{"source", "destination", "type"}]}``.
Writes::

    OUTPUT/lineage/lineage.svg   its text is text
    OUTPUT/lineage/lineage.png

Exit status 2, and one sentence, when there is no such graph; nothing is written then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from drawing import draw
from job import BadInput, is_synthetic, processing_parser, run, write_files


def read(folder: Path) -> dict[str, Any]:
    """Read the graph. :raises BadInput: there is not one, or it is not a lineage graph."""
    found = sorted(folder.glob("*.json"))
    if len(found) != 1:
        raise BadInput(f"{folder} must hold one graph in JSON; it holds {len(found)}")
    try:
        graph = json.loads(found[0].read_text(encoding="utf-8"))
        return {
            "endpoint": str(graph["endpoint"]),
            "vertices": [_vertex(vertex) for vertex in graph["vertices"]],
            "edges": [{key: str(edge[key]) for key in ("source", "destination", "type")} for edge in graph["edges"]],
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{found[0].name} is not a lineage graph: {error!r}") from error


def _vertex(vertex: dict[str, Any]) -> dict[str, Any]:
    texts = {key: str(vertex[key]) for key in ("arn", "type", "lineage_type", "name", "source")}
    return {**texts, "properties": {str(key): str(value) for key, value in vertex.get("properties", {}).items()}}


def work(source: Path, target: Path, synthetic: bool) -> None:
    """Read, draw, and write everything below ``target``."""
    graph = read(source / "graph")
    if not graph["vertices"]:
        raise BadInput(f"nothing is known about the lineage of {graph['endpoint']}")
    write_files(target / "lineage", {f"lineage.{kind}": content for kind, content in draw(graph, synthetic).items()})
    print(f"{graph['endpoint']}: {len(graph['vertices'])} entities, {len(graph['edges'])} associations")


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = processing_parser("what made a deployed model -> one picture").parse_args(arguments)
    return run("lineage_graph", lambda: work(options.input, options.output, is_synthetic(options)), options.reason)


if __name__ == "__main__":
    sys.exit(main())
