"""Takes the place of both interpreters of the stack: does what each part does for ``make up``, in milliseconds."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BEAT_S = 0.05
KINDS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


def main(command: list[str]) -> None:
    """What ``python -m <module> ...`` would do."""
    match command:
        case ["-m", "localaws", "serve", "--home", home, "--port", port]:
            facts = Path(home, "localaws", "server.json")
            answer(int(port), Path(home, "localaws"), dict, ready=lambda: write(facts, "{}"))
        case ["-m", "airflow", "db", "migrate"]:
            with open(home_of_airflow() / "migrations", "a") as done:
                time.sleep(float(os.environ.get("STAND_IN_MIGRATION_S", "0")))
                done.write("once\n")
        case ["-m", "airflow", "api-server"]:
            answer(int(os.environ["AIRFLOW__API__PORT"]), home_of_airflow(), health)
        case ["-m", "airflow", kind, *_]:
            if "STAND_IN_HELPERS" in os.environ:
                fork_helpers()
            while True:
                if not (home_of_airflow() / f"mute-{kind}").exists():
                    write(home_of_airflow() / f"beat-{KINDS[kind]}", datetime.now(UTC).isoformat())
                time.sleep(BEAT_S)


def fork_helpers() -> None:
    """One process in the part's own group, and one in a group of its own, such as a worker with a task is in."""
    for own_group in (False, True):
        if os.fork() == 0:
            if own_group:
                os.setpgid(0, 0)
            time.sleep(600)


def home_of_airflow() -> Path:
    return Path(os.environ["AIRFLOW_HOME"])


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def health() -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {"metadatabase": {"status": "healthy"}}
    for kind in KINDS.values():
        beat = home_of_airflow() / f"beat-{kind}"
        last = beat.read_text() if beat.exists() else None
        found[kind] = {"status": "healthy", f"latest_{kind}_heartbeat": last}
    return found


def answer(port: int, home: Path, body: Callable[[], Any], ready: Callable[[], Any] = lambda: None) -> None:
    """Answer every request, one after the other; not at all while ``mute`` is in ``home``."""
    with socket.create_server(("127.0.0.1", port)) as server:
        ready()
        while True:
            client, _ = server.accept()
            with client:
                if not (home / "mute").exists():
                    client.recv(65536)
                    text = json.dumps(body()).encode()
                    client.sendall(
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text
                    )


if __name__ == "__main__":
    main(sys.argv[1:])
