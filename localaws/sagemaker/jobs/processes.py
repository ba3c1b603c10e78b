"""Finding and ending the processes of a job where no process namespace does it for us."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
from pathlib import Path

#: in the environment of all that a job starts; its value is the job's folder.
MARK = "LOCALAWS_JOB"
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of all orphans among its descendants (Linux), so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants() -> None:
    """SIGKILL for all that this process started, again until there is none: they may start others meanwhile."""
    # Loaded here, as below: a supervisor that has namespaces never needs it.
    import psutil

    for _ in range(50):
        alive = 0
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    child.kill()
                    alive += 1
        if not alive:
            return
        time.sleep(0.02)


def kill_marked(folder: Path) -> None:
    """SIGKILL for all processes that carry a job's mark: what a killed supervisor may have left."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            # It has ended, or it is another user's, and so not of our jobs.
            continue
