"""``make status`` and ``make up`` print the address that opens the console of localaws."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from stack import __main__ as commands
from stack import health, services
from stack.health import PARTS, Condition, Part
from stack.layout import Stack, airflow_settings

TOKEN = "of-the-test"


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    state = tmp_path / "localaws"
    state.mkdir()
    (state / "console.json").write_text(json.dumps({"port": 4568, "pid": 1, "url": "http://127.0.0.1:4568"}))
    (state / "console.token").write_text(TOKEN)
    return Stack(home=tmp_path, localaws_port=1, airflow_port=2)


def said(stack: Stack, condition: Condition, monkeypatch: pytest.MonkeyPatch, command: str = "_status") -> str:
    parts = {name: Part(Condition.DEAD) for name in PARTS} | {"localaws": Part(condition, 1)}
    output = io.StringIO()
    monkeypatch.setattr(commands, "console", Console(file=output, width=20))
    monkeypatch.setattr(health, "observe", lambda _: parts)
    monkeypatch.setattr(services, "up", lambda stack, say: None)
    getattr(commands, command)(stack, argparse.Namespace())
    return output.getvalue()


@pytest.mark.parametrize("command", ["_status", "_up"])
def test_the_console_is_printed_on_one_line_with_its_token(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    printed = said(stack, Condition.WELL, monkeypatch, command)
    assert f"Console     http://127.0.0.1:4568/?token={TOKEN}\n" in printed


def test_a_console_of_a_localaws_that_does_not_run_is_not_printed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TOKEN not in said(stack, Condition.DEAD, monkeypatch)


def test_without_a_console_there_is_no_address(tmp_path: Path) -> None:
    assert Stack(home=tmp_path).console_url is None


def test_the_links_of_tasks_are_given_the_endpoint_as_their_console(stack: Stack) -> None:
    assert airflow_settings(stack)["AWS_CONSOLE_URL"] == stack.localaws_url
    assert TOKEN not in json.dumps(stack.airflow_environment())
