"""
Liquid as worker task templates have it: the standard tags and filters, everything escaped, and AWS's own filters.

https://docs.aws.amazon.com/sagemaker/latest/dg/sms-custom-templates-step2-automate.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from liquid import Environment, Mode
from liquid.builtin.expressions import StringLiteral
from markupsafe import Markup, escape

#: Characters of a rendered template.
MOST_OUTPUT = 8 * 1024**2
#: Iterations of all loops of a template together.
MOST_ITERATIONS = 100_000

Access = Callable[[str], str]


class _Environment(Environment):
    loop_iteration_limit = MOST_ITERATIONS
    output_stream_limit = MOST_OUTPUT
    local_namespace_limit = MOST_OUTPUT


def environment(access: Access) -> Environment:
    """
    Return an environment.

    :param access: What ``grant_read_access`` does: an S3 address to a URL that a browser may read for a while.
    """
    made = _Environment(autoescape=True, tolerance=Mode.STRICT, strict_filters=True)
    # python-liquid's own; AWS's for this is skip_autoescape.
    for name in ("safe", "escapejs"):
        del made.filters[name]
    # Templates are self-contained: there is nothing that they could include.
    for name in ("include", "render"):
        del made.tags[name]
    made.add_filter("skip_autoescape", lambda value: Markup(_text(value)))  # noqa: S704 - what it is for
    made.add_filter("to_json", to_json)
    made.add_filter("escape", lambda value: escape(_plain_text(value)))
    made.add_filter("grant_read_access", lambda value: access(_address(value)))
    return made


def to_json(value: Any) -> Markup:
    """Return JSON that a ``script`` element, and an attribute in single quotes, can hold."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    for character in "<>&'\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing in it can end a script or such an attribute


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _plain_text(value: Any) -> str:
    """Return text that is to be escaped even if it is safe already, such as the quotes of to_json's result."""
    return "".join(_text(value))


def _address(value: Any) -> str:
    """Return an S3 address; one that ``capture`` put together was escaped when it was."""
    text = _text(value)
    return text.unescape() if isinstance(text, Markup) else text


def _unmarked(self: StringLiteral, context: Any) -> str:
    return self.value


# python-liquid takes a template's literals for safe. AWS escapes them as any other value.
StringLiteral.evaluate = _unmarked  # type: ignore[method-assign]
