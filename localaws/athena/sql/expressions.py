"""One expression to DuckDB SQL and its Trino type: literals, names, casts, CASE, constructors and subscripts."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts, macros
from localaws.athena.sql.dispatch import compile_expression, compiles, unify
from localaws.athena.sql.operators import boolean, compare
from localaws.athena.sql.parse import position, unsupported
from localaws.athena.sql.scope import Scope, Value, dereference, mismatch
from localaws.athena.types import Type


@compiles(exp.Literal)
def _literal(node: exp.Literal, _: Scope) -> Value:
    if node.is_string:
        return Value(types.text(node.this), types.varchar(len(node.this)))
    return number(node.this, node)


_NUMBER = re.compile(r"[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?")


def number(written: str, node: exp.Expr) -> Value:
    """
    Compile a numeric literal. One with a point is a double, as on Athena (Trino itself makes it a decimal).

    :raises QueryError: NUMERIC_VALUE_OUT_OF_RANGE.
    """
    if not _NUMBER.fullmatch(written):
        raise QueryError("SYNTAX_ERROR", f"Invalid numeric literal: {written}", position(node))
    if any(character in written for character in ".eE"):
        return Value(f"CAST('{float(written)!r}' AS DOUBLE)", types.DOUBLE)
    value = int(written.replace("_", ""))
    if value > 2**63:
        raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE", f"Invalid numeric literal: {written}", position(node))
    if value > 2**31 - 1:
        return Value(f"CAST({value} AS BIGINT)" if value < 2**63 else str(value), types.BIGINT)
    return Value(str(value), types.INTEGER)


@compiles(exp.Boolean)
def _boolean(node: exp.Boolean, _: Scope) -> Value:
    return Value("true" if node.this else "false", types.BOOLEAN)


@compiles(exp.Null)
def _null(_node: exp.Null, _: Scope) -> Value:
    return Value("NULL", types.UNKNOWN)


@compiles(exp.HexString)
def _bytes(node: exp.HexString, _: Scope) -> Value:
    return Value(f"unhex({types.text(node.this)})", types.VARBINARY)


@compiles(exp.UnicodeString)
def _unicode(node: exp.UnicodeString, _: Scope) -> Value:
    decoded = re.sub(
        r"\\(\\|\+[0-9A-Fa-f]{6}|[0-9A-Fa-f]{4})",
        lambda match: "\\" if match[1] == "\\" else chr(int(match[1].lstrip("+"), 16)),
        node.this,
    )
    return Value(types.text(decoded), types.varchar(len(decoded)))


@compiles(exp.Placeholder, exp.Parameter)
def _placeholder(node: exp.Expr, _: Scope) -> Value:
    raise QueryError(
        "INVALID_PARAMETER_USAGE", "Incorrect number of parameters: expected 1 but found 0", position(node)
    )


@compiles(exp.Column)
def _column(node: exp.Column, scope: Scope) -> Value:
    return scope.resolve([part.name for part in node.parts], node)


@compiles(exp.Identifier)
def _identifier(node: exp.Identifier, scope: Scope) -> Value:
    return scope.resolve([node.name], node)


@compiles(exp.Dot)
def _dot(node: exp.Dot, scope: Scope) -> Value:
    names = _names(node)
    if names is not None:
        return scope.resolve(names, node)
    return dereference(compile_expression(node.this, scope), [node.expression.name.lower()], node)


def _names(node: exp.Expr) -> list[str] | None:
    """Return the parts of ``a.b.c``, or ``None`` if it begins with something that is not a name."""
    if isinstance(node, exp.Identifier):
        return [node.name]
    if isinstance(node, exp.Column):
        return [part.name for part in node.parts]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _names(node.this)
        return None if before is None else [*before, node.expression.name]
    return None


@compiles(exp.Paren)
def _paren(node: exp.Paren, scope: Scope) -> Value:
    value = compile_expression(node.this, scope)
    return Value(f"({value.sql})", value.type)


@compiles(exp.Cast, exp.TryCast)
def _cast(node: exp.Cast, scope: Scope) -> Value:
    target = data_type(node.to, node)
    if isinstance(node.this, exp.Literal) and node.this.is_string and type(node) is exp.Cast:
        literal = _typed_literal(node, target)
        if literal is not None:
            return literal
    value = compile_expression(node.this, scope)
    return casts.cast(value, target, position(node), safe=isinstance(node, exp.TryCast))


def _typed_literal(node: exp.Cast, target: Type) -> Value | None:
    """``DECIMAL '1.50'`` has the precision that is written; a timestamp literal keeps its zone."""
    written = node.this.this
    if target.base == "decimal" and not node.to.expressions:
        whole, _, digits = written.strip().lstrip("+-").partition(".")
        kind = types.decimal(len(whole.lstrip("0")) + len(digits) or 1, len(digits))
        return Value(f"CAST({types.text(written)} AS {types.duckdb(kind)})", kind)
    if target.base == types.TIMESTAMP_TZ.base:
        zone = written.rsplit(" ", 1)[-1]
        named = zone if zone[:1].isalpha() else "UTC"
        return Value(f"CAST({types.text(written)} AS TIMESTAMPTZ)", Type(target.base, (named,)))
    return None


_TYPES = {
    "INT": types.INTEGER,
    "FLOAT": types.REAL,
    "VARBINARY": types.VARBINARY,
    "TIMESTAMPTZ": types.TIMESTAMP_TZ,
    "BOOLEAN": types.BOOLEAN,
    "TINYINT": Type("tinyint"),
    "SMALLINT": Type("smallint"),
    "BIGINT": types.BIGINT,
    "DOUBLE": types.DOUBLE,
    "DATE": types.DATE,
    "JSON": types.JSON,
    "UUID": Type("uuid"),
    "IPADDRESS": Type("ipaddress"),
}


def data_type(kind: Any, node: exp.Expr) -> Type:
    """
    Return the type that a cast names.

    :raises QueryError: TYPE_NOT_FOUND.
    """
    inside = kind.this
    if isinstance(inside, exp.Interval):
        return types.INTERVAL_YEAR if "YEAR" in inside.sql().upper() else types.INTERVAL_DAY
    name = getattr(inside, "name", str(inside))
    if name in _TYPES:
        return _TYPES[name]
    given = [part.name for part in kind.expressions if isinstance(part, exp.DataTypeParam)]
    if not all(part.isdigit() for part in given):
        raise QueryError("TYPE_NOT_FOUND", f"Unknown type: {kind.sql('trino').lower()}", position(node))
    numbers = tuple(map(int, given))
    if name in ("TIMESTAMP", "TIME") and numbers == (3,):
        # The precision that they have by default: a literal with milliseconds is of the type of any column.
        return Type(name.lower())
    if name in ("VARCHAR", "CHAR", "TIMESTAMP", "TIME"):
        return Type(name.lower(), numbers)
    if name == "DECIMAL":
        return types.decimal(numbers[0], numbers[1] if len(numbers) > 1 else 0) if numbers else types.decimal(38, 0)
    if name == "ARRAY" and len(kind.expressions) == 1:
        return types.array(data_type(kind.expressions[0], node))
    if name == "MAP" and len(kind.expressions) == 2:
        return Type("map", tuple(data_type(part, node) for part in kind.expressions))
    if name == "STRUCT":
        return Type("row", tuple(_row_field(part, node) for part in kind.expressions))
    written = "string" if name == "TEXT" else kind.sql("trino").lower()
    raise QueryError("TYPE_NOT_FOUND", f"Unknown type: {written}", position(node))


def _row_field(part: exp.Expr, node: exp.Expr) -> tuple[str | None, Type]:
    if isinstance(part, exp.ColumnDef):
        return part.name.lower(), data_type(part.args["kind"], node)
    return None, data_type(part, node)


@compiles(exp.Case)
def _case(node: exp.Case, scope: Scope) -> Value:
    subject = compile_expression(node.this, scope) if node.this is not None else None
    branches, results = [], []
    for branch in node.args["ifs"]:
        if subject is None:
            condition = boolean(branch.this, scope, "CASE WHEN clause")
        else:
            condition = compare("=", subject, compile_expression(branch.this, scope), partial(position, branch.this))
        result = compile_expression(branch.args["true"], scope)
        branches.append(condition.sql)
        results.append((result, branch.args["true"]))
    default = node.args.get("default")
    if default is not None:
        results.append((compile_expression(default, scope), default))
    shared = unify(results, "All CASE results")
    texts = [casts.coerce(value, shared) for value, _ in results]
    whens = " ".join(f"WHEN {condition} THEN {text}" for condition, text in zip(branches, texts, strict=False))
    otherwise = f" ELSE {texts[-1]}" if default is not None else ""
    return Value(f"CASE {whens}{otherwise} END", shared)


@compiles(exp.If)
def _if(node: exp.If, scope: Scope) -> Value:
    condition = boolean(node.this, scope, "IF condition")
    branches = [part for part in (node.args["true"], node.args.get("false")) if part is not None]
    values = [(compile_expression(part, scope), part) for part in branches]
    shared = unify(values, "Result types for IF")
    texts = [casts.coerce(value, shared) for value, _ in values]
    otherwise = f" ELSE {texts[1]}" if len(texts) > 1 else ""
    return Value(f"CASE WHEN {condition.sql} THEN {texts[0]}{otherwise} END", shared)


@compiles(exp.Array)
def _array(node: exp.Array, scope: Scope) -> Value:
    values = [(compile_expression(item, scope), item) for item in node.expressions]
    element = unify(values, "All ARRAY elements")
    items = ", ".join(casts.coerce(value, element) for value, _ in values)
    return Value(f"CAST([{items}] AS {types.duckdb(element)}[])", types.array(element))


@compiles(exp.Tuple)
def _tuple(node: exp.Tuple, scope: Scope) -> Value:
    if not node.expressions:
        raise QueryError("SYNTAX_ERROR", "mismatched input ')'. Expecting: <expression>", position(node))
    return row([compile_expression(item, scope) for item in node.expressions])


def row(values: list[Value]) -> Value:
    """Make a row of these values, with unnamed fields."""
    kind = Type("row", tuple((None, value.type) for value in values))
    fields = ", ".join(
        f"{types.row_field(kind, index)} := CAST({value.sql} AS {types.duckdb(value.type)})"
        for index, value in enumerate(values)
    )
    return Value(f"struct_pack({fields})", kind)


@compiles(exp.Bracket)
def _subscript(node: exp.Bracket, scope: Scope) -> Value:
    base = compile_expression(node.this, scope)
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        raise unsupported(node, "A slice")
    key = compile_expression(node.expressions[0], scope)
    if base.type.base == "array" and key.type.is_integer:
        return _element(base, key)
    if base.type.base == "map" and types.common(base.type.args[0], key.type) is not None:
        missing = f"'INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || CAST({key.sql} AS VARCHAR)"
        value = types.duckdb(base.type.args[1])
        failure = f"{macros.fail(missing, 'VARCHAR')}::{value}"
        found = f"{base.sql} IS NULL OR map_contains({base.sql}, {key.sql})"
        sql = f"CASE WHEN {found} THEN map_extract_value({base.sql}, {key.sql}) ELSE {failure} END"
        return Value(sql, base.type.args[1])
    if base.type.base == "row" and isinstance(node.expressions[0], exp.Literal):
        index = int(node.expressions[0].this) - 1
        if 0 <= index < len(base.type.args):
            name = types.text(types.row_field(base.type, index))
            return Value(f"struct_extract({base.sql}, {name})", base.type.args[index][1])
    raise mismatch(f"Cannot use {key.type} for subscript of {base.type}", position(node))


def _element(base: Value, key: Value) -> Value:
    name = types.duckdb(base.type.element)
    rule = "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: "
    beyond = f"'{rule}' || {key.sql} || ' > ' || len({base.sql})"
    below = f"'INVALID_FUNCTION_ARGUMENT: Array subscript is negative or zero: ' || {key.sql}"
    sql = (
        f"CASE WHEN {key.sql} > len({base.sql}) THEN {macros.fail(beyond, 'VARCHAR')}::{name}"
        f" WHEN {key.sql} < 1 THEN {macros.fail(below, 'VARCHAR')}::{name} ELSE list_extract({base.sql}, {key.sql}) END"
    )
    return Value(sql, base.type.element)
