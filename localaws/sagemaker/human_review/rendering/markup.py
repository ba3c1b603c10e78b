"""What a worker template's HTML has: a form, and classifiers with categories."""

from __future__ import annotations

import ast
import json
from html.parser import HTMLParser

#: Elements whose answer can be sent; the last one brings its own form.
FORMS = frozenset({"crowd-form", "form", "crowd-entity-annotation"})
_CLASSIFIERS = frozenset({"crowd-classifier", "crowd-classifier-multi-select"})


class Markup(HTMLParser):
    """
    The elements of a template, rendered or not.

    :ivar has_form: Whether a worker could answer.
    :ivar categories: The categories of classifiers by name; only those that no task changes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.has_form = False
        self.categories: dict[str, list[str]] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        self.has_form = self.has_form or tag in FORMS
        if tag not in _CLASSIFIERS:
            return
        given = dict(attrs)
        name, text = given.get("name") or "", given.get("categories") or ""
        if name and "{{" not in name + text and "{%" not in name + text:
            categories = _strings(text)
            if categories:
                self.categories[name] = categories


def _strings(text: str) -> list[str]:
    """Return the strings of a list in JSON or, as most templates have it, in single quotes."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
    return []
