"""S3: the few calls that the operators make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO, Any, NoReturn

from amazon_ml.exceptions import BadResult, RequestRefused
from amazon_ml.hooks.base import ServiceHook, error_code

#: a result has to fit into XCom.
MAX_RESULT_BYTES = 32 * 1024
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class ObjectsHook(ServiceHook):
    """Objects by bucket and key, with the retries and errors of these hooks, not those of the provider's S3Hook."""

    service = "s3"

    def get_object(self, bucket: str, key: str) -> dict[str, Any]:
        """Return the object: its ``Body`` is a stream, to be closed."""
        return self._call("get_object", Bucket=bucket, Key=key)

    def put_object(
        self, bucket: str, key: str, body: bytes | IO[bytes], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Write an object, whole or not at all."""
        described = {"Metadata": dict(metadata)} if metadata else {}
        self._call("put_object", Bucket=bucket, Key=key, Body=body, **described)

    def delete_object(self, bucket: str, key: str) -> None:
        """Delete an object if it exists."""
        self._call("delete_object", Bucket=bucket, Key=key)

    def list_objects(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield what S3 lists of the objects under a prefix, in the order of their keys: Key, ETag, Size, ..."""
        for page in self._listed(bucket, prefix):
            yield from page.get("Contents", [])

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the names of the folders right below a prefix that ends with a slash, in their order."""
        for page in self._listed(bucket, prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", []):
                yield each["Prefix"].removeprefix(prefix).rstrip("/")

    def _listed(self, bucket: str, prefix: str, **request: str) -> Iterator[dict[str, Any]]:
        tokens = {"member": "ContinuationToken", "answered": "NextContinuationToken"}
        return self._follow("list_objects_v2", Bucket=bucket, Prefix=prefix, **tokens, **request)

    def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """Return the user metadata of an object."""
        found: dict[str, str] = self._call("head_object", Bucket=bucket, Key=key)["Metadata"]
        return found

    def has_object(self, bucket: str, key: str) -> bool:
        """Return True if the object is there."""
        return self._call_unless(_MISSING, "head_object", Bucket=bucket, Key=key) is not None

    def has_bucket(self, bucket: str) -> bool:
        """Return True if the bucket is there."""
        return self._call_unless({"404", "NoSuchBucket"}, "head_bucket", Bucket=bucket) is not None

    def bucket_tags(self, bucket: str) -> dict[str, str]:
        """Return the tags of a bucket."""
        found = self._call_unless({"NoSuchTagSet"}, "get_bucket_tagging", Bucket=bucket) or {"TagSet": []}
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    def set_bucket_tags(self, bucket: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Give a bucket these tags, in place of all that it has."""
        self._call("put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": tags})

    def put_missing(self, bucket: str, contents: Mapping[str, bytes]) -> int:
        """
        Put the objects that do not exist yet, and return their number.

        For keys that carry a hash of the content: an object is put whole or not at all, so one that is there is right.
        """
        missing = [key for key in contents if not self.has_object(bucket, key)]
        for key in missing:
            self.put_object(bucket, key, contents[key])
        return len(missing)

    def read(self, uri: str) -> bytes | None:
        """Return a small object's content; None where there is no object."""
        bucket, key = split(uri)
        if not self.has_object(bucket, key):
            return None
        with closing(self.get_object(bucket, key)["Body"]) as body:
            content: bytes = body.read()
        return content

    def read_json(self, uri: str) -> Any:
        """
        Read a small JSON document.

        :raises BadResult: not there, over 32 KiB, or not JSON.
        """
        try:
            answer = self.get_object(*split(uri))
        except RequestRefused as error:
            if error_code(error.__cause__) in _MISSING:
                raise BadResult(f"The job completed and wrote no {uri}") from error
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > MAX_RESULT_BYTES:
                raise BadResult(
                    f"{uri} has {answer['ContentLength']} bytes: a result goes into XCom, at most {MAX_RESULT_BYTES}"
                )
            content = body.read()
        try:
            return json.loads(content, parse_constant=_no_constant)
        except ValueError as error:
            raise BadResult(f"{uri} is not JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
