"""QueryLineage: a walk along associations from a start, and what is kept of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from localaws.core.context import Context
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import ASSOCIABLE, Record, entity_type

#: AWS's own limit, and what counts where a request gives none.
MAX_DEPTH = 10

#: an association as (source, destination).
Edge = tuple[str, str]


class Walk:
    """
    All that is reached from a start, against or along the associations, in at most ``depth`` steps.

    :ivar reached: ARNs in the order in which they were reached, the start's first.
    :ivar steps: the associations used, as (from, to) of the walk.
    """

    def __init__(self, start: str, edges: Iterable[Edge], depth: int) -> None:
        following = defaultdict(list)
        for source, destination in edges:
            following[source].append(destination)
        self.reached: dict[str, None] = {start: None}
        self.steps: list[Edge] = []
        frontier = [start]
        for _ in range(depth):
            frontier = self._further(frontier, following)

    def _further(self, frontier: list[str], following: dict[str, list[str]]) -> list[str]:
        found = []
        for arn in frontier:
            for other in following[arn]:
                self.steps.append((arn, other))
                if other not in self.reached:
                    self.reached[other] = None
                    found.append(other)
        return found

    def on_the_way(self, to: set[str]) -> set[str]:
        """Return everything on a path from the start to one of ``to``, these included."""
        before = defaultdict(list)
        for source, destination in self.steps:
            before[destination].append(source)
        found, ahead = set(to), list(to)
        while ahead:
            for arn in before[ahead.pop()]:
                if arn not in found:
                    found.add(arn)
                    ahead.append(arn)
        return found & set(self.reached)


def query(request: dict[str, Any], ctx: Context) -> tuple[list[Record], list[Record]]:
    """
    Return the vertices and edges that a QueryLineage request asks for, nearest to the start first.

    Edges are returned with IncludeEdges only, together with the entities on the way to those that match the filters.
    Without StartArns every entity is a start.

    :raises ResourceNotFound: a start does not exist.
    """
    known = {(each["SourceArn"], each["DestinationArn"]): each for each in associations.everything(ctx)}
    walks = [
        Walk(start, edges, request.get("MaxDepth", MAX_DEPTH))
        for start in _starts(request, ctx)
        for edges in _directed(request.get("Direction", "Both"), list(known))
    ]
    reached = dict.fromkeys(arn for walk in walks for arn in walk.reached)
    entities = {arn: record for arn in reached if (record := associations.entity(ctx, arn)) is not None}
    kept = {arn for arn, record in entities.items() if matches(arn, record, request.get("Filters", {}))}
    edges: set[Edge] = set()
    if request.get("IncludeEdges"):
        for walk in walks:
            way = walk.on_the_way(kept & set(walk.reached))
            edges |= {step if step in known else step[::-1] for step in walk.steps if way.issuperset(step)}
        kept |= {arn for edge in edges for arn in edge if arn in entities}
    vertices = [_vertex(arn, record) for arn, record in entities.items() if arn in kept]
    return vertices, [association for pair, association in known.items() if pair in edges]


def matches(arn: str, record: Record, filters: dict[str, Any]) -> bool:
    """Return True if an entity passes the filters; of several Properties one is enough."""
    vertex = _vertex(arn, record)
    if any(
        wanted and vertex.get(member) not in wanted
        for member, wanted in (("Type", filters.get("Types")), ("LineageType", filters.get("LineageTypes")))
    ):
        return False
    for name, member in (("Created", "CreationTime"), ("Modified", "LastModifiedTime")):
        after, before = filters.get(f"{name}After"), filters.get(f"{name}Before")
        if (after and record[member] <= after) or (before and record[member] >= before):
            return False
    wanted = filters.get("Properties")
    own = record.get("Properties", {})
    return not wanted or any(own.get(key) == value for key, value in wanted.items())


def _starts(request: dict[str, Any], ctx: Context) -> list[str]:
    given: list[str] = request.get("StartArns", [])
    for arn in given:
        associations.find_entity(ctx, arn)
    if given:
        return given
    return [record[f"{noun.prefix}Arn"] for noun in ASSOCIABLE.values() for record in ctx.store.all(noun.kind)]


def _directed(direction: str, edges: list[Edge]) -> list[list[Edge]]:
    """Return the edges for each walk. "Both" is one walk up and one down, and neither turns."""
    up = [edge[::-1] for edge in edges]
    return {"Ascendants": [up], "Descendants": [edges], "Both": [up, edges]}[direction]


def _vertex(arn: str, record: Record) -> Record:
    noun = ASSOCIABLE[arn.split(":", 5)[-1].partition("/")[0]]
    return {"Arn": arn, "Type": entity_type(record), "LineageType": noun.lineage_type}
