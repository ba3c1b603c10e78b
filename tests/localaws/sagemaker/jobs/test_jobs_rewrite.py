"""Jobs with LOCALAWS_SANDBOX=rewrite, as where namespaces are refused: the same promises, kept by other means."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from job_helpers import BUCKET, Jobs
from localaws_kit import start

KIND = "training-job"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALAWS_SANDBOX", "rewrite")
        server = start(tmp_path_factory.mktemp("rewrite"))
        for key, value in server.environment.items():
            patch.setenv(key, value)
        try:
            yield Jobs(server.home)
        finally:
            server.stop()


def test_a_script_that_names_opt_ml_finds_its_own_and_the_log_says_so(jobs: Jobs) -> None:
    script = """
import json, os, pathlib
print("channel", pathlib.Path("/opt/ml/input/data/train/a.csv").read_text(), os.environ["SM_CHANNEL_TRAIN"])
pathlib.Path("/opt/ml/model/m").write_text("m")
"""
    jobs.put("data/a.csv", "a")
    for name in ("rewritten-a", "rewritten-b"):
        jobs.training(name, script, channels={"train": f"s3://{BUCKET}/data/"})
    for name in ("rewritten-a", "rewritten-b"):
        job = jobs.trained(name)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"m": b"m"}
        log = jobs.log(KIND, name)
        assert f"/opt/ml is {jobs.folder(KIND, name)}/ml/algo-1 here" in log
        assert f"channel a {jobs.folder(KIND, name)}/ml/algo-1/input/data/train" in log


def test_a_processing_script_reads_and_writes_its_own(jobs: Jobs) -> None:
    script = """
import json, pathlib
config = json.loads(pathlib.Path("/opt/ml/config/processingjobconfig.json").read_text())
out = config["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["LocalPath"]
pathlib.Path(out, "copy").write_bytes(pathlib.Path("/opt/ml/processing/input/reviews/a.csv").read_bytes())
"""
    jobs.put("data/a.csv", "a")
    reviews = {"S3Uri": f"s3://{BUCKET}/data/a.csv"}
    job = jobs.process("rewritten", script, inputs={"reviews": reviews}, outputs={"copy": {}})
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.get(f"s3://{BUCKET}/rewritten-out/copy/copy") == b"a"


def test_hosts_find_each_other_without_names(jobs: Jobs) -> None:
    script = """
import os, socket, time
address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
if os.environ["SM_CURRENT_HOST"] == "algo-1":
    server = socket.create_server(address)
    print("met", server.accept()[0].recv(9))
else:
    for _ in range(200):
        try:
            socket.create_connection(address).sendall(b"hello")
            break
        except OSError:
            time.sleep(0.05)
"""
    job = jobs.train("meeting", script, instances=2)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "met b'hello'" in jobs.log(KIND, "meeting")


def test_what_a_script_leaves_in_the_background_ends_with_it(jobs: Jobs) -> None:
    script = """
import subprocess, sys
subprocess.Popen(["setsid", "sleep", "600"])
subprocess.Popen([sys.executable, "-c", "import subprocess; subprocess.Popen(['setsid', 'sleep', '601'])"])
"""
    assert jobs.train("background", script)["TrainingJobStatus"] == "Completed"
    jobs.nothing_left(KIND, "background")


def test_a_killed_supervisor_leaves_no_process(jobs: Jobs) -> None:
    script = "import subprocess, time; subprocess.Popen(['setsid', 'sleep', '600']); print('ready'); time.sleep(99)"
    jobs.training("orphan", script)
    jobs.wait_for_line(KIND, "orphan", "ready")
    os.kill(jobs.status(KIND, "orphan")["Supervisor"], signal.SIGKILL)
    assert jobs.trained("orphan", 20)["TrainingJobStatus"] == "Failed"
    jobs.nothing_left(KIND, "orphan")


def test_a_job_over_its_time_is_stopped_with_all_it_started(jobs: Jobs) -> None:
    script = "import subprocess, time; subprocess.Popen(['setsid', 'sleep', '600']); time.sleep(600)"
    job = jobs.train("over-time", script, seconds=1)
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    jobs.nothing_left(KIND, "over-time")
    assert jobs.status(KIND, "over-time")["ExitCodes"] == {"algo-1": 143}
