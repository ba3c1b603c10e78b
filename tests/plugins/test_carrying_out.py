"""A report is carried out whatever has happened since: what is used, changed or refused does not hold up the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from amazon_ml.exceptions import RequestRefused
from include.sweeping import carrying_out
from include.sweeping.carrying_out import CarryOut
from include.sweeping.selection import Resource

REPORTED = datetime(2026, 12, 1, 9, tzinfo=UTC)


class Hook:
    """SageMaker with endpoints by name, each with the statuses that it has one after the other."""

    def __init__(self, **endpoints: list[str]) -> None:
        self.endpoints = endpoints
        self.changed = REPORTED
        self.calls: list[str] = []
        self.refuses: set[str] = set()

    def describe(self, kind: str, name: str) -> Any:
        statuses = self.endpoints.get(name, [])
        status = statuses.pop(0) if statuses else None
        return status and {"EndpointName": name, "EndpointStatus": status, "LastModifiedTime": self.changed}

    def delete(self, kind: str, name: str) -> bool:
        if name in self.refuses:
            raise RequestRefused(f"delete({name}): AccessDeniedException: no")
        self.calls.append(f"delete {kind} {name}")
        return name != "gone"

    def stop(self, kind: str, name: str) -> None:
        self.calls.append(f"stop {kind} {name}")


class World:
    """An inventory of which only the endpoints matter that still serve."""

    def __init__(self, hook: Hook, *serving: Resource) -> None:
        self.hook = hook
        self.resources = serving

    def serving(self) -> Any:
        return self.resources


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying_out, "_PAUSE", 0)


def finding(kind: str, name: str, action: str = "delete") -> dict[str, str]:
    return {"kind": kind, "name": name, "action": action, "changed": REPORTED.isoformat()}


def outcomes(world: Any, *findings: dict[str, str], **how: Any) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in CarryOut(world, **how).all(findings)}


def test_an_endpoint_is_deleted_once_it_has_settled_and_waited_for() -> None:
    hook = Hook(e=["Updating", "InService", "Deleting", "Deleting"])
    assert outcomes(World(hook), finding("Endpoint", "e")) == {"e": "deleted"}
    assert hook.calls == ["delete Endpoint e"]


def test_an_endpoint_that_a_killed_try_has_deleted_is_waited_for() -> None:
    hook = Hook(e=["Deleting"])
    assert outcomes(World(hook), finding("Endpoint", "e"), only_unchanged=True) == {"e": "deleted"}
    assert hook.calls == []
    assert outcomes(World(Hook()), finding("Endpoint", "e")) == {"e": "was gone"}


def test_an_endpoint_that_was_updated_since_the_report_is_left_where_that_counts() -> None:
    hook = Hook(e=["InService"])
    hook.changed = REPORTED.replace(hour=10)
    left = {"e": "left: changed at 2026-12-01 10:00:00, after the report"}
    assert outcomes(World(hook), finding("Endpoint", "e"), only_unchanged=True) == left
    assert hook.calls == []
    hook.endpoints["e"] = ["InService"]
    assert outcomes(World(hook), finding("Endpoint", "e")) == {"e": "deleted"}


def test_what_an_endpoint_uses_by_now_is_left() -> None:
    serving = Resource("Endpoint", "new", uses=("c",)), Resource("EndpointConfig", "c", uses=("m",))
    hook = Hook()
    found = outcomes(
        World(hook, *serving), finding("EndpointConfig", "c"), finding("Model", "m"), finding("Model", "n")
    )
    assert found == {"c": "left: endpoint new uses it", "m": "left: endpoint new uses it", "n": "deleted"}
    assert hook.calls == ["delete Model n"]


def test_jobs_are_stopped_first_and_what_stays_is_not_touched() -> None:
    hook = Hook()
    given = (finding("Model", "gone"), finding("TrainingJob", "t", "stop"), finding("Model", "kept", "keep"))
    assert outcomes(World(hook), *given) == {"t": "stopped", "gone": "was gone"}
    assert hook.calls == ["stop TrainingJob t", "delete Model gone"]


def test_what_aws_refuses_does_not_hold_up_the_rest() -> None:
    hook = Hook()
    hook.refuses = {"a"}
    found = outcomes(World(hook), finding("Model", "a"), finding("Model", "b"))
    assert found == {"a": "refused: delete(a): AccessDeniedException: no", "b": "deleted"}
