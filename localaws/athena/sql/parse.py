"""SQL text to a syntax tree: sqlglot's Trino, every function left by its own name, and Trino's words for errors."""

from __future__ import annotations

import logging
import re
import sys

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from localaws.athena.errors import MalformedQuery, QueryError

# It warns of statements that it does not know, which are refused here with an error of their own.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

# A chain of a thousand ORs, or UNIONs, is a tree a thousand levels deep.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 20_000))

Position = tuple[int, int]

_STATEMENTS = (
    "'ALTER', 'ANALYZE', 'CALL', 'COMMENT', 'COMMIT', 'CREATE', 'DEALLOCATE', 'DELETE', 'DENY', 'DESC', 'DESCRIBE',"
    " 'DROP', 'EXECUTE', 'EXPLAIN', 'GRANT', 'INSERT', 'MERGE', 'PREPARE', 'REFRESH', 'RESET', 'REVOKE', 'ROLLBACK',"
    " 'SET', 'SHOW', 'START', 'TRUNCATE', 'UNLOAD', 'UPDATE', 'USE', <query>"
)


#: functions whose arguments are not a plain list: their nodes have compilers of their own.
_SPECIAL_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "NORMALIZE", "LISTAGG")


class _Parser(TrinoParser):
    # Functions keep Trino's names and arguments: sql/functions says what each one is here.
    FUNCTIONS = {}
    FUNCTION_PARSERS = {name: TrinoParser.FUNCTION_PARSERS[name] for name in _SPECIAL_SYNTAX}


class _Dialect(Trino):
    # Subscripts stay as they are written, from 1.
    INDEX_OFFSET = 0
    Parser = _Parser


_DIALECT = _Dialect()


def tokens(sql: str) -> list[Token]:
    """
    Split ``sql`` into tokens.

    :raises MalformedQuery: a quote or a comment has no end.
    """
    try:
        return _DIALECT.tokenize(sql)
    except TokenError as error:
        line = sql.count("\n") + 1
        column = len(sql) - (sql.rfind("\n") + 1) + 1
        raise MalformedQuery("mismatched input '<EOF>'. Expecting: <expression>", (line, column)) from error


def without_semicolon(sql: str) -> str:
    """
    Return the one statement in ``sql`` without its closing semicolon.

    :raises MalformedQuery: there is nothing, or more than one statement.
    """
    found = tokens(sql)
    ends = [token for token in found if token.token_type == TokenType.SEMICOLON]
    if ends:
        after = [token for token in found if token.start > ends[0].start and token.token_type != TokenType.SEMICOLON]
        if after:
            raise MalformedQuery(f"Only one sql statement is allowed. Got: {sql}")
        sql = sql[: ends[0].start]
        found = [token for token in found if token.start < ends[0].start]
    if not found:
        raise MalformedQuery(f"mismatched input '<EOF>'. Expecting: {_STATEMENTS}", (1, 1))
    return sql


def parse(sql: str) -> exp.Expr:
    """
    Parse one statement into its tree.

    :raises MalformedQuery: it is not Trino's SQL.
    """
    found = tokens(sql)
    try:
        trees = _DIALECT.parser(error_level=ErrorLevel.IMMEDIATE).parse(found, sql)
    except ParseError as error:
        raise _malformed(error, sql, found) from error
    if len(trees) != 1 or trees[0] is None:
        raise MalformedQuery(f"Only one sql statement is allowed. Got: {sql}")
    _refuse_foreign_grammar(trees[0], found, sql)
    return trees[0]


def parse_query(sql: str) -> exp.Query:
    """
    Parse a SELECT, VALUES, TABLE, WITH or set operation into its tree.

    :raises MalformedQuery: it is something else.
    """
    tree = parse(sql)
    if isinstance(tree, exp.Query | exp.Values):
        return tree  # type: ignore[return-value]
    raise MalformedQuery(f"mismatched input '{first_word(sql)}'. Expecting: {_STATEMENTS}", (1, 1))


def first_word(sql: str) -> str:
    """Return the first token of ``sql`` as it is written."""
    found = tokens(sql)
    return sql[found[0].start : found[0].end + 1] if found else "<EOF>"


def _malformed(error: ParseError, sql: str, found: list[Token]) -> MalformedQuery:
    detail = error.errors[0] if error.errors else {}
    word = str(detail.get("highlight") or "")
    place = (int(detail.get("line") or 1), int(detail.get("col") or 1))
    token = next((t for t in found if (t.line, t.col) == place), None)
    if token is not None and "Expected TYPE" in str(detail.get("description")):
        return MalformedQuery(f"Unknown type: {word}", start_of(token))
    if token is None or "SENTINEL" in str(detail.get("description")):
        return MalformedQuery("mismatched input '<EOF>'. Expecting: <expression>", end_of(sql))
    if token is found[0] or (len(found) > 1 and token is found[1] and found[0].token_type == TokenType.VAR):
        return MalformedQuery(
            f"mismatched input '{_source(found[0], sql)}'. Expecting: {_STATEMENTS}", start_of(found[0])
        )
    return MalformedQuery(f"mismatched input '{word or _source(token, sql)}'. Expecting: <expression>", start_of(token))


