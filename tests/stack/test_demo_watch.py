"""What the demo says when it cannot go on."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from stack import demo, health, people, processes
from stack.demo import _check_alive
from stack.layout import Stack, StackError


def test_a_part_that_has_ended_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    stack = Stack(home=tmp_path, localaws_port=1, airflow_port=2)
    stack.logs.mkdir(parents=True)
    try:
        for name in health.PARTS:
            processes.start(
                stack, name, [sys.executable, "-c", "import time; time.sleep(60)"], {"STACK_MARK": str(tmp_path)}
            )
        _check_alive(stack)
        processes.stop(stack, ["airflow-scheduler"])
        (stack.logs / "airflow-scheduler.log").write_text("the database is locked")
        with pytest.raises(StackError, match=r"airflow-scheduler has ended[^`]*the database is locked[^`]*`make up`"):
            _check_alive(stack)
    finally:
        processes.stop(stack, health.PARTS)


class Api:
    """What the demo asks of Airflow: whose runs an Asset has set off, one look after the other."""

    def __init__(self, *looks: list[tuple[str, str]]) -> None:
        self.looks, self.stack = list(looks), None

    def triggered_by(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        return self.looks.pop(0) if self.looks else []


def test_the_training_that_an_asset_sets_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_check_alive", lambda stack: None)
    api: Any = Api([], [("leader_board", "other"), ("train_sentiment", "asset__1")])
    assert demo.run_set_off(api, "ingest_reviews", "demo__1", time.monotonic() + 30) == "asset__1"


def test_an_asset_that_sets_off_nothing_in_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_check_alive", lambda stack: None)
    api: Any = Api()
    with pytest.raises(StackError, match="the Asset of ingest_reviews demo__1 did not set off train_sentiment"):
        demo.run_set_off(api, "ingest_reviews", "demo__1", time.monotonic() + 0.1)


@pytest.mark.parametrize(("names", "served"), [([], False), (["sentiment-ab"], False), (["sentiment"], True)])
def test_people_are_asked_only_where_a_model_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[str], served: bool
) -> None:
    endpoints = {"Endpoints": [{"EndpointName": name} for name in names]}
    sagemaker = SimpleNamespace(list_endpoints=lambda **_: endpoints)
    monkeypatch.setattr(people, "client", lambda stack, service: sagemaker)
    monkeypatch.setattr(demo, "_started", lambda *_: None)
    monkeypatch.setattr(demo, "_close_the_loop", lambda *_: {"closed": True})
    monkeypatch.setattr(people, "describe", lambda *_: None)
    stack, console = Stack(home=tmp_path, localaws_port=1, airflow_port=2), Console(file=io.StringIO())
    if served:
        assert demo.label(stack, console) == {"closed": True}
    else:
        with pytest.raises(StackError, match="make demo"):
            demo.label(stack, console)
