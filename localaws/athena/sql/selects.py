# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""Queries: SELECT with its clauses, VALUES, set operations and WITH, each to one DuckDB SELECT of c0, c1..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import casts, pruning
from localaws.athena.sql.calls import direction, has_aggregate, window_specification
from localaws.athena.sql.dispatch import compile_expression, known, provide_query_compiler, unify
from localaws.athena.sql.grouping import compile_group, require_grouped
from localaws.athena.sql.operators import boolean
from localaws.athena.sql.parse import position, unsupported
from localaws.athena.sql.relations import compile_from
from localaws.athena.sql.scope import Analysis, Relation, Scope, Value
from localaws.athena.types import Type

Ctes = Mapping[str, Relation]


@provide_query_compiler
def compile_query(tree: exp.Expr, analysis: Analysis, ctes: Ctes, parent: Scope | None = None) -> Relation:
    """
    Compile any query.

    :param ctes: the WITH queries that may be named in it.
    :param parent: the scope of the query around it, for a subquery that may refer to its columns.
    """
    prefix, known = _with(tree, analysis, ctes, parent)
    scope = Scope(analysis, parent=parent, ctes=known)
    if isinstance(tree, exp.Select):
        relation = _select(tree, scope)
    elif isinstance(tree, exp.SetOperation):
        relation = _set_operation(tree, scope)
    elif isinstance(tree, exp.Values):
        relation = _values(tree, scope)
    elif isinstance(tree, exp.Subquery):
        relation = _parenthesised(tree, scope)
    else:
        raise unsupported(tree, tree.sql("trino"))
    return Relation(prefix + relation.sql, relation.names, relation.types)


def _with(tree: exp.Expr, analysis: Analysis, ctes: Ctes, parent: Scope | None) -> tuple[str, dict[str, Relation]]:
    known, parts = dict(ctes), []
    clause = tree.args.get("with_")
    if clause is None:
        return "", known
    for cte in clause.expressions:
        if not isinstance(cte, exp.CTE):
            raise unsupported(cte, "An inline function")
        name, label = cte.alias.lower(), analysis.fresh("w")
        renamed = [column.name.lower() for column in cte.args["alias"].args.get("columns") or ()]
        if clause.args.get("recursive") and isinstance(cte.this, exp.Union) and _mentions(cte.this, name):
            relation = _recursive(cte.this, name, label, renamed, Scope(analysis, parent=parent, ctes=known))
        else:
            relation = compile_query(cte.this, analysis, known, parent)
        columns = ", ".join(f"c{index}" for index in range(len(relation.types)))
        parts.append(f"{label}({columns}) AS ({relation.sql})")
        names: list[str | None] = list(_renamed(relation.names, renamed, cte))
        known[name] = Relation(f"SELECT {columns} FROM {label}", names, relation.types)
    recursive = "RECURSIVE " if clause.args.get("recursive") else ""
    return f"WITH {recursive}{', '.join(parts)} ", known


def _mentions(tree: exp.Expr, name: str) -> bool:
    return any(table.name.lower() == name and not table.db for table in tree.find_all(exp.Table))


def _recursive(tree: exp.Union, name: str, label: str, renamed: list[str], scope: Scope) -> Relation:
    if not renamed:
        raise QueryError("MISSING_COLUMN_ALIASES", "missing column aliases in recursive WITH query", position(tree))
    anchor = compile_query(tree.left, scope.analysis, scope.ctes, scope.parent)
    columns = ", ".join(f"c{index}" for index in range(len(anchor.types)))
    itself = Relation(f"SELECT {columns} FROM {label}", list(renamed), anchor.types)
    step = compile_query(tree.right, scope.analysis, {**scope.ctes, name: itself}, scope.parent)
    casted = ", ".join(f"CAST(c{i} AS {types.duckdb(kind)}) AS c{i}" for i, kind in enumerate(anchor.types))
    every = "" if tree.args.get("distinct") else " ALL"
    both = f"SELECT {casted} FROM ({anchor.sql}) UNION{every} SELECT {casted} FROM ({step.sql})"
    return Relation(both, list(renamed), anchor.types)


