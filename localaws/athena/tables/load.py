# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""A table that a query uses, as a DuckDB view over cached files with just the columns that the query reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from localaws.athena import engine, types
from localaws.athena.catalog import Catalog
from localaws.athena.sql.scope import TableUse
from localaws.athena.tables import buckets, parquet, partitions
from localaws.athena.tables.cache import S3Object, Session, list_objects
from localaws.athena.tables.format import Columns, Format
from localaws.athena.tables.formats import format_of
from localaws.athena.tables.partitions import Partition
from localaws.athena.types import quote, text

#: stands for the columns where a query reads none, such as count(*).
_NOTHING = "$nothing"


@dataclass
class Loader:
    """
    Makes the views of one query.

    :param check: called before each object with the bytes read so far; raises when the query is to stop.
    """

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    s3: Any
    session: Session
    check: Callable[[int], None]
    scanned: int = 0
    files: list[Path] = field(default_factory=list)

    def load(self, use: TableUse) -> None:
        """
        Create the view that stands for the table.

        :raises QueryError: a location, a SerDe or a file that cannot be read.
        """
        found = partitions.chosen(use, self.catalog, self.connection)
        keys = partitions.partition_keys(use.table)
        names = {name for name, _ in keys}
        described = use.table["StorageDescriptor"].get("Columns") or ()
        columns: Columns = [(c["Name"].lower(), types.parse_hive(c.get("Type") or "string")) for c in described]
        wanted = ({name for name, _ in columns} & use.columns) - names
        selects, rows = [], list[tuple[Path, S3Object, Partition]]()
        for reader, members in self._by_format(found, use, columns):
            local = self._fetch(reader, members, wanted, use)
            rows += local
            for items, paths in reader.select([(path, item.uri) for path, item, _ in local], columns, wanted):
                if paths:
                    selects.append(self._select(items, paths, use))
        self._describe_files(use, rows, keys)
        empty = [f"CAST(NULL AS {types.duckdb(k)}) AS {quote(n)}" for n, k in columns if n in wanted]
        selects.append(f"SELECT {', '.join(empty or ['NULL AS ' + quote(_NOTHING)])}{self._shape(use)} WHERE false")
        sql = f"CREATE TEMP VIEW {use.identifier} AS {' UNION ALL '.join(selects)}"
        self.connection.execute(engine.define(self.connection, sql))

    def _by_format(
        self, found: list[Partition], use: TableUse, columns: Columns
    ) -> list[tuple[Format, list[Partition]]]:
        parameters = use.table.get("Parameters") or {}
        groups: dict[str, tuple[Format, list[Partition]]] = {}
        for partition in found:
            reader = format_of(partition.descriptor, parameters, columns)
            groups.setdefault(reader.variant, (reader, []))[1].append(partition)
        return list(groups.values())

    def _fetch(
        self, reader: Format, members: list[Partition], wanted: set[str], use: TableUse
    ) -> list[tuple[Path, S3Object, Partition]]:
        local = []
        for partition in members:
            for item in buckets.chosen(list_objects(self.s3, partition.location), use, self.connection):
                self.check(self.scanned)
                path = self.session.file(item, reader.variant, reader.convert if reader.converts else None)
                self.scanned += item.size if reader.converts else parquet.scanned_bytes(path, item.uri, wanted)
                self.files.append(path)
                local.append((path, item, partition))
        self.check(self.scanned)
        return local

    def _select(self, items: list[str], paths: list[Path], use: TableUse) -> str:
        """Return one group of files, joined to what is known of each file where the query asks for that."""
        listed = ", ".join(text(str(path)) for path in paths)
        columns = ", ".join(items or ["NULL AS " + quote(_NOTHING)])
        known = self._known(use)
        if not known:
            return f"SELECT {columns} FROM read_parquet([{listed}])"
        files = f"read_parquet([{listed}], filename='$file')"
        source = f'{files} AS f JOIN {use.identifier}_files AS k ON f."$file" = k."$file"'
        return f"SELECT {columns}, {', '.join(f'k.{quote(name)}' for name in known)} FROM {source}"

    def _known(self, use: TableUse) -> list[str]:
        keys = [name for name, _ in partitions.partition_keys(use.table)]
        return [name for name in [*keys, "$path", "$file_size"] if name in use.columns]

    def _shape(self, use: TableUse) -> str:
        kinds = dict(partitions.partition_keys(use.table)) | {"$path": types.VARCHAR, "$file_size": types.BIGINT}
        return "".join(f", CAST(NULL AS {types.duckdb(kinds[n])}) AS {quote(n)}" for n in self._known(use))

    def _describe_files(
        self, use: TableUse, rows: list[tuple[Path, S3Object, Partition]], keys: list[tuple[str, types.Type]]
    ) -> None:
        """Create a table of the files, with their partition's values, URI and size."""
        if not self._known(use):
            return
        values = partitions.values_table([partition.values for _, _, partition in rows], len(keys))
        table = values.append_column("$file", pa.array([str(path) for path, _, _ in rows], pa.string()))
        table = table.append_column("$path", pa.array([item.uri for _, item, _ in rows], pa.string()))
        table = table.append_column("$file_size", pa.array([item.size for _, item, _ in rows], pa.int64()))
        self.connection.register("described_files", table)
        listed = [f"{partitions.value_sql(f'v{i}', kind)} AS {quote(name)}" for i, (name, kind) in enumerate(keys)]
        listed += [quote(name) for name in ("$file", "$path", "$file_size")]
        self.connection.execute(
            f"CREATE TEMP TABLE {use.identifier}_files AS SELECT {', '.join(listed)} FROM described_files"
        )
        self.connection.unregister("described_files")
