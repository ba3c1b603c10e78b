"""Several that start, look at and delete the same jobs at once."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localaws.core import beneath, reconciler
from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.store import Store
from localaws.sagemaker.jobs import control, resource
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.training import api as training

#: nothing in these tests takes so long; what waits for ever fails.
LIMIT_S = 30


class Supervisors:
    """In place of the processes: each holds its job's lock until its end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.living_at_begin: list[bool] = []
        self._locks: dict[str, int] = {}
        self._over = threading.Event()

    def start(self, argv: list[str], *, pass_fds: list[int], **_: Any) -> Any:
        folder = JobFolder(Path(argv[3]))
        self.begun.append(folder.path.name)
        self.living_at_begin.append(folder.supervised())
        self._locks[folder.path.name] = os.dup(pass_fds[0])
        return SimpleNamespace(wait=self._over.wait)

    def end(self, name: str) -> None:
        os.close(self._locks.pop(name))

    def end_all(self) -> None:
        for name in list(self._locks):
            self.end(name)
        self._over.set()


@pytest.fixture
def supervisors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisors]:
    fake = Supervisors()
    monkeypatch.setattr(control, "subprocess", SimpleNamespace(Popen=fake.start, DEVNULL=-3))
    yield fake
    fake.end_all()


@pytest.fixture
def ctx(tmp_path: Path, supervisors: Supervisors) -> Context:
    return Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))


