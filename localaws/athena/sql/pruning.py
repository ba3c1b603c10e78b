"""Which conditions of a WHERE speak of partition columns alone: they decide what is read at all."""

from __future__ import annotations

from sqlglot import exp

from localaws.athena.errors import QueryError
from localaws.athena.sql.dispatch import compile_expression
from localaws.athena.sql.scope import Field, Scope, TableUse
from localaws.athena.types import quote


def note_filters(condition: exp.Expr, scope: Scope) -> None:
    """Give each partitioned table the conditions, of those joined by AND, that its partition columns can decide."""
    tables = {id(field.use): field.use for field in scope.fields if field.use is not None}
    terms = list(condition.flatten()) if isinstance(condition, exp.And) else [condition]
    for use in tables.values():
        partitions = partition_fields(use, scope)
        if partitions:
            _note(terms, use, scope.within(fields=partitions, parent=None, outputs={}))


def partition_fields(use: TableUse, scope: Scope) -> tuple[Field, ...]:
    """The partition columns of one table of the scope, as bare column names."""
    names = {key["Name"].lower() for key in use.table.get("PartitionKeys", ())}
    return tuple(
        Field(field.name, field.type, quote(field.name), field.qualifier)
        for field in scope.fields
        if field.use is use and field.name is not None and field.name in names
    )


def _note(terms: list[exp.Expr], use: TableUse, scope: Scope) -> None:
    for term in terms:
        if term.find(exp.Query) is not None or term.find(exp.Column) is None:
            continue
        try:
            use.partition_filters.append(compile_expression(term, scope).sql)
        except QueryError:
            # It speaks of another column: whether it holds is only known row by row.
            continue
