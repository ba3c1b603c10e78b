"""CREATE TABLE and ALTER TABLE in Hive's grammar."""

from __future__ import annotations

from typing import Any

from localaws.athena import types
from localaws.athena.ddl import nodes
from localaws.athena.ddl.lexer import Cursor, place
from localaws.athena.errors import MalformedQuery, QueryError


def create_table(cursor: Cursor, *, external: bool) -> nodes.CreateTable:
    """Parse what follows CREATE [EXTERNAL] TABLE."""
    found: dict[str, Any] = {"external": external, "exists_ok": cursor.take("IF", "NOT", "EXISTS")}
    name = cursor.qualified_name()
    listed = columns(cursor) if cursor.peek("(") else []
    while cursor.current.kind != "end" and not cursor.peek(";"):
        _clause(cursor, found)
    cursor.finished()
    return nodes.CreateTable(name, listed, **found)


def _clause(cursor: Cursor, found: dict[str, Any]) -> None:
    if cursor.take("COMMENT"):
        found["comment"] = cursor.string()
    elif cursor.take("PARTITIONED", "BY"):
        found["partitions"] = columns(cursor)
    elif cursor.take("CLUSTERED", "BY"):
        found["buckets"] = _buckets(cursor)
    elif cursor.take("ROW", "FORMAT"):
        _row_format(cursor, found)
    elif cursor.take("WITH", "SERDEPROPERTIES"):
        found["serde_properties"] = {**found.get("serde_properties", {}), **properties(cursor)}
    elif cursor.take("STORED", "AS"):
        _stored_as(cursor, found)
    elif cursor.take("LOCATION"):
        found["location"] = cursor.string()
    elif cursor.take("TBLPROPERTIES"):
        found["properties"] = properties(cursor)
    else:
        expected = "'COMMENT', 'PARTITIONED', 'CLUSTERED', 'ROW', 'WITH', 'STORED', 'LOCATION', 'TBLPROPERTIES', <EOF>"
        raise cursor.unexpected(expected)


def columns(cursor: Cursor) -> list[nodes.Column]:
    """``(name type [COMMENT '...'], ...)``."""
    found: list[nodes.Column] = []
    cursor.expect("(")
    while True:
        name = cursor.identifier()
        kind = hive_type(cursor)
        comment = cursor.string() if cursor.take("COMMENT") else None
        if any(column.name == name for column in found):
            raise MalformedQuery(f"Duplicate column name: {name}")
        found.append(nodes.Column(name, kind, comment))
        if not cursor.take(","):
            break
    cursor.expect(")")
    return found


def hive_type(cursor: Cursor) -> str:
    """
    Read a type and return it in Glue's spelling.

    :raises MalformedQuery: there is no such type.
    """
    start, depth, text = cursor.current, 0, ""
    while cursor.current.kind != "end":
        sign = cursor.current.upper
        if depth == 0 and text and (sign in (",", ")", "COMMENT") or cursor.current.kind not in ("sign",)):
            break
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(sign, 0)
        if sign == "COMMENT" and depth:
            # The comment on a struct's field, which Glue's types have no place for.
            cursor.advance()
            cursor.string()
            continue
        text += cursor.advance().text.strip("`").lower()
    try:
        return types.hive(types.parse_hive(text))
    except QueryError as error:
        message = f"mismatched input '{start.text}'. Expecting: a type ({error.reason})"
        raise MalformedQuery(message, place(cursor.sql, start.start)) from error


def properties(cursor: Cursor) -> dict[str, str]:
    """``('key' = 'value', ...)``."""
    found = {}
    cursor.expect("(")
    while not cursor.take(")"):
        key = cursor.string()
        cursor.expect("=")
        found[key] = cursor.advance().text if cursor.current.kind in ("number", "word") else cursor.string()
        if not cursor.take(",") and not cursor.peek(")"):
            raise cursor.unexpected("',', ')'")
    return found


def _buckets(cursor: Cursor) -> dict[str, Any]:
    cursor.expect("(")
    names = [cursor.identifier()]
    while cursor.take(","):
        names.append(cursor.identifier())
    cursor.expect(")", "INTO")
    count = cursor.integer()
    cursor.expect("BUCKETS")
    return {"columns": names, "count": count}


