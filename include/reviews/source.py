"""
Where the raw reviews come from: a named source, else the public data set, else made-up ones that say SYNTHETIC.

Standard library only, boto3 inside a function aside: this runs in Airflow's environment and in any other.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from include.reviews import synthetic

#: the public copy of the data set; read without credentials, and never through AWS_ENDPOINT_URL.
PUBLIC = "s3://dlai-practical-data-science/data/raw/womens_clothing_ecommerce_reviews.csv"
PUBLIC_URL = "https://s3.amazonaws.com/" + PUBLIC.removeprefix("s3://")

#: seconds that a machine without a network waits before it continues without the public data set.
PATIENCE = 5.0
LARGEST = 2 * 2**30
MOST_COMPRESSED = 200


class SourceError(ValueError):
    """The source cannot be used; the message is one sentence for the person who named it."""


class SourceUnavailable(OSError):
    """The source does not answer; it may when it is asked again."""


@dataclass(frozen=True)
class Origin:
    """Where reviews came from: ``source`` in words or as a path or URI, ``synthetic`` when they were made up."""

    source: str
    synthetic: bool = False


def fetch(source: str | None, target: Path) -> Origin:
    """
    Write the raw reviews, one CSV file, to ``target``: whole, or not at all.

    :param source: path or S3 URI of a ``.csv`` or of a ``.zip`` with one in it. Empty: the public data set, or
        made-up reviews where it cannot be had.
    :raises SourceError: a named source is missing, empty, or no such file. A named source is never replaced by another.
    :raises SourceUnavailable: S3 does not answer.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".reviews-", dir=target.parent))
    try:
        fetched = scratch / "fetched"
        origin = _fetch_named(source, fetched) if source else _fetch_any(fetched)
        _only_csv(fetched, origin.source, scratch / "reviews.csv").replace(target)
    finally:
        shutil.rmtree(scratch)
    return origin


def _fetch_named(source: str, target: Path) -> Origin:
    if source.startswith("s3://"):
        _download(source, target)
        return Origin(source)
    path = Path(source).expanduser()
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise SourceError(f"the source {path.absolute()} {what}")
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise SourceError(f"the source {path.absolute()} cannot be read: {error.strerror}") from error
    return Origin(str(path))


def _fetch_any(target: Path) -> Origin:
    try:
        download_public(target)
        return Origin(PUBLIC)
    except SourceError as error:
        print(f"{error}; making SYNTHETIC reviews instead")
    target.unlink(missing_ok=True)
    synthetic.write(target)
    return Origin(f"SYNTHETIC reviews (include/reviews/synthetic.py, seed {synthetic.SEED})", synthetic=True)


def _download(uri: str, target: Path) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    place = urlsplit(uri)
    if not place.netloc or not place.path.strip("/"):
        raise SourceError(f"{uri} is not an S3 URI of a file: s3://bucket/key")
    try:
        client: Any = boto3.client("s3", region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
        client.download_file(place.netloc, place.path.lstrip("/"), str(target))
    except (BotoCoreError, ClientError) as error:
        answer: Any = getattr(error, "response", {})
        refused = 400 <= answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) < 429
        raise (SourceError if refused else SourceUnavailable)(f"the source {uri} cannot be read: {error}") from error


def download_public(target: Path, url: str = PUBLIC_URL, patience: float = PATIENCE) -> None:
    """
    Write the public data set to ``target``.

    :param patience: seconds for the first byte; a look-up of a name can block longer than any socket's time-out, so
        that a thread waits for it.
    :raises SourceError: it cannot be had, or what came is something else.
    """
    answered, ended = threading.Event(), threading.Event()
    # A name of the thread's own: an answer that comes after patience ran out must not land in what was made instead.
    part = target.with_name(target.name + ".part")
    failures: list[Exception] = []

    def work() -> None:
        try:
            _get(url, part, answered.set, patience)
        except (OSError, ValueError) as error:  # URLError, HTTPError and time-outs are OSErrors
            failures.append(error)
        finally:
            ended.set()
            answered.set()

    threading.Thread(target=work, daemon=True).start()
    in_time = answered.wait(patience)
    if in_time:
        ended.wait()
    # The socket's own time-out comes at the same moment, and may be seen first.
    if not in_time or (failures and isinstance(failures[0], TimeoutError)):
        raise SourceError(f"the public data set did not answer within {patience:.0f} s")
    if failures:
        raise SourceError(f"the public data set cannot be had ({failures[0]})") from failures[0]
    part.replace(target)


def _get(url: str, target: Path, answered: Callable[[], None], patience: float) -> None:
    with urllib.request.urlopen(url, timeout=patience) as answer:  # noqa: S310 (a constant https address)
        first = answer.readline(1 << 16)
        answered()
        if b"Review Text" not in first:
            raise ValueError("the answer is not the data set")
        with open(target, "wb") as file:
            file.write(first)
            shutil.copyfileobj(answer, file)
            expected = int(answer.headers.get("Content-Length", file.tell()))
            if file.tell() != expected:
                raise ValueError(f"{file.tell()} of {expected} bytes came")


def _only_csv(fetched: Path, source: str, unpacked: Path) -> Path:
    """Return the fetched file, or where it is an archive, the one CSV file in it."""
    if fetched.stat().st_size == 0:
        raise SourceError(f"the source {source} is empty")
    if not zipfile.is_zipfile(fetched):
        if source.lower().endswith(".zip"):
            raise SourceError(f"the source {source} is not a zip archive, whatever its name says")
        return fetched
    try:
        with zipfile.ZipFile(fetched) as archive, open(unpacked, "wb") as file:
            member = _csv_member(archive, source)
            with archive.open(member) as text:
                _copy(text, file, member.file_size)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise SourceError(f"the archive {source} cannot be unpacked: {error}") from error
    return unpacked


def _csv_member(archive: zipfile.ZipFile, source: str) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if member.filename.lower().endswith(".csv") and not _is_leftover(_path(member))
    ]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:5]) or "none"
        raise SourceError(f"the archive {source} must have one .csv file in it; it has {len(members)}: {names}")
    member = members[0]
    path = _path(member)
    if path.is_absolute() or ".." in path.parts or member.external_attr >> 28 == 0xA:
        raise SourceError(f"the archive {source} has a member that points elsewhere: {member.filename}")
    if member.file_size > LARGEST or member.file_size > MOST_COMPRESSED * max(member.compress_size, 1):
        raise SourceError(f"the archive {source} would unpack to {member.file_size:,} bytes: refused")
    return member


def _path(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))


def _is_leftover(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)


def _copy(text: IO[bytes], file: IO[bytes], size: int) -> None:
    shutil.copyfileobj(text, file)
    if file.tell() != size:
        raise zipfile.BadZipFile(f"{file.tell()} bytes where its table says {size}")
