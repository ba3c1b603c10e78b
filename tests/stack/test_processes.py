"""The stack's background processes: found again, stopped whole, and ports that are taken are named."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from waiting_kit import until

from stack import processes
from stack.layout import Stack, StackError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
WITH_A_CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
time.sleep(60)
"""
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(home=tmp_path)
    yield stack
    processes.sweep(stack)


def start_parent(stack: Stack, code: str = WITH_A_CHILD) -> psutil.Process:
    """Start ``parent`` and wait until it has started its child."""
    processes.start(stack, "parent", [sys.executable, "-c", code], stack.base_environment())
    parent = processes.find(stack, "parent")
    assert parent is not None
    processes.wait_until(
        lambda: bool(parent.children()),
        what="child",
        seconds=10,
        alive=parent.is_running,
        log=stack.logs / "parent.log",
    )
    return parent


def test_a_started_process_is_found_and_stopped(stack: Stack) -> None:
    processes.start(stack, "sleeper", SLEEP, stack.base_environment())
    found = processes.find(stack, "sleeper")
    assert found is not None
    processes.stop(stack, ["sleeper"])
    assert processes.find(stack, "sleeper") is None
    assert not psutil.pid_exists(found.pid) or found.status() == psutil.STATUS_ZOMBIE


def test_what_a_background_command_has_started_is_interrupted_all_the_same(stack: Stack) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        processes.start(stack, "sleeper", SLEEP, stack.base_environment())
    finally:
        signal.signal(signal.SIGINT, before)
    found = processes.find(stack, "sleeper")
    assert found is not None
    found.send_signal(signal.SIGINT)
    until(lambda: not processes.runs(found), timeout=10)


def test_a_recycled_pid_is_not_taken_for_ours(stack: Stack) -> None:
    record = stack.home / "run" / "sleeper.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"pid": {psutil.Process().pid}, "born": 1.0}}')
    assert processes.find(stack, "sleeper") is None


def test_children_and_stubborn_processes_end_too(stack: Stack) -> None:
    processes.start(stack, "stubborn", STUBBORN, stack.base_environment())
    # A child that is born while its parent is being stopped is left to the sweep of `make down`.
    start_parent(stack)
    processes.stop(stack, ["parent", "stubborn"], grace=1)
    assert processes.belonging(stack) == []


def test_an_orphan_that_hides_its_environment_is_found_by_its_session(stack: Stack) -> None:
    hidden = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], env={})"
    code = f"import subprocess, sys, time\n{hidden}\ntime.sleep(60)"
    parent = start_parent(stack, code)
    (child,) = parent.children()
    parent.kill()
    parent.wait(5)
    assert [process.pid for process in processes.belonging(stack)] == [child.pid]
    assert [name.split()[0] for name in processes.sweep(stack)] == [str(child.pid)]
    assert processes.belonging(stack) == []


def test_a_session_of_somebody_else_is_left_alone(stack: Stack) -> None:
    leader = psutil.Popen(SLEEP, start_new_session=True)
    try:
        (stack.home / "run").mkdir(parents=True)
        for born, boot in ((1.0, psutil.boot_time()), (leader.create_time() - 100, 1.0)):
            line = f'{{"pid": {leader.pid}, "born": {born}, "boot": {boot}}}\n'
            (stack.home / "run" / "sessions.jsonl").write_text(line)
            assert processes.belonging(stack) == []
    finally:
        leader.kill()
        leader.wait()


def test_what_was_orphaned_is_found_by_its_mark(stack: Stack) -> None:
    parent = start_parent(stack)
    parent.kill()
    parent.wait()
    assert len(processes.belonging(stack)) == 1
    assert len(processes.sweep(stack)) == 1
    assert processes.belonging(stack) == []


def test_another_stack_is_left_alone(stack: Stack, tmp_path: Path) -> None:
    other = Stack(home=tmp_path / "other")
    processes.start(other, "sleeper", SLEEP, other.base_environment())
    assert processes.belonging(stack) == []
    assert processes.find(other, "sleeper") is not None
    processes.sweep(other)


def test_a_busy_port_is_named_with_the_remedy() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port} \(the Airflow UI\).*AIRFLOW_PORT="):
            processes.require_free({"the Airflow UI": ("AIRFLOW_PORT", port)})


def test_a_process_that_ends_early_is_reported_with_its_log(stack: Stack) -> None:
    processes.start(stack, "broken", [sys.executable, "-c", "print('no such thing')"], stack.base_environment())
    with pytest.raises(StackError, match=r"(?s)broken ended.*no such thing"):
        processes.wait_until(
            lambda: False,
            what="broken",
            seconds=20,
            alive=lambda: processes.find(stack, "broken") is not None,
            log=stack.logs / "broken.log",
        )


def test_no_key_of_the_caller_reaches_the_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the caller's own")
    monkeypatch.setenv("AWS_PROFILE", "production")
    environment = Stack(home=tmp_path).airflow_environment()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


def test_a_relative_source_means_the_callers_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEWS_SOURCE", "reviews.csv")
    assert Stack.from_environment().settings["REVIEWS_SOURCE"] == str(tmp_path / "reviews.csv")
