"""Which conditions of a WHERE speak of partition or bucket columns alone: they decide what is read at all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from localaws.athena import types
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
        buckets = _bare_fields(use, scope, use.table["StorageDescriptor"].get("BucketColumns") or ())
        if buckets:
            _note_buckets(terms, use, scope.within(fields=buckets, parent=None, outputs={}))


def partition_fields(use: TableUse, scope: Scope) -> tuple[Field, ...]:
    """Return the partition columns of one table of the scope, as bare column names."""
    return _bare_fields(use, scope, [key["Name"] for key in use.table.get("PartitionKeys", ())])


def _bare_fields(use: TableUse, scope: Scope, columns: Sequence[str]) -> tuple[Field, ...]:
    names = {column.lower() for column in columns}
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


def _note_buckets(terms: list[exp.Expr], use: TableUse, scope: Scope) -> None:
    """Note ``column = constant`` and ``column IN (constants)``; of several about one column the first is enough."""
    for term in terms:
        for column, constants in _equalities(term):
            try:
                field, values = _field(column, scope), [compile_expression(each, scope) for each in constants]
            except QueryError:
                continue
            # A comparison in another type than the column's may hold for values with another hash.
            if field is not None and all(_same_kind(field.type, value.type) for value in values):
                use.bucket_values.setdefault(str(field.name), [value.sql for value in values])


def _equalities(term: exp.Expr) -> list[tuple[exp.Expr, list[exp.Expr]]]:
    """Return the column and the constants that a condition compares, or nothing if it does more than that."""
    if isinstance(term, exp.Paren):
        return _equalities(term.this)
    if isinstance(term, exp.EQ):
        pairs = [(term.left, [term.right]), (term.right, [term.left])]
    elif isinstance(term, exp.In) and not term.args.get("query"):
        pairs = [(term.this, list(term.expressions))]
    else:
        return []
    return [(c, v) for c, v in pairs if isinstance(c, exp.Column) and v and all(_is_constant(each) for each in v)]


def _is_constant(node: exp.Expr) -> bool:
    if isinstance(node, exp.Neg | exp.Paren) or (type(node) is exp.Cast and isinstance(node.this, exp.Literal)):
        return _is_constant(node.this)
    return isinstance(node, exp.Literal | exp.Boolean)


def _field(column: exp.Expr, scope: Scope) -> Field | None:
    found = compile_expression(column, scope).sql
    return next((field for field in scope.fields if field.sql == found), None)


def _same_kind(column: types.Type, constant: types.Type) -> bool:
    return types.common(column, constant) == column or (column.base == constant.base == "varchar")
