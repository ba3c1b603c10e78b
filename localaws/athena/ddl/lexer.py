"""Tokens of a statement, and a cursor over them that says what it expected where it stops."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localaws.athena.errors import MalformedQuery

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^'\\]|''|\\.)*')
  | (?P<double>"(?:[^"\\]|""|\\.)*")
  | (?P<name>`(?:[^`]|``)*`)
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<sign><=|>=|<>|!=|[^\w\s])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A token: ``kind`` is string, double, name, number, word or sign; ``start`` its offset."""

    kind: str
    text: str
    start: int

    @property
    def upper(self) -> str:
        """A keyword's text."""
        return self.text.upper() if self.kind in ("word", "sign") else ""


def tokenize(sql: str) -> list[Token]:
    """
    Return all tokens but blanks and comments.

    :raises MalformedQuery: a quote without its end.
    """
    found, at = [], 0
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        if match is None or (match.lastgroup == "sign" and match[0] in "'\"`"):
            raise MalformedQuery(f"token recognition error at: '{sql[at : at + 20]}'", place(sql, at))
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return found


def place(sql: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    return (sql.count("\n", 0, offset) + 1, offset - (sql.rfind("\n", 0, offset) + 1) + 1)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


def unquote(text: str) -> str:
    r"""Return the content of a Hive string, with ``\n``, ``\001``, ``\u0001`` and ``''`` unescaped."""
    quote, inner = text[0], text[1:-1]

    def replaced(match: re.Match[str]) -> str:
        body = match[0]
        if body == quote * 2:
            return quote
        if body[1] == "u":
            return chr(int(body[2:], 16))
        if len(body) == 4:
            return chr(int(body[1:], 8))
        return _ESCAPES.get(body[1], body[1])

    return re.sub(rf"{quote}{quote}|\\u[0-9A-Fa-f]{{4}}|\\[0-3][0-7]{{2}}|\\.", replaced, inner, flags=re.DOTALL)


class Cursor:
    """Reads tokens one after the other."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokenize(sql)
        self.index = 0

    @property
    def current(self) -> Token:
        """The token that comes next; an empty one at the end."""
        return (
            self.tokens[self.index] if self.index < len(self.tokens) else Token("end", "<EOF>", len(self.sql.rstrip()))
        )

    def peek(self, *words: str) -> bool:
        """Return True if these keywords and signs come next."""
        following = self.tokens[self.index : self.index + len(words)]
        return [token.upper for token in following] == list(words)

    def take(self, *words: str) -> bool:
        """Skip these keywords if they come next, and return True if they did."""
        if self.peek(*words):
            self.index += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """
        Step over these keywords.

        :raises MalformedQuery: something else comes.
        """
        for word in words:
            if not self.take(word):
                raise self.unexpected(f"'{word}'")

    def unexpected(self, expected: str) -> MalformedQuery:
        """Return the error that says what was expected here."""
        text = self.current.text
        return MalformedQuery(f"mismatched input '{text}'. Expecting: {expected}", place(self.sql, self.current.start))

    def advance(self) -> Token:
        """Return the current token and step over it."""
        token = self.current
        self.index += 1
        return token

    def identifier(self) -> str:
        """Read a name, bare, in backquotes or in double quotes, and return it in lower case."""
        token = self.current
        if token.kind == "word":
            self.index += 1
            return token.text.lower()
        if token.kind in ("name", "double"):
            self.index += 1
            mark = token.text[0]
            return token.text[1:-1].replace(mark * 2, mark).lower()
        raise self.unexpected("<identifier>")

    def qualified_name(self) -> list[str]:
        """Read ``a.b.c``; backquotes may be around the whole, as SHOW CREATE TABLE writes it."""
        parts: list[str] = []
        while not parts or self.take("."):
            quoted = self.current.kind == "name"
            name = self.identifier()
            parts += name.split(".") if quoted else [name]
        return parts

    def string(self) -> str:
        """Read a string in single or double quotes."""
        token = self.current
        if token.kind not in ("string", "double"):
            raise self.unexpected("<string>")
        self.index += 1
        return unquote(token.text)

    def integer(self) -> int:
        """Read a whole number."""
        token = self.current
        if token.kind != "number" or "." in token.text:
            raise self.unexpected("<integer>")
        self.index += 1
        return int(token.text)

    def finished(self) -> None:
        """
        Nothing may follow.

        :raises MalformedQuery: something does.
        """
        self.take(";")
        if self.index < len(self.tokens):
            raise self.unexpected("<EOF>")

    def rest(self) -> str:
        """Return the text from here on with what is before it blanked out, so that positions stay valid."""
        return blank_before(self.sql, self.current.start)


def blank_before(sql: str, offset: int) -> str:
    """Replace everything before ``offset`` by spaces and keep the line breaks."""
    return re.sub(r"[^\n]", " ", sql[:offset]) + sql[offset:]
