"""What a job and a model server see of the machine: their own, the system, the environment, and nothing of localaws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting
from job_helpers import BUCKET, Jobs
from localaws_kit import LocalAws
from waiting_kit import until

from localaws.core.credentials import issue, issued, load, revoke
from localaws.sagemaker.jobs import environment, sandbox

pytestmark = pytest.mark.skipif(not sandbox.isolated(), reason=f"no namespaces: {sandbox._isolation()[1]}")

#: prints, as JSON, what can be reached from where it runs.
LOOK = """
import json, os, pathlib
def readable(path):
    try:
        # Of the home of localaws there is the way to the model hub.
        return set(os.listdir(path)) - {"cache"} if os.path.isdir(path) else open(path, "rb").read(16) != b""
    except OSError as error:
        return False
home = os.environ["LOCALAWS_HOME"]
processes = [p for p in os.listdir("/proc") if p.isdigit()]
seen = {
    "home": [path for path in HIDDEN if readable(path)],
    "temporary": os.listdir("/tmp"),
    "at home": [name for name in os.listdir(os.path.expanduser("~")) if name in (".aws", ".ssh", ".bashrc")],
    "processes": len(processes),
    "environments": sum("LOCALAWS_ENTER" in open(f"/proc/{p}/environ").read() for p in processes),
    "code": os.path.isfile(os.path.join(CODE, "localaws/__init__.py")),
    "beside the code": [name for name in os.listdir(CODE) if name not in ("localaws", ".local")],
    "disks": [name for name in os.listdir("/dev") if name.startswith(("vd", "sd", "nvme", "mem"))],
    "writable": [path for path in ("/usr/x", "/etc/x", PREFIX + "/x", CODE + "/localaws/x", "/proc/sys/kernel/x")
                 if os.access(os.path.dirname(path), os.W_OK)],
    "shadow": readable("/etc/shadow"),
}
"""


def _looking(localaws: LocalAws, jobs: Jobs) -> str:
    hidden = [
        localaws.home / "credentials",
        localaws.home / "localaws",
        localaws.home / "localaws" / "state.db",
        localaws.home / "localaws" / "moto",
        jobs.folder("training-job", "neighbour"),
        Path(__file__),
    ]
    code = Path(sandbox.__file__).parents[3]
    named = f"HIDDEN = {[str(path) for path in hidden]!r}\nCODE = {str(code)!r}\nPREFIX = {sys.prefix!r}\n"
    return named + LOOK


def _confined(seen: dict[str, Any]) -> None:
    assert seen["home"] == []
    assert seen["at home"] == []
    assert seen["environments"] == 0
    assert seen["processes"] <= 4
    assert seen["code"]
    assert seen["beside the code"] == []
    assert seen["disks"] == []
    assert seen["writable"] == []
    assert not seen["shadow"]


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def test_jobs_see_neither_localaws_nor_one_another(localaws: LocalAws, jobs: Jobs) -> None:
    jobs.training("neighbour", "import time\ntime.sleep(60)")
    until(lambda: jobs.folder("training-job", "neighbour").exists(), bool)
    look = _looking(localaws, jobs)
    report = "import pathlib; pathlib.Path('/opt/ml/{}').write_text(json.dumps(seen))"
    jobs.training("curious", look + report.format("model/seen"))
    jobs.processing("curious", look + report.format("processing/output/seen/seen"), outputs={"seen": {}})
    assert jobs.trained("curious")["TrainingJobStatus"] == "Completed", jobs.log("training-job", "curious")
    _confined(json.loads(jobs.unpack(f"s3://{BUCKET}/curious-out/curious/output/model.tar.gz")["seen"]))
    assert jobs.processed("curious")["ProcessingJobStatus"] == "Completed"
    _confined(json.loads(jobs.get(f"s3://{BUCKET}/curious-out/seen/seen")))
    jobs.sagemaker.stop_training_job(TrainingJobName="neighbour")


def test_a_model_server_sees_neither_localaws_nor_jobs(localaws: LocalAws, jobs: Jobs) -> None:
    hosting = Hosting()
    code = f"""
import json
def model_fn(directory): return {_looking(localaws, jobs)!r}
def input_fn(body, content_type): return body
def predict_fn(data, model):
    scope = {{}}
    exec(model, scope)
    return scope["seen"]
def output_fn(prediction, accept): return json.dumps(prediction)
"""
    endpoint = hosting.serve(hosting.model(files={"code/inference.py": code}))
    try:
        _confined(hosting.invoke(endpoint, {}))
    finally:
        hosting.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_a_job_has_a_key_of_its_own_that_ends_with_it(localaws: LocalAws, jobs: Jobs) -> None:
    script = """
