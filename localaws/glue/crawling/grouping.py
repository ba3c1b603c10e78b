"""
Which objects make one table, and which folders are its partitions.

From the bottom up: a folder whose objects share a format and a similar schema is a table; folders beside each other
that are similar tables of the same depth become partitions of one table at their parent, if they are the majority
there. What does not fit stays a table of its own, down to single objects. AWS does not publish its measure of
similarity: here, six in ten columns of the longer schema must stand in both with types that merge without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from localaws.glue.crawling import types
from localaws.glue.crawling.schema import Format, Found
from localaws.glue.crawling.targets import Folder, S3Object
from localaws.glue.crawling.types import Column

_SIMILAR = 0.6


@dataclass(frozen=True)
class Statistics:
    """What the catalog's Parameters say of the data; bytes are as stored, records are counted or estimated."""

    objects: int = 0
    size: int = 0
    records: int = 0

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.objects + other.objects, self.size + other.size, self.records + other.records)

    @property
    def average_record_size(self) -> int:
        """Bytes a record, at least 1 where there is data."""
        return max(self.size // self.records, 1) if self.records else 0


@dataclass(frozen=True)
class Partition:
    """
    One partition, or the whole of a table that has none.

    :param path: the names of its folders below the table's root; ``()`` for the root itself.
    """

    path: tuple[str, ...]
    columns: tuple[Column, ...]
    statistics: Statistics


@dataclass(frozen=True)
class Group:
    """
    The objects of one table.

    :param root: key prefix of the table: a folder's (ending in ``/``, or ``""``), or one object's whole key.
    :param flat: objects lie at different depths below the root; they are read together, without partition keys.
    """

    root: str
    format: Format
    partitions: tuple[Partition, ...]
    flat: bool = False

    @property
    def depth(self) -> int:
        """How many partition keys there are."""
        return len(self.partitions[0].path)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of all partitions as one schema."""
        return types.merge_columns(partition.columns for partition in self.partitions)

    @property
    def statistics(self) -> Statistics:
        """Of all partitions together."""
        return sum((partition.statistics for partition in self.partitions), Statistics())


@dataclass(frozen=True)
class Policy:
    """
    A crawler's grouping configuration.

    :param combine: CombineCompatibleSchemas: one table wherever formats allow, however different the columns.
    :param level: TableLevelConfiguration: the depth at which folders are tables; a bucket is at level 1.
    """

    combine: bool = False
    level: int | None = None


def group(root: Folder, policy: Policy | None = None) -> list[Group]:
    """Group the objects below a target into tables. Every object of the tree must have been classified."""
    policy = policy or Policy()
    groups = _assemble(root, policy)
    return _flatten(root, groups) if policy.combine else groups


def _assemble(folder: Folder, policy: Policy) -> list[Group]:
    level = 1 + folder.prefix.count("/")
    if policy.level is not None and level == policy.level:
        return _flatten(folder, _assemble(folder, Policy(combine=True)))
    own = _of_objects(folder, policy)
    below = [(name, _assemble(child, policy)) for name, child in folder.folders.items()]
    below = [(name, groups) for name, groups in below if groups]
    if policy.level is not None and level < policy.level:
        return own + [group for _, groups in below for group in groups]
    if not own:
        return _of_folders(folder, below, policy)
    if len(own) == 1 and all(_one_with(own[0], groups, policy) for _, groups in below):
        return _flatten(folder, own + [group for _, groups in below for group in groups])
    # Objects and folders that differ: a table at the folder would take in what is not its own.
    return _singly(folder) + _of_folders(folder, below, policy)


def _recognised(folder: Folder) -> list[S3Object]:
    """Return a folder's objects; those that nobody recognised only where there is nothing better."""
    known = [item for item in folder.objects if item.found and item.found.format.classification != "UNKNOWN"]
    return known or folder.objects


def _of_objects(folder: Folder, policy: Policy) -> list[Group]:
    """Group the objects directly in a folder: one table if they are all alike, else a table each."""
    objects = _recognised(folder)
    if not objects:
        return []
    first, *rest = (item.found for item in objects if item.found)
    if not all(_alike(first.format, first.columns, found.format, found.columns, policy) for found in rest):
        return _singly(folder)
    # The include path may be that of one object.
    root = folder.prefix.removesuffix("/") if objects[0].key == folder.prefix.removesuffix("/") else folder.prefix
    return [_table_of(objects, root, folder.unseen)]


def _singly(folder: Folder) -> list[Group]:
    return [_table_of([item], item.key) for item in _recognised(folder)]


def _table_of(objects: Sequence[S3Object], root: str, unseen: Sequence[S3Object] = ()) -> Group:
    founds = [item.found for item in objects if item.found]
    statistics = sum((_statistics(item, found) for item, found in zip(objects, founds, strict=True)), Statistics())
    if unseen:
        size = sum(item.size for item in unseen)
        guess = size // statistics.average_record_size if statistics.records else 0
        statistics += Statistics(len(unseen), size, guess)
    columns = types.merge_columns(found.columns for found in founds)
    return Group(root, founds[0].format, (Partition((), columns, statistics),))


def _statistics(item: S3Object, found: Found) -> Statistics:
    records = found.records
    if not found.complete and found.format.compression == "none":
        # Only the beginning was read: the rest has as many records a byte.
        records = round(item.size * records / max(found.record_bytes, 1))
    return Statistics(1, item.size, records)


def _of_folders(folder: Folder, below: list[tuple[str, list[Group]]], policy: Policy) -> list[Group]:
    """Folders beside each other: partitions of one table if most are alike, else tables each."""
    whole = [(name, groups[0]) for name, groups in below if _is_whole(groups, f"{folder.prefix}{name}/")]
    alike = _largest_cluster(whole, policy)
    if len(alike) * 2 <= len(below):
        return [group for _, groups in below for group in groups]
    members = {name for name, _ in alike}
    partitions = tuple(
        replace(partition, path=(name, *partition.path)) for name, group in alike for partition in group.partitions
    )
    table = Group(folder.prefix, alike[0][1].format, partitions)
    return [table] + [group for name, groups in below if name not in members for group in groups]


def _is_whole(groups: list[Group], prefix: str) -> bool:
    return len(groups) == 1 and groups[0].root == prefix and not groups[0].flat


def _largest_cluster(tables: list[tuple[str, Group]], policy: Policy) -> list[tuple[str, Group]]:
    clusters: list[list[tuple[str, Group]]] = []
    for name, table in tables:
        for cluster in clusters:
            first = cluster[0][1]
            if first.depth == table.depth and _groups_alike(first, table, policy):
                cluster.append((name, table))
                break
        else:
            clusters.append([(name, table)])
    return max(clusters, key=len, default=[])


def _one_with(table: Group, groups: list[Group], policy: Policy) -> bool:
    return all(_groups_alike(table, group, policy) for group in groups)


def _flatten(folder: Folder, groups: list[Group]) -> list[Group]:
    """Return one table at the folder if all have one format, without partition keys where the depths differ."""
    if len(groups) < 2 or len({group.format for group in groups}) > 1:
        return groups
    columns = types.merge_columns(group.columns for group in groups)
    statistics = sum((group.statistics for group in groups), Statistics())
    return [Group(folder.prefix, groups[0].format, (Partition((), columns, statistics),), flat=True)]


def _groups_alike(one: Group, other: Group, policy: Policy) -> bool:
    return _alike(one.format, one.columns, other.format, other.columns, policy)


def _alike(
    one: Format, columns: Iterable[Column], other: Format, other_columns: Iterable[Column], policy: Policy
) -> bool:
    return one == other and (policy.combine or similarity(tuple(columns), tuple(other_columns)) >= _SIMILAR)


def similarity(one: Sequence[Column], other: Sequence[Column]) -> float:
    """Return the share (0 to 1) of the longer schema's columns that the other has with a compatible type."""
    if not one and not other:
        return 1.0
    kinds = {column.name: column.type for column in other}
    common = sum(column.name in kinds and types.compatible(column.type, kinds[column.name]) for column in one)
    return common / max(len(one), len(other))
