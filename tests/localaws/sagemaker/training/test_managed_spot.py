"""Managed spot training: instances are taken away, and the job goes on from its checkpoints on others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, Jobs
from localaws_kit import LocalAws
from waiting_kit import until

#: counts to a number, a tenth of a second each, and keeps where it is in a checkpoint that is replaced whole; what it
#: has on the instance alone is gone after an interruption. SIGTERM ends it, unless it ignores that: then it saves its
#: tenth step alone. Of several processes the first saves.
COUNT = """
import argparse, os, pathlib, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--to", type=int)
parser.add_argument("--ignore", type=int, default=0)
arguments = parser.parse_args()
folder = pathlib.Path("/opt/ml/checkpoints")
at = int((folder / "at").read_text()) if (folder / "at").exists() else 0
own = pathlib.Path("/opt/ml/output/data/own.txt")
print("begins at", at, "alone" if not own.exists() else "not alone", flush=True)
own.write_text("on this instance")
def end(*_):
    print("SIGTERM at", at, flush=True)
    if not arguments.ignore:
        sys.exit(143)
signal.signal(signal.SIGTERM, end)
while at < arguments.to:
    at += 1
    print("at", at, flush=True)
    if (at <= 10 or not arguments.ignore) and os.environ.get("RANK", "0") == "0":
        (folder / ".part").write_text(str(at))
        (folder / ".part").replace(folder / "at")
    time.sleep(0.1)
pathlib.Path("/opt/ml/model/count").write_text(str(at))
"""


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def spot(name: str, *, wait: int = 300, **environment: str) -> dict[str, Any]:
    return {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": wait},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/{name}-checkpoints/"},
        "Environment": {f"LOCALAWS_SPOT_{key}": value for key, value in environment.items()},
    }


def statuses(job: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def begins(jobs: Jobs, name: str, host: str = "algo-1") -> list[int]:
    lines = jobs.log("training-job", name, host).splitlines()
    assert all(line.endswith(" alone") and "not alone" not in line for line in lines if line.startswith("begins"))
    return [int(line.split()[2]) for line in lines if line.startswith("begins")]


def interrupt(jobs: Jobs, name: str, line: str) -> None:
    """Take the instances away once the job has printed ``line``."""
    jobs.wait_for_line("training-job", name, line)
    (jobs.folder("training-job", name) / "interrupt").touch()


def ends(jobs: Jobs, name: str) -> list[int]:
    lines = jobs.log("training-job", name).splitlines()
    return [int(line.split()[-1]) for line in lines if line.startswith("SIGTERM")]


def test_an_interrupted_job_goes_on_from_its_checkpoint_and_costs_less(jobs: Jobs) -> None:
    jobs.training("spot", COUNT, parameters={"to": 60}, **spot("spot", AWAY="1"))
    for line in ("at 5\n", "at 20\n"):
        interrupt(jobs, "spot", line)
        until(lambda: statuses(jobs.sagemaker.describe_training_job(TrainingJobName="spot"))[-1], "Interrupted".__eq__)
    job = jobs.trained("spot")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    once = ["Starting", "Downloading", "Training", "Interrupted"]
    assert statuses(job) == [*once, *once, "Starting", "Downloading", "Training", "Uploading", "Completed"]
    starts = begins(jobs, "spot")
    assert starts[0] == 0 and 5 <= starts[1] < starts[2] < 60
    # Told to end, it has saved its last step: none is done twice.
    assert starts[1:] == ends(jobs, "spot")
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"count": b"60"}
    assert job["BillableTimeInSeconds"] < job["TrainingTimeInSeconds"]
    assert len(jobs.events("/aws/sagemaker/TrainingJobs", "spot/algo-1-")) == 3


def test_a_job_that_does_not_end_in_time_is_killed_and_goes_on_from_what_was_in_s3(jobs: Jobs) -> None:
    jobs.training("reclaimed", COUNT, parameters={"to": 80, "ignore": 1}, **spot("reclaimed", AWAY="0", NOTICE="0.5"))
    until(lambda: jobs.keys("reclaimed-checkpoints/at"), bool)
    interrupt(jobs, "reclaimed", "at 15\n")
    job = jobs.trained("reclaimed")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"count": b"80"}
    assert statuses(job).count("Interrupted") == 1
    # What it has done after the last file in S3 is done again.
    assert begins(jobs, "reclaimed") == [0, 10] and ends(jobs, "reclaimed")[0] >= 15


def test_two_instances_by_torchrun_go_on_together_from_what_the_first_has_saved(jobs: Jobs) -> None:
    parameters = {"to": 40, "sagemaker_torch_distributed_enabled": True}
    jobs.training("pair", COUNT, parameters=parameters, instances=2, **spot("pair", AWAY="0"))
    interrupt(jobs, "pair", "at 5\n")
    job = jobs.trained("pair", 120)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert statuses(job).count("Interrupted") == 1
    first, second = (begins(jobs, "pair", host) for host in ("algo-1", "algo-2"))
    assert first == second and first[0] == 0 and 5 <= first[1] <= 40


def test_a_setting_says_when_instances_are_taken_away(jobs: Jobs) -> None:
    job = jobs.train("timed", COUNT, parameters={"to": 40}, **spot("timed", INTERRUPT_AFTER="1.5", AWAY="0"))
    assert statuses(job).count("Interrupted") == 1 and job["TrainingJobStatus"] == "Completed"


def test_a_job_on_demand_is_never_interrupted_and_pays_for_all_its_time(jobs: Jobs) -> None:
    job = jobs.train("demand", COUNT, parameters={"to": 5}, Environment={"LOCALAWS_SPOT_INTERRUPT_AFTER": "0.1"})
    assert "Interrupted" not in statuses(job)
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]


def test_a_job_that_waits_for_instances_can_be_stopped(jobs: Jobs) -> None:
    jobs.training("waiting", COUNT, parameters={"to": 600}, **spot("waiting", AWAY="250"))
    interrupt(jobs, "waiting", "at 1\n")
    jobs.wait_for_line("training-job", "waiting", "SIGTERM")
    jobs.sagemaker.stop_training_job(TrainingJobName="waiting")
    job = jobs.trained("waiting")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    jobs.nothing_left("training-job", "waiting")


def test_a_job_that_waits_too_long_for_instances_is_stopped(jobs: Jobs) -> None:
    members = spot("too-late", wait=3, INTERRUPT_AFTER="0.5", AWAY="250")
    members["StoppingCondition"]["MaxRuntimeInSeconds"] = 3
    job = jobs.train("too-late", COUNT, parameters={"to": 600}, **members)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds. It must be present"),
        ({**spot("bad", wait=299)}, "greater than or equal to MaxRuntimeInSeconds"),
        ({**spot("bad"), "EnableManagedSpotTraining": False}, "only when EnableManagedSpotTraining is set to true"),
        ({**spot("bad", INTERRUPT_AFTER="soon")}, "LOCALAWS_SPOT_INTERRUPT_AFTER is to be seconds"),
    ],
)
def test_a_wait_that_does_not_fit_is_refused(jobs: Jobs, members: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        jobs.training("refused", COUNT, parameters={"to": 1}, **json.loads(json.dumps(members)))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
