"""The report as a PDF: A4 pages, filled from top to bottom."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib.image
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from localaws.images.clarify.content import Block, Chart, Heading, Paragraph, Table

_WIDTH, _HEIGHT, _MARGIN = 8.27, 11.69, 0.7
_LINE = 0.165
_INK, _FAINT = "#22272e", "#8a929c"
_SIZES = {1: 18, 2: 13, 3: 10}
#: characters in the width of a page at the size of a table's text.
_CHARACTERS = 132


def render(blocks: Sequence[Block], title: str) -> bytes:
    """Render the report as a PDF file."""
    content = io.BytesIO()
    with PdfPages(content, metadata={"Title": title, "Creator": "localaws", "CreationDate": None}) as pages:
        writer = _Writer(pages)
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            writer.write(block, following)
        writer.turn()
    return content.getvalue()


class _Writer:
    """The page that is being filled, and how far."""

    def __init__(self, pages: PdfPages) -> None:
        self._pages = pages
        self._page: Figure | None = None
        self._top = 0.0

    def turn(self) -> None:
        """Finish the page."""
        if self._page is not None:
            self._pages.savefig(self._page)  # type: ignore[no-untyped-call]
        self._page = None

    def write(self, block: Block, following: Block | None) -> None:
        """Set a block where the last one ended, or on the next page."""
        if isinstance(block, Heading):
            # A heading at the foot of a page, with what it is for on the next, would be no use.
            self._make_room(0.5 + min(_extent(following), 6.0))
            self._top += 0.22 if block.level > 1 else 0.1
            self._text(block.text, _SIZES[block.level], weight="bold", lines=2 if block.level == 1 else 1.5)
        elif isinstance(block, Paragraph):
            for line in textwrap.wrap(block.text, _CHARACTERS - 26):
                self._text(line, 9)
        elif isinstance(block, Chart):
            self._chart(block)
        else:
            self._table(block)

    def _make_room(self, inches: float) -> None:
        if self._page is None or self._top + inches > _HEIGHT - _MARGIN:
            self.turn()
            self._page = Figure(figsize=(_WIDTH, _HEIGHT))
            self._top = _MARGIN

    def _text(self, text: str, size: float, *, weight: str = "normal", lines: float = 1) -> None:
        self._make_room(_LINE * lines)
        self._put(_MARGIN, text, size, fontweight=weight)
        self._top += _LINE * lines

    def _put(self, x: float, text: str, size: float, **style: Any) -> None:
        assert self._page is not None
        style = {"color": _INK, "va": "top", "parse_math": False, **style}
        self._page.text(x / _WIDTH, 1 - self._top / _HEIGHT, text, fontsize=size, **style)

    def _chart(self, block: Chart) -> None:
        image = matplotlib.image.imread(io.BytesIO(block.png))
        width, height = _chart_size(image.shape)
        self._make_room(height + 0.1)
        assert self._page is not None
        place = (_MARGIN / _WIDTH, 1 - (self._top + height) / _HEIGHT, width / _WIDTH, height / _HEIGHT)
        axes = self._page.add_axes(place)
        axes.imshow(image, aspect="auto", interpolation="none")
        axes.set_axis_off()
        self._top += height + 0.1

    def _table(self, block: Table) -> None:
        widths = _widths(block)
        # A few rows of a table at the foot of a page are better on the next.
        self._make_room(min(_extent(block), 2.0))
        self._row(block.columns, block, widths, head=True)
        for row in block.rows:
            page = self._page
            self._make_room(_LINE * 3)
            if self._page is not page:
                self._row(block.columns, block, widths, head=True)
            self._row(row, block, widths)
        self._top += 0.08

    def _row(self, row: Sequence[str], block: Table, widths: Sequence[int], *, head: bool = False) -> None:
        cells = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths, strict=True)]
        depth = max(map(len, cells))
        self._make_room(_LINE * depth)
        unit = (_WIDTH - 2 * _MARGIN) / sum(width + 2 for width in widths)
        left = _MARGIN
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            right = place in block.numeric
            self._put(
                left + (width * unit if right else 0),
                "\n".join(cell),
                7,
                ha="right" if right else "left",
                fontweight="bold" if head else "normal",
                linespacing=1.35,
            )
            left += (width + 2) * unit
        self._top += _LINE * depth
        self._rule(_INK if head else "#e4e7eb")

    def _rule(self, colour: str) -> None:
        from matplotlib.lines import Line2D

        assert self._page is not None
        height = 1 - (self._top - 0.03) / _HEIGHT
        ends = [_MARGIN / _WIDTH, 1 - _MARGIN / _WIDTH]
        self._page.add_artist(Line2D(ends, [height, height], color=colour, linewidth=0.5))


def _chart_size(shape: Sequence[int]) -> tuple[float, float]:
    width = _WIDTH - 2 * _MARGIN
    height = width * shape[0] / shape[1]
    most = _HEIGHT - 2 * _MARGIN - 0.6
    return (width, height) if height <= most else (width * most / height, most)


def _extent(block: Block | None) -> float:
    """Return the inches that a block needs; a heading shares its page with the beginning of its block."""
    if isinstance(block, Chart):
        return _chart_size(matplotlib.image.imread(io.BytesIO(block.png)).shape)[1]
    if isinstance(block, Table):
        return _LINE * 1.5 * (len(block.rows) + 1)
    return _LINE * 2


def _widths(block: Table) -> list[int]:
    """Characters a column: what its longest text needs, and a fair share where that is more than the page has."""
    longest = [max(len(text) for text in column) for column in zip(block.columns, *block.rows, strict=True)]
    room = _CHARACTERS - 2 * len(longest)
    widths = list(longest)
    while sum(widths) > room and max(widths) > 4:
        widest = widths.index(max(widths))
        widths[widest] = max(4, min(widths[widest] - 1, room - (sum(widths) - widths[widest])))
    return widths
