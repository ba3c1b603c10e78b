"""A lineage graph as a picture: boxes in layers from the data on the left to the endpoint on the right."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from layout import Layout, arrange
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

INK, FAINT, LINE, MARK = "#22272e", "#59636e", "#a9b4bf", "#8f2f24"
#: lineage type -> edge and ground of its boxes.
COLOURS = {
    "Artifact": ("#1f5f8f", "#e6f0f8"),
    "TrialComponent": ("#2f6b3f", "#e8f3ea"),
    "Action": ("#8a5a12", "#faf1e1"),
    "Context": ("#5b3f8c", "#f0ebf8"),
}
WORDS = {"Artifact": "artifact", "TrialComponent": "job", "Action": "action", "Context": "context"}
_OTHER = (FAINT, "#f3f4f6")

# In inches.
_WIDTH, _HEIGHT, _GAP, _ROW, _MARGIN, _HEAD = 2.8, 0.78, 0.75, 1.0, 0.3, 1.0
_LINE_CHARACTERS = 34
#: shorter words for an approval that has not come.
_STATUSES = {"PendingManualApproval": "pending"}


def draw(graph: dict[str, Any], synthetic: bool) -> dict[str, bytes]:
    """Draw the graph, and return the picture as ``png`` and ``svg``."""
    figure = _figure(graph, synthetic)
    # Text stays text in the SVG, to be searched and read aloud; the same graph gives the same bytes.
    files = {}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lineage"}):
        for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Title": _title(graph, synthetic)})):
            content = io.BytesIO()
            figure.savefig(content, format=kind, metadata=metadata)
            files[kind] = content.getvalue()
    return files


def label(vertex: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a box's text: the type in words, and in one or two lines which one it is."""
    properties = vertex.get("properties", {})
    source = str(vertex["source"] or vertex["name"] or vertex["arn"])
    name = source.rpartition(":")[2].partition("/")[2] if source.startswith("arn:") else source
    kind = str(vertex["type"] or vertex["lineage_type"])
    if kind == "Approval":
        status = str(properties.get("ModelApprovalStatus", "unknown"))
        return f"Approval: {_STATUSES.get(status, status)}", lines(name)
    if kind == "Image":
        repository, _, tag = source.rpartition("/")[2].partition(":")
        return kind, [shorten(part) for part in (repository, tag) if part]
    if kind == "Code":
        said = f"sha256 {properties['sha256'][:16]}" if "sha256" in properties else name
        return f"Code: {properties.get('script', '')}".rstrip(": "), lines(said)
    if kind == "ModelDeployment":
        return kind, lines(str(properties.get("EndpointConfigName") or name))
    return kind, lines(_tail(name) if name.startswith("s3://") else name)


def lines(text: str) -> list[str]:
    """Break a text into one or two lines, after a slash, hyphen or colon where one is at the right place."""
    if len(text) <= _LINE_CHARACTERS:
        return [text]
    last = max(len(text) - _LINE_CHARACTERS, 1)
    cuts = [cut for cut in range(last, _LINE_CHARACTERS + 1) if text[cut - 1] in "/-:"]
    cut = max(cuts, default=_LINE_CHARACTERS)
    return [text[:cut], shorten(text[cut:])]


def shorten(text: str) -> str:
    """Shorten a text to one line; what is longer loses its middle."""
    if len(text) <= _LINE_CHARACTERS:
        return text
    end = _LINE_CHARACTERS // 2
    return f"{text[: _LINE_CHARACTERS - end - 1]}…{text[-end:]}"


def _tail(uri: str) -> str:
    """Return the last three parts of a long S3 URI, which say most."""
    parts = uri.removeprefix("s3://").rstrip("/").split("/")
    slash = "/" if uri.endswith("/") else ""
    kept = "/".join(parts if len(uri) <= _LINE_CHARACTERS else parts[-3:])
    kept = kept if len(kept) <= 2 * _LINE_CHARACTERS - 8 else "/".join(parts[-2:])
    return f"{kept if kept.startswith(parts[0]) else f'…/{kept}'}{slash}"


