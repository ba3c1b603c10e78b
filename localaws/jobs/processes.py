"""Finding and ending the processes of a job where no process namespace does it for us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

#: in the environment of all that a job starts; its value is the job's folder.
MARK = "LOCALAWS_JOB"
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of all orphans among its descendants (Linux), so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """All that a process started, directly or not."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found, waiting = [], [pid]
    while waiting:
        fresh = children.pop(waiting.pop(), [])
        found += fresh
        waiting += fresh
    return found


def kill_descendants(pid: int) -> None:
    """SIGKILL for all that a process started, again until there is none: they may start others meanwhile."""
    for _ in range(50):
        alive = descendants(pid)
        for child in alive:
            _kill(child)
        if not alive:
            return
        time.sleep(0.02)


def kill_marked(folder: Path) -> None:
    """SIGKILL for all processes that carry a job's mark: what a killed supervisor may have left (Linux)."""
    mark = f"{MARK}={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            marked = mark in entry.read_bytes().split(b"\0")
        except OSError:
            # It has ended, or it is another user's, and so not of our jobs.
            continue
        if marked:
            _kill(int(entry.parent.name))


def _parents() -> list[tuple[int, int]]:
    """Process and parent, of all processes."""
    if Path("/proc/self/stat").exists():
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                # The name, in parentheses, may have blanks and parentheses of its own.
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found.append((int(entry.parent.name), int(fields[1])))
        return found
    listing = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [(int(pid), int(parent)) for pid, parent in (line.split() for line in listing.splitlines())]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
