"""What a parsed statement is: one class a statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Statement:
    """Any statement; ``type`` and ``substatement`` are StatementType and SubstatementType."""

    type = "DDL"
    substatement = ""


@dataclass(frozen=True)
class Query(Statement):
    """SELECT, WITH, VALUES, TABLE: the text is compiled as it is."""

    sql: str
    type = "DML"
    substatement = "SELECT"


@dataclass(frozen=True)
class Explain(Statement):
    """EXPLAIN of a query; ``analyze`` runs it, ``validate`` only checks it."""

    sql: str
    analyze: bool
    validate: bool = False
    type = "DML"
    substatement = "EXPLAIN"


@dataclass(frozen=True)
class Insert(Statement):
    """INSERT INTO, with the named columns or none."""

    name: list[str]
    columns: list[str]
    sql: str
    type = "DML"
    substatement = "INSERT"


@dataclass(frozen=True)
class Unload(Statement):
    """UNLOAD (query) TO a location."""

    sql: str
    location: str
    properties: dict[str, Any]
    type = "DML"
    substatement = "UNLOAD"


@dataclass(frozen=True)
class CreateTableAs(Statement):
    """CTAS."""

    name: list[str]
    sql: str
    properties: dict[str, Any]
    exists_ok: bool = False
    with_data: bool = True
    comment: str | None = None
    substatement = "CREATE_TABLE_AS_SELECT"


@dataclass(frozen=True)
class CreateView(Statement):
    """CREATE [OR REPLACE] VIEW; ``query`` is the text that is kept."""

    name: list[str]
    sql: str
    query: str
    replace: bool
    comment: str | None = None
    substatement = "CREATE_VIEW"


@dataclass(frozen=True)
class DropView(Statement):
    """DROP VIEW."""

    name: list[str]
    missing_ok: bool
    substatement = "DROP_VIEW"


@dataclass(frozen=True)
class CreateDatabase(Statement):
    """CREATE DATABASE or SCHEMA."""

    name: str
    exists_ok: bool
    comment: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    substatement = "CREATE_DATABASE"


@dataclass(frozen=True)
class DropDatabase(Statement):
    """DROP DATABASE or SCHEMA."""

    name: str
    missing_ok: bool
    cascade: bool
    substatement = "DROP_DATABASE"


@dataclass(frozen=True)
class Column:
    """A column: its type in Hive's spelling."""

    name: str
    type: str
    comment: str | None = None

    def glue(self) -> dict[str, str]:
        """As Glue takes it."""
        return {"Name": self.name, "Type": self.type} | ({"Comment": self.comment} if self.comment else {})


@dataclass(frozen=True)
class CreateTable(Statement):
    """CREATE EXTERNAL TABLE, with everything that Hive lets one say of the files."""

    name: list[str]
    columns: list[Column]
    external: bool = True
    exists_ok: bool = False
    comment: str | None = None
    partitions: list[Column] = field(default_factory=list)
    buckets: dict[str, Any] = field(default_factory=dict)
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    stored_as: str | None = None
    input_format: str | None = None
    output_format: str | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    substatement = "CREATE_TABLE"


@dataclass(frozen=True)
class DropTable(Statement):
    """DROP TABLE."""

    name: list[str]
    missing_ok: bool
    substatement = "DROP_TABLE"


@dataclass(frozen=True)
class AddPartitions(Statement):
    """ALTER TABLE ADD PARTITION: pairs of a spec and a location, which may be left out."""

    name: list[str]
    partitions: list[tuple[dict[str, str], str | None]]
    exists_ok: bool
    substatement = "ALTER_TABLE_ADD_PARTITION"


@dataclass(frozen=True)
class DropPartitions(Statement):
    """ALTER TABLE DROP PARTITION: specs of ``(column, operator, value)``."""

    name: list[str]
    specs: list[list[tuple[str, str, str]]]
    missing_ok: bool
    substatement = "ALTER_TABLE_DROP_PARTITION"


@dataclass(frozen=True)
class RenamePartition(Statement):
    """ALTER TABLE PARTITION (...) RENAME TO PARTITION (...)."""

    name: list[str]
    old: dict[str, str]
    new: dict[str, str]
    substatement = "ALTER_TABLE_RENAME_PARTITION"


@dataclass(frozen=True)
class SetLocation(Statement):
    """ALTER TABLE [PARTITION (...)] SET LOCATION."""

    name: list[str]
    location: str
    partition: dict[str, str] | None = None
    substatement = "ALTER_TABLE_SET_LOCATION"


@dataclass(frozen=True)
class SetProperties(Statement):
    """ALTER TABLE SET TBLPROPERTIES."""

    name: list[str]
    properties: dict[str, str]
    substatement = "ALTER_TABLE_SET_PROPERTIES"


@dataclass(frozen=True)
class AlterColumns(Statement):
    """ALTER TABLE ADD or REPLACE COLUMNS."""

    name: list[str]
    columns: list[Column]
    replace: bool
    substatement = "ALTER_TABLE_ADD_COLUMN"


@dataclass(frozen=True)
class RepairTable(Statement):
    """MSCK REPAIR TABLE."""

    name: list[str]
    substatement = "MSCK_REPAIR"


@dataclass(frozen=True)
class Utility(Statement):
    """SHOW and DESCRIBE."""

    type = "UTILITY"


@dataclass(frozen=True)
class ShowDatabases(Utility):
    """SHOW DATABASES or SCHEMAS, by a regular expression."""

    pattern: str | None = None
    substatement = "SHOW_DATABASES"


@dataclass(frozen=True)
class ShowTables(Utility):
    """SHOW TABLES [IN database] ['pattern'], or SHOW VIEWS."""

    database: str | None = None
    pattern: str | None = None
    views: bool = False
    substatement = "SHOW_TABLES"


@dataclass(frozen=True)
class ShowColumns(Utility):
    """SHOW COLUMNS."""

    name: list[str]
    substatement = "SHOW_COLUMNS"


@dataclass(frozen=True)
class ShowPartitions(Utility):
    """SHOW PARTITIONS."""

    name: list[str]
    substatement = "SHOW_PARTITIONS"


@dataclass(frozen=True)
class ShowProperties(Utility):
    """SHOW TBLPROPERTIES t [('key')]."""

    name: list[str]
    key: str | None = None
    substatement = "SHOW_TABLE_PROPERTIES"


@dataclass(frozen=True)
class ShowCreateTable(Utility):
    """SHOW CREATE TABLE or VIEW."""

    name: list[str]
    view: bool = False
    substatement = "SHOW_CREATE_TABLE"


@dataclass(frozen=True)
class Describe(Utility):
    """DESCRIBE, with EXTENDED or FORMATTED or neither."""

    name: list[str]
    detail: str | None = None
    substatement = "DESCRIBE_TABLE"


@dataclass(frozen=True)
class Prepare(Utility):
    """PREPARE name FROM statement."""

    name: str
    sql: str
    substatement = "PREPARE"


@dataclass(frozen=True)
class Execute(Utility):
    """EXECUTE name [USING ...]: the parameters as they are written."""

    name: str
    parameters: list[str]
    substatement = "EXECUTE"


@dataclass(frozen=True)
class Deallocate(Utility):
    """DEALLOCATE PREPARE name."""

    name: str
    substatement = "DEALLOCATE"
