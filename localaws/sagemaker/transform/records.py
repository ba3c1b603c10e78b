"""An input object as the requests that its records make."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MB = 1 << 20


class RecordError(Exception):
    """
    An object cannot be transformed.

    :param whose: ClientError for the data's fault, AlgorithmError for the model's.
    """

    def __init__(self, message: str, whose: str = "ClientError") -> None:
        super().__init__(message)
        self.whose = whose


@dataclass(frozen=True)
class Splitting:
    """
    How objects become requests.

    :param gzipped: whether they are compressed.
    :param lines: whether each line is a record, rather than the whole object.
    :param many: whether a request takes as many records as it may.
    :param limit: bytes that a request may have; 0 for any number.
    """

    gzipped: bool
    lines: bool
    many: bool
    limit: int

    @classmethod
    def of(cls, job: dict[str, Any]) -> Splitting:
        """As CreateTransformJob asks; AWS's defaults are MultiRecord and 6 MB."""
        data = job["TransformInput"]
        return cls(
            data.get("CompressionType", "None") == "Gzip",
            data.get("SplitType", "None") == "Line",
            job.get("BatchStrategy", "MultiRecord") == "MultiRecord",
            job.get("MaxPayloadInMB", 6) * _MB,
        )

    def requests(self, path: Path) -> Iterator[list[bytes]]:
        """
        Yield the records of each request; those of lines come without the line's end, and empty lines are skipped.

        :raises RecordError: a record is larger than a request may be, or the object is not compressed as it should be.
        """
        try:
            with gzip.open(path) if self.gzipped else open(path, "rb") as file:
                records = self._lines(file) if self.lines else self._whole(file)
                yield from self._batches(records)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise RecordError(f"The object is not in Gzip format: {error}") from error

    def _whole(self, file: Any) -> Iterator[bytes]:
        if content := file.read():
            yield content

    @staticmethod
    def _lines(file: Any) -> Iterator[bytes]:
        for line in file:
            if record := line.rstrip(b"\r\n"):
                yield record

    def _batches(self, records: Iterator[bytes]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = 0
        for record in records:
            if self.limit and len(record) > self.limit:
                raise RecordError(
                    f"A record of {len(record)} bytes is larger than MaxPayloadInMB, {self.limit // _MB}, allows"
                )
            # Each one is followed by a line's end.
            if batch and (not self.many or (self.limit and size + len(record) + 1 > self.limit)):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += len(record) + 1
        if batch:
            yield batch
