"""A statement's text to one of the classes in nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.athena.ddl import nodes, parse_table
from localaws.athena.ddl.lexer import Cursor, blank_before
from localaws.athena.errors import MalformedQuery
from localaws.athena.sql import parse as trino

_UNSUPPORTED = {
    "UPDATE", "DELETE", "MERGE", "OPTIMIZE", "VACUUM", "TRUNCATE", "ANALYZE", "GRANT", "REVOKE", "CALL", "USE", "SET",
    "RESET", "START", "COMMIT", "ROLLBACK", "COMMENT", "REFRESH", "DENY",
}  # fmt: skip


def parse(sql: str) -> nodes.Statement:
    """
    Parse the one statement in ``sql``.

    :raises MalformedQuery: it cannot be read, or there are several.
    """
    sql = _one_statement(sql)
    cursor = Cursor(sql) if not _is_query(sql) else None
    if cursor is None:
        trino.parse_query(sql)
        return nodes.Query(sql)
    word = cursor.current.upper
    if word in _UNSUPPORTED:
        raise MalformedQuery(f"Queries of this type are not supported: {word}")
    parser = _PARSERS.get(word)
    if parser is None:
        # Not a statement at all: Trino's parser has the words for it.
        trino.parse_query(sql)
        raise MalformedQuery(f"mismatched input '{cursor.current.text}'", (1, 1))
    return parser(cursor)


def _one_statement(sql: str) -> str:
    try:
        return trino.without_semicolon(sql)
    except MalformedQuery:
        # Hive's quotes may not be Trino's: count again by Hive's.
        cursor = Cursor(sql)
        ends = [token for token in cursor.tokens if token.upper == ";"]
        if not cursor.tokens or (ends and ends[0] is not cursor.tokens[-1]):
            raise
        return sql[: ends[0].start] if ends else sql


def _is_query(sql: str) -> bool:
    try:
        word = trino.first_word(sql).upper()
    except MalformedQuery:
        return False
    return word in ("SELECT", "WITH", "VALUES", "TABLE", "(")


def _query(cursor: Cursor, end: int | None = None) -> str:
    """Check the query from here on and return its text with its position in the whole kept."""
    sql = cursor.rest() if end is None else blank_before(cursor.sql[:end], cursor.current.start)
    trino.parse_query(sql)
    cursor.index = len(cursor.tokens) if end is None else next(i for i, t in enumerate(cursor.tokens) if t.start >= end)
    return sql


def _create(cursor: Cursor) -> nodes.Statement:
    cursor.expect("CREATE")
    if cursor.take("DATABASE") or cursor.take("SCHEMA"):
        return _create_database(cursor)
    if cursor.peek("OR", "REPLACE", "VIEW") or cursor.peek("VIEW"):
        return _create_view(cursor)
    if cursor.peek("EXTERNAL", "TABLE"):
        cursor.expect("EXTERNAL", "TABLE")
        return parse_table.create_table(cursor, external=True)
    cursor.expect("TABLE")
    start = cursor.index
    as_query = _create_table_as(cursor)
    if as_query is not None:
        return as_query
    cursor.index = start
    return parse_table.create_table(cursor, external=False)


def _exists(cursor: Cursor) -> bool:
    return cursor.take("IF", "NOT", "EXISTS")


def _create_database(cursor: Cursor) -> nodes.CreateDatabase:
    exists_ok, name = _exists(cursor), cursor.identifier()
    comment = cursor.string() if cursor.take("COMMENT") else None
    location = cursor.string() if cursor.take("LOCATION") else None
    properties = parse_table.properties(cursor) if cursor.take("WITH", "DBPROPERTIES") else {}
    cursor.finished()
    return nodes.CreateDatabase(name, exists_ok, comment, location, properties)


def _create_view(cursor: Cursor) -> nodes.CreateView:
    replace = cursor.take("OR", "REPLACE")
    cursor.expect("VIEW")
    name = cursor.qualified_name()
    comment = cursor.string() if cursor.take("COMMENT") else None
    cursor.expect("AS")
    query = cursor.sql[cursor.current.start :].strip()
    return nodes.CreateView(name, _query(cursor), query, replace, comment)


def _create_table_as(cursor: Cursor) -> nodes.CreateTableAs | None:
    exists_ok, name = _exists(cursor), cursor.qualified_name()
    comment = cursor.string() if cursor.take("COMMENT") else None
    given = trino_properties(cursor) if cursor.take("WITH") else {}
    if not cursor.take("AS"):
        return None
    end, with_data = _data_clause(cursor)
    return nodes.CreateTableAs(name, _query(cursor, end), given, exists_ok, with_data, comment)


def _data_clause(cursor: Cursor) -> tuple[int | None, bool]:
    """Return where ``WITH [NO] DATA`` begins, if it ends the statement."""
    words = [token.upper for token in cursor.tokens]
    if words[-3:] == ["WITH", "NO", "DATA"]:
        return cursor.tokens[-3].start, False
    return (cursor.tokens[-2].start, True) if words[-2:] == ["WITH", "DATA"] else (None, True)


def trino_properties(cursor: Cursor) -> dict[str, Any]:
    """``(format = 'PARQUET', partitioned_by = ARRAY['a'])``."""
    found: dict[str, Any] = {}
    cursor.expect("(")
    while True:
        name = cursor.identifier()
        cursor.expect("=")
        found[name] = _property_value(cursor)
        if not cursor.take(","):
            break
    cursor.expect(")")
    return found


def _property_value(cursor: Cursor) -> Any:
    if cursor.take("ARRAY", "["):
        items = []
        while not cursor.take("]"):
            items.append(_property_value(cursor))
            cursor.take(",")
        return items
    if cursor.take("TRUE"):
        return True
    if cursor.take("FALSE"):
        return False
    return cursor.integer() if cursor.current.kind == "number" else cursor.string()


def _drop(cursor: Cursor) -> nodes.Statement:
    cursor.expect("DROP")
    if cursor.take("DATABASE") or cursor.take("SCHEMA"):
        missing_ok, name = cursor.take("IF", "EXISTS"), cursor.identifier()
        cascade = cursor.take("CASCADE") or (cursor.take("RESTRICT") and False)
        cursor.finished()
        return nodes.DropDatabase(name, missing_ok, cascade)
    view = cursor.take("VIEW")
    if not view:
        cursor.expect("TABLE")
    missing_ok, table = cursor.take("IF", "EXISTS"), cursor.qualified_name()
    if not view:
        cursor.take("PURGE")
    cursor.finished()
    return nodes.DropView(table, missing_ok) if view else nodes.DropTable(table, missing_ok)


def _insert(cursor: Cursor) -> nodes.Insert:
    cursor.expect("INSERT", "INTO")
    cursor.take("TABLE")
    name, columns = cursor.qualified_name(), list[str]()
    if cursor.peek("(") and cursor.tokens[cursor.index + 1].upper not in ("SELECT", "WITH", "VALUES", "TABLE", "("):
        cursor.expect("(")
        columns.append(cursor.identifier())
        while cursor.take(","):
            columns.append(cursor.identifier())
        cursor.expect(")")
    return nodes.Insert(name, columns, _query(cursor))


def _unload(cursor: Cursor) -> nodes.Unload:
    cursor.expect("UNLOAD", "(")
    end = _closing(cursor)
    sql = _query(cursor, cursor.tokens[end].start)
    cursor.expect(")", "TO")
    location = cursor.string()
    given = trino_properties(cursor) if cursor.take("WITH") else {}
    cursor.finished()
    return nodes.Unload(sql, location, given)


def _closing(cursor: Cursor) -> int:
    depth = 1
    for index in range(cursor.index, len(cursor.tokens)):
        depth += {"(": 1, ")": -1}.get(cursor.tokens[index].upper, 0)
        if depth == 0:
            return index
    cursor.index = len(cursor.tokens)
    raise cursor.unexpected("')'")


def _explain(cursor: Cursor) -> nodes.Explain:
    cursor.expect("EXPLAIN")
    analyze = cursor.take("ANALYZE")
    cursor.take("VERBOSE")
    validate = False
    if cursor.peek("(") and cursor.tokens[cursor.index + 1].upper in ("TYPE", "FORMAT"):
        cursor.expect("(")
        while not cursor.take(")"):
            validate = validate or cursor.current.upper == "VALIDATE"
            if cursor.advance().kind == "end":
                raise cursor.unexpected("')'")
    return nodes.Explain(_query(cursor), analyze, validate)


def _prepare(cursor: Cursor) -> nodes.Prepare:
    cursor.expect("PREPARE")
    name = _statement_name(cursor)
    cursor.expect("FROM")
    return nodes.Prepare(name, cursor.sql[cursor.current.start :].strip())


def _execute(cursor: Cursor) -> nodes.Execute:
    cursor.expect("EXECUTE")
    name = _statement_name(cursor)
    parameters = []
    if cursor.take("USING"):
        start, depth = cursor.current.start, 0
        for token in cursor.tokens[cursor.index :]:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.upper, 0)
            if token.upper == "," and depth == 0:
                parameters.append(cursor.sql[start : token.start].strip())
                start = token.start + 1
        parameters.append(cursor.sql[start:].strip())
    return nodes.Execute(name, parameters)


def _deallocate(cursor: Cursor) -> nodes.Deallocate:
    cursor.expect("DEALLOCATE", "PREPARE")
    return nodes.Deallocate(_statement_name(cursor))


def _statement_name(cursor: Cursor) -> str:
    """Return the name of a prepared statement as it is written: the API keeps capital letters."""
    token = cursor.current
    name = cursor.identifier()
    return token.text if token.kind == "word" else name


def _msck(cursor: Cursor) -> nodes.RepairTable:
    cursor.expect("MSCK", "REPAIR", "TABLE")
    name = cursor.qualified_name()
    cursor.finished()
    return nodes.RepairTable(name)


def _describe(cursor: Cursor) -> nodes.Describe:
    cursor.advance()
    detail = next((word for word in ("EXTENDED", "FORMATTED") if cursor.take(word)), None)
    name = cursor.qualified_name()
    cursor.finished()
    return nodes.Describe(name, detail)


def _show(cursor: Cursor) -> nodes.Statement:
    cursor.expect("SHOW")
    statement = _show_names(cursor) or _show_table(cursor)
    cursor.finished()
    return statement


def _show_names(cursor: Cursor) -> nodes.Statement | None:
    if cursor.take("DATABASES") or cursor.take("SCHEMAS"):
        cursor.take("LIKE")
        return nodes.ShowDatabases(cursor.string() if cursor.current.kind in ("string", "double") else None)
    for word in ("TABLES", "VIEWS"):
        if cursor.take(word):
            database = cursor.identifier() if cursor.take("IN") or cursor.take("FROM") else None
            cursor.take("LIKE")
            pattern = cursor.string() if cursor.current.kind in ("string", "double") else None
            return nodes.ShowTables(database, pattern, word == "VIEWS")
    return None


def _show_table(cursor: Cursor) -> nodes.Statement:
    if cursor.take("COLUMNS"):
        if not (cursor.take("IN") or cursor.take("FROM")):
            raise cursor.unexpected("'FROM', 'IN'")
        name = cursor.qualified_name()
        if cursor.take("IN") or cursor.take("FROM"):
            name = [cursor.identifier(), *name]
        return nodes.ShowColumns(name)
    if cursor.take("PARTITIONS"):
        return nodes.ShowPartitions(cursor.qualified_name())
    if cursor.take("TBLPROPERTIES"):
        name = cursor.qualified_name()
        key = None
        if cursor.take("("):
            key = cursor.string()
            cursor.expect(")")
        return nodes.ShowProperties(name, key)
    cursor.expect("CREATE")
    view = cursor.take("VIEW")
    if not view:
        cursor.expect("TABLE")
    return nodes.ShowCreateTable(cursor.qualified_name(), view)


_PARSERS: dict[str, Callable[[Cursor], nodes.Statement]] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": parse_table.alter,
    "MSCK": _msck,
    "INSERT": _insert,
    "UNLOAD": _unload,
    "EXPLAIN": _explain,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "DEALLOCATE": _deallocate,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "SHOW": _show,
}
