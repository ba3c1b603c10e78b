"""The packages of an installed localaws: extras of its distribution, in `pyproject.toml`."""

from __future__ import annotations

import sys


def missing(packages: str, extra: str) -> str:
    """Return the sentence for people who lack packages, which names the extra that brings them."""
    return (
        f"{packages} is not installed in {sys.prefix}: install the extra `{extra}` there, "
        f"{sys.executable} -m pip install '<checkout of localaws>[{extra}]'"
    )
