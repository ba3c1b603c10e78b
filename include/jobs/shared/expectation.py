"""Refuse another input than the one that the DAG speaks of."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from job import BadInput

# The default of the pipeline's parameter DataVersion, where nobody says which reviews are meant.
UNKNOWN = "unknown"


def add_expectation(parser: argparse.ArgumentParser, name: str) -> None:
    """Add ``--<name>-sha256`` and ``--<name>-rows``; see :func:`require`."""
    parser.add_argument(f"--{name}-sha256", default="", help="digest of the input's files; any others are refused")
    parser.add_argument(f"--{name}-rows", default="", help="the rows they have, for the message")


def require(
    files: Sequence[Path], options: argparse.Namespace, name: str, what: str, count: Callable[[Path], str]
) -> None:
    """
    Check that the input is what is expected, where :func:`add_expectation`'s arguments say what.

    :param files: in the order of their names.
    :param name: that of the arguments.
    :param what: the input in words, for the message.
    :param count: tells how many rows a file has, for the message.
    :raises BadInput: it is another.
    """
    expected, rows = (getattr(options, f"{name}_{part}") for part in ("sha256", "rows"))
    if expected in ("", UNKNOWN):
        return
    if combined([sha256(path) for path in files]) != expected:
        there = ", ".join(f"{path.name} with {count(path)} rows" for path in files[:5])
        more = f" and {len(files) - 5} more" if len(files) > 5 else ""
        raise BadInput(
            f"the {what} are not those that were expected: SHA-256 {expected[:12]}... and "
            f"{rows or 'unknown'} rows were to be there, and there is {there}{more}; run ingest_reviews"
        )


def combined(digests: Sequence[str]) -> str:
    """
    Return the digest of several files: that of the file where there is one, else that of all digests, a line each.

    :param digests: in the order of the files' names.
    """
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as binary:
        for block in iter(lambda: binary.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
