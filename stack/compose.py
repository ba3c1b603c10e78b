"""docker-compose.yaml as Compose reads it, with its services' ports and folders moved to this machine's."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.layout import StackError

#: ``$$``, ``$NAME``, ``${NAME}`` and ``${NAME:-default}`` or ``:?message``.
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>\w+)|\{(?P<name>\w+)(?:(?P<how>:?[-?])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """
    A service.

    :param argv: entrypoint and command.
    :param health: the health check's command; empty without one.
    :param needs: service -> the condition that it is waited for by.
    :param files: path -> content of its configs.
    """

    name: str
    argv: list[str]
    environment: dict[str, str]
    health: list[str]
    needs: dict[str, str]
    files: dict[str, str]
    is_restarted: bool


def services(path: Path, variables: Mapping[str, str], profile: str, moved: Mapping[str, str]) -> dict[str, Service]:
    """
    Return the services of a profile, each after those that it needs.

    :param variables: what ``.env`` sets.
    :param moved: port or absolute path in the file -> that on this machine.
    :raises StackError: a variable that has to be set is not.
    """
    import yaml

    document = _each(yaml.safe_load(path.read_text()), lambda text: interpolated(relocated(text, moved), variables))
    configs = {name: config["content"] for name, config in document.get("configs", {}).items()}
    found = {
        name: _service(name, content, configs)
        for name, content in document["services"].items()
        if profile in content.get("profiles", [profile])
    }
    return {name: found[name] for name in in_order({name: found[name].needs for name in found})}


def variables(example: Path, moved: Mapping[str, str]) -> dict[str, str]:
    """Return what ``.env.example`` sets, with secrets where it leaves them out."""
    from cryptography.fernet import Fernet

    lines = [line.partition("=") for line in example.read_text().splitlines() if not line.startswith("#")]
    given = {name: relocated(value, moved) for name, separator, value in lines if separator}
    made = {name: secrets.token_hex(24) for name, value in given.items() if not value}
    return {**given, **made, "FERNET_KEY": Fernet.generate_key().decode()}


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """
    Return the services, each after those that it needs; one that is not there is not needed.

    :raises StackError: they need each other.
    """
    order: list[str] = []
    while len(order) < len(needs):
        ready = [name for name in needs if name not in order and {*needs[name]} & {*needs} <= {*order}]
        if not ready:
            raise StackError(f"these services need each other: {', '.join(sorted({*needs} - {*order}))}")
        order += ready
    return order


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """
    Return the text with its variables' values.

    :raises StackError: a variable that has to be set is not, with the file's own message.
    """

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name, how, rest = match["bare"] or match["name"], match["how"] or "", match["rest"]
        given = variables.get(name)
        if given or (given is not None and ":" not in how):
            return given
        if "?" in how:
            raise StackError(f"{name} is not set: {rest}")
        return rest if "-" in how else ""

    return _VARIABLE.sub(value, text)


def relocated(text: str, moved: Mapping[str, str]) -> str:
    """Return the text with ports and paths of this machine."""
    # The longest first: a folder's path is the beginning of its children's.
    names = "|".join(re.escape(name) for name in sorted(moved, key=len, reverse=True))
    return re.sub(rf"(?<![\w./])(?:{names})(?![\w-])", lambda match: moved[match[0]], text) if moved else text


def _service(name: str, content: Mapping[str, Any], configs: Mapping[str, str]) -> Service:
    needs = content.get("depends_on", {})
    test = content.get("healthcheck", {}).get("test", ["NONE"])
    return Service(
        name=name,
        argv=[*content.get("entrypoint", []), *content.get("command", [])],
        environment={key: str(value) for key, value in content.get("environment", {}).items()},
        health=test[1:] if test[0] == "CMD" else [],
        needs={other: rule["condition"] for other, rule in needs.items()},
        files={each["target"]: configs[each["source"]] for each in content.get("configs", [])},
        is_restarted=content.get("restart") == "unless-stopped",
    )


def _each(node: Any, change: Any) -> Any:
    """Return the document with every string changed."""
    if isinstance(node, str):
        return change(node)
    if isinstance(node, list):
        return [_each(child, change) for child in node]
    return {key: _each(child, change) for key, child in node.items()} if isinstance(node, dict) else node
