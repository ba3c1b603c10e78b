"""Subqueries inside expressions: scalar, EXISTS, IN, and comparison with ANY or ALL."""

from __future__ import annotations

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts
from localaws.athena.sql.dispatch import compile_expression, compiles, unify
from localaws.athena.sql.operators import COMPARISONS
from localaws.athena.sql.parse import operator_position, position
from localaws.athena.sql.scope import Relation, Scope, Value, mismatch
from localaws.athena.sql.selects import compile_query


def _subquery(node: exp.Expr, scope: Scope, *, single: bool = True) -> Relation:
    relation = compile_query(node.unnest(), scope.analysis, scope.ctes, parent=scope)
    if single and len(relation.types) != 1:
        message = f"Multiple columns returned by subquery are not yet supported. Found {len(relation.types)}"
        raise QueryError("NOT_SUPPORTED", message, position(node))
    return relation


@compiles(exp.Subquery, exp.Select, exp.Union, exp.Intersect, exp.Except)
def _scalar(node: exp.Expr, scope: Scope) -> Value:
    relation = _subquery(node, scope)
    return Value(f"({relation.sql})", relation.types[0])


@compiles(exp.Exists)
def _exists(node: exp.Exists, scope: Scope) -> Value:
    return Value(f"EXISTS ({_subquery(node.this, scope, single=False).sql})", types.BOOLEAN)


@compiles(exp.Any, exp.All)
def _quantified(node: exp.Expr, scope: Scope) -> Value:
    comparison = node.parent
    if type(comparison) not in COMPARISONS or not isinstance(comparison, exp.Binary):
        raise mismatch("ANY and ALL stand behind a comparison", position(node))
    left, relation = compile_expression(comparison.left, scope), _subquery(node.this, scope)
    sign, quantifier = COMPARISONS[type(comparison)], "ANY" if isinstance(node, exp.Any) else "ALL"
    if types.common(left.type, relation.types[0]) is None:
        place = operator_position(scope.analysis.sql, comparison)
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {relation.types[0]}", place)
    return Value(f"({left.sql} {sign} {quantifier} ({relation.sql}))", types.BOOLEAN)


@compiles(exp.In)
def _in(node: exp.In, scope: Scope) -> Value:
    value = compile_expression(node.this, scope)
    inside = node.args.get("query") or next(
        (i for i in node.expressions if isinstance(i, exp.Query | exp.Values)), None
    )
    return _in_list(node, value, scope) if inside is None else _in_query(node, value, _subquery(inside, scope))


def _in_query(node: exp.In, value: Value, relation: Relation) -> Value:
    if types.common(value.type, relation.types[0]) is None:
        kinds = f"{value.type} vs {relation.types[0]}"
        raise mismatch(
            f"value and result of subquery must be of the same type for IN expression: {kinds}", position(node)
        )
    return Value(f"({value.sql} IN ({relation.sql}))", types.BOOLEAN)


def _in_list(node: exp.In, value: Value, scope: Scope) -> Value:
    items = [compile_expression(item, scope) for item in node.expressions]
    pairs = [(value, node.this), *zip(items, node.expressions, strict=True)]
    shared = unify(pairs, "IN value and list items")
    listed = ", ".join(casts.coerce(item, shared) for item in items)
    return Value(f"({casts.coerce(value, shared)} IN ({listed}))", types.BOOLEAN)
