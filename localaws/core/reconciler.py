"""
The loop that moves resources towards their final state, step by step.

What is to be done next follows from a resource's record and from the state of what it consists of, all in the store: a
server that is killed at any line continues after its restart. A slice registers its resource once, when it is imported,
and the server starts and stops the thread::

    reconciler.register(Resource("auto-ml-job", "AutoMLJobName", "AutoMLJobStatus", machine.advance, machine.fail))
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.core.statuses import TERMINAL

log = logging.getLogger("localaws.reconciler")

Record = dict[str, Any]

#: seconds between two passes over the records under way; a poke starts one at once.
INTERVAL_S = 0.5
#: seconds that :func:`stop` waits for the step in progress.
_LAST_STEP_S = 10.0


@dataclass(frozen=True)
class Resource:
    """
    How the records of a kind are reconciled.

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


_resources: dict[str, Resource] = {}
_sweeps: list[Callable[[Context], None]] = []
_lock = threading.Lock()
_wake = threading.Event()
_ending = threading.Event()
_thread: threading.Thread | None = None


def register(resource: Resource) -> None:
    """Reconcile the records of a kind; once, when its slice is imported."""
    _resources[resource.kind] = resource


def register_sweep(sweep: Callable[[Context], None]) -> None:
    """
    Call a function at every pass, which does whatever is due of its kind.

    It is for kinds of thousands of records that wait for people: they keep tables that say what is due.
    """
    _sweeps.append(sweep)


def poke() -> None:
    """Start a pass now: something has changed."""
    _wake.set()


def start(ctx: Context) -> None:
    """Start the thread, unless it runs."""
    global _thread
    with _lock:
        if _thread is not None and _thread.is_alive():
            return
        _ending.clear()
        _thread = threading.Thread(target=_run, args=(ctx,), name="reconciler", daemon=True)
        _thread.start()


def stop() -> None:
    """End the thread after the step that it is at."""
    _ending.set()
    _wake.set()
    with _lock:
        if _thread is not None:
            _thread.join(_LAST_STEP_S)


def reconcile(ctx: Context) -> None:
    """Advance every record that is under way by one step."""
    for resource in list(_resources.values()):
        for name in ctx.store.under_way(resource.kind, resource.status, resource.terminal):
            if _ending.is_set():
                return
            # Read only now: meanwhile a request may have stopped or deleted it.
            record = ctx.store.get(resource.kind, name)
            if record is not None and record[resource.status] not in resource.terminal:
                _advance(resource, record, ctx)
    for sweep in list(_sweeps):
        with isolate(f"{sweep.__module__} failed; it is tried again"):
            sweep(ctx)


def _run(ctx: Context) -> None:
    while not _ending.is_set():
        # Cleared before the pass: a poke that comes during it is not lost.
        _wake.clear()
        try:
            reconcile(ctx)
        except Exception:  # the thread's outermost frame: it must live as long as the server
            log.exception("a pass failed; the next one follows")
        _wake.wait(INTERVAL_S)


def _advance(resource: Resource, record: Record, ctx: Context) -> None:
    try:
        resource.advance(record, ctx)
    except Exception as error:  # whatever it is, it ends this record and no other
        log.exception("%s %s cannot continue", resource.kind, record[resource.name])
        reason = f"InternalServerError: We encountered an internal error. {type(error).__name__}: {error}"
        with isolate(f"{resource.kind} {record[resource.name]} cannot even be failed; it is tried again"):
            resource.fail(record, reason, ctx)
