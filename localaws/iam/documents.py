"""Policy documents: their statements, and where in the text each of them is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from localaws.core.errors import AwsError

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"\s*")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
#: variables that stand for a character which would else be a wildcard or begin a variable.
_LITERALS = {"*": "*", "?": "?", "$": "$"}
#: stands in a pattern for a character that a variable has put there: it is no wildcard.
_QUOTED = {"*": "\x00", "?": "\x01"}


class InvalidInput(AwsError):
    """IAM: the request, or a policy in it, cannot be evaluated."""

    code = "InvalidInput"
    status = 400


@dataclass(frozen=True)
class Source:
    """
    Where a policy comes from.

    :param id: as SourcePolicyId has it: ``PolicyInputList.1``, a managed policy's name, ``role_NAME_POLICY``.
    :param kind: as SourcePolicyType has it.
    """

    id: str
    kind: str = "IAM Policy"


@dataclass(frozen=True)
class Statement:
    """
    One statement of a policy.

    :param span: offsets into the policy's text, from after the sign before the statement to after its last brace.
    """

    body: Mapping[str, Any]
    source: Source
    text: str
    span: tuple[int, int]

    @property
    def denies(self) -> bool:
        """Return True if its effect is Deny."""
        return bool(self.body["Effect"] == "Deny")

    def matches(self, action: str, resource: str, context: Mapping[str, list[str]]) -> bool:
        """Return True if the statement covers action and resource; its Condition is not evaluated."""
        return self._action(action.lower()) and self._resource(resource, context)

    def _action(self, action: str) -> bool:
        if "NotAction" in self.body:
            return not any(like(action, each.lower()) for each in texts(self.body["NotAction"]))
        return any(like(action, each.lower()) for each in texts(self.body["Action"]))

    def _resource(self, resource: str, context: Mapping[str, list[str]]) -> bool:
        name = "NotResource" if "NotResource" in self.body else "Resource"
        patterns = (substituted(each, context) for each in texts(self.body[name]))
        found = any(pattern is not None and like(resource, pattern) for pattern in patterns)
        return found != (name == "NotResource")

    def shown(self) -> dict[str, Any]:
        """Return the member of MatchedStatements."""
        start, end = self.span
        return {
            "SourcePolicyId": self.source.id,
            "SourcePolicyType": self.source.kind,
            "StartPosition": _position(self.text, start),
            "EndPosition": _position(self.text, end),
        }


def statements(text: str, source: Source) -> list[Statement]:
    """
    Return the statements of a policy document.

    :raises InvalidInput: the text is not a policy document.
    """
    try:
        found = [Statement(body, source, text, span) for body, span in _spans(text)]
        for statement in found:
            _check(statement.body)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"The policy {source.id} is malformed: {error}") from error
    return found


def _spans(text: str) -> Iterator[tuple[Any, tuple[int, int]]]:
    """Return the values under ``Statement``, each with its span."""
    if not isinstance(json.loads(text), dict):
        raise ValueError("it is no JSON object")
    at = _skip(text, 0, "{")
    while text[at := _skip(text, at)] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at, ":")
        value, end = _DECODER.raw_decode(text, _skip(text, at))
        if name == "Statement":
            yield from _items(text, at) if isinstance(value, list) else [(value, (at, end))]
        at = _skip(text, end)
        at += text[at] == ","


def _items(text: str, at: int) -> Iterator[tuple[Any, tuple[int, int]]]:
    at = _skip(text, at, "[")
    while text[_skip(text, at)] != "]":
        value, end = _DECODER.raw_decode(text, _skip(text, at))
        yield value, (at, end)
        at = _skip(text, end)
        at += text[at] == ","


def _skip(text: str, at: int, sign: str = "") -> int:
    """Return the offset after blanks and, where one is named, after a sign that is there."""
    blank = _BLANK.match(text, at)
    return (blank.end() if blank else at) + len(sign)


def _check(body: Any) -> None:
    if not isinstance(body, dict) or body.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("a statement has the Effect Allow or Deny")
    for name in ("Action", "Resource"):
        if (name in body) == (f"Not{name}" in body):
            raise ValueError(f"a statement of an identity's policy has either {name} or Not{name}")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        texts(body.get(name, []))


def texts(value: Any) -> list[str]:
    """
    Return one text, or several, as a list.

    :raises ValueError: something else is among them.
    """
    found = value if isinstance(value, list) else [value]
    if any(not isinstance(each, str | bool | int | float) for each in found):
        raise ValueError(f"{value!r} is not text, nor a list of texts")
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in found]


def substituted(pattern: str, context: Mapping[str, list[str]]) -> str | None:
    """Fill in a pattern's variables such as ``${aws:username}``; ``None`` where one has no value."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in match[1].partition(","))
        found = [_LITERALS[name]] if name in _LITERALS else context.get(name.lower(), [])
        if len(found) != 1 and not default:
            missing = True
            return ""
        text = found[0] if len(found) == 1 else default.strip("'")
        return "".join(_QUOTED.get(sign, sign) for sign in text)

    filled = _VARIABLE.sub(value, pattern)
    return None if missing else filled


def plain(text: str) -> str:
    """Return a text that was substituted into, as itself and not as a pattern."""
    for sign, quoted in _QUOTED.items():
        text = text.replace(quoted, sign)
    return text


def like(text: str, pattern: str) -> bool:
    """Return True if a text fits a pattern in which ``*`` is any text and ``?`` any character."""
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": ".", **{quoted: re.escape(sign) for sign, quoted in _QUOTED.items()}}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)


def _position(text: str, at: int) -> dict[str, int]:
    return {"Line": text.count("\n", 0, at) + 1, "Column": at - text.rfind("\n", 0, at)}