def _renamed(names: list[str | None], renamed: list[str], node: exp.Expr) -> list[str | None]:
    if not renamed:
        return names
    if len(renamed) != len(names):
        message = f"Column alias list has {len(renamed)} entries but relation has {len(names)} columns"
        raise QueryError("MISMATCHED_COLUMN_ALIASES", message, position(node))
    return list(renamed)


def _select(tree: exp.Select, scope: Scope) -> Relation:
    source = compile_from(tree, scope)
    scope = scope.within(fields=tuple(source.fields))
    where = _where(tree, scope, source.prunable)
    names, trees = _projections(tree, scope)
    group = compile_group(tree, trees, scope)
    windows = frozenset(window.this.name.lower() for window in tree.args.get("windows") or ())
    inner = scope.within(aggregates=True, windows=windows)
    values = [compile_expression(item, inner) for item in trees]
    outputs = _outputs(names, values)
    ordering = inner.within(outputs=outputs, clause="ORDER BY")
    if group is not None or any(has_aggregate(item) for item in _grouped_parts(tree, trees)):
        require_grouped(trees, group, inner)
        require_grouped(_having(tree), group, inner)
    listed = ", ".join(f"{value.sql} AS c{index}" for index, value in enumerate(values))
    clauses = [f"SELECT {_distinct(tree)}{listed}", source.sql, where, group.sql if group else ""]
    clauses += [f"HAVING {boolean(item, inner, 'HAVING clause').sql}" for item in _having(tree)]
    clauses += [_windows(tree, inner), _order(tree, ordering, len(values)), _limit(tree, scope)]
    sql = " ".join(clause for clause in clauses if clause)
    return Relation(sql, names, [value.type for value in values])


def _where(tree: exp.Select, scope: Scope, prunable: bool) -> str:
    clause = tree.args.get("where")
    if clause is None:
        return ""
    condition = boolean(clause.this, scope.within(clause="WHERE"), "WHERE clause")
    if prunable:
        pruning.note_filters(clause.this, scope)
    return f"WHERE {condition.sql}"


def _having(tree: exp.Select) -> list[exp.Expr]:
    clause = tree.args.get("having")
    return [clause.this] if clause is not None else []


def _grouped_parts(tree: exp.Select, projections: list[exp.Expr]) -> list[exp.Expr]:
    order = tree.args.get("order")
    return [*projections, *_having(tree), *(order.expressions if order is not None else ())]


def _distinct(tree: exp.Select) -> str:
    distinct = tree.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise unsupported(tree, "DISTINCT ON")
    return "DISTINCT " if distinct is not None else ""


def _projections(tree: exp.Select, scope: Scope) -> tuple[list[str | None], list[exp.Expr]]:
    names: list[str | None] = []
    trees: list[exp.Expr] = []
    for item in tree.expressions:
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            expanded = _expand(item, scope)
            names += [name for name, _ in expanded]
            trees += [column for _, column in expanded]
        elif isinstance(item, exp.Alias):
            names.append(item.alias)
            trees.append(item.this)
        else:
            names.append(item.name if isinstance(item, exp.Column | exp.Dot) and item.name else None)
            trees.append(item)
    return names, trees


def _expand(item: exp.Expr, scope: Scope) -> list[tuple[str | None, exp.Expr]]:
    if item.args.get("except_") or item.args.get("replace") or item.args.get("rename"):
        raise unsupported(item, "A star with EXCEPT, REPLACE or RENAME")
    qualifier = tuple(part.name.lower() for part in item.parts[:-1]) if isinstance(item, exp.Column) else ()
    chosen = [
        f for f in scope.fields if not f.hidden and (not qualifier or f.qualifier[-len(qualifier) :] == qualifier)
    ]
    if qualifier and not any(f.qualifier[-len(qualifier) :] == qualifier for f in scope.fields):
        raise QueryError("TABLE_NOT_FOUND", f"Unable to resolve reference {'.'.join(qualifier)}", position(item))
    if not chosen:
        raise QueryError("COLUMN_NOT_FOUND", "SELECT * not allowed from relation that has no columns", position(item))
    return [(field.name, known(field.value())) for field in chosen]


