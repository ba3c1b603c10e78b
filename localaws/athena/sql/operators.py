"""Arithmetic, comparison and logic, with Trino's result types and its refusal to mix types."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlglot import exp

from localaws.athena import types
from localaws.athena.sql import casts
from localaws.athena.sql.dispatch import compile_expression, compiles
from localaws.athena.sql.parse import Position, operator_position, position
from localaws.athena.sql.scope import Scope, Value, mismatch
from localaws.athena.types import Type

_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
COMPARISONS = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_INTERVALS = (types.INTERVAL_DAY, types.INTERVAL_YEAR)
_STAMPS = ("date", "timestamp", "timestamp with time zone")


@compiles(*_ARITHMETIC)
def _arithmetic(node: exp.Binary, scope: Scope) -> Value:
    left, right = compile_expression(node.left, scope), compile_expression(node.right, scope)
    sign = _ARITHMETIC[type(node)]
    result = arithmetic(sign, left, right)
    if result is None:
        place = operator_position(scope.analysis.sql, node)
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {right.type}", place)
    return result


def arithmetic(sign: str, left: Value, right: Value) -> Value | None:
    """``left sign right``; ``None`` where Trino has no such operation."""
    if left.type.base == "unknown":
        left = Value(left.sql, right.type)
    if right.type.base == "unknown":
        right = Value(right.sql, left.type)
    if left.type.is_numeric and right.type.is_numeric:
        return _numbers(sign, left, right)
    return _dates(sign, left, right)


def _numbers(sign: str, left: Value, right: Value) -> Value:
    shared = types.common(left.type, right.type)
    if shared is None:
        raise AssertionError("numbers always have a common type")
    if shared.base == "decimal":
        return _decimals(sign, left, right)
    if shared.is_integer:
        operator = "//" if sign == "/" else sign
        return Value(f"CAST(({_as(left, shared)} {operator} {_as(right, shared)}) AS {types.duckdb(shared)})", shared)
    return Value(f"({_as(left, shared)} {sign} {_as(right, shared)})", shared)


def _as(value: Value, kind: Type) -> str:
    return value.sql if value.type == kind else f"CAST({value.sql} AS {types.duckdb(kind)})"


def _decimals(sign: str, left: Value, right: Value) -> Value:
    one, other = types.as_decimal(left.type), types.as_decimal(right.type)
    (p1, s1), (p2, s2) = one.args, other.args
    a, b = _as(left, one), _as(right, other)
    if sign == "/":
        return divide(Value(a, one), Value(b, other))
    if sign == "*":
        result = types.decimal(p1 + p2, s1 + s2)
    elif sign == "%":
        result = types.decimal(min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2))
    else:
        result = types.decimal(max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2))
    return Value(f"CAST(({a} {sign} {b}) AS {types.duckdb(result)})", result)


def divide(left: Value, right: Value) -> Value:
    """Decimal division as Trino does it: the larger of the scales, rounded half up (DuckDB would give a double)."""
    (p1, s1), (_, s2) = left.type.args, right.type.args
    scale = max(s1, s2)
    result = types.decimal(p1 + s2 + max(s2 - s1, 0), scale)
    a = f"CAST({left.sql} * {_ten(s1)} AS HUGEINT) * CAST({_ten(scale + s2 - s1)} AS HUGEINT)"
    b = f"CAST({right.sql} * {_ten(s2)} AS HUGEINT)"
    smallest = f"CAST(1{'e-' + str(scale) if scale else ''} AS DECIMAL({scale + 1},{scale}))"
    return Value(f"CAST(CAST(t_ratio({a}, {b}) AS DECIMAL(38,0)) * {smallest} AS {types.duckdb(result)})", result)


def _ten(power: int) -> str:
    return str(10**power)


def _dates(sign: str, left: Value, right: Value) -> Value | None:
    if sign == "+" and left.type in _INTERVALS and right.type.base in _STAMPS:
        left, right = right, left
    if sign in "+-" and left.type.base in _STAMPS and right.type in _INTERVALS:
        return Value(f"CAST(({left.sql} {sign} {right.sql}) AS {types.duckdb(left.type)})", left.type)
    if sign == "-" and left.type.base == "date" == right.type.base:
        return Value(f"to_days(CAST({left.sql} - {right.sql} AS INTEGER))", types.INTERVAL_DAY)
    if sign == "-" and left.type.base in _STAMPS and right.type.base in _STAMPS:
        return Value(f"(CAST({left.sql} AS TIMESTAMPTZ) - CAST({right.sql} AS TIMESTAMPTZ))", types.INTERVAL_DAY)
    if sign in "+-" and left.type in _INTERVALS and left.type == right.type:
        return Value(f"({left.sql} {sign} {right.sql})", left.type)
    if sign in "*/" and left.type in _INTERVALS and right.type.is_numeric:
        return Value(f"({left.sql} {sign} {right.sql})", left.type)
    if sign == "*" and right.type in _INTERVALS and left.type.is_numeric:
        return Value(f"({left.sql} * {right.sql})", right.type)
    return None


@compiles(exp.Neg)
def _negative(node: exp.Neg, scope: Scope) -> Value:
    value = compile_expression(node.this, scope)
    if not (value.type.is_numeric or value.type in _INTERVALS or value.type.base == "unknown"):
        raise mismatch(f"Cannot negate {value.type}", position(node))
    return Value(f"(-{value.sql})", value.type)


@compiles(*COMPARISONS)
def _comparison(node: exp.Binary, scope: Scope) -> Value:
    if isinstance(node.right, exp.Any | exp.All):
        return compile_expression(node.right, scope)
    left, right = compile_expression(node.left, scope), compile_expression(node.right, scope)
    sign = COMPARISONS[type(node)]
    return compare(sign, left, right, lambda: operator_position(scope.analysis.sql, node))


def compare(sign: str, left: Value, right: Value, place: Callable[[], Position | None]) -> Value:
    """
    ``left sign right``.

    :param place: where that stands, asked for only when it is wrong.

    :raises QueryError: TYPE_MISMATCH, the types have nothing in common.
    """
    shared = types.common(left.type, right.type)
    if shared is None:
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {right.type}", place())
    return Value(f"({casts.coerce(left, shared)} {sign} {casts.coerce(right, shared)})", types.BOOLEAN)


@compiles(exp.And, exp.Or)
def _logic(node: exp.Connector, scope: Scope) -> Value:
    word = "AND" if isinstance(node, exp.And) else "OR"
    # A chain of a thousand terms is a thousand levels deep in the tree: walked, not recursed into.
    terms = [boolean(term, scope, "Logical expression term").sql for term in node.flatten()]
    return Value("(" + f" {word} ".join(terms) + ")", types.BOOLEAN)


@compiles(exp.Not)
def _not(node: exp.Not, scope: Scope) -> Value:
    return Value(f"(NOT {boolean(node.this, scope, 'Value of logical NOT expression').sql})", types.BOOLEAN)


def boolean(node: exp.Expr, scope: Scope, what: str) -> Value:
    """
    Compile a condition.

    :raises QueryError: TYPE_MISMATCH, it is no boolean.
    """
    value = compile_expression(node, scope)
    if value.type.base not in ("boolean", "unknown"):
        raise mismatch(f"{what} must evaluate to a boolean (actual: {value.type})", position(node))
    return value


@compiles(exp.Is)
def _is(node: exp.Is, scope: Scope) -> Value:
    value = compile_expression(node.this, scope)
    if not isinstance(node.expression, exp.Null):
        raise mismatch("IS takes NULL or DISTINCT FROM", position(node))
    return Value(f"({value.sql} IS NULL)", types.BOOLEAN)


@compiles(exp.Between)
def _between(node: exp.Between, scope: Scope) -> Value:
    value = compile_expression(node.this, scope)
    low, high = compile_expression(node.args["low"], scope), compile_expression(node.args["high"], scope)
    place = partial(position, node)
    above, below = compare(">=", value, low, place), compare("<=", value, high, place)
    return Value(f"({above.sql} AND {below.sql})", types.BOOLEAN)


@compiles(exp.Like)
def _like(node: exp.Like, scope: Scope) -> Value:
    value, pattern = _texts(node, scope)
    return Value(f"({value.sql} LIKE {pattern.sql})", types.BOOLEAN)


@compiles(exp.Escape)
def _escape(node: exp.Escape, scope: Scope) -> Value:
    value, pattern = _texts(node.this, scope)
    escape = compile_expression(node.expression, scope)
    return Value(f"({value.sql} LIKE {pattern.sql} ESCAPE {escape.sql})", types.BOOLEAN)


def _texts(node: exp.Binary, scope: Scope) -> tuple[Value, Value]:
    value, pattern = compile_expression(node.left, scope), compile_expression(node.right, scope)
    for part, tree in ((value, node.left), (pattern, node.right)):
        if not (part.type.is_text or part.type.base == "unknown"):
            raise mismatch(f"LIKE expression must evaluate to a varchar (actual: {part.type})", position(tree))
    return value, pattern


@compiles(exp.DPipe)
def _concatenate(node: exp.DPipe, scope: Scope) -> Value:
    parts = [(compile_expression(part, scope), part) for part in node.flatten()]
    return join([value for value, _ in parts], lambda: operator_position(scope.analysis.sql, node))


def join(values: list[Value], place: Callable[[], Position | None]) -> Value:
    """
    Compile ``a || b || c``, where the values are texts, bytes, or arrays and elements added to them.

    :raises QueryError: FUNCTION_NOT_FOUND, the values cannot be concatenated.
    """
    first = next((value.type for value in values if value.type.base == "array"), None)
    if first is not None:
        return _join_arrays(values, first, place)
    for base, kind in (("varbinary", types.VARBINARY), ("", types.VARCHAR)):
        if all(
            v.type.base in (base, "unknown") if base else v.type.is_text or v.type.base == "unknown" for v in values
        ):
            return Value("(" + " || ".join(value.sql for value in values) + ")", kind)
    shown = ", ".join(str(value.type) for value in values)
    raise mismatch(f"Unexpected parameters ({shown}) for function concat", place())


def _join_arrays(values: list[Value], first: Type, place: Callable[[], Position | None]) -> Value:
    element: Type | None = first.element
    for value in values:
        element = (
            types.common(element, value.type.element if value.type.base == "array" else value.type) if element else None
        )
    if element is None:
        shown = ", ".join(str(value.type) for value in values)
        raise mismatch(f"Unexpected parameters ({shown}) for function concat", place())
    whole = types.array(element)
    parts = [casts.coerce(v, whole) if v.type.base == "array" else f"[{casts.coerce(v, element)}]" for v in values]
    return Value("(" + " || ".join(parts) + ")", whole)
