"""Which function compiles which node of the tree; the modules beside this one register theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlglot import exp

from localaws.athena import types
from localaws.athena.sql.parse import position, unsupported
from localaws.athena.sql.scope import Relation, Scope, Value, mismatch
from localaws.athena.types import Type

Compiler = Callable[[Any, Scope], Value]
_COMPILERS: dict[type[exp.Expr], Compiler] = {}


def compiles(*kinds: type[exp.Expr]) -> Callable[[Compiler], Compiler]:
    """Register a function as the one that compiles these nodes."""

    def register(function: Compiler) -> Compiler:
        for kind in kinds:
            _COMPILERS[kind] = function
        return function

    return register


def compile_expression(node: exp.Expr, scope: Scope) -> Value:
    """
    ``node`` in DuckDB's SQL.

    :raises QueryError: it has a wrong name, a wrong type, or is something that this engine does not do.
    """
    compiler = _COMPILERS.get(type(node))
    if compiler is None:
        raise unsupported(node, f"{type(node).__name__} ({node.sql('trino')})")
    return compiler(node, scope)


def unify(values: Iterable[tuple[Value, exp.Expr]], what: str) -> Type:
    """
    Return the type that all values can be coerced to.

    :raises QueryError: TYPE_MISMATCH, there is none.
    """
    shared: Type = types.UNKNOWN
    for value, node in values:
        found = types.common(shared, value.type)
        if found is None:
            kinds = f"{shared} and {value.type}"
            rule = f"{what} must be the same type or coercible to a common type."
            raise mismatch(f"{rule} Cannot find common type between {kinds}", position(node))
        shared = found
    return shared


class Known(exp.Expression):
    """A place in the tree that is compiled already: a column that a star stands for need not have a name to go by."""

    arg_types = {"value": True}


def known(value: Value) -> Known:
    """Return a node that compiles to ``value``."""
    return Known(value=value)


@compiles(Known)
def _known(node: Known, _: Scope) -> Value:
    value: Value = node.args["value"]
    return value


QueryCompiler = Callable[..., Relation]
_QUERY_COMPILERS: list[QueryCompiler] = []
_Provided = TypeVar("_Provided", bound=QueryCompiler)


def provide_query_compiler(function: _Provided) -> _Provided:
    """Register what compiles a whole query: FROM and subqueries need it, and it needs them."""
    _QUERY_COMPILERS[:] = [function]
    return function


def query_compiler() -> QueryCompiler:
    """Return the function that compiles a whole query."""
    return _QUERY_COMPILERS[0]
