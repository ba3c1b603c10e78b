"""What to say of a process that failed, from what it printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: torchrun's report on its workers says less than the worker's own error.
_REPORTS = re.compile(r"ChildFailedError|torch\.distributed\.elastic")
_TRACEBACK = re.compile(r"^(?P<rank>\[rank\d+\]: ?)?Traceback \(most recent call last\):")
_WITHOUT_TRACEBACK = 5


def excerpt(lines: Sequence[str]) -> str:
    """
    Return the error among the last lines of a log: the text of a Python exception, else the last few lines.

    :param lines: without line ends; the last of the log last.
    """
    starts = [number for number, line in enumerate(lines) if _TRACEBACK.match(line)]
    for start in reversed(starts):
        text = _exception(lines[start:])
        if text and not _REPORTS.search(text):
            return text
    return "\n".join(lines[-_WITHOUT_TRACEBACK:])


def _exception(lines: Sequence[str]) -> str:
    """Return the first line after a traceback's frames that is not indented, and up to four that follow it."""
    found = _TRACEBACK.match(lines[0])
    prefix = (found and found["rank"]) or ""
    for number, line in enumerate(lines[1:], start=1):
        text = line.removeprefix(prefix)
        if not text.startswith((" ", "\t")) and text:
            rest = [further.removeprefix(prefix) for further in lines[number + 1 : number + 5]]
            return "\n".join([text, *rest])
    return ""
