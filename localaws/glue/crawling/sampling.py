"""Reads the beginning (or the footer) of an object in S3: a crawl never loads a whole large object."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from werkzeug.utils import cached_property

from localaws.glue.crawling.schema import Unrecognised

#: how much of a text object is looked at, after decompression.
SAMPLE_BYTES = 1 << 20
#: how far a sample may grow where one record alone is longer than the sample.
LONGEST_SAMPLE_BYTES = 32 << 20
#: what the first look at an object reads: the whole of a small one, so that all classifiers cost one request.
_HEAD = 64 << 10
_CHUNK = 256 << 10
_GZIP_MAGIC = b"\x1f\x8b"
#: compressions that Glue reads and localaws does not, by their first bytes.
_FOREIGN = {b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}


@dataclass(frozen=True)
class Sample:
    """
    The first bytes of an object.

    :param data: decompressed.
    :param complete: whether these are all bytes of the object.
    """

    data: bytes
    complete: bool
    compression: str

    @property
    def may_grow(self) -> bool:
        """Return True if the object has more content and a longer sample is allowed."""
        return not self.complete and len(self.data) < LONGEST_SAMPLE_BYTES

    def text(self) -> str:
        """
        Decode the sample as UTF-8, without its byte-order mark and a character that is cut in two at its end.

        :raises Unrecognised: not UTF-8, naming the first offending byte.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if not self.complete and error.start >= len(self.data) - 3 and error.reason == "unexpected end of data":
                return self.data[: error.start].decode("utf-8-sig")
            byte = self.data[error.start]
            raise Unrecognised(f"not UTF-8: byte 0x{byte:02x} at offset {error.start}") from error


class ObjectReader:
    """
    One object in S3, read in parts.

    :param s3: a boto3 S3 client.
    :param size: the object's length in bytes, from the listing.
    """

    def __init__(self, s3: Any, bucket: str, key: str, size: int) -> None:
        self._s3 = s3
        self.bucket = bucket
        self.key = key
        self.size = size

    @cached_property
    def _head(self) -> bytes:
        return self._fetch(0, _HEAD)

    def _fetch(self, start: int, length: int) -> bytes:
        end = min(start + length, self.size) - 1
        answer = self._s3.get_object(Bucket=self.bucket, Key=self.key, Range=f"bytes={start}-{end}")
        body: bytes = answer["Body"].read()
        return body

    def part(self, start: int, length: int) -> bytes:
        """Return bytes from ``start``, at most ``length`` of them."""
        if min(start + length, self.size) <= len(self._head):
            return self._head[start : start + length]
        return self._fetch(start, length)

    def sample(self, length: int = SAMPLE_BYTES) -> Sample:
        """
        Read the first ``length`` bytes, decompressed where the object is gzip.

        :raises Unrecognised: compressed in a way that is not read here, or a broken gzip stream.
        """
        head = self._head
        if head.startswith(_GZIP_MAGIC):
            return self._gunzip(length)
        for magic, name in _FOREIGN.items():
            if head.startswith(magic):
                raise Unrecognised(f"compressed with {name}, which localaws does not read")
        if len(head) < min(length, self.size):
            head += self._fetch(len(head), length - len(head))
        return Sample(head, len(head) >= self.size, "none")

    def _gunzip(self, length: int) -> Sample:
        answer = self._s3.get_object(Bucket=self.bucket, Key=self.key)
        stream = zlib.decompressobj(wbits=31)
        data = bytearray()
        try:
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                while chunk and len(data) < length:
                    # max_length: a few kilobytes of gzip can hold gigabytes.
                    data += stream.decompress(chunk, length - len(data))
                    chunk = stream.unconsumed_tail
                    if stream.eof and stream.unused_data:
                        # gzip files may be concatenated; the next member starts where this one ended.
                        chunk, stream = stream.unused_data, zlib.decompressobj(wbits=31)
                if len(data) >= length:
                    break
        except zlib.error as error:
            raise Unrecognised(f"a broken gzip stream: {error}") from error
        finally:
            answer["Body"].close()
        if not stream.eof and len(data) < length:
            raise Unrecognised("a broken gzip stream: it ends too early")
        return Sample(bytes(data), stream.eof and len(data) < length, "gzip")
