"""Function calls: arguments, overloads, lambdas, aggregates with DISTINCT, ORDER BY and FILTER, and windows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts, functions, signatures
from localaws.athena.sql.dispatch import compile_expression, compiles
from localaws.athena.sql.operators import boolean, divide
from localaws.athena.sql.parse import Position, position, unsupported
from localaws.athena.sql.scope import Scope, Value, mismatch
from localaws.athena.sql.signatures import Binding, Signature
from localaws.athena.types import Type

#: functions that a signature cannot describe, by name: given the call and the scope.
SPECIAL: dict[str, Callable[[Call, Scope], Value]] = {}

_FRESH = re.compile(r"\{([a-z])\}")
_BODY = re.compile(r"\{(\d+)\[(.*?)\]\}")


@dataclass(frozen=True)
class Call:
    """A call taken apart: ``order`` is the SQL of an ORDER BY inside it, ``over`` of what follows it."""

    name: str
    arguments: list[exp.Expr]
    node: exp.Expr
    distinct: bool = False
    order: list[exp.Ordered] = field(default_factory=list)
    over: str = ""
    windowed: bool = False
    ignore_nulls: bool = False

    @property
    def place(self) -> Position | None:
        """Where the call stands."""
        return position(self.node)


def special(*names: str) -> Callable[[Callable[[Call, Scope], Value]], Callable[[Call, Scope], Value]]:
    """Register a function as what these functions do."""

    def register(function: Callable[[Call, Scope], Value]) -> Callable[[Call, Scope], Value]:
        for name in names:
            SPECIAL[name] = function
        return function

    return register


@compiles(exp.Anonymous)
def _anonymous(node: exp.Anonymous, scope: Scope) -> Value:
    return compile_call(take_apart(node), scope)


def take_apart(node: exp.Expr) -> Call:
    """Split a call into its parts. DISTINCT and ORDER BY are wrapped around its last argument."""
    arguments, order, distinct = list(node.expressions), [], False
    while arguments and isinstance(arguments[-1], exp.Order | exp.Distinct):
        last = arguments.pop()
        if isinstance(last, exp.Order):
            order = last.expressions
            if last.this is None:
                raise QueryError("SYNTAX_ERROR", "mismatched input 'ORDER'. Expecting: <expression>", position(node))
            arguments.append(last.this)
        else:
            distinct = True
            arguments.extend(last.expressions)
    return Call(str(node.name or node.this).lower(), arguments, node, distinct, order)


def call(name: str, arguments: list[exp.Expr], node: exp.Expr, scope: Scope) -> Value:
    """Compile a call that is written as something else, such as ``EXTRACT(YEAR FROM x)``."""
    return compile_call(Call(name, arguments, node), scope)


def compile_call(this: Call, scope: Scope) -> Value:
    """
    Compile a call to DuckDB's SQL.

    :raises QueryError: FUNCTION_NOT_FOUND, or what is wrong with its arguments.
    """
    _check_place(this, scope)
    if this.name in SPECIAL:
        return SPECIAL[this.name](this, scope)
    if this.name == "count" and (not this.arguments or isinstance(this.arguments[0], exp.Star)):
        return Value(f"count(*){this.over}", types.BIGINT)
    inner = scope
    if functions.is_aggregate(this.name) and not this.windowed:
        inner = scope.within(aggregates=False, clause=f"aggregation '{this.name}'")
    values = [None if isinstance(a, exp.Lambda) else compile_expression(a, inner) for a in this.arguments]
    if values and values[0] is not None and values[0].type.base == "decimal" and this.name in _DECIMALS:
        return _DECIMALS[this.name](this, [value for value in values if value is not None])
    kinds = [None if value is None else value.type for value in values]
    signature, binding = functions.resolve(this.name, kinds, this.place)
    _check_kind(signature, this)
    return _fill(this, signature, binding, values, inner)


def _check_place(this: Call, scope: Scope) -> None:
    if this.windowed or not functions.is_aggregate(this.name) or scope.aggregates:
        return
    if scope.clause.startswith("aggregation"):
        raise QueryError(
            "NESTED_AGGREGATION", f"Cannot nest aggregations inside {scope.clause}: [{this.name}]", this.place
        )
    raise QueryError(
        "EXPRESSION_NOT_SCALAR",
        f"{scope.clause} clause cannot contain aggregations, window functions or grouping operations: [{this.name}]",
        this.place,
    )


def _check_kind(signature: Signature, this: Call) -> None:
    if signature.window and not this.windowed:
        raise QueryError("MISSING_OVER", f"Window function {this.name} requires an OVER clause", this.place)
    if not signature.aggregate and (this.distinct or this.order or (this.over and not signature.window)):
        raise QueryError("FUNCTION_NOT_AGGREGATE", f"{this.name} is not an aggregate function", this.place)


def _fill(this: Call, signature: Signature, binding: Binding, values: list[Value | None], scope: Scope) -> Value:
    zone = next((v.type.zone for v in values if v is not None and v.type.base == types.TIMESTAMP_TZ.base), "UTC")
    local = zone != "UTC" and "D" in binding.variables
    texts: dict[str, str] = {}
    for index, value in enumerate(values):
        if value is not None:
            wanted = binding.resolve(signature.parameter(index))
            localised = local and signature.parameter(index).base == "?D"
            texts[str(index)] = f"timezone({types.text(zone)}, {value.sql})" if localised else _argument(value, wanted)
    template = _with_fresh_names(signature.template, scope)
    template, texts = _with_bodies(template, signature, binding, this, scope, texts)
    returns = binding.resolve(signature.returns)
    names = {name: types.duckdb(kind) for name, kind in binding.variables.items()}
    if local:
        names["D"] = "TIMESTAMP"
    plain = [texts[str(index)] for index in range(len(values)) if str(index) in texts]
    texts |= names | {"all": ", ".join(plain), "args": _inside(this, plain, scope), "over": this.over}
    sql = signatures.fill(template, texts)
    if local and returns.base == types.TIMESTAMP_TZ.base:
        sql = f"timezone({types.text(zone)}, {sql})"
    return Value(sql, returns)


def _argument(value: Value, wanted: Type) -> str:
    if wanted.base in ("any", "decimal", "function") or value.type.base == wanted.base != "array":
        return value.sql
    if value.type.base == "unknown":
        return f"CAST(NULL AS {types.duckdb(wanted)})"
    if value.type.is_integer and wanted.is_integer:
        return f"CAST({value.sql} AS {types.duckdb(wanted)})"
    return casts.coerce(value, wanted)


def _inside(this: Call, arguments: list[str], scope: Scope) -> str:
    distinct = "DISTINCT " if this.distinct else ""
    nulls = " IGNORE NULLS" if this.ignore_nulls else ""
    return f"{distinct}{', '.join(arguments)}{nulls}{order_by(this.order, scope)}"


def order_by(terms: list[exp.Ordered], scope: Scope) -> str:
    """`` ORDER BY ...`` with Trino's order of NULLs (last, unless the query says otherwise); empty without terms."""
    if not terms:
        return ""
    return " ORDER BY " + ", ".join(f"{compile_expression(t.this, scope).sql}{direction(t)}" for t in terms)


