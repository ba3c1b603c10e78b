"""Jobs that go wrong: each ends with a reason, and nothing of it is left running."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import time

import pytest
from job_helpers import BUCKET, Jobs
from localaws_kit import LocalAws

KIND = "training-job"


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def test_a_script_that_raises_fails_the_job_with_its_error(jobs: Jobs) -> None:
    script = "print('so far so good')\ndef f():\n    raise KeyError('rating')\nf()"
    job = jobs.train("raises", script)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: KeyError: 'rating', exit code: 1"
    assert "so far so good" in jobs.log(KIND, "raises")
    (events,) = jobs.events("/aws/sagemaker/TrainingJobs", "raises/").values()
    assert events[-1] == "KeyError: 'rating'"
    assert "ModelArtifacts" not in job


def test_a_script_that_ends_without_a_traceback_fails_with_its_last_lines(jobs: Jobs) -> None:
    script = "import sys\nfor n in range(9): print('line', n)\nsys.exit(3)"
    job = jobs.train("exits", script)
    assert job["FailureReason"] == "AlgorithmError: line 4\nline 5\nline 6\nline 7\nline 8, exit code: 3"


def test_a_failure_file_is_the_reason_within_aws_s_limit(jobs: Jobs) -> None:
    script = "open('/opt/ml/output/failure', 'w').write('begin' + 'x' * 5000 + 'end'); raise SystemExit(1)"
    reason = jobs.train("long-reason", script)["FailureReason"]
    assert len(reason) <= 1024
    assert reason.startswith("AlgorithmError: begin")
    assert reason.endswith("end, exit code: 1")


def test_a_script_that_is_killed_says_by_which_exit_code(jobs: Jobs) -> None:
    job = jobs.train("killed", "import os, signal; print('going'); os.kill(os.getpid(), signal.SIGKILL)")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].endswith(", exit code: 137")


def test_a_script_that_writes_no_model_completes_without_an_archive_as_on_aws(jobs: Jobs) -> None:
    job = jobs.train("no-model", "print('nothing to save')")
    assert job["TrainingJobStatus"] == "Completed"
    assert jobs.keys("no-model-out/") == []


def test_a_script_over_its_time_is_stopped_and_what_it_saved_is_uploaded(jobs: Jobs) -> None:
    script = "import time; open('/opt/ml/model/half', 'w').write('half'); time.sleep(600)"
    job = jobs.train("over-time", script, seconds=1)
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    transitions = job["SecondaryStatusTransitions"]
    assert [transition["Status"] for transition in transitions][2:] == [
        "Training",
        "Stopping",
        "Uploading",
        "MaxRuntimeExceeded",
    ]
    assert transitions[-1]["StatusMessage"] == "Training job runtime exceeded MaxRuntimeInSeconds provided"
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"half": b"half"}
    jobs.nothing_left(KIND, "over-time")


def test_a_processing_job_that_took_too_long_says_so(jobs: Jobs) -> None:
    stopping = {"MaxRuntimeInSeconds": 1}
    jobs.processing("slow-processing", "import time; time.sleep(60)", StoppingCondition=stopping)
    job = jobs.processed("slow-processing")
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["ExitMessage"] == "Processing job runtime exceeded MaxRuntimeInSeconds provided"


def test_a_stopped_script_may_save_its_model_on_sigterm(jobs: Jobs) -> None:
    script = """
import signal, sys, time
def save(*_):
    open("/opt/ml/model/saved", "w").write("in time")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready")
while True:
    time.sleep(0.1)
"""
    jobs.training("stopped", script)
    jobs.wait_for_line(KIND, "stopped", "ready")
    jobs.sagemaker.stop_training_job(TrainingJobName="stopped")
    status = jobs.sagemaker.describe_training_job(TrainingJobName="stopped")["TrainingJobStatus"]
    assert status in ("Stopping", "Stopped")
    job = jobs.trained("stopped")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"saved": b"in time"}
    jobs.nothing_left(KIND, "stopped")


def test_a_job_is_stopped_in_any_of_its_phases(jobs: Jobs) -> None:
    jobs.training("early-stop", "import time; time.sleep(600)")
    jobs.sagemaker.stop_training_job(TrainingJobName="early-stop")
    assert jobs.trained("early-stop")["TrainingJobStatus"] == "Stopped"
    jobs.nothing_left(KIND, "early-stop")


def test_what_a_script_leaves_in_the_background_ends_with_it(jobs: Jobs) -> None:
    script = "import subprocess; subprocess.Popen(['setsid', 'sleep', '600']); print('done')"
    started = time.monotonic()
    assert jobs.train("background", script)["TrainingJobStatus"] == "Completed"
    assert time.monotonic() - started < 60
    jobs.nothing_left(KIND, "background")


def test_one_failing_instance_ends_the_others_and_is_the_reason(jobs: Jobs) -> None:
    script = """
import os, time
if os.environ["SM_CURRENT_HOST"] == "algo-2":
    raise RuntimeError("no memory on algo-2")
time.sleep(600)
"""
    job = jobs.train("one-fails", script, instances=2)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: RuntimeError: no memory on algo-2, exit code: 1"
    assert jobs.status(KIND, "one-fails")["ExitCodes"] == {"algo-1": 143, "algo-2": 1}
    jobs.nothing_left(KIND, "one-fails")


def test_a_script_that_prints_a_lot_fills_neither_disk_nor_cloudwatch_and_its_end_is_kept(jobs: Jobs) -> None:
    script = """
import sys
line = "x" * 1000
for _ in range(120_000):
    sys.stdout.write(line + "\\n")
