"""What names mean at a place in a query: relations and their columns, lambda parameters, and the query around it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from localaws.athena.errors import QueryError
from localaws.athena.sql.parse import Position, position
from localaws.athena.types import Type

if TYPE_CHECKING:
    from localaws.athena.catalog import Catalog


@dataclass(frozen=True)
class Value:
    """A compiled expression: its DuckDB SQL and its Trino type."""

    sql: str
    type: Type


@dataclass
class TableUse:
    """A Glue table that the query reads: which of its columns, and what is asked of its partition columns."""

    identifier: str
    database: str
    name: str
    table: dict[str, Any]
    columns: set[str] = field(default_factory=set)
    #: DuckDB SQL over the partition columns (unqualified), all of which must hold.
    partition_filters: list[str] = field(default_factory=list)
    #: bucket column -> DuckDB SQL of the constants of which the query wants one.
    bucket_values: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """A column that can be named: ``qualifier`` is what may stand before it, outermost first."""

    name: str | None
    type: Type
    sql: str
    qualifier: tuple[str, ...] = ()
    use: TableUse | None = None
    hidden: bool = False

    def value(self) -> Value:
        """Return the column as an expression, and note in the table that it is read."""
        if self.use is not None and self.name is not None:
            self.use.columns.add(self.name)
        return Value(self.sql, self.type)


@dataclass(frozen=True)
class Relation:
    """A compiled query: a SELECT with columns ``c0``, ``c1``... in DuckDB, and what these are called in Trino."""

    sql: str
    names: list[str | None]
    types: list[Type]


@dataclass
class Analysis:
    """What holds for one whole statement: the text, the catalog, the tables it turned out to read, fresh names."""

    sql: str
    catalog: Catalog
    database: str | None
    tables: list[TableUse] = field(default_factory=list)
    #: how many views deep the text at hand is.
    depth: int = 0
    _counter: itertools.count[int] = field(default_factory=itertools.count)

    def fresh(self, prefix: str) -> str:
        """Return a name that nothing else in the statement has."""
        return f"{prefix}{next(self._counter)}"


@dataclass(frozen=True)
class Scope:
    """
    The names that an expression may use.

    :param parent: the query around a subquery, whose columns may be used too.
    :param clause: for error messages: where in the SELECT the expression stands.
    :param aggregates: whether aggregate functions may stand here.
    :param windows: the names of the WINDOW clause.
    """

    analysis: Analysis
    fields: tuple[Field, ...] = ()
    parent: Scope | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    ctes: Mapping[str, Relation] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    clause: str = "SELECT"
    aggregates: bool = False
    windows: frozenset[str] = frozenset()

    def within(self, **changes: Any) -> Scope:
        """Return a copy of this scope with some attributes changed."""
        return replace(self, **changes)

    def resolve(self, parts: list[str], node: exp.Expr) -> Value:
        """
        Return the column, or the field of a row column, that ``a.b.c`` names.

        :raises QueryError: COLUMN_NOT_FOUND, or AMBIGUOUS_NAME.
        """
        names = [part.lower() for part in parts]
        if len(names) == 1 and names[0] in self.outputs:
            return self.outputs[names[0]]
        scope: Scope | None = self
        while scope is not None:
            found = scope._find(names, node)
            if found is not None:
                return found
            scope = scope.parent
        reason = "cannot be resolved or requester is not authorized to access requested resources"
        raise QueryError("COLUMN_NOT_FOUND", f"Column '{'.'.join(names)}' {reason}", position(node))

    def _find(self, names: list[str], node: exp.Expr) -> Value | None:
        if names[0] in self.parameters:
            return dereference(self.parameters[names[0]], names[1:], node)
        # A qualified column goes before a field of a row column, the longest qualifier first.
        for end in range(len(names) - 1, -1, -1):
            matches = [f for f in self.fields if f.name == names[end] and _qualified(f, tuple(names[:end]))]
            if len(matches) > 1:
                raise QueryError("AMBIGUOUS_NAME", f"Column '{'.'.join(names)}' is ambiguous", position(node))
            if matches:
                return dereference(matches[0].value(), names[end + 1 :], node)
        return None


def _qualified(candidate: Field, qualifier: tuple[str, ...]) -> bool:
    return not qualifier or candidate.qualifier[-len(qualifier) :] == qualifier


def dereference(value: Value, names: list[str], node: exp.Expr) -> Value:
    """
    ``value.a.b``: the fields of a row, one after the other.

    :raises QueryError: it is not a row, or has no such field.
    """
    for name in names:
        if value.type.base != "row":
            raise QueryError("TYPE_MISMATCH", f"Expression {node.sql('trino')} is not of type ROW", position(node))
        kinds = {part.lower(): kind for part, kind in value.type.args if part}
        if name not in kinds:
            raise QueryError("COLUMN_NOT_FOUND", f"Column '{name}' cannot be resolved", position(node))
        original = next(part for part, _ in value.type.args if part and part.lower() == name)
        escaped = original.replace("'", "''")
        value = Value(f"struct_extract({value.sql}, '{escaped}')", kinds[name])
    return value


def mismatch(message: str, place: Position | None) -> QueryError:
    """TYPE_MISMATCH at a place."""
    return QueryError("TYPE_MISMATCH", message, place)
