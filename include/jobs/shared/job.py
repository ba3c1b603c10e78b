"""
How a job ends when its input cannot be used: one sentence on the log and where SageMaker looks for the reason.

The jobs' folders hold links to this module: a job sees its own folder only, with the links' content.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

UNUSABLE = 2


class BadInput(Exception):
    """The input cannot be used; the message is one sentence for the person who supplied it."""


def run(name: str, work: Callable[[], int | None], reason: Path) -> int:
    """
    Do the ``work`` of the job ``name``; the exit status: that of the work (None is 0), 2 for unusable input.

    :param reason: the file that SageMaker takes the failure reason from; written where there is a container.
    """
    try:
        return work() or 0
    except BadInput as error:
        print(f"{name}: {error}", file=sys.stderr)
        if reason.parent.parent.is_dir():
            reason.parent.mkdir(exist_ok=True)
            reason.write_text(f"{error}\n", encoding="utf-8")
        return UNUSABLE