def _row_format(cursor: Cursor, found: dict[str, Any]) -> None:
    if cursor.take("SERDE"):
        found["serde"] = cursor.string()
        return
    cursor.expect("DELIMITED")
    settings: dict[str, str] = {}
    while True:
        if cursor.take("FIELDS", "TERMINATED", "BY"):
            settings["field.delim"] = settings["serialization.format"] = cursor.string()
            if cursor.take("ESCAPED", "BY"):
                settings["escape.delim"] = cursor.string()
        elif cursor.take("ESCAPED", "BY"):
            settings["escape.delim"] = cursor.string()
        elif cursor.take("COLLECTION", "ITEMS", "TERMINATED", "BY"):
            settings["collection.delim"] = cursor.string()
        elif cursor.take("MAP", "KEYS", "TERMINATED", "BY"):
            settings["mapkey.delim"] = cursor.string()
        elif cursor.take("LINES", "TERMINATED", "BY"):
            settings["line.delim"] = cursor.string()
        elif cursor.take("NULL", "DEFINED", "AS"):
            settings["serialization.null.format"] = cursor.string()
        else:
            break
    found["serde_properties"] = {**found.get("serde_properties", {}), **settings}


def _stored_as(cursor: Cursor, found: dict[str, Any]) -> None:
    if cursor.take("INPUTFORMAT"):
        found["input_format"] = cursor.string()
        cursor.expect("OUTPUTFORMAT")
        found["output_format"] = cursor.string()
    else:
        found["stored_as"] = cursor.identifier()


def alter(cursor: Cursor) -> nodes.Statement:
    """ALTER TABLE."""
    cursor.expect("ALTER", "TABLE")
    name = cursor.qualified_name()
    statement = _alter(cursor, name)
    cursor.finished()
    return statement


def _alter(cursor: Cursor, name: list[str]) -> nodes.Statement:
    if cursor.take("ADD"):
        exists_ok = cursor.take("IF", "NOT", "EXISTS")
        if cursor.peek("PARTITION"):
            return _add_partitions(cursor, name, exists_ok)
        cursor.expect("COLUMNS")
        return nodes.AlterColumns(name, columns(cursor), replace=False)
    if cursor.take("REPLACE", "COLUMNS"):
        return nodes.AlterColumns(name, columns(cursor), replace=True)
    if cursor.take("DROP"):
        return _drop_partitions(cursor, name)
    if cursor.take("SET", "TBLPROPERTIES"):
        return nodes.SetProperties(name, properties(cursor))
    if cursor.take("SET", "LOCATION"):
        return nodes.SetLocation(name, cursor.string())
    if cursor.take("PARTITION"):
        spec = partition_spec(cursor)
        if cursor.take("SET", "LOCATION"):
            return nodes.SetLocation(name, cursor.string(), spec)
        cursor.expect("RENAME", "TO", "PARTITION")
        return nodes.RenamePartition(name, spec, partition_spec(cursor))
    raise cursor.unexpected("'ADD', 'DROP', 'PARTITION', 'REPLACE', 'SET'")


def _add_partitions(cursor: Cursor, name: list[str], exists_ok: bool) -> nodes.AddPartitions:
    found = []
    while cursor.take("PARTITION"):
        spec = partition_spec(cursor)
        found.append((spec, cursor.string() if cursor.take("LOCATION") else None))
        cursor.take(",")
    return nodes.AddPartitions(name, found, exists_ok)


def partition_spec(cursor: Cursor) -> dict[str, str]:
    """``(year = '2020', month = 1)``: values as text."""
    return {name: value for name, _, value in _conditions(cursor, ("=",))}


def _drop_partitions(cursor: Cursor, name: list[str]) -> nodes.DropPartitions:
    missing_ok, specs = cursor.take("IF", "EXISTS"), []
    while cursor.take("PARTITION"):
        specs.append(_conditions(cursor, ("=", "<", ">", "<=", ">=", "<>", "!=")))
        cursor.take(",")
    if not specs:
        raise cursor.unexpected("'PARTITION'")
    return nodes.DropPartitions(name, specs, missing_ok)


def _conditions(cursor: Cursor, operators: tuple[str, ...]) -> list[tuple[str, str, str]]:
    found = []
    cursor.expect("(")
    while True:
        column = cursor.identifier()
        operator = cursor.advance().text
        if operator not in operators:
            cursor.index -= 1
            raise cursor.unexpected(", ".join(f"'{sign}'" for sign in operators))
        negative = "-" if cursor.take("-") else ""
        quoted = cursor.current.kind in ("string", "double")
        value = cursor.string() if quoted else negative + cursor.advance().text
        found.append((column, operator, value))
        if not cursor.take(","):
            break
    cursor.expect(")")
    return found
