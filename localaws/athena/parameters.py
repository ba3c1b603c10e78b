"""ExecutionParameters: the values that take the places of the question marks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from localaws.athena import types
from localaws.athena.errors import MalformedQuery, QueryError
from localaws.athena.sql import parse as trino


def bind(sql: str, values: Sequence[str]) -> str:
    """
    Replace each ``?`` in ``sql`` by its value, in order. Without a ``?``, the values are ignored.

    :raises QueryError: INVALID_PARAMETER_USAGE, the numbers of values and question marks differ.
    """
    places = [token for token in trino.tokens(sql) if token.token_type == TokenType.PLACEHOLDER]
    if not places:
        return sql
    if len(places) != len(values):
        message = f"Incorrect number of parameters: expected {len(places)} but found {len(values)}"
        raise QueryError("INVALID_PARAMETER_USAGE", message, (1, 1))
    for token, value in reversed(list(zip(places, values, strict=True))):
        sql = sql[: token.start] + literal(value) + sql[token.end + 1 :]
    return sql


def literal(value: str) -> str:
    """
    Return a value as SQL: an expression without names as it is, anything else as a string.

    ``'abc'``, ``1 + 1``, ``DATE '2020-01-01'`` and ``NULL`` mean themselves, and ``abc`` means ``'abc'``.
    """
    try:
        tree, ends = trino.parse(f"SELECT {value}"), trino.tokens(value)[-1].end + 1 == len(value.rstrip())
    except (MalformedQuery, IndexError):
        return types.text(value)
    plain = isinstance(tree, exp.Select) and len(tree.expressions) == 1 and set(_given(tree)) == {"expressions"}
    # What a comment ends would swallow what follows it.
    if (
        not (plain and ends)
        or isinstance(tree.expressions[0], exp.Alias | exp.Star)
        or tree.find(exp.Column, exp.Placeholder)
    ):
        return types.text(value)
    return f"({value})"


def _given(tree: exp.Expr) -> list[str]:
    return [name for name, value in tree.args.items() if value]
