"""The functions there are, and which overload a call means."""

from __future__ import annotations

from functools import cache

from localaws.athena.errors import QueryError
from localaws.athena.sql import functions_aggregate, functions_collection, functions_date, functions_scalar, signatures
from localaws.athena.sql.parse import Position
from localaws.athena.sql.signatures import Binding, Signature
from localaws.athena.types import Type

_TABLES = (
    functions_scalar.TEXT,
    functions_scalar.BINARY,
    functions_scalar.MATH,
    functions_scalar.JSON,
    functions_date.DATE,
    functions_collection.ARRAY,
    functions_collection.MAP,
    functions_aggregate.AGGREGATE,
    functions_aggregate.WINDOW,
)


@cache
def registry() -> dict[str, list[Signature]]:
    """Return all overloads by function name."""
    found: dict[str, list[Signature]] = {}
    for table in _TABLES:
        for name, overloads in signatures.parse(table).items():
            found.setdefault(name, []).extend(overloads)
    return found


def is_aggregate(name: str) -> bool:
    """Return True if the function is an aggregate."""
    return name == "listagg" or any(signature.aggregate for signature in registry().get(name, ()))


def resolve(name: str, arguments: list[Type | None], place: Position | None) -> tuple[Signature, Binding]:
    """
    Return the overload that fits the arguments best; ``None`` among the arguments is a lambda.

    :raises QueryError: FUNCTION_NOT_FOUND.
    """
    overloads = registry().get(name)
    if overloads is None:
        raise QueryError("FUNCTION_NOT_FOUND", f"Function '{name}' not registered", place)
    best: tuple[Signature, Binding] | None = None
    for signature in overloads:
        binding = _bind(signature, arguments)
        if binding is not None and (best is None or binding.cost < best[1].cost):
            best = (signature, binding)
    if best is None:
        given = ", ".join("<lambda>" if kind is None else str(kind) for kind in arguments)
        expected = ", ".join(str(signature) for signature in overloads)
        raise QueryError(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters ({given}) for function {name}. Expected: {expected}", place
        )
    return best


def _bind(signature: Signature, arguments: list[Type | None]) -> Binding | None:
    if not signature.accepts(len(arguments)):
        return None
    binding = Binding()
    for index, argument in enumerate(arguments):
        wanted = signature.parameter(index)
        if (argument is None) != (wanted.base == "function"):
            return None
        if argument is not None and not binding.match(wanted, argument):
            return None
    return binding
