"""AlarmRule of composite alarms: ``ALARM("a") AND NOT (OK("b") OR INSUFFICIENT_DATA("c"))``, TRUE and FALSE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

#: By the API's reference: alarms in a rule; alarms, TRUE, FALSE and parentheses in it.
MOST_CHILDREN, MOST_ELEMENTS = 100, 500

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<function>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s"()]+))\s*\)
        |(?P<word>AND|OR|NOT|TRUE|FALSE)\b
        |(?P<bracket>[()])
    )""",
    re.VERBOSE | re.IGNORECASE,
)

#: Takes an alarm's name, and returns its state.
States = Callable[[str], str]
_Node = Callable[[States], bool]


class RuleError(ValueError):
    """The text is not a rule."""


@dataclass(frozen=True)
class Rule:
    """
    A rule that was read.

    :param children: The names of the alarms in it, each once, in the order in which they come.
    :param holds: Says of their states whether the rule is met.
    """

    children: tuple[str, ...]
    holds: _Node


def parse(text: str) -> Rule:
    """
    Read a rule; NOT binds closer than AND, and AND than OR.

    :raises RuleError: The text is not a rule, or too long.
    """
    tokens = list(_tokens(text))
    elements = sum(kind in ("child", "TRUE", "FALSE", "(", ")") for kind, _, _ in tokens)
    reader = _Reader(tokens)
    node = reader.either()
    if reader.kind:
        raise RuleError(f"{reader.kind} is not expected after a complete expression")
    children = tuple(dict.fromkeys(name for kind, _, name in tokens if kind == "child"))
    if len(children) > MOST_CHILDREN or elements > MOST_ELEMENTS:
        raise RuleError(
            f"it has {len(children)} alarms and {elements} elements, of at most {MOST_CHILDREN} and {MOST_ELEMENTS}"
        )
    return Rule(children, node)


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield kind, state and name: of an alarm ``child``, of all else the word itself."""
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise RuleError(f"it cannot be read from {text[place : place + 40]!r} on")
        if found["function"]:
            # An ARN ends with the name.
            name = (found["quoted"] or found["bare"]).rpartition(":alarm:")[2]
            yield "child", found["function"].upper(), name
        else:
            yield (found["word"] or found["bracket"]).upper(), "", ""
        place = found.end()


@dataclass
class _Reader:
    tokens: list[tuple[str, str, str]]
    _place: int = field(default=0)

    @property
    def kind(self) -> str:
        """The next token's, or nothing at the end."""
        return self.tokens[self._place][0] if self._place < len(self.tokens) else ""

    def _take(self) -> tuple[str, str, str]:
        self._place += 1
        return self.tokens[self._place - 1]

    def either(self) -> _Node:
        parts = [self._both()]
        while self.kind == "OR":
            self._take()
            parts.append(self._both())
        return lambda states: any(part(states) for part in parts)

    def _both(self) -> _Node:
        parts = [self._one()]
        while self.kind == "AND":
            self._take()
            parts.append(self._one())
        return lambda states: all(part(states) for part in parts)

    def _one(self) -> _Node:
        negated = False
        while self.kind == "NOT":
            self._take()
            negated = not negated
        node = self._atom()
        return (lambda states: not node(states)) if negated else node

    def _atom(self) -> _Node:
        if not self.kind:
            raise RuleError("it ends where an alarm, TRUE, FALSE or a parenthesis is expected")
        kind, state, name = self._take()
        if kind == "child":
            return lambda states: states(name) == state
        if kind in ("TRUE", "FALSE"):
            return lambda _: kind == "TRUE"
        if kind != "(":
            raise RuleError(f"{kind} comes where an alarm, TRUE, FALSE or a parenthesis is expected")
        node = self.either()
        if self.kind != ")":
            raise RuleError("a parenthesis is not closed")
        self._take()
        return node
