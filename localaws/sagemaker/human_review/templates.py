"""Worker task templates: what they must have, and their rendering for one task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ParamValidationError

from localaws.core.context import Context
from localaws.sagemaker.human_review.rendering.parent import RENDERER, Grant, Lost

#: Seconds that a URL of ``grant_read_access`` works: a page's images are asked for when it opens.
ACCESS_SECONDS = 900


@dataclass(frozen=True)
class Problem:
    """One of RenderUiTemplate's errors."""

    code: str
    message: str


@dataclass(frozen=True)
class Rendered:
    """What became of a template: text, and what is wrong with it."""

    content: str
    problem: Problem | None = None


@dataclass(frozen=True)
class Checked:
    """
    What there is to know of a template before any task.

    :param categories: Of classifiers by their names, where they are the same for all tasks.
    """

    problem: Problem | None
    categories: dict[str, list[str]]


def check(source: str) -> Checked:
    """Find out whether a template parses and has a form."""
    try:
        answer = RENDERER.ask(source, None, str)
    except Lost as error:
        return Checked(Problem("TemplateSyntaxError", str(error)), {})
    return Checked(_problem(answer["problem"]), answer.get("categories", {}))


def render(source: str, content: str, ctx: Context) -> Rendered:
    """
    Render a template for a task.

    :param content: The task's input, JSON.
    """
    try:
        answer = RENDERER.ask(source, content, _grant(ctx))
    except Lost as error:
        return Rendered("", Problem("TemplateRenderingError", str(error)))
    return Rendered(answer["content"], _problem(answer["problem"]))


def close() -> None:
    """End the process that renders; the next template starts another."""
    RENDERER.close()


def _problem(given: list[str] | None) -> Problem | None:
    return None if given is None else Problem(*given)


def _grant(ctx: Context) -> Grant:
    def grant(address: str) -> str:
        place = s3_place(address)
        if place is None:
            return address
        what = dict(zip(("Bucket", "Key"), place, strict=True))
        try:
            url: str = ctx.client("s3").generate_presigned_url("get_object", Params=what, ExpiresIn=ACCESS_SECONDS)
        except ParamValidationError:
            # No bucket can have such a name.
            return address
        return url

    return grant


def s3_place(address: str) -> tuple[str, str] | None:
    """
    Return bucket and key of ``s3://bucket/key`` or of one of S3's own web addresses.

    ``https://s3.amazonaws.com/bucket/key``, ``https://s3.region.amazonaws.com/bucket/key`` and
    ``https://bucket.s3.region.amazonaws.com/key`` are such.
    """
    address = address.strip()
    if address.startswith("s3://"):
        # Not urlsplit's path: a key may have ? and #.
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return (bucket, key) if bucket and key else None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    found = re.fullmatch(r"(?:(?P<bucket>.+)\.)?s3[.-](?:[\w-]+\.)?amazonaws\.com(?:\.cn)?", parts.hostname or "")
    if parts.scheme not in ("http", "https") or found is None:
        return None
    path = unquote(parts.path.lstrip("/"))
    if found["bucket"]:
        return (found["bucket"], path) if path else None
    bucket, _, key = path.partition("/")
    return (bucket, key) if bucket and key else None
