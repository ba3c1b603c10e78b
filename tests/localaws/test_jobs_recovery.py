"""Jobs outlive the server, and are taken up again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LocalAws
from job_helpers import Jobs, until

KIND = "training-job"
# Ends when the test says so, by a file that the script polls for.
WAITING = """
import pathlib, sys, time
print("ready", flush=True)
gate = pathlib.Path(sys.argv[2])
while not gate.exists():
    time.sleep(0.05)
pathlib.Path("/opt/ml/model/done").write_text("done")
"""


@pytest.fixture
def jobs(own_localaws: LocalAws) -> Jobs:
    return Jobs(own_localaws.home)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_job_goes_on_without_the_server_and_its_end_is_known_after_a_restart(
    own_localaws: LocalAws, jobs: Jobs, tmp_path: Path, how: str
) -> None:
    gate = tmp_path / "gate"
    jobs.training("survivor", WAITING, parameters={"gate": str(gate)})
    jobs.wait_for_line(KIND, "survivor", "ready")
    supervisor = jobs.status(KIND, "survivor")["Supervisor"]
    getattr(own_localaws, how)()
    gate.touch()
    until(lambda: jobs.status(KIND, "survivor")["SecondaryStatus"], lambda status: status == "Uploading")
    own_localaws.restart()
    job = jobs.trained("survivor")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"done": b"done"}
    assert jobs.status(KIND, "survivor")["Supervisor"] == supervisor


def test_a_job_that_is_still_running_is_in_progress_after_a_restart_and_can_be_stopped(
    own_localaws: LocalAws, jobs: Jobs, tmp_path: Path
) -> None:
    jobs.training("running", WAITING, parameters={"gate": str(tmp_path / "never")})
    jobs.wait_for_line(KIND, "running", "ready")
    own_localaws.kill()
    own_localaws.restart()
    assert jobs.sagemaker.describe_training_job(TrainingJobName="running")["TrainingJobStatus"] == "InProgress"
    jobs.sagemaker.stop_training_job(TrainingJobName="running")
    assert jobs.trained("running")["TrainingJobStatus"] == "Stopped"
    jobs.nothing_left(KIND, "running")


def test_server_and_supervisor_both_killed_leave_a_failed_job_and_no_process(
    own_localaws: LocalAws, jobs: Jobs, tmp_path: Path
) -> None:
    jobs.training("both", WAITING, parameters={"gate": str(tmp_path / "never")})
    jobs.wait_for_line(KIND, "both", "ready")
    own_localaws.kill()
    os.kill(jobs.status(KIND, "both")["Supervisor"], signal.SIGKILL)
    own_localaws.restart()
    assert jobs.trained("both")["TrainingJobStatus"] == "Failed"
    jobs.nothing_left(KIND, "both")


def test_a_job_that_was_recorded_and_not_started_is_started_after_a_restart(own_localaws: LocalAws, jobs: Jobs) -> None:
    jobs.train("template", "print(1)")
    own_localaws.kill()
    # What a server leaves that is killed between the record and the start of the supervisor.
    shutil.rmtree(jobs.folder(KIND, "template"))
    _forget_end(own_localaws.home, "template")
    own_localaws.restart()
    assert jobs.trained("template")["TrainingJobStatus"] == "Completed"


def _forget_end(home: Path, name: str) -> None:
    script = (
        "import sys; from localaws.store import Store\n"
        "store = Store(sys.argv[1])\n"
        "store.update('training-job', sys.argv[2], lambda job: job.update(TrainingJobStatus='InProgress'))\n"
    )
    root = Path(__file__).parent.parent.parent
    subprocess.run([sys.executable, "-c", script, home / "localaws" / "state.db", name], check=True, cwd=root)


def test_a_second_supervisor_leaves_a_job_alone(own_localaws: LocalAws, jobs: Jobs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    jobs.training("single", WAITING, parameters={"gate": str(gate)})
    jobs.wait_for_line(KIND, "single", "ready")
    second = subprocess.run(
        [sys.executable, "-m", "localaws.jobs.supervisor", str(jobs.folder(KIND, "single"))],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "has a supervisor already" in second.stderr
    gate.touch()
    assert jobs.trained("single")["TrainingJobStatus"] == "Completed"
