"""Where everything goes in a lineage graph: layers from left to right, and an order in each with few crossings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

Edge = tuple[str, str]

#: of the sweeps over the layers; there are few vertices, and the order settles soon.
_SWEEPS = 12


@dataclass
class Layout:
    """
    The layers, the last to the left of the first, and the way of each edge.

    :ivar layers: names of vertices and of bends, in order from the top; the first layer holds what leads to nothing.
    :ivar ways: edge -> the names that it leads over, its ends included.
    """

    layers: list[list[str]] = field(default_factory=list)
    ways: dict[Edge, list[str]] = field(default_factory=dict)


def arrange(vertices: Iterable[str], edges: Iterable[Edge]) -> Layout:
    """Lay a graph out. Edges that lead back, as a job that writes where it reads has them, are let go first."""
    names = list(vertices)
    kept = _without_cycles(names, edges)
    depth = _depths(names, kept)
    layout = Layout([[] for _ in range(max(depth.values(), default=-1) + 1)])
    for name in names:
        layout.layers[depth[name]].append(name)
    for source, destination in kept:
        # An edge over several layers bends in each of them, between the boxes.
        bends = [f"{source} {destination} {layer}" for layer in range(depth[source] - 1, depth[destination], -1)]
        for place, bend in enumerate(bends):
            layout.layers[depth[source] - 1 - place].append(bend)
        layout.ways[source, destination] = [source, *bends, destination]
    _order(layout)
    return layout


def _without_cycles(names: list[str], edges: Iterable[Edge]) -> list[Edge]:
    kept: list[Edge] = []
    following: dict[str, set[str]] = defaultdict(set)
    for source, destination in dict.fromkeys(edges):
        if source in names and destination in names and not _leads(following, destination, source):
            following[source].add(destination)
            kept.append((source, destination))
    return kept


def _leads(following: dict[str, set[str]], start: str, to: str) -> bool:
    ahead, seen = [start], {start}
    while ahead:
        name = ahead.pop()
        if name == to:
            return True
        ahead += following[name] - seen
        seen |= following[name]
    return False


def _depths(names: list[str], edges: list[Edge]) -> dict[str, int]:
    """Return the length of the longest path from each vertex to one that leads to nothing."""
    following = defaultdict(list)
    for source, destination in edges:
        following[source].append(destination)
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(other) for other in following[name]), default=-1)
        return depths[name]

    return {name: depth(name) for name in names}


def _order(layout: Layout) -> None:
    """Sort each layer by the middle of what its vertices are joined to, from both sides in turn."""
    joined: dict[str, list[str]] = defaultdict(list)
    for way in layout.ways.values():
        for one, other in pairwise(way):
            joined[one].append(other)
            joined[other].append(one)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        order = layout.layers if downwards else layout.layers[::-1]
        for before, layer in pairwise(order):
            place = {name: number / max(1, len(before) - 1) for number, name in enumerate(before)}
            middle = {name: _mean([place[other] for other in joined[name] if other in place]) for name in layer}
            layer.sort(key=middle.__getitem__)


def _mean(places: list[float]) -> float:
    return sum(places) / len(places) if places else 0.5
