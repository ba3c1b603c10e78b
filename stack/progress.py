"""Live progress of DAG runs in the terminal: a row a task, with its state and its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

COLOURS = {
    "success": "green",
    "running": "cyan",
    "deferred": "cyan",
    "queued": "yellow",
    "scheduled": "yellow",
    "up_for_retry": "magenta",
    "failed": "bold red",
    "upstream_failed": "red",
    "skipped": "dim",
}


class Progress:
    """
    Shows the runs given to :meth:`update`: a table that refreshes in a terminal, a line a change elsewhere.

    A deferred task is shown as ``working``: its job runs, and Airflow keeps no process for it.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._runs: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._seen: dict[tuple[str, str, int], str] = {}
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def update(self, dag_id: str, state: str, tasks: list[dict[str, Any]]) -> None:
        """Take in the present state of a run and of its task instances."""
        self._runs[dag_id] = (state, tasks)
        if self._live:
            self._live.update(Group(*[_table(name, *run) for name, run in self._runs.items()]))
            return
        for task in tasks:
            key = (dag_id, task["task_id"], task["map_index"])
            shown = _state(task)
            if shown != self._seen.get(key) and shown not in ("", "queued", "scheduled"):
                self._seen[key] = shown
                line = f"{dag_id}.{task['task_id']:<18} {shown:<12} {_seconds(task)}"
                self.console.print(Text(line.rstrip(), style=COLOURS.get(task["state"] or "", "")))


def _table(dag_id: str, state: str, tasks: list[dict[str, Any]]) -> Table:
    table = Table(
        title=f"{dag_id}  [{COLOURS.get(state, '')}]{state}[/]", title_justify="left", box=None, padding=(0, 2)
    )
    table.add_column("task", no_wrap=True, min_width=22)
    table.add_column("state", min_width=12)
    table.add_column("time", justify="right", min_width=8)
    for task in tasks:
        table.add_row(
            task["task_id"], Text(_state(task), style=COLOURS.get(task["state"] or "", "dim")), _seconds(task)
        )
    return table


def _state(task: dict[str, Any]) -> str:
    return "working" if task["state"] in ("deferred", "running") else str(task["state"] or "").replace("_", " ")


def _seconds(task: dict[str, Any]) -> str:
    """Return the seconds since the task first started: an instance that was deferred counts from its first start."""
    if not task["start_date"]:
        return ""
    start = datetime.fromisoformat(task["start_date"])
    end = datetime.fromisoformat(task["end_date"]) if task["end_date"] else datetime.now(UTC)
    return f"{max(0.0, (end - start).total_seconds()):.1f} s"
