"""What the pictures of the reports have in common: colours, title, plain axes, and the PNG."""

from __future__ import annotations

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, FAINT, LINE = "#22272e", "#59636e", "#d9dee4"
#: one thing in front of the others, and what needs attention.
LEAD, MARK = "#1f5f8f", "#c2571a"
#: the two variants of an A/B test.
VARIANTS = {"champion": "#8a929c", "challenger": LEAD}


def titled(title: str, size: tuple[float, float], *, synthetic: bool) -> Figure:
    """
    Return an empty figure.

    :param size: width and height in inches.
    :param synthetic: whether the title says that the reviews are made up.
    """
    figure = Figure(figsize=size, dpi=120, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    mark = "SYNTHETIC: " if synthetic else ""
    figure.suptitle(f"{mark}{title}", x=0.012, ha="left", fontsize=15, fontweight="bold", color=INK)
    return figure


def plain(axes: Axes, title: str, grid: Literal["x", "y"]) -> None:
    """Leave of a panel its title and the lines of one grid, ``x`` or ``y``."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
    axes.spines[:].set_visible(False)
    axes.grid(axis=grid, color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9.5, colors=FAINT)


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG; the same figure gives the same bytes."""
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