def _outputs(names: list[str | None], values: list[Value]) -> dict[str, Value]:
    """Return the SELECT list's own names, which ORDER BY prefers. A name that is used twice is left out."""
    found: dict[str, Value] = {}
    twice = set[str]()
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        if name is None:
            continue
        key = name.lower()
        if key in found and values[int(found[key].sql[1:])].sql != value.sql:
            twice.add(key)
        found.setdefault(key, Value(f"c{index}", value.type))
    return {name: value for name, value in found.items() if name not in twice}


def _windows(tree: exp.Select, scope: Scope) -> str:
    windows = tree.args.get("windows") or ()
    named = [f"{types.quote(w.this.name.lower())} AS ({window_specification(w, scope)})" for w in windows]
    return f"WINDOW {', '.join(named)}" if named else ""


def _order(tree: exp.Expr, scope: Scope, width: int) -> str:
    order = tree.args.get("order")
    if order is None:
        return ""
    terms = []
    for term in order.expressions:
        ordinal = _ordinal(term.this, width, "ORDER BY")
        terms.append(
            (f"c{ordinal}" if ordinal is not None else compile_expression(term.this, scope).sql) + direction(term)
        )
    return f"ORDER BY {', '.join(terms)}"


def _ordinal(node: exp.Expr, width: int, clause: str) -> int | None:
    if not (isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit()):
        return None
    index = int(node.this) - 1
    if not 0 <= index < width:
        raise QueryError(
            "INVALID_COLUMN_REFERENCE", f"{clause} position {node.this} is not in select list", position(node)
        )
    return index


def _limit(tree: exp.Expr, scope: Scope) -> str:
    limit, offset = tree.args.get("limit"), tree.args.get("offset")
    parts = []
    if isinstance(limit, exp.Fetch):
        options = limit.args.get("limit_options")
        if options is not None and options.args.get("with_ties"):
            raise unsupported(limit, "FETCH FIRST WITH TIES")
        parts.append(f"LIMIT {_count(limit.args.get('count'), scope)}")
    elif limit is not None and limit.expression.name.upper() != "ALL":
        parts.append(f"LIMIT {_count(limit.expression, scope)}")
    if offset is not None:
        parts.append(f"OFFSET {_count(offset.expression, scope)}")
    return " ".join(parts)


def _count(node: Any, scope: Scope) -> str:
    if node is None:
        return "1"
    # A parameter comes in parentheses.
    node = node.unnest()
    value = compile_expression(node, scope)
    if not value.type.is_integer or not isinstance(node, exp.Literal):
        raise QueryError("TYPE_MISMATCH", "LIMIT and OFFSET take a whole number", position(node))
    return value.sql


def _values(tree: exp.Values, scope: Scope) -> Relation:
    rows = [list(row.expressions) if isinstance(row, exp.Tuple) else [row] for row in tree.expressions]
    if len({len(row) for row in rows}) != 1:
        raise QueryError("TYPE_MISMATCH", "Values rows have mismatched types", position(tree))
    compiled = [[compile_expression(item, scope) for item in row] for row in rows]
    kinds: list[Type] = []
    for index in range(len(rows[0])):
        column = [(row[index], tree_row[index]) for row, tree_row in zip(compiled, rows, strict=True)]
        kinds.append(unify(column, "Values rows"))
    lines = ", ".join(
        "("
        + ", ".join(f"CAST({casts.coerce(v, k)} AS {types.duckdb(k)})" for v, k in zip(row, kinds, strict=True))
        + ")"
        for row in compiled
    )
    columns = ", ".join(f"c{index}" for index in range(len(kinds)))
    sql = f"SELECT {columns} FROM (VALUES {lines}) AS {scope.analysis.fresh('r')}({columns})"
    return _ordered(tree, Relation(sql, [None] * len(kinds), kinds), scope)


