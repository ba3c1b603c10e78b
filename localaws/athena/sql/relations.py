# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""FROM: tables, views, subqueries, joins, UNNEST and LATERAL, and the fields that they bring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from sqlglot import exp

from localaws.athena import types
from localaws.athena.errors import QueryError
from localaws.athena.sql import tables
from localaws.athena.sql.dispatch import compile_expression, query_compiler
from localaws.athena.sql.operators import boolean, compare
from localaws.athena.sql.parse import position, unsupported
from localaws.athena.sql.scope import Field, Relation, Scope, Value, mismatch
from localaws.athena.types import Type


@dataclass(frozen=True)
class Source:
    """A FROM item: its SQL and its fields; ``prunable`` while no outer join can make its rows NULL."""

    sql: str
    fields: list[Field]
    prunable: bool = True


def compile_from(tree: exp.Select, scope: Scope) -> Source:
    """Compile the FROM of a SELECT with all its joins; without one, return a single row without columns."""
    clause = tree.args.get("from_")
    if tree.args.get("laterals"):
        raise unsupported(tree, "LATERAL VIEW")
    if clause is None:
        return Source("", [])
    source = _joined(_item(clause.this, scope, []), clause.this.args.get("joins") or (), scope)
    source = _joined(source, tree.args.get("joins") or (), scope)
    return Source(f"FROM {source.sql}", source.fields, source.prunable)


def _joined(source: Source, joins: object, scope: Scope) -> Source:
    for join in joins if isinstance(joins, list | tuple) else ():
        source = _join(source, join, scope)
    return source


def _item(node: exp.Expr, scope: Scope, left: list[Field]) -> Source:
    if node.args.get("pivots"):
        raise unsupported(node, "PIVOT")
    if isinstance(node, exp.Table):
        return _table(node, scope)
    if isinstance(node, exp.Unnest):
        return _unnest(node, scope, left)
    if isinstance(node, exp.Lateral):
        inner = node.this.unnest() if isinstance(node.this, exp.Subquery) else node.this
        around = scope.within(fields=tuple(left))
        relation = query_compiler()(inner, scope.analysis, scope.ctes, around)
        return _derived(relation, node, scope, "LATERAL ")
    if isinstance(node, exp.Paren):
        return _item(node.this, scope, left)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        inside = _joined(_table(node.this, scope), node.this.args.get("joins") or (), scope)
        return Source(f"({inside.sql})", inside.fields, inside.prunable)
    if isinstance(node, exp.Subquery | exp.Values):
        bare = node.this if isinstance(node, exp.Subquery) and not _decorated(node) else node
        return _derived(query_compiler()(bare, scope.analysis, scope.ctes, scope.parent), node, scope)
    raise unsupported(node, node.sql("trino"))


def _decorated(node: exp.Subquery) -> bool:
    return any(node.args.get(clause) for clause in ("order", "limit", "offset", "with_"))


def _derived(relation: Relation, node: exp.Expr, scope: Scope, prefix: str = "") -> Source:
    label = scope.analysis.fresh("r")
    alias = node.args.get("alias")
    qualifier = (alias.name.lower(),) if alias is not None and alias.name else ()
    names = _column_aliases(alias, [name.lower() if name else None for name in relation.names], node)
    fields = [
        Field(name, kind, f"{label}.c{index}", qualifier)
        for index, (name, kind) in enumerate(zip(names, relation.types, strict=True))
    ]
    return Source(f"{prefix}({relation.sql}) AS {label}{_sample(node)}", fields)


def _column_aliases(alias: exp.Expr | None, names: list[str | None], node: exp.Expr) -> list[str | None]:
    given = [column.name.lower() for column in alias.args.get("columns") or ()] if alias is not None else []
    if not given:
        return names
    if len(given) != len(names):
        label = alias.name if alias is not None else ""
        message = f"Column alias list has {len(given)} entries but '{label}' has {len(names)} columns available"
        raise QueryError("MISMATCHED_COLUMN_ALIASES", message, position(node))
    return list(given)


def _sample(node: exp.Expr) -> str:
    sample = node.args.get("sample")
    if sample is None:
        return ""
    method = sample.args["method"].name.lower()
    percent = sample.args["percent"].name
    return f" TABLESAMPLE {'system' if method == 'system' else 'bernoulli'}({float(percent)}%)"


def _table(node: exp.Table, scope: Scope) -> Source:
    if node.args.get("version") is not None:
        raise unsupported(node, "FOR TIMESTAMP or VERSION AS OF (Iceberg)")
    parts = [part.name.lower() for part in node.parts]
    if len(parts) == 1 and parts[0] in scope.ctes:
        relation = scope.ctes[parts[0]]
        source = _derived(relation, node, scope)
        return source if node.args.get("alias") else _qualified(source, (parts[0],))
    found = tables.look_up(parts, node, scope)
    if isinstance(found, tables.Named):
        source = _derived(found.relation, node, scope)
        return source if node.args.get("alias") else _qualified(source, found.qualifier)
    return _base_table(found, node, scope)


def _qualified(source: Source, qualifier: tuple[str, ...]) -> Source:
    return replace(source, fields=[replace(field, qualifier=qualifier) for field in source.fields])


