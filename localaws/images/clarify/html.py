"""The report as one HTML file, with its charts inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from localaws.core.templating import environment
from localaws.images.clarify.content import Block, Chart, Heading, Paragraph


def render(blocks: Sequence[Block], title: str) -> str:
    """Render the report as an HTML document."""
    templates = environment(Path(__file__).parent)
    templates.filters["base64"] = lambda content: base64.b64encode(content).decode()
    for kind in (Heading, Paragraph, Chart):
        templates.tests[kind.__name__.lower()] = lambda block, kind=kind: isinstance(block, kind)
    return templates.get_template("report.html").render(blocks=blocks, title=title)
