"""From a model server's file to its log stream: nothing twice, nothing without bound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waiting_kit import until

from localaws.sagemaker.endpoints import logs
from localaws.sagemaker.endpoints.logs import LogShipper


class Logs:
    """Stands for the service: keeps what it is given, and refuses what exists."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.streams: list[tuple[str, str]] = []

    def client(self, service: str) -> Logs:
        return self

    def create_log_group(self, **names: str) -> None:
        raise ClientError({"Error": {"Code": "ResourceAlreadyExistsException"}}, "CreateLogGroup")

    def create_log_stream(self, **names: str) -> None:
        self.streams.append((names["logGroupName"], names["logStreamName"]))

    def put_log_events(self, **request: Any) -> None:
        assert len(request["logEvents"]) <= 10_000
        self.lines += [event["message"] for event in request["logEvents"]]


@pytest.fixture
def service() -> Logs:
    return Logs()


@pytest.fixture
def shipper(service: Logs, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogShipper]:
    monkeypatch.setattr(logs, "INTERVAL", 0.02)
    shipper = LogShipper(service)  # type: ignore[arg-type]
    yield shipper
    shipper.close()


def test_lines_are_delivered_as_they_come_and_an_unfinished_one_at_the_end(
    service: Logs, shipper: LogShipper, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    shipper.follow(path, "group", "A/i-1")
    path.write_bytes(b"one\n\ntwo\nthr")
    until(lambda: len(service.lines) == 2)
    assert (service.lines, service.streams) == (["one", "two"], [("group", "A/i-1")])
    with open(path, "ab") as file:
        file.write(b"ee\xff\nfour")
    until(lambda: len(service.lines) == 3)
    shipper.leave(path)
    assert service.lines == ["one", "two", "three\ufffd", "four"]


def test_the_next_server_goes_on_where_this_one_ended(service: Logs, shipper: LogShipper, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\n")
    shipper.follow(path, "group", "stream")
    shipper.leave(path)
    with open(path, "a") as file:
        file.write("two\n")
    other = LogShipper(service)  # type: ignore[arg-type]
    other.follow(path, "group", "stream")
    other.leave(path)
    other.close()
    assert service.lines == ["one", "two"]


def test_a_flood_is_passed_over_but_for_its_end_and_the_file_is_cut(
    service: Logs, shipper: LogShipper, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    line = "x" * 99 + "\n"
    with open(path, "a") as file:
        file.write(line * 200_000 + "the last words\n")
    shipper.follow(path, "group", "stream")
    until(lambda: path.stat().st_size == 0)
    with open(path, "a") as file:
        file.write("and on\n")
    shipper.leave(path)
    assert service.lines[0].startswith("[localaws] ")
    assert "bytes are left out here" in service.lines[0]
    assert service.lines[-2:] == ["the last words", "and on"]
    assert sum(map(len, service.lines)) < logs.BATCH + 1000


def test_a_service_that_refuses_does_not_end_the_delivery(
    service: Logs, shipper: LogShipper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[Any] = []

    def refuse(**request: Any) -> None:
        refused.append(request)
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutLogEvents")

    path = tmp_path / "log"
    with monkeypatch.context() as patch:
        patch.setattr(service, "put_log_events", refuse)
        path.write_text("lost\n")
        shipper.follow(path, "group", "stream")
        until(lambda: refused)
    with open(path, "a") as file:
        file.write("kept\n")
    until(lambda: service.lines)
    assert service.lines == ["kept"]