import boto3, shutil, os
boto3.client("s3").put_object(Bucket="jobs", Key="by/the/job", Body=b"x")
shutil.copy(os.environ["AWS_SHARED_CREDENTIALS_FILE"], "/opt/ml/model/key")
"""
    assert jobs.train("keyed", script)["TrainingJobStatus"] == "Completed", jobs.log("training-job", "keyed")
    assert jobs.get(f"s3://{BUCKET}/by/the/job") == b"x"
    text = jobs.unpack(f"s3://{BUCKET}/keyed-out/keyed/output/model.tar.gz")["key"].decode()
    root = load(localaws.home / "credentials")
    assert root.secret_key not in text
    assert root.access_key not in text
    words = text.split()
    stale = boto3.Session(aws_access_key_id=words[3], aws_secret_access_key=words[6])
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stale.client("s3").list_objects_v2(Bucket=BUCKET)


def test_a_key_is_good_until_it_is_revoked_or_its_file_is_gone(tmp_path: Path) -> None:
    for name, ended in (("a", lambda file: revoke(tmp_path, file)), ("b", Path.unlink)):
        file = tmp_path / name
        issue(tmp_path, file)
        issue(tmp_path, file)
        made = load(file)
        assert issued(tmp_path, made.access_key) == made.secret_key
        ended(file)
        assert issued(tmp_path, made.access_key) is None
    assert list((tmp_path / "keys").iterdir()) == []
    assert issued(tmp_path, "../credentials") is None


def test_what_a_request_names_as_library_is_not_loaded_outside_of_the_sandbox(tmp_path: Path) -> None:
    mark = {"LD_PRELOAD": "/opt/ml/evil.so", "PATH": "/opt/ml", "PYTHONPATH": "/opt/ml", "LOCALAWS_JOB": "job"}
    launch = sandbox.launch(["/bin/true"], mark, ml_root=tmp_path)
    assert set(launch.environment) == {"PATH", "LOCALAWS_JOB", "LOCALAWS_ENTER"}
    assert launch.environment["PATH"] == os.environ["PATH"]
    assert Path(launch.argv[0]).is_absolute()


@pytest.mark.parametrize("link", ["{home}/credentials", "/etc/passwd", "../../../../../../credentials"])
def test_a_link_left_as_the_failure_s_reason_is_not_followed(localaws: LocalAws, jobs: Jobs, link: str) -> None:
    script = f"import os, sys\nos.symlink({link.format(home=localaws.home)!r}, '/opt/ml/output/failure')\nsys.exit(3)"
    job = jobs.train(f"link-{abs(hash(link))}", script)
    assert job["TrainingJobStatus"] == "Failed"
    assert "secret" not in job["FailureReason"]
    assert "root:" not in job["FailureReason"]
    assert "exit code: 3" in job["FailureReason"]


def test_links_of_a_processing_output_do_not_reach_the_host(localaws: LocalAws, jobs: Jobs) -> None:
    script = f"import os\nos.symlink({str(localaws.home / 'credentials')!r}, '/opt/ml/processing/output/out/key')"
    job = jobs.process("linking", script, outputs={"out": {}})
    assert job["ProcessingJobStatus"] == "Failed"
    assert "key is a link that leads" in job["FailureReason"]
    assert jobs.keys("linking-out") == []


def test_closed_folders_of_a_job_do_not_stay_behind(jobs: Jobs) -> None:
    script = """
import os
for top in ("/opt/ml/model", "/tmp"):
    os.makedirs(f"{top}/closed/inner")
    open(f"{top}/closed/file", "w").write("x")
    os.chmod(f"{top}/closed/file", 0)
    os.chmod(f"{top}/closed", 0)
path = "/tmp"
for _ in range(1500):
    path = "d"
    os.chdir("/tmp" if not _ else "d")
    os.mkdir("d")
"""
    job = jobs.train("closed", script)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    folder = jobs.folder("training-job", "closed")
    until(
        lambda: sorted(path.name for path in folder.iterdir()), lambda names: "ml" not in names and "tmp" not in names
    )


def test_the_model_hub_is_there_read_only(jobs: Jobs) -> None:
    script = """
import os, transformers
from huggingface_hub import constants
config = transformers.AutoConfig.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")
assert config.hidden_size == 384
assert not os.access(constants.HF_HUB_CACHE, os.W_OK)
"""
    job = jobs.train("hub", script)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]


def test_folders_that_a_setting_names_are_shown_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("weights")
    (tmp_path / "ml").mkdir()
    monkeypatch.setenv("LOCALAWS_SHOWN", f"{tmp_path / 'model'}:{tmp_path / 'none'}:relative")
    mounts = environment.mounts(tmp_path, tmp_path / "credentials", tmp_path / "temporary")
    script = f"cat {tmp_path}/model/weights; ls {tmp_path}; touch {tmp_path}/model/x"
    launch = sandbox.launch(["sh", "-c", script], {"PATH": os.environ["PATH"]}, ml_root=tmp_path / "ml", mounts=mounts)
    done = subprocess.run(
        launch.argv, env=launch.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.stdout == "weightsmodel\n"
    assert "Read-only file system" in done.stderr


def test_an_ordinary_user_s_sandbox_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = [*sandbox._AS_USER, *sandbox._WHOLE]
    monkeypatch.setattr(sandbox, "_isolation", lambda: (options, ""))
    script = "ls /root; touch /usr/x; umount /usr; cat /proc/1/environ; echo > /proc/sys/kernel/core_pattern; id -u"
    launch = sandbox.launch(["sh", "-c", script], {"PATH": os.environ["PATH"]}, ml_root=tmp_path)
    done = subprocess.run(
        launch.argv, env=launch.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if "Operation not permitted" in done.stderr and not done.stdout:
        pytest.skip("no user namespaces here")
    assert done.stdout.endswith("0\n")
    assert "LOCALAWS_ENTER" not in done.stdout
    assert "Read-only file system" in done.stderr
