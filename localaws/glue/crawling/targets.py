"""Lists what an S3 target includes, less its exclusions, as a tree of folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from localaws.glue.crawling.schema import Found


@dataclass(frozen=True)
class S3Object:
    """An object to crawl; ``found`` is filled in by classification."""

    key: str
    size: int
    found: Found | None = None


@dataclass
class Folder:
    """
    A folder: its whole key prefix (``""`` or ending in ``/``), its own objects, and the folders in it by name.

    :param unseen: objects that were not looked at because of SampleSize, counted in the table's statistics.
    """

    prefix: str
    objects: list[S3Object] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    unseen: list[S3Object] = field(default_factory=list)

    def leaves(self) -> Iterator[Folder]:
        """Yield this folder and all below it that hold objects themselves."""
        if self.objects:
            yield self
        for folder in self.folders.values():
            yield from folder.leaves()


@dataclass(frozen=True)
class Location:
    """A target's path: ``s3://bucket/prefix``, the prefix without a slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, path: str) -> Location:
        """
        Read an include path; ``s3://`` may be missing, as in Glue.

        :raises ValueError: there is no bucket in it, or it is of another kind of store.
        """
        scheme, mark, rest = path.rpartition("://")
        bucket, _, prefix = rest.partition("/")
        if (mark and scheme not in ("s3", "s3a", "s3n")) or not bucket:
            raise ValueError(f"not an S3 path: {path}")
        return cls(bucket, prefix.strip("/"))

    @property
    def folder(self) -> str:
        """The key prefix of what lies in the folder: ``""`` for a whole bucket, else ending in ``/``."""
        return f"{self.prefix}/" if self.prefix else ""

    def uri(self, key: str) -> str:
        """Return the URI of a key of this bucket."""
        return f"s3://{self.bucket}/{key}"


_GLOB_TOKEN = re.compile(r"\*\*|\\.|\[!?[^\]]+\]|.", re.DOTALL)
_WILDCARDS = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def glob(pattern: str) -> re.Pattern[str]:
    """
    Return one of Glue's exclude patterns as a regular expression for the key below the include path.

    ``*`` and ``?`` stay inside a folder, ``**`` crosses, ``[a-z]``, ``[!a]``, ``{a,b}``, and ``\\`` takes the next
    character as it is.

    :raises ValueError: brackets or braces that do not close, or braces in braces.
    """
    result = []
    in_braces = False
    for piece in _GLOB_TOKEN.findall(pattern):
        if piece == "[" or (piece == "{" and in_braces):
            raise ValueError(f"not an exclude pattern: {pattern}")
        if piece in "{}" and (piece == "{" or in_braces):
            in_braces = piece == "{"
            result.append("(?:" if in_braces else ")")
        elif piece == "," and in_braces:
            result.append("|")
        elif piece in _WILDCARDS:
            result.append(_WILDCARDS[piece])
        else:
            result.append(_bracket(piece) if len(piece) > 2 else re.escape(piece[-1]))
    if in_braces:
        raise ValueError(f"braces do not close: {pattern}")
    return re.compile("".join(result), re.DOTALL)


def _bracket(piece: str) -> str:
    negated = piece.startswith("[!")
    inside = re.sub(r"([\\\[^&~|])", r"\\\1", piece[2 if negated else 1 : -1])
    return f"(?!/)[{'^' if negated else ''}{inside}]"


def list_target(s3: Any, path: str, exclusions: list[str], sample_size: int | None = None) -> Folder:
    """
    Return all objects below an include path.

    Empty objects (folder markers, ``_SUCCESS``) and hidden ones, whose name or folder starts with ``_`` or ``.``, are
    left out: Athena does not read them either.

    :param sample_size: how many objects of each folder are looked at, the first ones by key; all where ``None``.
    :raises botocore.exceptions.ClientError: no such bucket.
    """
    location = Location.parse(path)
    excluded = [glob(pattern) for pattern in exclusions]
    root = Folder(location.folder)
    for entry in _entries(s3, location):
        inside = entry.key.startswith(location.folder)
        below = entry.key.removeprefix(location.folder) if inside else entry.key.rpartition("/")[2]
        if entry.size and not _hidden(below) and not any(pattern.fullmatch(below) for pattern in excluded):
            _place(root, below, entry, sample_size)
    return root


def _entries(s3: Any, location: Location) -> Iterator[S3Object]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            # The prefix data also lists data-2/x; the path may be that of one object, too.
            if entry["Key"].startswith(location.folder) or entry["Key"] == location.prefix:
                yield S3Object(entry["Key"], entry["Size"])


def _hidden(below: str) -> bool:
    return any(part.startswith(("_", ".")) for part in below.split("/"))


def _place(root: Folder, below: str, entry: S3Object, sample_size: int | None) -> None:
    folder = root
    for name in below.split("/")[:-1]:
        folder = folder.folders.setdefault(name, Folder(f"{folder.prefix}{name}/"))
    if sample_size is None or len(folder.objects) < sample_size:
        folder.objects.append(entry)
    else:
        folder.unseen.append(entry)