def _base_table(found: tables.Base, node: exp.Table, scope: Scope) -> Source:
    label = scope.analysis.fresh("r")
    alias = node.args.get("alias")
    qualifier = (alias.name.lower(),) if alias is not None and alias.name else found.qualifier
    shown = [name for name, _ in found.columns]
    names = _column_aliases(alias, list(shown), node)
    fields = [
        Field(name, kind, f"{label}.{types.quote(column)}", qualifier, found.use)
        for name, (column, kind) in zip(names, found.columns, strict=True)
    ]
    if names != shown:
        # The table is to learn the columns' own names, not those that the query gives them.
        fields = [replace(field, use=None) for field in fields]
        found.use.columns.update(shown)
    for hidden, kind in tables.HIDDEN.items():
        fields.append(Field(hidden, kind, f"{label}.{types.quote(hidden)}", qualifier, found.use, hidden=True))
    return Source(f"{found.use.identifier} AS {label}{_sample(node)}", fields)


def _unnest(node: exp.Unnest, scope: Scope, left: list[Field]) -> Source:
    inner = scope.within(fields=tuple(left), clause="UNNEST")
    values = [compile_expression(item, inner) for item in node.expressions]
    lists: list[str] = []
    columns: list[tuple[str | None, str, Type]] = []
    for value, item in zip(values, node.expressions, strict=True):
        _expand(value, item, lists, columns)
    if node.args.get("offset"):
        longest = ", ".join(f"coalesce(len({text}), 0)" for text in lists)
        columns.append((None, f"i{len(lists)}", types.BIGINT))
        lists.append(f"generate_series(1, greatest({longest}))")
    unnested = ", ".join(f"unnest({text}) AS i{index}" for index, text in enumerate(lists))
    listed = ", ".join(f"{sql} AS c{index}" for index, (_, sql, _) in enumerate(columns))
    names, kinds = [name for name, _, _ in columns], [kind for _, _, kind in columns]
    relation = Relation(f"SELECT {listed} FROM (SELECT {unnested})", names, kinds)
    return _derived(relation, _with_ordinality(node), scope, "LATERAL ")


def _expand(value: Value, item: exp.Expr, lists: list[str], columns: list[tuple[str | None, str, Type]]) -> None:
    """Add the lists that one argument of UNNEST gives, and the columns made of them: a row becomes its fields."""
    kind = value.type
    if kind.base == "map":
        for part, which in zip(kind.args, ("keys", "values"), strict=True):
            columns.append((None, f"i{len(lists)}", part))
            lists.append(f"map_{which}({value.sql})")
        return
    if kind.base != "array":
        raise mismatch(f"Cannot unnest type: {kind}", position(item))
    label = f"i{len(lists)}"
    lists.append(value.sql)
    if kind.element.base == "row":
        for index, (name, part) in enumerate(kind.element.args):
            field = types.text(types.row_field(kind.element, index))
            columns.append((name, f"struct_extract({label}, {field})", part))
    else:
        columns.append((None, label, kind.element))


def _with_ordinality(node: exp.Unnest) -> exp.Expr:
    """sqlglot takes the last column alias for the ordinality's: here it is a column like the others."""
    offset, alias = node.args.get("offset"), node.args.get("alias")
    if alias is None or not isinstance(offset, exp.Identifier) or not alias.args.get("columns"):
        return node
    copied = node.copy()
    copied.args["alias"].set("columns", [*alias.args["columns"], offset])
    return copied


def _join(left: Source, node: exp.Join, scope: Scope) -> Source:
    if str(node.args.get("method") or "").upper() == "NATURAL":
        raise QueryError("NOT_SUPPORTED", "Natural join not supported", position(node))
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if kind not in ("", "INNER", "CROSS", "OUTER") or node.args.get("match_condition"):
        raise unsupported(node, f"{kind} JOIN")
    right = _joined(_item(node.this, scope, left.fields), node.this.args.get("joins") or (), scope)
    fields = left.fields + right.fields
    if node.args.get("using"):
        return _join_using(left, right, node, side)
    on = node.args.get("on")
    prunable = left.prunable and right.prunable and not side
    if on is None:
        if side:
            raise QueryError("SYNTAX_ERROR", f"{side} JOIN requires ON or USING", position(node))
        return Source(f"{left.sql} CROSS JOIN {right.sql}", fields, prunable)
    inner = scope.within(fields=tuple(fields), clause="JOIN")
    condition = boolean(on, inner, "JOIN ON clause")
    return Source(f"{left.sql} {side or 'INNER'} JOIN {right.sql} ON {condition.sql}", fields, prunable)


def _join_using(left: Source, right: Source, node: exp.Join, side: str) -> Source:
    merged, conditions, used = [], [], list[Field]()
    for column in node.args["using"]:
        name = column.name.lower()
        pair = [_only(source.fields, name, column) for source in (left, right)]
        one, other = pair
        conditions.append(compare("=", one.value(), other.value(), partial(position, column)).sql)
        shared = types.common(one.type, other.type) or one.type
        chosen = {"LEFT": one.sql, "RIGHT": other.sql, "": one.sql}.get(side, f"coalesce({one.sql}, {other.sql})")
        merged.append(Field(name, shared, chosen))
        used += pair
    rest = [field for field in left.fields + right.fields if not any(field is gone for gone in used)]
    sql = f"{left.sql} {side or 'INNER'} JOIN {right.sql} ON {' AND '.join(conditions)}"
    return Source(sql, merged + rest, left.prunable and right.prunable and not side)


def _only(fields: list[Field], name: str, node: exp.Expr) -> Field:
    found = [field for field in fields if field.name == name]
    if len(found) != 1:
        message = f"Column '{name}' is {'ambiguous' if found else 'missing from one side of join'}"
        raise QueryError("COLUMN_NOT_FOUND" if not found else "AMBIGUOUS_NAME", message, position(node))
    return found[0]
