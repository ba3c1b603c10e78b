"""Numbers written with a point: doubles in an expression, and of any precision where INSERT puts them into a column."""

from __future__ import annotations

from sqlglot import exp

from localaws.athena import types
from localaws.athena.sql.parse import parse_query
from localaws.athena.types import Type

#: as many digits as a double, which such a number is until it is stored, keeps.
_EXACT = 15


def decimal_columns(sql: str) -> dict[int, Type]:
    """
    Return the columns of a query in which every row's value is written out as a number or NULL, by their index.

    :returns: the decimal type that holds all numbers of the column as they are written.
    """
    rows = _rows(parse_query(sql))
    found: dict[int, Type] = {}
    for index, column in enumerate(zip(*rows, strict=False)):
        kinds = [_decimal(item) for item in column if not isinstance(item, exp.Null)]
        known = [kind for kind in kinds if kind is not None]
        if known and len(known) == len(kinds):
            found[index] = _widest(known)
    return found


def _rows(tree: exp.Expr) -> list[list[exp.Expr]]:
    if isinstance(tree, exp.Values):
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in tree.expressions]
    else:
        rows = [tree.expressions] if isinstance(tree, exp.Select) else []
    return [[_bare(item) for item in row] for row in rows]


def _bare(item: exp.Expr) -> exp.Expr:
    while isinstance(item, exp.Alias | exp.Paren):
        item = item.this
    return item


def _decimal(item: exp.Expr) -> Type | None:
    """Return the decimal type of a number as it is written; ``None`` for all else."""
    if isinstance(item, exp.Neg):
        item = _bare(item.this)
    if not isinstance(item, exp.Literal) or item.is_string or not str(item.this).replace(".", "", 1).isdigit():
        return None
    whole, _, digits = str(item.this).partition(".")
    precision = len(whole.lstrip("0")) + len(digits) or 1
    return types.decimal(precision, len(digits)) if precision <= _EXACT else None


def _widest(kinds: list[Type]) -> Type:
    scale = max(kind.args[1] for kind in kinds)
    return types.decimal(max(kind.args[0] - kind.args[1] for kind in kinds) + scale, scale)
