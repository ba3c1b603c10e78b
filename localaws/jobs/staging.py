"""Data between S3 and a host's ``/opt/ml``."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from localaws.jobs.aws import Aws, AwsRequestError

T = TypeVar("T")

#: requests at once; the server shares the machine with the job.
_AT_ONCE = 4


class DataError(Exception):
    """Input that is not there or cannot be laid out, or output that cannot be written: AWS's ClientError."""


@dataclass(frozen=True)
class Source:
    """
    Data of a job that comes from S3.

    :param uri: a prefix, or of a manifest file.
    :param path: where it goes, as the host sees it (``/opt/ml/input/data/train``).
    :param manifest: whether ``uri`` is of a manifest file.
    :param sharded: whether each host gets its share of the objects rather than all.
    :param may_be_empty: whether it is no fault that there is nothing yet.
    :param single: whether ``uri`` is of one object, and others whose keys begin alike do not count.
    """

    uri: str
    path: str
    manifest: bool = False
    sharded: bool = False
    may_be_empty: bool = False
    single: bool = False


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def under(ml: Path, path: str) -> Path:
    """
    The real place of ``path``, which begins with ``/opt/ml``, for the host whose ``/opt/ml`` is ``ml``.

    :raises DataError: it leads out of ``/opt/ml``.
    """
    clean = posixpath.normpath(path)
    if clean != "/opt/ml" and not clean.startswith("/opt/ml/"):
        raise DataError(f"The path {path!r} is not under /opt/ml")
    return ml / clean.removeprefix("/opt/ml").lstrip("/")


def objects(aws: Aws, source: Source) -> list[tuple[str, str, str]]:
    """
    What a source stands for: bucket, key and relative path of each object, in the order of keys or of the manifest.

    :raises DataError: there is nothing, the manifest is not one, or a key would be written outside of its folder.
    """
    try:
        found = list(_manifest(aws, source.uri) if source.manifest else _prefix(aws, source.uri))
    except AwsRequestError as error:
        if error.code not in ("NoSuchBucket", "NoSuchKey"):
            raise
        found = []
    if source.single:
        found = [entry for entry in found if entry[1] == split_uri(source.uri)[1]]
    if not found and not source.may_be_empty:
        bucket, _ = split_uri(source.uri)
        raise DataError(
            f'No S3 objects found under S3 URL "{source.uri}" given in input data source. Please ensure that the '
            f'bucket "{bucket}" exists in the selected region ({aws.region}), and that objects exist under that '
            "S3 prefix."
        )
    for _, key, relative in found:
        if ".." in PurePosixPath(relative).parts or relative.startswith("/") or "\0" in relative:
            raise DataError(f"The S3 key {key!r} would be written outside of {source.path}")
    return found


def _prefix(aws: Aws, uri: str) -> Iterator[tuple[str, str, str]]:
    bucket, prefix = split_uri(uri)
    for key, _ in aws.list_objects(bucket, prefix):
        if not key.endswith("/"):
            yield bucket, key, _relative(key, prefix)


def _relative(key: str, prefix: str) -> str:
    """What remains of a key under a prefix; a prefix that ends within a name (``part-``) keeps that name whole."""
    if prefix.endswith("/") or not prefix or key[len(prefix) :].startswith("/"):
        return key[len(prefix) :].lstrip("/")
    return key[prefix.rfind("/") + 1 :]


def _manifest(aws: Aws, uri: str) -> Iterator[tuple[str, str, str]]:
    bucket, key = split_uri(uri)
    try:
        head, *entries = json.loads(aws.get_object(bucket, key))
        prefix = head["prefix"]
        if not all(isinstance(entry, str) for entry in (prefix, *entries)):
            raise TypeError("an entry is not a string")
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f'The manifest {uri} is not a list of {{"prefix": "s3://..."}} and relative keys: {error}'
        ) from error
    bucket, stem = split_uri(prefix)
    for entry in entries:
        yield bucket, stem + entry, entry


def download(aws: Aws, source: Source, ml: Path, *, host: int, hosts: int) -> int:
    """
    Bring a source's objects to a host; how many there were for it.

    :param host: the host's number, from 0: of a sharded source it gets each ``hosts``-th object.
    """
    found = objects(aws, source)
    mine = found[host::hosts] if source.sharded else found
    folder = under(ml, source.path)
    folder.mkdir(parents=True, exist_ok=True)

    def fetch(entry: tuple[str, str, str]) -> None:
        bucket, key, relative = entry
        target = folder / relative
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            aws.download(bucket, key, target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise DataError(
                f"Cannot download s3://{bucket}/{key}, a previously downloaded file/folder clashes with it."
            ) from error
        except AwsRequestError as error:
            raise DataError(f"Cannot download s3://{bucket}/{key}: {error}") from error

    _each(fetch, mine)
    return len(mine)


def upload(aws: Aws, files: Iterable[Path], folder: Path, uri: str) -> None:
    """
    Put files under a prefix, by their paths relative to ``folder``. They are there to stay when this returns.

    :raises DataError: S3 refuses.
    """
    bucket, prefix = split_uri(uri)
    stem = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    _send(aws, [(path, f"s3://{bucket}/{stem}{path.relative_to(folder).as_posix()}") for path in files])


def put(aws: Aws, path: Path, uri: str) -> None:
    """
    Put one file as one object, which is there to stay when this returns.

    :raises DataError: S3 refuses.
    """
    _send(aws, [(path, uri)])


def _send(aws: Aws, files: list[tuple[Path, str]]) -> None:
    """Put files until one and the same server has taken them all and has them on disk."""
    if not files:
        return
    try:
        server = aws.server()
        while True:
            _each(lambda file: _put(aws, *file), files)
            before, server = server, aws.durable()
            if server == before:
                return
    except AwsRequestError as error:
        raise DataError(f"The upload to {files[0][1]} could not be brought to disk: {error}") from error


def _put(aws: Aws, path: Path, uri: str) -> None:
    bucket, key = split_uri(uri)
    try:
        aws.upload(path, bucket, key)
    except AwsRequestError as error:
        raise DataError(f"Failed to upload to {uri}: {error}") from error


def files_under(folder: Path) -> list[Path]:
    """
    All files below a folder, in order; a link counts as the file that it leads to.

    :raises DataError: a link leads out of the folder or nowhere.
    """
    root = folder.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root)):
            raise DataError(f"{path.relative_to(folder)} is a link that leads out of its folder: {path.readlink()}")
        if path.is_file():
            found.append(path)
    return found


def _each(function: Callable[[T], None], items: Iterable[T]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(function, items):
            pass
