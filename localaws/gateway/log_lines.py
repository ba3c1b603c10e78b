"""Log lines that a client cannot forge, whatever its requests say."""

from __future__ import annotations

import logging
import re
from types import TracebackType

#: control characters, line separators, those that reorder text, and halves of characters.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LONGEST = 4096


def printable(text: str) -> str:
    """Return ``text`` on one line of bounded length, what does not print as its escape sequence."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), cut)


class LineFormatter(logging.Formatter):
    """
    Formats a record as one line; the lines of a traceback follow it with a mark before each.

    A line without the mark is a record of ours: exceptions quote clients too.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format all but the traceback."""
        return printable(super().formatMessage(record))

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Format the traceback."""
        return "\n".join(f"    | {printable(line)}" for line in super().formatException(ei).split("\n"))
