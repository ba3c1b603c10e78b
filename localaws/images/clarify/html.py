"""The report as one HTML file, with its charts inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from localaws.images.clarify.content import Block, Chart, Heading, Paragraph, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #22272e; max-width: 980px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.4rem; border-bottom: 1px solid #d5dae0; } h3 { margin: 1.6rem 0 0.3rem; }
table { border-collapse: collapse; font-size: 0.87rem; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #e4e7eb; text-align: left; vertical-align: top; }
th { background: #f4f6f8; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; }
"""


def render(blocks: Sequence[Block], title: str) -> str:
    """Render the report as an HTML document."""
    body = "\n".join(_block(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def table(block: Table) -> str:
    """Render a table."""
    head = _row(block, block.columns, "th")
    rows = "\n".join(_row(block, row, "td") for row in block.rows)
    return f"<table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _row(block: Table, row: Sequence[str], tag: str) -> str:
    cells = [
        f"<{tag}{' class=number' if place in block.numeric else ''}>{escape(text)}</{tag}>"
        for place, text in enumerate(row)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Chart):
        data = base64.b64encode(block.png).decode()
        return f'<p><img alt="{escape(block.text)}" src="data:image/png;base64,{data}"></p>'
    return table(block)
