"""How the page reads AWS: the hooks of amazon_ml, with few attempts and short time-outs, since a person waits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import error_code
from amazon_ml.hooks.cloudwatch import CloudWatchHook
from amazon_ml.hooks.human_loops import HumanLoopsHook
from amazon_ml.hooks.lineage import LineageHook
from amazon_ml.hooks.s3 import ObjectsHook, split

#: the longest report that is read.
MAX_BYTES = 2 * 1024 * 1024
#: calls at a time of one section.
THREADS = 4
_CLIENT = {"connect_timeout": 2, "read_timeout": 6}
_ATTEMPTS = 2
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


class NothingYet(Exception):
    """There is nothing to show so far; the message says what makes it."""


class Unreadable(Exception):
    """What is there cannot be shown; the message says why."""


class Aws:
    """The services that the sections ask, by one connection."""

    def __init__(self, aws_conn_id: str = "aws_default") -> None:
        self.sagemaker = LineageHook(aws_conn_id, config=_CLIENT, attempts=_ATTEMPTS)

    @property
    def s3(self) -> ObjectsHook:
        """The hook for S3."""
        return self.sagemaker.s3

    @property
    def cloudwatch(self) -> CloudWatchHook:
        """The hook for CloudWatch."""
        return self.sagemaker.sibling(CloudWatchHook)

    @property
    def loops(self) -> HumanLoopsHook:
        """The hook for human loops."""
        return self.sagemaker.sibling(HumanLoopsHook)

    def text(self, uri: str) -> str | None:
        """
        Return the text of a small object; None where there is none.

        :raises Unreadable: it is longer than :data:`MAX_BYTES`, or no UTF-8.
        """
        try:
            answer = self.s3.get_object(*split(uri))
        except RequestRefused as error:
            if error_code(error.__cause__) in _MISSING:
                return None
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > MAX_BYTES:
                raise Unreadable(f"{uri} has {answer['ContentLength']:,} bytes, and at most {MAX_BYTES:,} are read")
            content: bytes = body.read()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"{uri} is not text") from error

    def json(self, uri: str) -> Any:
        """
        Return a JSON document; None where there is none.

        :raises Unreadable: it is not JSON, or too long.
        """
        text = self.text(uri)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise Unreadable(f"{uri} is not JSON: {error}") from error

    def lines(self, uri: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of a file of JSON lines; nothing where there is none."""
        for line in (self.text(uri) or "").splitlines():
            if line.strip():
                yield json.loads(line)

    def folders(self, uri: str) -> list[str]:
        """Return the names of the folders right below a place; none where there is no bucket."""
        bucket, prefix = split(uri)
        try:
            return list(self.s3.folders(bucket, f"{prefix.rstrip('/')}/"))
        except RequestRefused as error:
            if error_code(error.__cause__) in _MISSING:
                return []
            raise


def newest(names: Iterable[str], most: int) -> list[str]:
    """
    Return the folders of the newest runs, the newest first; those of run ids without a time come last.

    :param names: run ids, as :data:`include.paths.RUN` makes them: ``manual__2026-11-30T093812.123_0000``.
    """
    return sorted(names, key=lambda name: (re.sub(r"\D", "", name.partition("__")[2])[:14], name), reverse=True)[:most]
