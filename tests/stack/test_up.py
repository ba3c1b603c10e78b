"""``make up`` mends a stack: what is dead or hangs is restarted, and nothing else."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from waiting_kit import until

from stack import health, processes, services
from stack.health import PARTS, Condition, Part
from stack.layout import ROOT, Stack, StackError

COMPONENTS = PARTS[2:]
#: the last word of each part's command line.
ROLES = {"serve": "localaws", **{name.removeprefix("airflow-"): name for name in PARTS[1:]}}


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stand-in, as an executable."""
    path = tmp_path_factory.mktemp("bin") / "python"
    script = (ROOT / "tests" / "stack" / "stand_in.py").read_text()
    path.write_text(f"#!{sys.executable} -SE\n{script}")
    path.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBS_PYTHON", str(path))
        patch.setenv("AIRFLOW_PYTHON", str(path))
        patch.setattr(services, "SETTLE_S", 0.0)
        yield str(path)


def make(home: Path) -> Stack:
    localaws_port, airflow_port = processes.free_ports(2)
    return Stack(home=home, localaws_port=localaws_port, airflow_port=airflow_port)


@pytest.fixture(scope="module")
def running(interpreter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that runs, of stand-ins."""
    stack = make(tmp_path_factory.mktemp("running"))
    services.up(stack, quiet)
    yield stack
    services.down(stack, quiet)
    assert processes.belonging(stack) == []


@pytest.fixture
def fresh(interpreter: str, tmp_path: Path) -> Iterator[Stack]:
    """A stack that was never started."""
    stack = make(tmp_path)
    yield stack
    services.down(stack, quiet)
    assert processes.belonging(stack) == []


def quiet(_: str) -> None:
    """Say nothing."""


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: process.pid if (process := processes.find(stack, name)) else None for name in PARTS}


def leaders(stack: Stack) -> Counter[str]:
    """How many processes there are of each part, its helpers not counted."""
    found = [process for process in processes.belonging(stack) if os.getsid(process.pid) == process.pid]
    roles = [word for process in found for word in process.cmdline()[:6] if word in ROLES]
    return Counter(ROLES[role] for role in roles)


def kill(stack: Stack, name: str) -> None:
    process = processes.find(stack, name)
    assert process is not None
    process.kill()
    process.wait(5)


def one_of_each() -> Counter[str]:
    return Counter(PARTS)


@pytest.mark.parametrize(
    "dead",
    [*itertools.combinations(PARTS, 1), *itertools.combinations(PARTS, 2), COMPONENTS, PARTS],
    ids="+".join,
)
def test_the_dead_are_restarted_and_nothing_else(running: Stack, dead: tuple[str, ...]) -> None:
    before = pids(running)
    for name in dead:
        kill(running, name)
    services.up(running, quiet)
    after = pids(running)
    assert {name for name in PARTS if before[name] != after[name]} == set(dead)
    assert leaders(running) == one_of_each()
    assert {str(part.condition.value) for part in health.observe(running).values()} == {"running"}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_a_signal_stopped_is_restarted(running: Stack, name: str) -> None:
    before = pids(running)
    os.kill(before[name] or 0, signal.SIGSTOP)
    until(lambda: health.is_stopped(processes.find(running, name)))
    assert health.observe(running)[name].condition is Condition.STOPPED
    services.up(running, quiet)
    assert {each for each in PARTS if before[each] != pids(running)[each]} == {name}
    assert leaders(running) == one_of_each()


@pytest.mark.parametrize(
    ("name", "mute"),
    [
        ("localaws", "localaws/mute"),
        ("airflow-api-server", "airflow/mute"),
        ("airflow-scheduler", "airflow/mute-scheduler"),
    ],
)
def test_a_part_that_hangs_is_restarted(running: Stack, name: str, mute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "HEARTBEAT_S", 0.5)
    monkeypatch.setattr(services, "PATIENCE_S", 0.7)
    before = pids(running)
    (running.home / mute).touch()
    time.sleep(0.6)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "restarting" in text:
            (running.home / mute).unlink()

    services.up(running, say)
    assert {each for each in PARTS if before[each] != pids(running)[each]} == {name}
    assert any(name in text and ("does not answer" in text or "heartbeat" in text) for text in said)


def test_a_part_that_ends_while_the_others_are_waited_for_is_restarted(running: Stack) -> None:
    before = pids(running)
    os.kill(before["airflow-api-server"] or 0, signal.SIGSTOP)

    def say(text: str) -> None:
        if "Starting airflow-api-server" in text:
            kill(running, "airflow-triggerer")

    services.up(running, say)
    restarted = {"airflow-api-server", "airflow-triggerer"}
    assert {each for each in PARTS if before[each] != pids(running)[each]} == restarted


def test_a_part_that_dies_as_it_is_looked_at_is_restarted(running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pids(running)
    looks: list[Any] = []
    observe = health.observe

    def observe_and_kill(stack: Stack) -> dict[str, Part]:
        parts = observe(stack)
        if not looks:
            kill(stack, "airflow-scheduler")
        looks.append(parts)
        return parts

    monkeypatch.setattr(health, "observe", observe_and_kill)
    services.up(running, quiet)
    assert {each for each in PARTS if before[each] != pids(running)[each]} == {"airflow-scheduler"}


def test_the_migration_is_run_only_when_no_component_runs(fresh: Stack) -> None:
    migrations = fresh.airflow_home / "migrations"
    services.up(fresh, quiet)
    kill(fresh, "airflow-scheduler")
    services.up(fresh, quiet)
    assert migrations.read_text().split() == ["once"]
    for name in PARTS[1:]:
        kill(fresh, name)
    services.up(fresh, quiet)
    assert migrations.read_text().split() == ["once", "once"]


def test_what_a_dead_part_left_ends_but_for_what_has_a_group_of_its_own(
    running: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_HELPERS", "yes")
    kill(running, "airflow-scheduler")
    services.up(running, quiet)
    monkeypatch.delenv("STAND_IN_HELPERS")
    scheduler = processes.find(running, "airflow-scheduler")
    assert scheduler is not None
    until(lambda: len(scheduler.children()) == 2 and any(os.getpgid(p.pid) == p.pid for p in scheduler.children()))
    worker, helper = sorted(scheduler.children(), key=lambda child: os.getpgid(child.pid) != child.pid)
    kill(running, "airflow-scheduler")
    services.up(running, quiet)
    assert worker.is_running()
    assert not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE


def test_a_pid_that_belongs_to_another_program_is_not_taken_for_a_part(running: Stack) -> None:
    kill(running, "airflow-triggerer")
    other = psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        record = running.home / "run" / "airflow-triggerer.json"
        record.write_text(f'{{"pid": {other.pid}, "born": {other.create_time() - 60}}}')
        services.up(running, quiet)
        assert leaders(running) == one_of_each()
        assert other.is_running()
    finally:
        other.kill()
        other.wait()


def test_a_record_that_cannot_be_read_counts_as_none(running: Stack) -> None:
    kill(running, "airflow-triggerer")
    (running.home / "run" / "airflow-triggerer.json").write_text('{"pid"')
    services.up(running, quiet)
    assert leaders(running) == one_of_each()


def command(stack: Stack, name: str, **environment: str) -> subprocess.Popen[str]:
    """``python -m stack <name>`` as ``make`` runs it."""
    here = {
        "STACK_HOME": str(stack.home),
        "LOCALAWS_PORT": str(stack.localaws_port),
        "AIRFLOW_PORT": str(stack.airflow_port),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "stack", name],
        env={**os.environ, **here, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("moment", ["localaws", "airflow-db-migrate", "airflow-api-server", "airflow-dag-processor"])
def test_a_start_that_was_killed_halfway_is_taken_up(fresh: Stack, moment: str) -> None:
    first = command(fresh, "up", STAND_IN_MIGRATION_S="0.3")
    until((fresh.home / "run" / f"{moment}.json").exists, every=0.01)
    first.kill()
    first.communicate()
    services.up(fresh, quiet)
    assert leaders(fresh) == one_of_each()
    # A migration that was under way was let finish, and was not overtaken by a second one.
    assert set((fresh.airflow_home / "migrations").read_text().split()) == {"once"}


def test_a_process_whose_start_was_not_recorded_never_ran(fresh: Stack) -> None:
    code = f"""
import os, signal
from pathlib import Path
from stack import processes
from stack.layout import Stack
stack = Stack(home=Path({str(fresh.home)!r}))
processes._write_record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
processes.start(stack, "sleeper", ["touch", "{fresh.home}/ran"], stack.base_environment())
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    until(lambda: not processes.belonging(fresh))
    assert not (fresh.home / "ran").exists()


def test_two_starts_at_once_make_one_stack(fresh: Stack) -> None:
    both = [command(fresh, "up") for _ in range(2)]
    output = [each.communicate(timeout=60)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], output
    assert leaders(fresh) == one_of_each()
    assert sum("Waiting for another command" in text for text in output) == 1


def test_a_foreign_program_on_a_port_is_named_with_its_variable(fresh: Stack) -> None:
    with socket.create_server(("127.0.0.1", fresh.airflow_port)):
        made = command(fresh, "up")
        output = " ".join(made.communicate(timeout=60)[0].split())
        assert made.returncode == 1
        assert f"port {fresh.airflow_port} (the Airflow UI) in use by another program" in output
        assert f"make up AIRFLOW_PORT={fresh.airflow_port + 1}" in output
        assert processes.belonging(fresh) == []


def test_other_ports_move_a_running_stack(fresh: Stack) -> None:
    services.up(fresh, quiet)
    moved = make(fresh.home)
    services.up(moved, quiet)
    assert leaders(moved) == one_of_each()
    assert {str(part) for part in health.observe(moved).values()} == {
        f"running, pid {pid}" for pid in pids(moved).values()
    }


def test_a_part_that_ends_at_once_is_reported_with_its_log(fresh: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.AIRFLOW, "airflow-triggerer", ["no-such-component"])
    with pytest.raises(StackError, match=r"(?s)airflow-triggerer ended\. .*KeyError"):
        services.up(fresh, quiet)


def test_status_tells_each_part_as_it_is(running: Stack) -> None:
    kill(running, "airflow-triggerer")
    stopped = pids(running)["airflow-dag-processor"]
    os.kill(stopped or 0, signal.SIGSTOP)
    until(lambda: health.is_stopped(processes.find(running, "airflow-dag-processor")))
    asked = command(running, "status")
    output = asked.communicate(timeout=60)[0]
    assert asked.returncode == 3
    said = {line.split()[0]: line.split(maxsplit=1)[1] for line in output.splitlines()[:5]}
    assert said == {
        **{name: f"running, pid {pid}" for name, pid in pids(running).items()},
        "airflow-triggerer": "not running",
        "airflow-dag-processor": f"running, pid {stopped}, but stopped by a signal",
    }
    services.up(running, quiet)


def test_a_heartbeat_of_a_predecessor_does_not_count(running: Stack) -> None:
    (running.airflow_home / "mute-scheduler").touch()
    try:
        kill(running, "airflow-scheduler")
        services.start_component(running, "airflow-scheduler")
        part = health.observe(running)["airflow-scheduler"]
        assert (part.condition, part.why) == (Condition.SILENT, "has sent no heartbeat yet")
    finally:
        (running.airflow_home / "mute-scheduler").unlink()
        services.up(running, quiet)


def test_a_part_of_which_nothing_becomes_known_is_not_waited_for_without_end(
    running: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", 0.1)
    monkeypatch.setattr(services, "START_S", 0.1)
    found = {name: Part(Condition.WELL, 1) for name in PARTS}
    found["airflow-scheduler"] = Part(Condition.UNKNOWN, 2, "its heartbeats are not known")
    monkeypatch.setattr(health, "observe", lambda _: found)
    with pytest.raises(StackError, match="airflow-scheduler its heartbeats are not known"):
        services.up(running, quiet)


def test_what_the_stack_writes_is_its_users_alone(running: Stack) -> None:
    files = [running.home, *running.home.rglob("*")]
    assert {"airflow-scheduler.log", "sessions.jsonl", running.passwords.name} <= {file.name for file in files}
    assert [file for file in files if file.exists() and file.stat().st_mode & 0o077] == []


def test_an_earlier_password_is_kept(running: Stack) -> None:
    before = running.passwords.read_text()
    kill(running, "airflow-api-server")
    services.up(running, quiet)
    assert running.passwords.read_text() == before


def test_what_is_unknown_is_not_held_against_a_part() -> None:
    since: dict[str, float] = {}
    patience = {"server": 10.0, "scheduler": 10.0}

    def found(server: Condition, scheduler: Condition) -> dict[str, Part]:
        return {"server": Part(server, 1), "scheduler": Part(scheduler, 2)}

    assert services.overdue(found(Condition.SILENT, Condition.UNKNOWN), since, patience, 0) == []
    assert services.overdue(found(Condition.SILENT, Condition.UNKNOWN), since, patience, 11) == ["server"]
    assert services.overdue(found(Condition.WELL, Condition.SILENT), since, patience, 12) == []
    assert services.overdue(found(Condition.WELL, Condition.WELL), since, patience, 21) == []
    assert services.overdue(found(Condition.WELL, Condition.SILENT), since, patience, 23) == []
    assert services.overdue(found(Condition.WELL, Condition.UNKNOWN), since, patience, 30) == []
    assert services.overdue(found(Condition.WELL, Condition.SILENT), since, patience, 34) == ["scheduler"]
    assert services.overdue(found(Condition.DEAD, Condition.STOPPED), since, patience, 35) == ["server", "scheduler"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_down_leaves_nothing_whatever_was_done_before(fresh: Stack, number: signal.Signals) -> None:
    services.up(fresh, quiet)
    for name in PARTS[::2]:
        os.kill(pids(fresh)[name] or 0, number)
    services.down(fresh, quiet)
    assert processes.belonging(fresh) == []
    assert {part.condition for part in health.observe(fresh).values()} == {Condition.DEAD}
