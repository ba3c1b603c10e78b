"""
Resources that consist of jobs (AutoML jobs, tuning jobs, pipeline executions), moved on step by step.

There is no process that orchestrates: what is to be done next follows from the resource's record and from the state of
its children, all in the store. So a server that is killed at any line goes on after its restart. A service registers
its kind once, and starts and stops the thread from its ``on_start`` and ``on_stop``::

    steering.register(steering.Course("auto-ml-job", "AutoMLJobName", "AutoMLJobStatus", machine.advance, machine.fail))
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.core.context import Context
from localaws.core.isolate import one_of_many
from localaws.core.statuses import TERMINAL

log = logging.getLogger("localaws.core.reconciler")

Record = dict[str, Any]

#: seconds between looks at the records that are under way; a poke makes it at once.
INTERVAL_S = 0.5
#: seconds that :func:`stop` waits for the step in progress.
_LAST_STEP_S = 10.0


@dataclass(frozen=True)
class Course:
    """
    How the records of a kind are moved on.

    :param kind: in the store.
    :param name: the record's key that is its name in the store.
    :param status: the record's key of the primary status; a record is let alone once that is one of ``terminal``.
    :param advance: one step, from the record as it is in the store. It is called again and again, after a crash too:
        it must find out what was done already, and it must not wait.
    :param fail: makes a record Failed with the reason given, when ``advance`` raised what it should not.
    """

    kind: str
    name: str
    status: str
    advance: Callable[[Record, Context], None]
    fail: Callable[[Record, str, Context], None]
    terminal: frozenset[str] = TERMINAL


_courses: dict[str, Course] = {}
_sweeps: list[Callable[[Context], None]] = []
_lock = threading.Lock()
_wake = threading.Event()
_ending = threading.Event()
_thread: threading.Thread | None = None


def register(course: Course) -> None:
    """Take a kind into care; once, when its service is imported."""
    _courses[course.kind] = course


def register_sweep(sweep: Callable[[Context], None]) -> None:
    """
    Take a function into care that moves on whatever is due of its kind, at every turn.

    It is for kinds of thousands of records that wait for people: they keep tables that say what is due.
    """
    _sweeps.append(sweep)


def poke() -> None:
    """Something has changed: look now."""
    _wake.set()


def start(ctx: Context) -> None:
    """Start the thread, unless it runs: each service that needs it calls this when the server has started."""
    global _thread
    with _lock:
        if _thread is not None and _thread.is_alive():
            return
        _ending.clear()
        _thread = threading.Thread(target=_run, args=(ctx,), name="steering", daemon=True)
        _thread.start()


def stop() -> None:
    """End the thread after the step that it is at."""
    _ending.set()
    _wake.set()
    with _lock:
        if _thread is not None:
            _thread.join(_LAST_STEP_S)


def turn(ctx: Context) -> None:
    """Advance every record that is under way by one step."""
    for course in list(_courses.values()):
        for name in ctx.store.under_way(course.kind, course.status, course.terminal):
            if _ending.is_set():
                return
            # Read when its turn comes: meanwhile a request may have stopped it, or deleted it.
            record = ctx.store.get(course.kind, name)
            if record is not None and record[course.status] not in course.terminal:
                _advance(course, record, ctx)
    for sweep in list(_sweeps):
        with one_of_many(f"{sweep.__module__} failed; it is tried again"):
            sweep(ctx)


def _run(ctx: Context) -> None:
    while not _ending.is_set():
        # Cleared before the look: a poke that comes during it is not lost.
        _wake.clear()
        try:
            turn(ctx)
        except Exception:  # the thread's outermost frame: it must live as long as the server
            log.exception("a turn failed; the next one follows")
        _wake.wait(INTERVAL_S)


def _advance(course: Course, record: Record, ctx: Context) -> None:
    try:
        course.advance(record, ctx)
    except Exception as error:  # whatever it is, it ends this record and no other
        log.exception("%s %s cannot go on", course.kind, record[course.name])
        reason = f"InternalServerError: We encountered an internal error. {type(error).__name__}: {error}"
        with one_of_many(f"{course.kind} {record[course.name]} cannot even be failed; it is tried again"):
            course.fail(record, reason, ctx)
