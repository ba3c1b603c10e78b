"""Data between S3 and a host's ``/opt/ml``."""

from __future__ import annotations

import errno
import json
import posixpath
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from localaws.core.beneath import LeadsOut, Tree, open_file
from localaws.core.job_client import Aws, AwsRequestError, Opener

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
    Return the real path for ``path``, which begins with ``/opt/ml``, on the host whose ``/opt/ml`` is ``ml``.

    :raises DataError: it leads out of ``/opt/ml``.
    """
    clean = posixpath.normpath(path)
    if clean != "/opt/ml" and not clean.startswith("/opt/ml/"):
        raise DataError(f"The path {path!r} is not under /opt/ml")
    return ml / clean.removeprefix("/opt/ml").lstrip("/")


def objects(aws: Aws, source: Source) -> list[tuple[str, str, str]]:
    """
    Return bucket, key and relative path of each object of a source, in the order of keys or of the manifest.

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
    """
    Return what remains of a key under a prefix. If the prefix ends within a name (``part-``), keep that name whole.
    """
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
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise DataError(
                f"Cannot download s3://{bucket}/{key}: a part of it is too long for a file's name"
            ) from error

    _each(fetch, mine)
    return len(mine)


def upload(aws: Aws, tree: Tree, uri: str, only: Container[str] | None = None) -> None:
    """
    Put the files of a folder under a prefix, by their paths in it. They are there to stay when this returns.

    :param only: those of them that are put; all unless given.
    :raises DataError: S3 refuses, or a link leads out of the tree's root or nowhere.
    """
    bucket, prefix = split_uri(uri)
    stem = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    files = [(name, path) for name, path in files_in(tree) if only is None or name in only]
    _each(lambda file: _put(aws, partial(tree.open, file[1]), f"s3://{bucket}/{stem}{file[0]}"), files)


def files_in(tree: Tree) -> list[tuple[str, str]]:
    """
    Return all files of a folder, see :meth:`Tree.files`; none where there is no such folder.

    :raises DataError: a link leads out of the tree's root or nowhere.
    """
    try:
        return tree.files() if tree.exists else []
    except LeadsOut as error:
        raise DataError(str(error)) from error


def put(aws: Aws, path: Path, uri: str) -> None:
    """
    Put one file as one object, which is there to stay when this returns.

    :raises DataError: S3 refuses.
    """
    _put(aws, partial(open_file, path.parent, path.name), uri)


def _put(aws: Aws, opened: Opener, uri: str) -> None:
    bucket, key = split_uri(uri)
    try:
        aws.upload(opened, bucket, key)
    except (AwsRequestError, LeadsOut) as error:
        raise DataError(f"Failed to upload to {uri}: {error}") from error


def _each(function: Callable[[T], None], items: Iterable[T]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(function, items):
            pass
