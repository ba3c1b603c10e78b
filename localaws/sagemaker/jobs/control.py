"""The server's side of jobs: start, status, sync, stop, forget. The kinds are the supervisor's."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import localaws
from localaws.core import beneath, credentials, reconciler
from localaws.core.context import Context
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.jobs import processes, sandbox
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.jobs.progress import Progress, shorten

log = logging.getLogger("localaws.sagemaker.jobs")

#: seconds between SIGTERM and SIGKILL; SageMaker gives 120.
STOP_GRACE_S = float(os.environ.get("LOCALAWS_STOP_GRACE", "120"))

#: held while jobs are started, buried and forgotten. It is taken before the store's own, never inside a transaction.
_starting = threading.Lock()


@dataclass(frozen=True)
class Job:
    """
    A job as its service knows it. Its record is in the store under ``kind`` and ``name``.

    :param kind: ``training-job`` or another key of :data:`localaws.sagemaker.supervise.CONTRACTS`.
    :param created: its record's ``CreationTime``, which tells it from a former job of its name.
    :param request: of the shape of the Create operation of that kind; more members do no harm.
    """

    kind: str
    name: str
    arn: str
    created: datetime
    request: dict[str, Any]


def start(ctx: Context, job: Job) -> None:
    """Write down what to do and start the supervisor, unless that has been done or the job is deleted."""
    with _starting:
        if _is_known(ctx, job):
            _start(ctx, job, JobFolder.of(ctx.home, job.kind, job.name))


def status(ctx: Context, job: Job) -> dict[str, Any] | None:
    """Return the job's status, see :class:`.progress.Progress`; ``None`` before its supervisor's first word."""
    folder = JobFolder.of(ctx.home, job.kind, job.name)
    return _with_request_to_stop(folder, folder.status())


def sync(ctx: Context, job: Job) -> dict[str, Any] | None:
    """
    Return the job's status, after doing what nobody else does about it; ``None`` as above, and where it is deleted.

    A job whose supervisor was killed is Failed, or Stopped if that was asked for. One whose server was killed between
    its record and its start is started.
    """
    folder = JobFolder.of(ctx.home, job.kind, job.name)
    found = folder.status()
    if (found and found["Status"] in TERMINAL) or folder.supervised():
        return _with_request_to_stop(folder, found)
    with _starting:
        if not _is_known(ctx, job):
            return None
        # Again, under the lock: it may have ended, or have been started, since.
        found = folder.status()
        if (found and found["Status"] in TERMINAL) or folder.supervised():
            return found
        if _start(ctx, job, folder):
            return None
        return _bury(folder, found)


def stop(ctx: Context, kind: str, name: str) -> None:
    """Ask a job to end; it will be Stopping at once, and Stopped when its processes have ended and its output is up."""
    JobFolder.of(ctx.home, kind, name).ask_to_stop()


def forget(ctx: Context, job: Job) -> None:
    """Remove a job that has ended: its folder and its record, unless that is of another job by now."""
    with _starting:
        if _is_known(ctx, job):
            # In this order: a folder without a record would speak for the next job of the name.
            beneath.remove(JobFolder.of(ctx.home, job.kind, job.name).path)
            ctx.store.delete(job.kind, job.name)


def end_all(home: Path, grace: float) -> list[str]:
    """
    Stop all running jobs, server or no server; their folders, relative to the jobs' own.

    :param home: ``ctx.home``.
    :param grace: seconds until the supervisors that still run are killed, and with them their jobs.
    """
    jobs = home / "jobs"
    running = [folder for path in sorted(jobs.glob("*/*/job.json")) if (folder := JobFolder(path.parent)).supervised()]
    for folder in running:
        folder.ask_to_stop()
    deadline = time.monotonic() + grace
    while any(folder.supervised() for folder in running) and time.monotonic() < deadline:
        time.sleep(0.1)
    for folder in running:
        status = folder.status()
        if folder.supervised() and status:
            os.kill(status["Supervisor"], signal.SIGKILL)
        processes.kill_marked(folder.path)
    return [str(folder.path.relative_to(jobs)) for folder in running]


def _with_request_to_stop(folder: JobFolder, status: dict[str, Any] | None) -> dict[str, Any] | None:
    if status and status["Status"] == "InProgress" and folder.asked_to_stop():
        return {**status, "Status": "Stopping"}
    return status


def _is_known(ctx: Context, job: Job) -> bool:
    """Return True if the store still has this job, and not another of its name."""
    record = ctx.store.get(job.kind, job.name)
    return record is not None and record["CreationTime"] == job.created


def _start(ctx: Context, job: Job, folder: JobFolder) -> bool:
    """Start a job that has not been started, and return True if it had not."""
    if folder.job().get("Created") == job.created and (folder.path / "started").exists():
        return False
    # What a former job of this name may have left would speak for the new one.
    beneath.remove(folder.path)
    folder.write_job(
        {
            "Kind": job.kind,
            "Name": job.name,
            "Arn": job.arn,
            "Created": job.created,
            "Region": ctx.region,
            "Url": ctx.endpoint_url,
            "StopGrace": STOP_GRACE_S,
            "Request": job.request,
        }
    )
    _supervise(folder)
    (folder.path / "started").touch()
    return True


def _supervise(folder: JobFolder) -> None:
    """Start the supervisor, which inherits the job's lock: at no moment does a living job look like a dead one."""
    lock = folder.first_lock()
    try:
        with open(folder.supervisor_log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "localaws.sagemaker.supervise", str(folder.path), str(lock)],
                cwd=Path(localaws.__file__).parent.parent,
                env={**os.environ, **sandbox.probed()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[lock],
            )
    finally:
        os.close(lock)
    threading.Thread(target=_wait, args=(process,), name=f"wait-{folder.path.name}", daemon=True).start()


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Reap the supervisor and wake the reconciler."""
    process.wait()
    reconciler.poke()


def _bury(folder: JobFolder, status: dict[str, Any] | None) -> dict[str, Any]:
    """Say in the status what became of a job whose supervisor is dead, after ending what it may have left."""
    processes.kill_marked(folder.path)
    credentials.revoke(folder.path.parents[2], folder.credentials)
    log.error("the supervisor of %s is gone; see %s", folder.path.name, folder.supervisor_log)
    progress = Progress(folder, status)
    if folder.asked_to_stop():
        progress.finish("Stopped", "Stopped", "Job stopped")
    else:
        reason = f"InternalServerError: We encountered an internal error. {_last_words(folder)}"
        progress.finish("Failed", "Failed", "Job failed", FailureReason=shorten(reason))
    return folder.status() or {}


def _last_words(folder: JobFolder) -> str:
    if not folder.supervisor_log.exists():
        return "The job's supervisor could not be started."
    words = folder.supervisor_log.read_text(errors="replace").strip().splitlines()
    return f"The job's supervisor ended before the job, with: {words[-1]}" if words else _KILLED


_KILLED = "The job's supervisor was killed, and its processes with it."