@pytest.fixture
def reconcile(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes one pass, also where another test has stopped the thread."""
    monkeypatch.setattr(reconciler, "_ending", threading.Event())
    return lambda: reconciler.reconcile(ctx)


def request(name: str, **members: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "RoleArn": "arn:aws:iam::123456789012:role/sagemaker",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "StoppingCondition": {},
        **members,
    }


def folder_of(ctx: Context, name: str) -> JobFolder:
    return JobFolder.of(ctx.home, training.KIND, name)


def job_of(record: dict[str, Any]) -> control.Job:
    name, arn = record["TrainingJobName"], record["TrainingJobArn"]
    return control.Job(training.KIND, name, arn, record["CreationTime"], record)


def end(ctx: Context, supervisors: Supervisors, name: str) -> None:
    """The job completes, as its supervisor would have it."""
    moment = ctx.now()
    folder_of(ctx, name).write_status(
        {
            "Status": "Completed",
            "SecondaryStatus": "Completed",
            "Transitions": [],
            "StartTime": moment,
            "EndTime": moment,
            "LastModifiedTime": moment,
        }
    )
    supervisors.end(name)


def deleted(ctx: Context, supervisors: Supervisors, name: str) -> dict[str, Any]:
    """A job that was made, completed and deleted; its record from when it ran, as the reconciler holds it."""
    training.begin(request(name), ctx)
    stale = stored(ctx, name)
    end(ctx, supervisors, name)
    training.delete_training_job({"TrainingJobName": name}, ctx)
    supervisors.begun.clear()
    return stale


def stored(ctx: Context, name: str) -> dict[str, Any]:
    record = ctx.store.get(training.KIND, name)
    assert record is not None
    return record


# --- the lock ---------------------------------------------------------------------------------------------------


def test_one_that_looks_while_a_job_is_started_does_not_keep_its_supervisor_from_it(
    ctx: Context, supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, go = threading.Event(), threading.Event()
    write_job, flock = JobFolder.write_job, fcntl.flock
    lookers: list[threading.Thread] = []

    def look(folder: JobFolder) -> None:
        folder.supervised()
        seen.set()

    def write_job_and_be_looked_at(folder: JobFolder, job: dict[str, Any]) -> None:
        write_job(folder, job)
        lookers.append(threading.Thread(target=look, args=(folder,)))
        lookers[0].start()
        assert seen.wait(LIMIT_S)

    def lock_and_linger(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        if threading.current_thread() in lookers:
            seen.set()
            go.wait(LIMIT_S)

    monkeypatch.setattr(JobFolder, "write_job", write_job_and_be_looked_at)
    monkeypatch.setattr(fcntl, "flock", lock_and_linger)
    training.begin(request("looked-at"), ctx)
    go.set()
    lookers[0].join()
    assert supervisors.begun == ["looked-at"]
    assert supervisors.living_at_begin == [True], "it has its lock before it begins"
    assert training.JOBS.sync(stored(ctx, "looked-at"), ctx)["TrainingJobStatus"] == "InProgress"


def test_two_that_look_at_once_do_not_take_each_other_for_a_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.path.mkdir()
    os.close(folder.first_lock())
    flock = fcntl.flock
    second: list[bool] = []

    def lock_while_another_looks(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        if not second:
            second.append(True)
            second[0] = folder.supervised()

    monkeypatch.setattr(fcntl, "flock", lock_while_another_looks)
    assert not folder.supervised()
    assert second == [False]


def test_a_look_makes_no_folder_and_leaves_the_lock_where_it_is(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    assert not folder.supervised()
    assert not folder.path.exists()
    folder.path.mkdir()
    lock = folder.first_lock()
    assert folder.supervised()
    assert folder.lock() is None
    os.close(lock)
    assert not folder.supervised()


# --- records from before a deletion -----------------------------------------------------------------------------


def test_an_old_record_of_a_deleted_job_does_not_start_it_again(ctx: Context, supervisors: Supervisors) -> None:
    stale = deleted(ctx, supervisors, "ghost")
    assert training.JOBS.sync(stale, ctx) == stale
    control.start(ctx, job_of(stale))
    assert supervisors.begun == []
    assert not folder_of(ctx, "ghost").path.exists()
    assert ctx.store.get(training.KIND, "ghost") is None


def test_a_look_in_the_middle_of_a_deletion_does_not_start_the_job_again(
    ctx: Context, supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.begin(request("going"), ctx)
    stale = stored(ctx, "going")
    end(ctx, supervisors, "going")
    training.describe_training_job({"TrainingJobName": "going"}, ctx)
    supervisors.begun.clear()
    looking = threading.Event()
    remove, supervised = beneath.remove, JobFolder.supervised
    looker = threading.Thread(target=training.JOBS.sync, args=(stale, ctx))

    def remove_and_be_looked_at(path: Path) -> None:
        remove(path)
        if threading.current_thread() is threading.main_thread():
            looker.start()
            assert looking.wait(LIMIT_S)

    def look(folder: JobFolder) -> bool:
        looking.set()
        return supervised(folder)

    monkeypatch.setattr(JobFolder, "supervised", look)
    monkeypatch.setattr(beneath, "remove", remove_and_be_looked_at)
    training.delete_training_job({"TrainingJobName": "going"}, ctx)
    looker.join(LIMIT_S)
    assert not looker.is_alive()
    assert supervisors.begun == []
    assert not folder_of(ctx, "going").path.exists()


def test_an_old_record_neither_starts_nor_buries_nor_deletes_the_next_job_of_its_name(
    ctx: Context, supervisors: Supervisors
) -> None:
    stale = deleted(ctx, supervisors, "again")
    # As it is between its record and its start.
    new = {**stale, "CreationTime": ctx.now(), "RoleArn": "arn:aws:iam::123456789012:role/other"}
    ctx.store.insert(training.KIND, "again", new)
    assert training.JOBS.sync(stale, ctx) == stale
    control.forget(ctx, job_of(stale))
    assert supervisors.begun == []
    assert stored(ctx, "again") == new
    training.JOBS.sync_all(ctx)
    assert supervisors.begun == ["again"]
    assert folder_of(ctx, "again").job()["Request"]["RoleArn"] == new["RoleArn"]
    # Its supervisor dies: that is for those to say who know of this job.
    supervisors.end("again")
    assert training.JOBS.sync(stale, ctx) == stale
    assert folder_of(ctx, "again").status() is None


def test_the_last_word_of_a_deleted_job_is_not_the_next_one_s(
    ctx: Context, supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.begin(request("name"), ctx)
    stale = stored(ctx, "name")
    end(ctx, supervisors, "name")
    look = control.sync

    def look_long(ctx: Context, job: control.Job) -> dict[str, Any] | None:
        status = look(ctx, job)
        # Meanwhile others see the end, delete the job and make another.
        monkeypatch.setattr(control, "sync", look)
        training.delete_training_job({"TrainingJobName": "name"}, ctx)
        training.begin(request("name"), ctx)
        return status

    monkeypatch.setattr(control, "sync", look_long)
    assert training.JOBS.sync(stale, ctx)["TrainingJobStatus"] == "Completed"
    assert stored(ctx, "name")["TrainingJobStatus"] == "InProgress"


# --- reads ------------------------------------------------------------------------------------------------------


def test_reads_change_nothing_and_the_reconciler_keeps_the_end_with_its_lineage(
    ctx: Context, supervisors: Supervisors, reconcile: Callable[[], None]
) -> None:
    training.begin(request("done"), ctx)
    end(ctx, supervisors, "done")
    ended: list[str] = []
    listeners = [*resource.ENDED._listeners]
    resource.ENDED.listen(lambda kind, record, _: ended.append(record["TrainingJobStatus"]))
    try:
        before = stored(ctx, "done")
        described = training.describe_training_job({"TrainingJobName": "done"}, ctx)
        (listed,) = training.list_training_jobs({}, ctx)["TrainingJobSummaries"]
        assert (described["TrainingJobStatus"], listed["TrainingJobStatus"]) == ("InProgress", "InProgress")
        assert "TrainingEndTime" not in described
        assert (stored(ctx, "done"), ended) == (before, [])
        reconcile()
        assert training.describe_training_job({"TrainingJobName": "done"}, ctx)["TrainingJobStatus"] == "Completed"
        assert ended == ["Completed"]
    finally:
        resource.ENDED._listeners[:] = listeners


def test_a_read_of_a_job_without_a_supervisor_starts_none(
    ctx: Context, supervisors: Supervisors, reconcile: Callable[[], None]
) -> None:
    training.begin(request("lost"), ctx)
    (folder_of(ctx, "lost").path / "started").unlink()
    supervisors.end("lost")
    supervisors.begun.clear()
    assert training.describe_training_job({"TrainingJobName": "lost"}, ctx)["TrainingJobStatus"] == "InProgress"
    assert supervisors.begun == []
    reconcile()
    assert supervisors.begun == ["lost"]


# --- one of many ------------------------------------------------------------------------------------------------


def test_a_job_that_cannot_be_read_is_logged_once_and_hides_no_other(
    ctx: Context, supervisors: Supervisors, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("first", "unreadable", "last"):
        training.begin(request(name), ctx)
    (folder_of(ctx, "unreadable").path / "status.json").write_text("")
    for name in ("first", "last"):
        end(ctx, supervisors, name)
    with caplog.at_level(logging.ERROR, "localaws.sagemaker.jobs"):
        for _ in range(3):
            training.JOBS.sync_all(ctx)
    answer = training.list_training_jobs({}, ctx)
    statuses = {job["TrainingJobName"]: job["TrainingJobStatus"] for job in answer["TrainingJobSummaries"]}
    assert statuses == {"first": "Completed", "unreadable": "InProgress", "last": "Completed"}
    told, listed = caplog.records
    assert told.getMessage() == "the training-job unreadable cannot be brought up to date"
    assert listed.getMessage() == "the directory of the training-job unreadable cannot be read"
    assert told.exc_info