print("the last line")
"""
    job = jobs.train("chatty", script)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    folder = jobs.folder(KIND, "chatty") / "logs"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 80 << 20
    assert (folder / "algo-1.log").read_text().endswith("the last line\n")
    assert "bytes are dropped" in (folder / "algo-1.log").read_text(encoding="utf-8")[:300]
    name = jobs.logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="chatty/")[
        "logStreams"
    ][0]["logStreamName"]
    answer = jobs.logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=name, limit=300, startFromHead=False
    )
    messages = [event["message"] for event in answer["events"]]
    assert messages[-1] == "the last line"
    assert any("lines are left out here" in message for message in messages)


def test_a_line_without_an_end_is_broken_and_bytes_that_are_no_text_do_no_harm(jobs: Jobs) -> None:
    script = """
import sys
for _ in range(300):
    sys.stdout.write("y" * 10_000)
sys.stdout.flush()
sys.stdout.buffer.write(b"\\n\\xff\\x00 no text\\nafter\\n")
"""
    assert jobs.train("endless", script)["TrainingJobStatus"] == "Completed"
    (events,) = jobs.events("/aws/sagemaker/TrainingJobs", "endless/").values()
    assert events[-2:] == ["\ufffd\x00 no text", "after"]
    assert max(map(len, events)) <= 2 * 65_536


def test_input_that_is_not_there_fails_the_job_with_aws_s_words(jobs: Jobs) -> None:
    for name, uri in (("no-key", f"s3://{BUCKET}/nothing/here"), ("no-bucket", "s3://no-such-bucket-here/x")):
        job = jobs.train(name, "print(1)", channels={"train": uri})
        assert job["TrainingJobStatus"] == "Failed"
        assert job["FailureReason"].startswith(
            f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source.'
        )


def test_an_unknown_image_fails_the_job_by_name(jobs: Jobs) -> None:
    job = jobs.train("image", "print(1)", image="123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:latest")
    assert job["TrainingJobStatus"] == "Failed"
    assert "my-own:latest" in job["FailureReason"]
    assert "pytorch-training" in job["FailureReason"]


def test_keys_that_climb_out_of_their_folder_are_refused(jobs: Jobs) -> None:
    manifest = jobs.put("evil.manifest", f'[{{"prefix": "s3://{BUCKET}/"}}, "../../../../evil"]')
    channel = {"S3Uri": manifest, "S3DataType": "ManifestFile"}
    job = jobs.train("climbing", "print(1)", channels={"train": channel})
    assert job["TrainingJobStatus"] == "Failed"
    assert "would be written outside of /opt/ml/input/data/train" in job["FailureReason"]


def test_a_manifest_that_is_none_is_refused_by_name(jobs: Jobs) -> None:
    manifest = jobs.put("bad.manifest", '{"prefix": 1}')
    job = jobs.train("bad-manifest", "1", channels={"t": {"S3Uri": manifest, "S3DataType": "ManifestFile"}})
    assert f"The manifest {manifest} is not a list" in job["FailureReason"]


def test_code_with_a_member_that_climbs_out_is_refused_by_name(jobs: Jobs) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../../evil.py"), io.BytesIO())
    code = jobs.put("evil/sourcedir.tar.gz", raw.getvalue())
    job = jobs.train("evil-code", "print(1)", parameters={"sagemaker_submit_directory": code})
    assert job["TrainingJobStatus"] == "Failed"
    assert "'../../evil.py' would be written outside" in job["FailureReason"]


def test_a_program_that_is_not_in_the_code_is_named_with_what_is(jobs: Jobs) -> None:
    job = jobs.train("no-program", "print(1)", parameters={"sagemaker_program": "missing.py"})
    assert "there is no missing.py in s3://" in job["FailureReason"]
    assert "train.py" in job["FailureReason"]


def test_requirements_that_are_not_met_fail_the_job_before_the_script(jobs: Jobs) -> None:
    job = jobs.train("needs", "print('ran')", files={"requirements.txt": "surely-not-installed-here==1.0\n"})
    assert job["TrainingJobStatus"] == "Failed"
    assert "surely-not-installed-here==1.0 (not installed)" in job["FailureReason"]
    assert "ran" not in jobs.log(KIND, "needs").split("ConfigurationError")[0]


def test_requirements_that_are_met_do_no_harm(jobs: Jobs) -> None:
    job = jobs.train("met", "print('ran')", files={"requirements.txt": "torch>=2\ntransformers\n"})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")


def test_a_supervisor_that_is_killed_takes_its_job_along_and_the_job_has_failed(jobs: Jobs) -> None:
    jobs.training("orphan", "import time; print('ready'); time.sleep(600)")
    jobs.wait_for_line(KIND, "orphan", "ready")
    os.kill(jobs.status(KIND, "orphan")["Supervisor"], signal.SIGKILL)
    job = jobs.trained("orphan", 20)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("InternalServerError: We encountered an internal error.")
    assert "killed" in job["FailureReason"]
    jobs.nothing_left(KIND, "orphan")


def test_a_killed_supervisor_of_a_job_that_was_to_stop_leaves_it_stopped(jobs: Jobs) -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)"
    jobs.training("stop-orphan", script)
    jobs.wait_for_line(KIND, "stop-orphan", "ready")
    jobs.sagemaker.stop_training_job(TrainingJobName="stop-orphan")
    assert jobs.sagemaker.describe_training_job(TrainingJobName="stop-orphan")["TrainingJobStatus"] == "Stopping"
    os.kill(jobs.status(KIND, "stop-orphan")["Supervisor"], signal.SIGKILL)
    assert jobs.trained("stop-orphan", 20)["TrainingJobStatus"] == "Stopped"
    jobs.nothing_left(KIND, "stop-orphan")
