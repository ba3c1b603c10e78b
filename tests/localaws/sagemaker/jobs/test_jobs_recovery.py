"""Jobs outlive the server, and are taken up again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from job_helpers import Jobs
from localaws_kit import LocalAws
from waiting_kit import until

KIND = "training-job"
# Ends when the test says so, by a file that the script polls for.
WAITING = """
import pathlib, time
print("ready", flush=True)
gate = pathlib.Path("/opt/ml/checkpoints/gate")
while not gate.exists():
    time.sleep(0.05)
pathlib.Path("/opt/ml/model/done").write_text("done")
"""


@pytest.fixture
def jobs(own_localaws: LocalAws) -> Jobs:
    return Jobs(own_localaws.home)


def _open(jobs: Jobs, name: str) -> None:
    """Let a waiting job end."""
    (jobs.folder(KIND, name) / "ml" / "algo-1" / "checkpoints" / "gate").touch()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_job_goes_on_without_the_server_and_its_end_is_known_after_a_restart(
    own_localaws: LocalAws, jobs: Jobs, how: str
) -> None:
    jobs.training("survivor", WAITING)
    jobs.wait_for_line(KIND, "survivor", "ready")
    supervisor = jobs.status(KIND, "survivor")["Supervisor"]
    getattr(own_localaws, how)()
    _open(jobs, "survivor")
    until(lambda: jobs.status(KIND, "survivor")["SecondaryStatus"], lambda status: status == "Uploading")
    own_localaws.restart()
    job = jobs.trained("survivor")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"done": b"done"}
    assert jobs.status(KIND, "survivor")["Supervisor"] == supervisor


def test_a_job_that_is_still_running_is_in_progress_after_a_restart_and_can_be_stopped(
    own_localaws: LocalAws, jobs: Jobs
) -> None:
    jobs.training("running", WAITING)
    jobs.wait_for_line(KIND, "running", "ready")
    own_localaws.kill()
    own_localaws.restart()
    assert jobs.sagemaker.describe_training_job(TrainingJobName="running")["TrainingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_training_job(TrainingJobName="running")
    assert jobs.trained("running")["TrainingJobStatus"] == "Stopped"
    jobs.nothing_left(KIND, "running")


def test_server_and_supervisor_both_killed_leave_a_failed_job_and_no_process(
    own_localaws: LocalAws, jobs: Jobs
) -> None:
    jobs.training("both", WAITING)
    jobs.wait_for_line(KIND, "both", "ready")
    own_localaws.kill()
    os.kill(jobs.status(KIND, "both")["Supervisor"], signal.SIGKILL)
    own_localaws.restart()
    assert jobs.trained("both")["TrainingJobStatus"] == "Failed"
    jobs.nothing_left(KIND, "both")


def test_a_job_that_was_recorded_and_not_started_is_started_after_a_restart(own_localaws: LocalAws, jobs: Jobs) -> None:
    jobs.train("template", "print(1)")
    # The end is known before the supervisor has removed the instance's volume.
    jobs.nothing_left(KIND, "template")
    own_localaws.kill()
    # What a server leaves that is killed between the record and the start of the supervisor.
    shutil.rmtree(jobs.folder(KIND, "template"))
    _forget_end(own_localaws.home, "template")
    own_localaws.restart()
    assert jobs.trained("template")["TrainingJobStatus"] == "Completed"


def _forget_end(home: Path, name: str) -> None:
    script = (
        "import sys; from localaws.core.store import Store\n"
        "store = Store(sys.argv[1])\n"
        "store.update('training-job', sys.argv[2], lambda job: job.update(TrainingJobStatus='InProgress'))\n"
    )
    root = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", script, home / "localaws" / "state.db", name], check=True, cwd=root)


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("not yet", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAWS_STOP_GRACE", "0.5")


def test_a_script_that_takes_no_notice_of_sigterm_is_killed_after_the_grace(short_grace: None, jobs: Jobs) -> None:
    jobs.training("stubborn", STUBBORN)
    jobs.wait_for_line(KIND, "stubborn", "ready")
    jobs.sagemaker.stop_training_job(TrainingJobName="stubborn")
    assert jobs.trained("stubborn")["TrainingJobStatus"] == "Stopped"
    assert jobs.status(KIND, "stubborn")["ExitCodes"]["algo-1"] in (137, 128 + signal.SIGKILL)
    assert jobs.log(KIND, "stubborn").count("not yet") == 1
    jobs.nothing_left(KIND, "stubborn")


def test_all_jobs_can_be_ended_without_the_server(own_localaws: LocalAws, jobs: Jobs) -> None:
    for name in ("first", "second"):
        jobs.training(name, STUBBORN)
    for name in ("first", "second"):
        jobs.wait_for_line(KIND, name, "ready")
    own_localaws.stop()
    command = [
        sys.executable,
        "-m",
        "localaws.sagemaker.jobs",
        "end",
        "--home",
        str(own_localaws.home),
        "--grace",
        "0.5",
    ]
    root = Path(__file__).parents[4]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout.splitlines() == ["ended training-job/first", "ended training-job/second"]
    for name in ("first", "second"):
        jobs.nothing_left(KIND, name)
    own_localaws.restart()
    assert jobs.trained("first")["TrainingJobStatus"] == "Stopped"


def test_a_second_supervisor_leaves_a_job_alone(own_localaws: LocalAws, jobs: Jobs) -> None:
    jobs.training("single", WAITING)
    jobs.wait_for_line(KIND, "single", "ready")
    second = subprocess.run(
        [sys.executable, "-m", "localaws.sagemaker.supervise", str(jobs.folder(KIND, "single"))],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "has a supervisor already" in second.stderr
    _open(jobs, "single")
    assert jobs.trained("single")["TrainingJobStatus"] == "Completed"
