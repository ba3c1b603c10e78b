"""What each part of the stack is found to be: running and heard of, silent, stopped, or not there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import psutil
import requests

from stack import processes
from stack.airflow_api import AirflowApi
from stack.layout import Stack

#: parts whose heartbeats the API server tells, by the name it has for them.
HEARTBEATS = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}
API_SERVER = "airflow-api-server"
PARTS = ("localaws", API_SERVER, *HEARTBEATS)
#: a heartbeat is due every five seconds. One older than this is missed.
HEARTBEAT_S = 15.0


class Condition(Enum):
    """How a part is."""

    WELL = "running"
    #: its process runs, and nothing is heard of it.
    SILENT = "silent"
    #: its process runs, and who could tell more does not answer.
    UNKNOWN = "unknown"
    #: its process was stopped by a signal: nothing will be heard of it.
    STOPPED = "stopped"
    DEAD = "not running"


@dataclass(frozen=True)
class Part:
    """One part as it was found."""

    condition: Condition
    pid: int | None = None
    why: str = ""

    def __str__(self) -> str:
        if self.condition is Condition.DEAD:
            return "not running"
        return f"running, pid {self.pid}" + (f", but {self.why}" if self.why else "")


def observe(stack: Stack) -> dict[str, Part]:
    """Return each part of the stack as it is now."""
    running = {name: processes.find(stack, name) for name in PARTS}
    server = running[API_SERVER]
    # The kernel takes connections for a stopped process, and the call would only time out.
    heartbeats = None if server is None or is_stopped(server) else AirflowApi(stack).health()
    return {name: _part(stack, name, process, heartbeats) for name, process in running.items()}


def _part(stack: Stack, name: str, process: psutil.Process | None, heartbeats: dict[str, Any] | None) -> Part:
    if process is None:
        return Part(Condition.DEAD)
    if is_stopped(process):
        return Part(Condition.STOPPED, process.pid, "stopped by a signal")
    if name in HEARTBEATS:
        return _by_heartbeat(name, process.pid, processes.started_at(stack, name), heartbeats)
    url = stack.localaws_url if name == "localaws" else stack.airflow_url
    answers = _answers(url) if name == "localaws" else heartbeats is not None
    return Part(Condition.WELL, process.pid) if answers else _silent(process.pid, f"does not answer on {url}")


def _by_heartbeat(name: str, pid: int, started: float, heartbeats: dict[str, Any] | None) -> Part:
    if heartbeats is None or heartbeats["metadatabase"]["status"] != "healthy":
        return Part(Condition.UNKNOWN, pid, "its heartbeats are not known: the API server does not tell")
    kind = HEARTBEATS[name]
    last = heartbeats[kind][f"latest_{kind}_heartbeat"]
    # The last one may be of a predecessor that was killed a moment ago.
    if last is None or (beat := datetime.fromisoformat(last).timestamp()) < started:
        return _silent(pid, "has sent no heartbeat yet")
    age = time.time() - beat
    return _silent(pid, f"sent its last heartbeat {age:.0f} s ago") if age > HEARTBEAT_S else Part(Condition.WELL, pid)


def _silent(pid: int, why: str) -> Part:
    return Part(Condition.SILENT, pid, why)


def is_stopped(process: psutil.Process | None) -> bool:
    """Return True if a signal has stopped this process."""
    try:
        return process is not None and process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _answers(url: str) -> bool:
    """Return True if anything answers; localaws refuses an unsigned request, which is an answer."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.get(url, timeout=5)
        except requests.RequestException:
            return False
    return True