def _source(token: Token, sql: str) -> str:
    return sql[token.start : token.end + 1]


def start_of(token: Token) -> Position:
    """Return where a token begins: sqlglot's column is that of its last character."""
    return (token.line, token.col - (token.end - token.start))


def end_of(sql: str) -> Position:
    """Return the position just behind the text."""
    stripped = sql.rstrip()
    return (stripped.count("\n") + 1, len(stripped) - (stripped.rfind("\n") + 1) + 1)


def position(node: exp.Expr) -> Position | None:
    """Return where an expression begins, by the earliest of its tokens; ``None`` where the tree does not say."""
    best: tuple[int, Position] | None = None
    for part in node.walk():
        meta = part.meta
        if "start" in meta and (best is None or meta["start"] < best[0]):
            best = (meta["start"], (meta["line"], meta["col"] - (meta["end"] - meta["start"])))
    return best[1] if best else None


_NOT_TRINO = ("qualify", "connect", "match", "cluster", "distribute", "sort", "settings", "format", "into", "prewhere")


def _refuse_foreign_grammar(tree: exp.Expr, found: list[Token], sql: str) -> None:
    """sqlglot reads other dialects' clauses too: what Trino has not is refused, lest it be lost in silence."""
    for select in tree.find_all(exp.Select):
        for clause in _NOT_TRINO:
            if select.args.get(clause):
                raise MalformedQuery(f"mismatched input '{clause.upper()}'. Expecting: <EOF>")
        if not select.expressions:
            raise _empty_select(select, found)
        group = select.args.get("group")
        if group is not None and not any(group.args.values()):
            raise MalformedQuery(
                "mismatched input '<EOF>'. Expecting: '(', 'ALL', 'CUBE', 'DISTINCT', 'ROLLUP', <expression>"
            )
    _refuse_limit_before_offset(found)
    _refuse_odd_tables(tree, sql)
    for cast in tree.find_all(exp.Cast):
        if cast.args.get("format") or cast.args.get("default"):
            raise MalformedQuery("mismatched input 'FORMAT'. Expecting: ')'", position(cast))


def _refuse_odd_tables(tree: exp.Expr, sql: str) -> None:
    """Refuse a table that is not a name, such as a function or a quoted file."""
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise MalformedQuery("mismatched input '('. Expecting: <EOF>", position(table))
        start = table.this.meta.get("start")
        if start is not None and sql[start : start + 1] == "'":
            raise MalformedQuery(f"mismatched input '{table.this.sql()}'. Expecting: <identifier>", position(table))


def _empty_select(select: exp.Select, found: list[Token]) -> MalformedQuery:
    keyword = next((token for token in found if token.token_type == TokenType.FROM), None)
    text, place = (keyword.text, start_of(keyword)) if keyword else ("<EOF>", position(select))
    return MalformedQuery(f"mismatched input '{text}'. Expecting: '*', 'ALL', 'DISTINCT', <expression>", place)


def _refuse_limit_before_offset(found: list[Token]) -> None:
    depth, limited = 0, set[int]()
    for token in found:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
            limited.discard(depth)
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
        elif token.token_type == TokenType.LIMIT:
            limited.add(depth)
        elif token.token_type == TokenType.OFFSET and depth in limited:
            raise MalformedQuery("mismatched input 'OFFSET'. Expecting: <EOF>", start_of(token))


def unsupported(node: exp.Expr, what: str) -> QueryError:
    """Trino has it and this engine has not."""
    return QueryError("NOT_SUPPORTED", f"{what} is not supported by localaws", position(node))


def operator_position(sql: str, node: exp.Expr) -> Position | None:
    """Return where a binary operator stands, which is where Trino places an error about it."""
    right = node.args.get("expression")
    if not isinstance(right, exp.Expr):
        return position(node)
    starts = [part.meta["start"] for part in right.walk() if "start" in part.meta]
    if not starts:
        return position(node)
    before = re.search(r"([<>=!+\-*/%|]+|[A-Za-z]+)[\s(]*$", sql[: min(starts)])
    if before is None:
        return position(node)
    at = before.start(1)
    return (sql.count("\n", 0, at) + 1, at - (sql.rfind("\n", 0, at) + 1) + 1)