def _parenthesised(tree: exp.Subquery, scope: Scope) -> Relation:
    inner = compile_query(tree.this, scope.analysis, scope.ctes, scope.parent)
    return _ordered(tree, inner, scope)


def _ordered(tree: exp.Expr, inner: Relation, scope: Scope) -> Relation:
    """Add the ORDER BY, LIMIT and OFFSET of a query to its compiled form."""
    if not any(tree.args.get(clause) for clause in ("order", "limit", "offset")):
        return inner
    values = [Value(f"c{index}", kind) for index, kind in enumerate(inner.types)]
    ordering = scope.within(outputs=_outputs(inner.names, values), clause="ORDER BY")
    columns = ", ".join(value.sql for value in values)
    clauses = [f"SELECT {columns} FROM ({inner.sql})", _order(tree, ordering, len(values)), _limit(tree, scope)]
    return Relation(" ".join(clause for clause in clauses if clause), inner.names, inner.types)


def _set_operation(tree: exp.SetOperation, scope: Scope) -> Relation:
    word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(tree)]
    trees = _chain(tree)
    sides = [compile_query(side, scope.analysis, scope.ctes, scope.parent) for side in trees]
    kinds = sides[0].types
    for side, node in zip(sides[1:], trees[1:], strict=True):
        kinds = _shared_types(word, kinds, side.types, node)
    every = "" if tree.args.get("distinct") else " ALL"
    both = f" {word}{every} ".join(f"({_as_types(side, kinds)})" for side in sides)
    relation = Relation(both, sides[0].names, kinds)
    if any(tree.args.get(clause) for clause in ("order", "limit", "offset")):
        return _ordered(tree, relation, scope)
    columns = ", ".join(f"c{index}" for index in range(len(kinds)))
    return Relation(f"SELECT {columns} FROM ({relation.sql})", relation.names, kinds)


def _chain(tree: exp.SetOperation) -> list[exp.Expr]:
    """Return the queries of ``a UNION b UNION c``, so that a long chain is one operation and not deeply nested."""
    sides: list[exp.Expr] = [tree.right]
    left = tree.left
    while (
        isinstance(tree, exp.Union)
        and type(left) is type(tree)
        and bool(left.args.get("distinct")) == bool(tree.args.get("distinct"))
        and not any(left.args.get(clause) for clause in ("order", "limit", "offset", "with_"))
    ):
        sides.append(left.right)
        left = left.left
    return [left, *reversed(sides)]


def _shared_types(word: str, left: list[Type], right: list[Type], node: exp.Expr) -> list[Type]:
    if len(left) != len(right):
        message = f"{word} query has different number of fields: {len(left)}, {len(right)}"
        raise QueryError("TYPE_MISMATCH", message, position(node))
    kinds = []
    for index, (one, other) in enumerate(zip(left, right, strict=True), start=1):
        shared = types.common(one, other)
        if shared is None:
            message = f"column {index} in {word} query has incompatible types: {one}, {other}"
            raise QueryError("TYPE_MISMATCH", message, position(node))
        kinds.append(shared)
    return kinds


def _as_types(relation: Relation, kinds: list[Type]) -> str:
    columns = []
    for index, (have, want) in enumerate(zip(relation.types, kinds, strict=True)):
        text = casts.coerce(Value(f"c{index}", have), want)
        columns.append(f"CAST({text} AS {types.duckdb(want)}) AS c{index}")
    return f"SELECT {', '.join(columns)} FROM ({relation.sql})"
