"""
The process that renders: ``python -m localaws.sagemaker.human_review.rendering.child``.

Requests and answers are JSON, one a line. ``{"source", "input"}`` is answered by ``{"content", "problem"}``, and by
``{"categories"}`` too where ``input`` is ``null``. Before that the child may ask ``{"grant": address}``, and is told
``{"url"}``. It knows no keys, and ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate
from liquid.exceptions import LiquidError

from localaws.sagemaker.human_review.rendering.liquid import environment
from localaws.sagemaker.human_review.rendering.markup import Markup

#: Seconds of processor time that one template may use; the kernel ends the process then.
CPU_SECONDS = 2.0
#: Bytes of address space.
MEMORY = 1024**3
#: S3 addresses that one template may have made readable.
MOST_GRANTS = 1000

Answer = dict[str, Any]
_grants = 0


class _Failure(Exception):
    """What is wrong with a template: a code and a sentence."""


def main() -> None:
    """Answer requests until there are no more."""
    # Linux keeps this limit; other systems may refuse it, and then time alone is limited.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        answer = _answered(json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(answer)


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def _answered(request: Answer) -> Answer:
    global _grants
    _grants = 0
    try:
        return _rendered(request)
    except _Failure as failure:
        code, message = failure.args
        return {"content": "", "problem": [code, message]}
    except MemoryError:
        return {"content": "", "problem": ["TemplateRenderingError", "The template needs too much memory."]}


def _rendered(request: Answer) -> Answer:
    template = _parsed(request["source"])
    if request["input"] is None:
        markup = Markup(request["source"])
        return {"content": "", "problem": _formless(markup), "categories": markup.categories}
    try:
        html = template.render(task={"input": json.loads(request["input"])})
    except (_Failure, MemoryError):
        raise
    except Exception as error:  # filters fail on values that do not fit them in ways of their own
        raise _Failure("TemplateRenderingError", f"The template cannot be rendered: {_words(error)}") from error
    return {"content": html, "problem": _formless(Markup(html))}


@lru_cache(maxsize=32)
def _parsed(source: str) -> BoundTemplate:
    try:
        template: BoundTemplate = _environment().from_string(source)
        return template
    except MemoryError:
        raise
    except Exception as error:  # whatever the parser stumbles over, it is this template's fault
        raise _Failure("TemplateSyntaxError", f"The template is not valid Liquid: {_words(error)}") from error


@lru_cache(maxsize=1)
def _environment() -> Any:
    return environment(_granted)


def _words(error: Exception) -> str:
    text = error.message if isinstance(error, LiquidError) and error.message else str(error)
    context = error.context() if isinstance(error, LiquidError) else None
    return f"{text} (line {context[0]})" if context else f"{text or type(error).__name__}"


def _formless(markup: Markup) -> list[str] | None:
    if markup.has_form:
        return None
    return [
        "MissingFormElement",
        "The template has no form, so that no worker could answer: put its input elements into a <crowd-form>.",
    ]


def _granted(address: str) -> str:
    global _grants
    _grants += 1
    if _grants > MOST_GRANTS:
        raise _Failure("TemplateRenderingError", f"grant_read_access is used more than {MOST_GRANTS} times.")
    _say({"grant": address})
    return str(json.loads(sys.stdin.buffer.readline())["url"])


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        # The server was killed: there is nobody to answer, and nothing to flush to at exit.
        os._exit(0)