def _figure(graph: dict[str, Any], synthetic: bool) -> Figure:
    vertices = {vertex["arn"]: vertex for vertex in graph["vertices"]}
    layout = arrange(vertices, [(edge["source"], edge["destination"]) for edge in graph["edges"]])
    kinds = {(edge["source"], edge["destination"]): edge["type"] for edge in graph["edges"]}
    rows = max(len(layer) for layer in layout.layers)
    width = max(9.0, len(layout.layers) * (_WIDTH + _GAP) - _GAP + 2 * _MARGIN)
    height = rows * _ROW + 2 * _MARGIN + _HEAD
    figure = Figure(figsize=(width, height), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    places = _places(layout, width, height - _HEAD)
    for edge, way in layout.ways.items():
        _edge(axes, [places[name] for name in way], kinds[edge])
    for arn, vertex in vertices.items():
        _box(axes, places[arn], vertex)
    _head(axes, height, _title(graph, synthetic), synthetic, vertices.values())
    return figure


def _places(layout: Layout, width: float, height: float) -> dict[str, tuple[float, float]]:
    """Return the middle of each box and bend, in inches."""
    places = {}
    for number, layer in enumerate(layout.layers):
        x = width - _MARGIN - _WIDTH / 2 - number * (_WIDTH + _GAP)
        for row, name in enumerate(layer):
            places[name] = (x, height / 2 + ((len(layer) - 1) / 2 - row) * _ROW)
    return places


def _edge(axes: Axes, points: list[tuple[float, float]], kind: str) -> None:
    half, turn = _WIDTH / 2, _GAP * 0.55
    x, y = points[0]
    vertices, codes = [(x + half, y)], [Path.MOVETO]
    for number, (x, y) in enumerate(points[1:], start=1):
        last = number == len(points) - 1
        before = vertices[-1]
        end = (x - half - (0.04 if last else 0), y)
        vertices += [(before[0] + turn, before[1]), (end[0] - turn, end[1]), end]
        codes += [Path.CURVE4] * 3
        if not last:
            vertices.append((x + half, y))
            codes.append(Path.LINETO)
    style = {"ContributedTo": "-", "Produced": "-", "AssociatedWith": (0, (4, 3)), "DerivedFrom": (0, (1, 2))}
    axes.add_patch(
        FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>",
            mutation_scale=11,
            linewidth=1.9 if kind == "Produced" else 1.2,
            linestyle=style.get(kind, "-"),
            color=FAINT if kind == "Produced" else LINE,
            capstyle="butt",
            zorder=1,
        )
    )


def _box(axes: Axes, place: tuple[float, float], vertex: dict[str, Any]) -> None:
    x, y = place
    colour, ground = COLOURS.get(vertex["lineage_type"], _OTHER)
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.09",
            facecolor=ground,
            edgecolor=colour,
            linewidth=1.3,
            zorder=2,
        )
    )
    kind, said = label(vertex)
    _text(axes, x, y + (0.21 if len(said) > 1 else 0.13), shorten(kind), 10, colour, "bold")
    for number, line in enumerate(said):
        _text(axes, x, y - (0.03 if len(said) > 1 else 0.13) - 0.19 * number, line, 8.5, INK)


def _head(axes: Axes, height: float, title: str, synthetic: bool, vertices: Any) -> None:
    axes.text(
        _MARGIN, height - 0.38, title, fontsize=15, fontweight="bold", color=MARK if synthetic else INK, va="center"
    )
    x = _MARGIN
    present = {vertex["lineage_type"] for vertex in vertices}
    for kind, (colour, ground) in COLOURS.items():
        if kind in present:
            axes.add_patch(
                FancyBboxPatch(
                    (x, height - 0.83),
                    0.22,
                    0.15,
                    boxstyle="round,pad=0,rounding_size=0.03",
                    facecolor=ground,
                    edgecolor=colour,
                )
            )
            axes.text(x + 0.3, height - 0.755, WORDS[kind], fontsize=9.5, color=FAINT, va="center")
            x += 1.15
    words = "solid: contributed to; heavy: produced; dashed: associated with; dotted: derived from"
    axes.text(x + 0.1, height - 0.755, words, fontsize=9.5, color=FAINT, va="center")


def _text(axes: Axes, x: float, y: float, text: str, size: float, colour: str, weight: str = "normal") -> None:
    # A dollar sign would begin a formula.
    plain = text.replace("$", r"\$")
    axes.text(x, y, plain, fontsize=size, color=colour, fontweight=weight, ha="center", va="center", zorder=3)


def _title(graph: dict[str, Any], synthetic: bool) -> str:
    return f"{'SYNTHETIC reviews: ' if synthetic else ''}What made the endpoint {graph['endpoint']}"
