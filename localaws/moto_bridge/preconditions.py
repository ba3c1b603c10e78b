"""The conditions under which S3 copies, of which moto looks at one: https://docs.aws.amazon.com/AmazonS3/latest/API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.s3.exceptions import PreconditionFailed
from moto.s3.responses import S3Response

from localaws.gateway.protocol import timestamps

_PREFIX = "x-amz-copy-source-if-"


def install() -> None:
    """Have CopyObject and UploadPartCopy look at their conditions first."""
    for name in ("copy_object", "upload_part_copy"):
        method = vars(S3Response)[name]
        if not hasattr(method, "__wrapped__"):
            setattr(S3Response, name, _conditional(method))


def _conditional(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(method)
    def copy(response: Any) -> Any:
        if any(name.lower().startswith(_PREFIX) for name, _ in response.headers.items()):
            _check(response)
        return method(response)

    return copy


def _check(response: Any) -> None:
    source = urlsplit(response.headers["x-amz-copy-source"])
    bucket, _, key = unquote(source.path).lstrip("/").partition("/")
    version = parse_qs(source.query).get("versionId", [None])[0]
    found = response.backend.get_object(bucket, key, version_id=version)
    if found is None:
        # What is not there has an error of its own.
        return
    etag, changed = found.etag.strip('"'), found.last_modified.replace(microsecond=0, tzinfo=UTC)
    asked = {name: response.headers.get(_PREFIX + name) for name in ("match", "none-match")}
    since = {name: _time(response.headers.get(_PREFIX + name)) for name in ("modified-since", "unmodified-since")}
    # An ETag that is asked for counts, whatever the time says.
    if asked["match"] is not None:
        if asked["match"].strip('"') not in (etag, "*"):
            raise PreconditionFailed(f"{_PREFIX}match")
    elif since["unmodified-since"] is not None and changed > since["unmodified-since"]:
        raise PreconditionFailed(f"{_PREFIX}unmodified-since")
    if asked["none-match"] is not None:
        if asked["none-match"].strip('"') in (etag, "*"):
            raise PreconditionFailed(f"{_PREFIX}none-match")
    elif since["modified-since"] is not None and changed <= since["modified-since"]:
        raise PreconditionFailed(f"{_PREFIX}modified-since")


def _time(text: str | None) -> datetime | None:
    return timestamps.parse(text) if text else None