def direction(term: exp.Ordered) -> str:
    """Return what follows a term of ORDER BY."""
    return f"{' DESC' if term.args.get('desc') else ''} NULLS {'FIRST' if term.args.get('nulls_first') else 'LAST'}"


def _with_fresh_names(template: str, scope: Scope) -> str:
    names = {match[1] for match in _FRESH.finditer(template)}
    for name in sorted(names):
        template = template.replace(f"{{{name}}}", scope.analysis.fresh(name))
    return template


def _with_bodies(
    template: str, signature: Signature, binding: Binding, this: Call, scope: Scope, texts: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Compile the lambdas, in the order of the arguments: what one returns may be what the next one takes."""
    for match in sorted(_BODY.finditer(template), key=lambda match: int(match[1])):
        index = int(match[1])
        pattern = signature.parameter(index)
        names = [signatures.fill(part, texts) for part in signatures.split(match[2])]
        kinds = [binding.resolve(part) for part in pattern.args[:-1]]
        body = _body(this.arguments[index], names, kinds, scope)
        if not binding.match(pattern.args[-1], body.type):
            raise mismatch(f"Unexpected lambda result type {body.type} for function {this.name}", this.place)
        key = f"body{index}"
        template, texts = template.replace(match[0], f"{{{key}}}"), texts | {key: body.sql}
    return template, texts


def _body(node: exp.Expr, names: list[str], kinds: list[Type], scope: Scope) -> Value:
    parameters = [part.name.lower() for part in node.expressions]
    if len(parameters) != len(kinds):
        message = f"Expected a lambda that takes {len(kinds)} argument(s) but got {len(parameters)}"
        raise QueryError("INVALID_PARAMETER_USAGE", message, position(node))
    given = {p: Value(sql, kind) for p, sql, kind in zip(parameters, names, kinds, strict=True)}
    return compile_expression(node.this, scope.within(parameters={**scope.parameters, **given}))


def _sum_of_decimals(this: Call, values: list[Value]) -> Value:
    kind = types.decimal(38, values[0].type.args[1])
    distinct = "DISTINCT " if this.distinct else ""
    return Value(f"CAST(sum({distinct}{values[0].sql}){this.over} AS {types.duckdb(kind)})", kind)


def _average_of_decimals(this: Call, values: list[Value]) -> Value:
    total = _sum_of_decimals(this, values)
    distinct = "DISTINCT " if this.distinct else ""
    count = Value(f"CAST(count({distinct}{values[0].sql}){this.over} AS DECIMAL(19,0))", types.decimal(19, 0))
    ratio = divide(total, count)
    kind = values[0].type
    return Value(f"CASE WHEN {count.sql} > 0 THEN CAST({ratio.sql} AS {types.duckdb(kind)}) END", kind)


def _whole_decimal(this: Call, values: list[Value]) -> Value:
    precision, scale = values[0].type.args
    if len(values) > 1:
        kind = types.decimal(precision + 1, scale)
        name = "round" if this.name == "round" else "trunc"
        return Value(f"CAST({name}({values[0].sql}, CAST({values[1].sql} AS INTEGER)) AS {types.duckdb(kind)})", kind)
    kind = types.decimal(precision - scale + min(scale, 1), 0)
    name = {"ceiling": "ceil", "truncate": "trunc"}.get(this.name, this.name)
    return Value(f"CAST({name}({values[0].sql}) AS {types.duckdb(kind)})", kind)


#: functions whose result's precision depends on that of a decimal argument.
_DECIMALS: dict[str, Callable[[Call, list[Value]], Value]] = {
    "sum": _sum_of_decimals,
    "avg": _average_of_decimals,
    **dict.fromkeys(("round", "ceil", "ceiling", "floor", "truncate"), _whole_decimal),
}


@compiles(exp.Filter)
def _filter(node: exp.Filter, scope: Scope) -> Value:
    return compile_call(_filtered(node, scope), scope)


def _filtered(node: exp.Filter, scope: Scope) -> Call:
    inner = scope.within(aggregates=False, clause="FILTER")
    condition = boolean(node.expression.this, inner, "FILTER clause")
    this = _listagg(node.this) if isinstance(node.this, exp.GroupConcat) else take_apart(node.this)
    return Call(this.name, this.arguments, this.node, this.distinct, this.order, f" FILTER (WHERE {condition.sql})")


@compiles(exp.Window)
def _window(node: exp.Window, scope: Scope) -> Value:
    inner, ignore = node.this, False
    if isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
        ignore = isinstance(inner, exp.IgnoreNulls)
        inner = inner.this
    if isinstance(inner, exp.Filter):
        this = _filtered(inner, scope)
    elif isinstance(inner, exp.GroupConcat):
        raise unsupported(node, "LISTAGG over a window")
    else:
        this = take_apart(inner)
    over = f"{this.over} OVER {_frame(node, scope)}"
    return compile_call(Call(this.name, this.arguments, node, this.distinct, this.order, over, True, ignore), scope)


def _frame(node: exp.Window, scope: Scope) -> str:
    if node.args.get("alias") is not None and not node.args.get("partition_by") and not node.args.get("order"):
        return _window_name(node, scope)
    return f"({window_specification(node, scope)})"


def window_specification(node: exp.Window, scope: Scope) -> str:
    """Return what is between the parentheses of OVER or of a named window."""
    parts = [_window_name(node, scope)] if node.args.get("alias") is not None else []
    if node.args.get("partition_by"):
        keys = ", ".join(compile_expression(key, scope).sql for key in node.args["partition_by"])
        parts.append(f"PARTITION BY {keys}")
    if node.args.get("order") is not None:
        parts.append(order_by(node.args["order"].expressions, scope).strip())
    spec = node.args.get("spec")
    if spec is not None:
        start, end = _bound(spec, "start", scope), _bound(spec, "end", scope)
        if not start:
            raise QueryError("SYNTAX_ERROR", "mismatched input ')'. Expecting: 'BETWEEN', <frameBound>", position(node))
        parts.append(f"{spec.args['kind']} BETWEEN {start} AND {end}" if end else f"{spec.args['kind']} {start}")
    return " ".join(parts)


def _window_name(node: exp.Window, scope: Scope) -> str:
    name = node.args["alias"].name.lower()
    if name not in scope.windows:
        raise QueryError("INVALID_WINDOW_REFERENCE", f"Cannot resolve WINDOW name {name}", position(node.args["alias"]))
    return types.quote(name)


def _bound(spec: exp.Expr, which: str, scope: Scope) -> str:
    bound, side = spec.args.get(which), spec.args.get(f"{which}_side")
    if bound is None:
        return ""
    text = compile_expression(bound, scope).sql if isinstance(bound, exp.Expr) else str(bound)
    return f"{text} {side}" if side else text


@compiles(exp.GroupConcat)
def _string_aggregate(node: exp.GroupConcat, scope: Scope) -> Value:
    return compile_call(_listagg(node), scope)


def _listagg(node: exp.GroupConcat) -> Call:
    this = node.this
    order = this.expressions if isinstance(this, exp.Order) else []
    value = this.this if isinstance(this, exp.Order) else this
    distinct = isinstance(value, exp.Distinct)
    value = value.expressions[0] if distinct else value
    separator = node.args.get("separator") or exp.Literal.string("")
    return Call("listagg", [value, separator], node, distinct, order)


@special("listagg")
def _compile_listagg(this: Call, scope: Scope) -> Value:
    inner = scope.within(aggregates=False, clause=f"aggregation '{this.name}'")
    value, separator = (compile_expression(argument, inner) for argument in this.arguments)
    if not value.type.is_text:
        raise mismatch(f"LISTAGG expects a varchar (actual: {value.type})", this.place)
    distinct = "DISTINCT " if this.distinct else ""
    return Value(
        f"string_agg({distinct}{value.sql}, {separator.sql}{order_by(this.order, inner)}){this.over}", types.VARCHAR
    )


def has_aggregate(node: exp.Expr) -> bool:
    """Return True if the expression has an aggregate (not over a window, not in a subquery)."""
    if isinstance(node, exp.Query | exp.Values):
        return False
    if isinstance(node, exp.GroupConcat):
        return True
    if isinstance(node, exp.Window):
        parts = list(node.this.iter_expressions()) + [
            v for k in ("partition_by", "order") for v in _listed(node.args.get(k))
        ]
        return any(has_aggregate(part) for part in parts)
    if isinstance(node, exp.Anonymous) and functions.is_aggregate(str(node.this).lower()):
        return True
    return any(has_aggregate(part) for part in node.iter_expressions())


def _listed(value: object) -> list[exp.Expr]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, exp.Expr) else []
