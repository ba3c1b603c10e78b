"""Calls that no signature describes: any number of arguments of a common type, formats, zones, rows, and odd syntax."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts, functions_date
from localaws.athena.sql.calls import Call, call, special
from localaws.athena.sql.dispatch import compile_expression, compiles, unify
from localaws.athena.sql.expressions import row
from localaws.athena.sql.operators import compare, join
from localaws.athena.sql.parse import Position, position, unsupported
from localaws.athena.sql.render import as_text
from localaws.athena.sql.scope import Scope, Value, mismatch
from localaws.athena.types import Type


def _values(this: Call, scope: Scope, least: int, most: int | None = None) -> list[Value]:
    if len(this.arguments) < least or (most is not None and len(this.arguments) > most):
        raise QueryError("FUNCTION_NOT_FOUND", f"Unexpected parameters for function {this.name}", this.place)
    return [compile_expression(argument, scope) for argument in this.arguments]


def _literal(this: Call, index: int) -> str:
    """Return the text of an argument that DuckDB must know before the query runs."""
    argument = this.arguments[index]
    if isinstance(argument, exp.Literal) and argument.is_string:
        return str(argument.this)
    raise unsupported(this.node, f"{this.name} with a format or zone that is not a literal")


@special("coalesce")
def _coalesce(this: Call, scope: Scope) -> Value:
    values = _values(this, scope, 2)
    shared = unify(zip(values, this.arguments, strict=True), "All COALESCE operands")
    return Value(f"coalesce({', '.join(casts.coerce(value, shared) for value in values)})", shared)


@special("nullif")
def _nullif(this: Call, scope: Scope) -> Value:
    first, second = _values(this, scope, 2, 2)
    equal = compare("=", first, second, lambda: this.place)
    return Value(f"CASE WHEN {equal.sql} THEN NULL ELSE {first.sql} END", first.type)


@special("greatest", "least")
def _extreme(this: Call, scope: Scope) -> Value:
    values = _values(this, scope, 1)
    shared = unify(zip(values, this.arguments, strict=True), f"All {this.name} arguments")
    texts = [casts.coerce(value, shared) for value in values]
    missing = " OR ".join(f"{text} IS NULL" for text in texts)
    return Value(f"CASE WHEN NOT ({missing}) THEN {this.name}({', '.join(texts)}) END", shared)


@special("concat")
def _concat(this: Call, scope: Scope) -> Value:
    return join(_values(this, scope, 2), lambda: this.place)


@special("try")
def _try(this: Call, scope: Scope) -> Value:
    (value,) = _values(this, scope, 1, 1)
    return Value(f"TRY({value.sql})", value.type)


@special("row")
def _row(this: Call, scope: Scope) -> Value:
    return row(_values(this, scope, 1))


@special("typeof")
def _typeof(this: Call, scope: Scope) -> Value:
    (value,) = _values(this, scope, 1, 1)
    return Value(types.text(str(value.type)), types.VARCHAR)


@special("map")
def _map(this: Call, scope: Scope) -> Value:
    if this.arguments:
        keys, values = _values(this, scope, 2, 2)
        if keys.type.base == values.type.base == "array":
            return Value(f"map({keys.sql}, {values.sql})", Type("map", (keys.type.element, values.type.element)))
        raise mismatch(f"Unexpected parameters ({keys.type}, {values.type}) for function map", this.place)
    return Value("CAST(MAP {} AS MAP(VARCHAR, VARCHAR))", Type("map", (types.UNKNOWN, types.UNKNOWN)))


@special("map_entries")
def _map_entries(this: Call, scope: Scope) -> Value:
    (value,) = _values(this, scope, 1, 1)
    if value.type.base != "map":
        raise mismatch(f"Unexpected parameters ({value.type}) for function map_entries", this.place)
    kind = types.array(Type("row", ((None, value.type.args[0]), (None, value.type.args[1]))))
    entry = scope.analysis.fresh("e")
    pair = f"struct_pack(field0 := {entry}.key, field1 := {entry}.value)"
    return Value(f"list_transform(map_entries({value.sql}), lambda {entry}: {pair})", kind)


@special("map_from_entries")
def _map_from_entries(this: Call, scope: Scope) -> Value:
    (value,) = _values(this, scope, 1, 1)
    kind = value.type.element if value.type.base == "array" else value.type
    if kind.base != "row" or len(kind.args) != 2:
        raise mismatch(f"Unexpected parameters ({value.type}) for function map_from_entries", this.place)
    fields = [types.text(types.row_field(kind, index)) for index in range(2)]
    entry = scope.analysis.fresh("e")
    lists = [f"list_transform({value.sql}, lambda {entry}: struct_extract({entry}, {name}))" for name in fields]
    return Value(f"map({lists[0]}, {lists[1]})", Type("map", (kind.args[0][1], kind.args[1][1])))


@special("zip")
def _zip(this: Call, scope: Scope) -> Value:
    values = _values(this, scope, 2)
    kind = Type("row", tuple((None, value.type.element) for value in values))
    index = scope.analysis.fresh("i")
    longest = ", ".join(f"len({value.sql})" for value in values)
    fields = ", ".join(f"field{n} := list_extract({value.sql}, {index})" for n, value in enumerate(values))
    sql = f"list_transform(generate_series(1, greatest({longest})), lambda {index}: struct_pack({fields}))"
    return Value(sql, types.array(kind))


@special("array_join")
def _array_join(this: Call, scope: Scope) -> Value:
    values = _values(this, scope, 2, 3)
    if values[0].type.base != "array":
        raise mismatch(f"Unexpected parameters ({values[0].type}) for function array_join", this.place)
    item = scope.analysis.fresh("e")
    text = as_text(item, values[0].type.element)
    if len(values) == 3:
        text = f"coalesce({text}, {values[2].sql})"
    return Value(
        f"array_to_string(list_transform({values[0].sql}, lambda {item}: {text}), {values[1].sql})", types.VARCHAR
    )


@special("date_format", "format_datetime")
def _date_format(this: Call, scope: Scope) -> Value:
    value, _ = _values(this, scope, 2, 2)
    pattern = _translated(this, 1)
    if value.type.base not in ("date", "timestamp", "timestamp with time zone"):
        expected = f"{this.name}(timestamp(p), varchar(x)), {this.name}(timestamp(p) with time zone, varchar(x))"
        message = f"Unexpected parameters ({value.type}, varchar) for function {this.name}. Expected: {expected}"
        raise QueryError("FUNCTION_NOT_FOUND", message, this.place)
    return Value(f"strftime({_local(value)}, {types.text(pattern)})", types.VARCHAR)


@special("date_parse", "parse_datetime")
def _date_parse(this: Call, scope: Scope) -> Value:
    value, _ = _values(this, scope, 2, 2)
    if not (value.type.is_text or value.type.base == "unknown"):
        expected = f"{this.name}(varchar(x), varchar(y))"
        message = f"Unexpected parameters ({value.type}, varchar) for function {this.name}. Expected: {expected}"
        raise QueryError("FUNCTION_NOT_FOUND", message, this.place)
    parsed = f"strptime({value.sql}, {types.text(_translated(this, 1))})"
    if this.name == "date_parse":
        return Value(f"CAST({parsed} AS TIMESTAMP)", types.TIMESTAMP)
    return Value(f"CAST({parsed} AS TIMESTAMPTZ)", types.TIMESTAMP_TZ)


def _translated(this: Call, index: int) -> str:
    translate: Callable[[str], str] = (
        functions_date.joda_format if "datetime" in this.name else functions_date.mysql_format
    )
    try:
        return translate(_literal(this, index))
    except ValueError as error:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", str(error), this.place) from error


def _local(value: Value) -> str:
    if value.type.base == types.TIMESTAMP_TZ.base:
        return f"timezone({types.text(value.type.zone)}, {value.sql})"
    return f"CAST({value.sql} AS TIMESTAMP)"


@special("at_timezone")
def _at_timezone(this: Call, scope: Scope) -> Value:
    value, _ = _values(this, scope, 2, 2)
    return _in_zone(value, _literal(this, 1), this.place)


@special("with_timezone")
def _with_timezone(this: Call, scope: Scope) -> Value:
    value, _ = _values(this, scope, 2, 2)
    zone = _literal(this, 1)
    return Value(
        f"timezone({types.text(zone)}, CAST({value.sql} AS TIMESTAMP))", Type(types.TIMESTAMP_TZ.base, (zone,))
    )


@compiles(exp.AtTimeZone)
def _at_zone(node: exp.AtTimeZone, scope: Scope) -> Value:
    zone = node.args["zone"]
    if not (isinstance(zone, exp.Literal) and zone.is_string):
        raise unsupported(node, "AT TIME ZONE with a zone that is not a literal")
    return _in_zone(compile_expression(node.this, scope), zone.this, position(node))


def _in_zone(value: Value, zone: str, place: Position | None) -> Value:
    if value.type.base not in ("timestamp", types.TIMESTAMP_TZ.base):
        raise mismatch(
            f"Type of value must be a time or timestamp with or without time zone (actual {value.type})", place
        )
    return Value(f"CAST({value.sql} AS TIMESTAMPTZ)", Type(types.TIMESTAMP_TZ.base, (zone,)))


@special("grouping")
def _grouping(this: Call, scope: Scope) -> Value:
    columns = ", ".join(value.sql for value in _values(this, scope, 1))
    return Value(f"CAST(grouping({columns}) AS INTEGER)", types.INTEGER)


_SPECIFIER = re.compile(
    r"%(?:(?P<percent>%)|(?P<newline>n)|(?P<flags>[-,0+ ]*)(?P<width>\d*)(?P<precision>\.\d+)?(?P<kind>[sdfexX]))"
)


@special("format")
def _format(this: Call, scope: Scope) -> Value:
    values = _values(this, scope, 1)[1:]
    pattern, parts, at = _literal(this, 0), [], 0
    for match in _SPECIFIER.finditer(pattern):
        parts.append(types.text(pattern[at : match.start()]))
        at = match.end()
        if match["percent"] or match["newline"]:
            parts.append(types.text("%" if match["percent"] else "\n"))
        elif values:
            parts.append(_formatted(match, values.pop(0)))
        else:
            raise QueryError(
                "INVALID_FUNCTION_ARGUMENT", f"Invalid format string: {pattern} (MissingFormatArgument)", this.place
            )
    parts.append(types.text(pattern[at:]))
    return Value("(" + " || ".join(parts) + ")", types.VARCHAR)


def _formatted(match: re.Match[str], value: Value) -> str:
    flags, kind = match["flags"], match["kind"]
    precision = match["precision"] or ""
    if kind == "s":
        text = f"coalesce({as_text(value.sql, value.type)}, 'null')"
        return f"printf({types.text('%' + flags + match['width'] + precision + 's')}, {text})"
    number = f"CAST({value.sql} AS {'BIGINT' if kind in 'dxX' else 'DOUBLE'})"
    if "," in flags:
        text = f"format({types.text('{:,' + (precision or '.6') * (kind == 'f') + kind + '}')}, {number})"
    else:
        text = f"printf({types.text('%' + flags + match['width'] + precision + kind)}, {number})"
    return f"coalesce({text}, 'null')"


_FIELDS = {"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week"}


@compiles(exp.Extract)
def _extract(node: exp.Extract, scope: Scope) -> Value:
    unit = node.this.name.lower()
    return call(_FIELDS.get(unit, unit), [node.expression], node, scope)


@compiles(exp.Trim)
def _trim(node: exp.Trim, scope: Scope) -> Value:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")).upper(), "trim")
    arguments = [part for part in (node.this, node.args.get("expression")) if part is not None]
    return call(name, arguments, node, scope)


@compiles(exp.Substring)
def _substring(node: exp.Substring, scope: Scope) -> Value:
    arguments = [node.this, node.args.get("start"), node.args.get("length")]
    return call("substr", [part for part in arguments if part is not None], node, scope)


@compiles(exp.StrPosition)
def _position(node: exp.StrPosition, scope: Scope) -> Value:
    return call("strpos", [node.this, node.args["substr"]], node, scope)


@compiles(exp.Normalize)
def _normalize(node: exp.Normalize, scope: Scope) -> Value:
    form = node.args.get("form")
    if form is not None and form.name.upper() != "NFC":
        raise unsupported(node, f"normalize to {form.name.upper()}")
    return call("normalize", [node.this], node, scope)


@compiles(exp.ParseJSON)
def _json_literal(node: exp.ParseJSON, scope: Scope) -> Value:
    return Value(f"json({compile_expression(node.this, scope).sql})", types.JSON)


@compiles(exp.CurrentDate)
def _current_date(_node: exp.CurrentDate, _: Scope) -> Value:
    return Value("CAST(now() AS DATE)", types.DATE)


@compiles(exp.CurrentTimestamp)
def _current_timestamp(_node: exp.CurrentTimestamp, _: Scope) -> Value:
    return Value("now()", types.TIMESTAMP_TZ)


@special("current_timestamp", "localtimestamp")
def _precise_timestamp(this: Call, _: Scope) -> Value:
    local = this.name == "localtimestamp"
    return Value("CAST(now() AS TIMESTAMP)" if local else "now()", types.TIMESTAMP if local else types.TIMESTAMP_TZ)


@compiles(exp.Localtimestamp)
def _local_timestamp(_node: exp.Localtimestamp, _: Scope) -> Value:
    return Value("CAST(now() AS TIMESTAMP)", types.TIMESTAMP)


@compiles(exp.Localtime)
def _local_time(_node: exp.Localtime, _: Scope) -> Value:
    return Value("CAST(now() AS TIME)", types.TIME)


@compiles(exp.Interval)
def _interval(node: exp.Interval, _: Scope) -> Value:
    amount, sign = node.this, 1
    if isinstance(amount, exp.Neg):
        amount, sign = amount.this, -1
    unit = node.args.get("unit")
    name = unit.name.lower().removesuffix("s") if isinstance(unit, exp.Var) else ""
    maker = _MAKERS.get(name)
    written = str(amount.this).strip() if isinstance(amount, exp.Literal) else ""
    if maker is None or not re.fullmatch(r"[+-]?\d+(\.\d+)?", written):
        raise unsupported(node, f"INTERVAL ({node.sql('trino')})")
    number = float(written) * sign if "." in written else int(written) * sign
    kind = types.INTERVAL_YEAR if name in ("year", "month") else types.INTERVAL_DAY
    return Value(f"{maker}({number})", kind)


_MAKERS = {unit: f"to_{unit}s" for unit in ("second", "minute", "hour", "day", "week", "month", "year")}
