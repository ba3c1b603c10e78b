"""GROUP BY, and the rule that what is not grouped must be aggregated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlglot import exp

from localaws.athena.errors import QueryError
from localaws.athena.sql import functions
from localaws.athena.sql.calls import has_aggregate
from localaws.athena.sql.dispatch import Known, compile_expression
from localaws.athena.sql.parse import position, unsupported
from localaws.athena.sql.scope import Scope


@dataclass
class Group:
    """A compiled GROUP BY; ``keys`` is the SQL of every expression that is grouped by."""

    sql: str = ""
    keys: set[str] = field(default_factory=set)


def compile_group(tree: exp.Select, projections: list[exp.Expr], scope: Scope) -> Group | None:
    """Compile the GROUP BY of a SELECT, with ordinals resolved; return ``None`` if it has none."""
    clause = tree.args.get("group")
    if clause is None:
        return None
    if clause.args.get("all"):
        raise unsupported(clause, "GROUP BY ALL")
    group, scope = Group(), scope.within(clause="GROUP BY")
    items = [_item(item, projections, scope, group) for item in clause.expressions]
    for sets in ("grouping_sets", "rollup", "cube"):
        items += [_item(item, projections, scope, group) for item in clause.args.get(sets) or ()]
    group.sql = f"GROUP BY {', '.join(items)}"
    return group


def _item(item: exp.Expr, projections: list[exp.Expr], scope: Scope, group: Group) -> str:
    for kind, word in ((exp.GroupingSets, "GROUPING SETS"), (exp.Rollup, "ROLLUP"), (exp.Cube, "CUBE")):
        if isinstance(item, kind):
            inside = [_set(part, projections, scope, group) for part in item.expressions]
            return f"{word} ({', '.join(inside)})"
    return _key(item, projections, scope, group)


def _set(item: exp.Expr, projections: list[exp.Expr], scope: Scope, group: Group) -> str:
    if isinstance(item, exp.Tuple):
        return "(" + ", ".join(_key(part, projections, scope, group) for part in item.expressions) + ")"
    if isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube):
        return _item(item, projections, scope, group)
    return _key(item.this if isinstance(item, exp.Paren) else item, projections, scope, group)


def _key(item: exp.Expr, projections: list[exp.Expr], scope: Scope, group: Group) -> str:
    if isinstance(item, exp.Literal) and not item.is_string:
        index = int(item.this) - 1 if item.this.isdigit() else -1
        if not 0 <= index < len(projections):
            message = f"GROUP BY position {item.this} is not in select list"
            raise QueryError("INVALID_COLUMN_REFERENCE", message, position(item))
        item = projections[index]
        if has_aggregate(item):
            message = "GROUP BY clause cannot contain aggregations, window functions or grouping operations"
            raise QueryError("EXPRESSION_NOT_SCALAR", message, position(item))
    sql = compile_expression(item, scope).sql
    group.keys.add(sql)
    return sql


def require_grouped(trees: Iterable[exp.Expr], group: Group | None, scope: Scope) -> None:
    """
    Check that each expression is made of grouped expressions, aggregates and constants.

    :raises QueryError: EXPRESSION_NOT_AGGREGATE.
    """
    keys = group.keys if group is not None else set[str]()
    for tree in trees:
        _require(tree, keys, scope)


def _require(node: exp.Expr, keys: set[str], scope: Scope) -> None:
    if isinstance(node, exp.Query | exp.Values | exp.Lambda | exp.GroupConcat | exp.Literal):
        return
    if isinstance(node, exp.Filter) or (
        isinstance(node, exp.Anonymous) and functions.is_aggregate(str(node.this).lower())
    ):
        return
    if isinstance(node, exp.Window):
        _require_window(node, keys, scope)
        return
    if isinstance(node, exp.Anonymous) and str(node.this).lower() == "grouping":
        return
    if isinstance(node, exp.Column | exp.Identifier | exp.Dot | Known):
        if compile_expression(node, scope).sql not in keys and not _prefix_grouped(node, keys, scope):
            name = "" if isinstance(node, Known) else node.sql("trino")
            message = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
            raise QueryError("EXPRESSION_NOT_AGGREGATE", message, position(node))
        return
    if keys and _compiles_to_key(node, keys, scope):
        return
    for part in node.iter_expressions():
        _require(part, keys, scope)


def _prefix_grouped(node: exp.Expr, keys: set[str], scope: Scope) -> bool:
    """Say whether a node is a field of a row that is grouped by, or an outer query's column, which is constant here."""
    sql = compile_expression(node, scope).sql
    own = {f.sql for f in scope.fields}
    return any(key in sql for key in keys) or not any(column in sql for column in own)


def _compiles_to_key(node: exp.Expr, keys: set[str], scope: Scope) -> bool:
    if not isinstance(node, exp.Condition | exp.Func | exp.Binary | exp.Unary | exp.Case | exp.Cast | exp.Anonymous):
        return False
    try:
        return compile_expression(node, scope).sql in keys
    except QueryError:
        # A part of an expression, such as an interval's unit, that means nothing alone.
        return False


def _require_window(node: exp.Window, keys: set[str], scope: Scope) -> None:
    inner = node.this
    while isinstance(inner, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        inner = inner.this
    for part in inner.expressions:
        if not isinstance(part, exp.Star):
            _require(part, keys, scope)
    for part in node.args.get("partition_by") or ():
        _require(part, keys, scope)
    order = node.args.get("order")
    for term in order.expressions if order is not None else ():
        _require(term.this, keys, scope)
