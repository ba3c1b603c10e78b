"""S3: buckets, the objects below a prefix, and the beginning of an object."""

from __future__ import annotations

import zlib
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages.shared import after, next_page, page, whole
from localaws.console.parts import Cell, Facts, Link, Note, Page, Part, Section, Table, Text, href
from localaws.core.context import Context

_TRAIL = Link("Buckets", "/buckets")
#: objects and prefixes on a page, and bytes of an object that are looked at.
_SIZE, _BYTES = 100, 64 * 1024


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/buckets", _buckets), page("/buckets/{bucket}", _objects), page("/buckets/{bucket}/object", _object)]


def uri_link(uri: str) -> Cell:
    """Return a link to what is below an ``s3://`` URI, whether it names an object or a prefix."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return Link(uri, href("buckets", bucket, prefix=key)) if uri.startswith("s3://") and bucket else uri or None


def _buckets(request: Request, ctx: Context) -> Page:
    def build() -> list[Part]:
        asked = after(request, "ContinuationToken")
        found = ctx.client("s3").list_buckets(MaxBuckets=_SIZE, **asked)
        rows = [(Link(each["Name"], href("buckets", each["Name"])), each["CreationDate"]) for each in found["Buckets"]]
        more = next_page(request, "buckets", token=found.get("ContinuationToken"))
        return [Table(("Bucket", "Created"), rows, "There is no bucket.", more)]

    return Page("Buckets", [Section("", build)])


def _objects(request: Request, ctx: Context) -> Page:
    bucket, prefix = request.path_params["bucket"], request.query_params.get("prefix", "")
    ctx.client("s3").head_bucket(Bucket=bucket)

    def build() -> list[Part]:
        asked = after(request, "ContinuationToken")
        # boto3 decodes the names by itself only where nobody has asked for the encoding.
        found = ctx.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=_SIZE, **asked)
        folders = [each["Prefix"] for each in found.get("CommonPrefixes", [])]
        rows: list[tuple[Cell, ...]] = [
            (Link(name[_above(prefix) :], href("buckets", bucket, prefix=name)), None, None) for name in folders
        ]
        rows += [_row(bucket, prefix, each) for each in found.get("Contents", [])]
        more = next_page(request, "buckets", bucket, token=found.get("NextContinuationToken"))
        return [Table(("Name", "Size", "Changed"), rows, "There is nothing here.", more)]

    return Page(f"s3://{bucket}/{prefix}", [Section("", build)], _trail(bucket, prefix))


def _row(bucket: str, prefix: str, entry: dict[str, Any]) -> tuple[Cell, ...]:
    key = entry["Key"]
    link = Link(key[_above(prefix) :] or key, href("buckets", bucket, "object", key=key))
    return link, words.size(entry["Size"]), entry["LastModified"]


def _above(prefix: str) -> int:
    """Return where the last step of names below a prefix begins."""
    return prefix.rfind("/") + 1


def _trail(bucket: str, path: str) -> list[Link]:
    steps = path.split("/")[:-1]
    above = ["/".join(steps[: count + 1]) + "/" for count in range(len(steps))]
    links = [Link(step or "/", href("buckets", bucket, prefix=place)) for step, place in zip(steps, above, strict=True)]
    return [_TRAIL, Link(bucket, href("buckets", bucket)), *links]


def _object(request: Request, ctx: Context) -> Page:
    bucket, key = request.path_params["bucket"], request.query_params.get("key", "")
    head = ctx.client("s3").head_object(Bucket=bucket, Key=key)

    def facts() -> list[Part]:
        rows: list[tuple[str, Cell]] = [
            ("Place", f"s3://{bucket}/{key}"),
            ("Size", words.size(head["ContentLength"])),
            ("Changed", head["LastModified"]),
            ("Content type", head.get("ContentType")),
            ("ETag", head.get("ETag")),
            *sorted(head.get("Metadata", {}).items()),
        ]
        return [Facts(rows)]

    sections = [
        Section("", facts),
        Section("Beginning", lambda: _preview(ctx, bucket, key, head["ContentLength"])),
        Section("Description", lambda: whole(head)),
    ]
    return Page(key[_above(key) :] or key, sections, _trail(bucket, key))


def _preview(ctx: Context, bucket: str, key: str, size: int) -> list[Part]:
    if not size:
        return [Note("The object is empty.")]
    found = ctx.client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_BYTES - 1}")
    with found["Body"] as body:
        content = body.read(_BYTES)
    whole_read = size <= _BYTES
    if content.startswith(b"\x1f\x8b"):
        content, whole_read = _unzipped(content), False
    # A character may be cut in two at the end.
    text = content.decode("utf-8", "ignore" if not whole_read else "replace")
    if b"\0" in content:
        return [Note("The object is not a text.")]
    return [Text(text, "" if whole_read else f"The first {words.size(len(content))} of it.")]


def _unzipped(content: bytes) -> bytes:
    """Return the beginning of what is zipped, as far as this much of it and :data:`_BYTES` go."""
    try:
        return zlib.decompressobj(wbits=31).decompress(content, _BYTES)
    except zlib.error:
        return b"\0"
