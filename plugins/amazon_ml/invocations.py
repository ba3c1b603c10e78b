"""What many requests to an endpoint consist of: the records that are sent, and the answers in S3, part by part."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from amazon_ml.hooks.s3 import split

if TYPE_CHECKING:
    from amazon_ml.hooks.s3 import ObjectsHook

_CHUNK = 1024 * 1024
_PART = re.compile(r"part-(\d{6})\.jsonl")
OK = 200


@dataclass
class Tally:
    """Requests of which there are answers: how many, failed ones among them, and by variant."""

    requests: int = 0
    errors: int = 0
    variants: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Count an answer."""
        self.requests += 1
        self.errors += answer["status"] != OK
        self.variants[answer["variant"] or ""] += 1

    def merge(self, other: Tally) -> None:
        """Count what another has counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.variants += other.variants


@dataclass(frozen=True)
class Records:
    """
    The records of one task, on disk: memory holds a few of them, however many there are.

    :param count: of records.
    :param digest: equal where the records are.
    """

    file: IO[bytes]
    count: int
    digest: str

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.file.seek(0)
        return (json.loads(line) for line in self.file if line.strip())


def _check(line: bytes, where: str) -> None:
    try:
        record = json.loads(line)
    except ValueError as error:
        # No JSONDecodeError, after which a task is tried again.
        raise ValueError(f"{where} is not JSON: {error}") from None
    if not isinstance(record, dict) or not {"id", "body"} <= record.keys():
        raise ValueError(f"{where} is not a record with id and body")


@contextmanager
def opened(
    source: Any, s3: ObjectsHook, *, name: str = "records", check: Callable[[bytes, str], None] = _check
) -> Iterator[Records]:
    """
    Copy the records to a temporary file and check each of them.

    :param source: S3 URI of JSON lines ``{"id", "body"}``, or a list of such.
    :param name: of the parameter, for messages.
    :param check: takes a line and its place; raises ValueError where the line is not valid. The default is for records.
    :raises ValueError: a line is not a record.
    :raises RequestRefused: the object is not there.
    """
    with tempfile.TemporaryFile() as file:
        for chunk in _chunks(source, s3, name):
            file.write(chunk)
        file.seek(0)
        digest, count = hashlib.sha256(), 0
        named = source if isinstance(source, str) else name
        for number, line in enumerate(file, 1):
            if line.strip():
                check(line, f"line {number} of {named}")
                digest.update(line)
                count += 1
        yield Records(file, count, digest.hexdigest())


def _chunks(source: Any, s3: ObjectsHook, name: str) -> Iterator[bytes]:
    if not isinstance(source, str):
        yield from (json.dumps(record).encode() + b"\n" for record in source)
        return
    if not source.startswith("s3://"):
        raise ValueError(f"{name} must be an S3 URI or a list, and are {source[:200]!r}")
    bucket, key = split(source)
    with closing(s3.get_object(bucket, key)["Body"]) as body:
        yield from body.iter_chunks(_CHUNK)


class Parts:
    """
    Answers as the objects ``part-000000.jsonl``, ... below a prefix.

    A part is put whole or not at all, and says in its metadata which requests it answers. So a task that was killed
    continues after the last one.

    :param prefix: S3 URI.
    :param fingerprint: of the requests; parts of others are not taken for these.
    """

    def __init__(self, s3: ObjectsHook, prefix: str, fingerprint: str) -> None:
        self._s3 = s3
        self._bucket, key = split(prefix)
        self._folder = f"{key.rstrip('/')}/" if key else ""
        self._fingerprint = fingerprint

    def resume(self, requests: int) -> tuple[int, Tally]:
        """
        Return how many parts an unfinished try has left, and their tally; delete all others.

        :param requests: how many there are to answer. Where all are answered, the measurement starts over.
        """
        found = self._list()
        done, tally = 0, Tally()
        while done in found and (part := self._read(found[done])) is not None:
            tally.merge(part)
            done += 1
        if tally.requests >= requests:
            done, tally = 0, Tally()
        # In their order: without the first one nothing is left to go on from, should this be killed.
        for number in sorted(found):
            if number >= done:
                self._s3.delete_object(self._bucket, found[number])
        return done, tally

    def put(self, number: int, answers: Sequence[Mapping[str, Any]]) -> Tally:
        """Write a part; its tally."""
        tally = Tally()
        for answer in answers:
            tally.add(answer)
        self._s3.put_object(
            self._bucket,
            f"{self._folder}part-{number:06d}.jsonl",
            "".join(json.dumps(answer) + "\n" for answer in answers).encode(),
            metadata={
                "fingerprint": self._fingerprint,
                "requests": str(tally.requests),
                "errors": str(tally.errors),
                "variants": json.dumps(tally.variants),
            },
        )
        return tally

    def _list(self) -> dict[int, str]:
        """List the keys of the parts by their number."""
        found: dict[int, str] = {}
        for item in self._s3.list_objects(self._bucket, f"{self._folder}part-"):
            if part := _PART.fullmatch(item["Key"].removeprefix(self._folder)):
                found[int(part[1])] = item["Key"]
        return found

    def _read(self, key: str) -> Tally | None:
        said = self._s3.metadata(self._bucket, key)
        if said.get("fingerprint") != self._fingerprint:
            return None
        return Tally(int(said["requests"]), int(said["errors"]), Counter(json.loads(said["variants"])))
