"""
A worker that answers tasks until it is killed: ``python human_child.py HOME FLOW WORKER``.

It prints each loop's name once its answer is acknowledged, and runs the reconciler beside, writing outputs to files.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from pathlib import Path
from typing import Any

from human_kit import Clocked, Person, label

from localaws.core.credentials import load_or_create
from localaws.core.store import Store
from localaws.sagemaker.human_review import seats, sweep


class Folder:
    """S3 as outputs need it, in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def head_bucket(self, **_: Any) -> None:
        return

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:
        file = self.path / hashlib.sha256(Key.encode()).hexdigest()
        part = file.with_suffix(".part")
        part.write_bytes(Body)
        part.replace(file)


class Real(Clocked):
    """A context with the machine's own time."""

    def now(self) -> Any:
        return super(Clocked, self).now()


def context(home: Path) -> Real:
    """The context of a home that :class:`human_kit.Desk` made."""
    made = Real(home, "http://127.0.0.1:9", "us-east-1", Store(home / "state.db"), load_or_create(home / "credentials"))
    object.__setattr__(made, "bucket", Folder(home))
    return made


def main() -> None:
    """Answer until there is nothing left, or the process is killed."""
    home, flow, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    ctx = context(home)
    team = ctx.arn("sagemaker", "workteam/private-crowd/reviewers")
    worker = Person(name, (team,))

    def reconcile() -> None:
        while True:
            sweep.sweep(ctx)
            time.sleep(0.001)

    threading.Thread(target=reconcile, daemon=True).start()
    while True:
        try:
            task = seats.take(ctx, worker, flow)
        except seats.NothingLeft:
            return
        seats.submit(ctx, worker, task.seat_id, label("1"))
        print(task.loop_name, flush=True)


if __name__ == "__main__":
    main()
