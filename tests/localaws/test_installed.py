"""localaws as other projects have it: from the wheel, in an environment outside of the checkout."""

from __future__ import annotations

import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import wheel_kit
from endpoint_kit import Hosting
from job_helpers import Jobs
from localaws_kit import ROOT

from localaws.testing import LocalAws, start

# Most start one, of an interpreter of their own.
pytestmark = pytest.mark.localaws

_MODULES = """
import importlib, pkgutil, localaws
for module in pkgutil.walk_packages(localaws.__path__, "localaws."):
    if not module.name.startswith("localaws.images.") and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
_PYTEST = """
import boto3

def test_localaws(localaws):
    boto3.client("s3").create_bucket(Bucket="mine")
    assert boto3.client("s3").list_buckets()["Buckets"][0]["Name"] == "mine"
    assert boto3.client("s3").meta.endpoint_url == localaws.url
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_kit.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the extra `server` and pytest."""
    interpreter = wheel_kit.environment(tmp_path_factory.mktemp("environments") / "server", wheel)
    wheel_kit.bring_extra(interpreter, "server")
    wheel_kit.bring(interpreter, "pytest")
    return interpreter


@pytest.fixture(scope="module")
def served(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    server = start(tmp_path_factory.mktemp("home"), python=str(installed))
    yield server
    server.stop()


def test_the_wheel_has_every_file_of_both_packages(wheel: Path) -> None:
    packages = (ROOT / "localaws", ROOT / "plugins" / "amazon_ml")
    expected = {
        str(path.relative_to(package.parent))
        for package in packages
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    assert {"localaws/py.typed", "amazon_ml/py.typed"} < names


def test_the_server_extra_is_whole_and_has_no_torch(installed: Path) -> None:
    wheel_kit.check(installed)
    assert not (wheel_kit.site_packages(installed) / "torch").exists()
    subprocess.run([installed, "-c", _MODULES], check=True, env=wheel_kit.clean(), cwd=installed.parent)


def test_s3_and_sts_answer_from_the_wheel(served: LocalAws) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="a", Body=b"text")
    assert s3.get_object(Bucket="mine", Key="a")["Body"].read() == b"text"
    assert served.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_job_without_its_packages_fails_with_the_remedy(
    served: LocalAws, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _jobs(served, monkeypatch).train("lacking", "print('hello')")
    assert job["TrainingJobStatus"] == "Failed"
    assert "cannot run here: torch is not installed" in job["FailureReason"]
    assert f"{installed} -m pip install '<checkout of localaws>[jobs]'" in job["FailureReason"]


def test_the_pytest_plugin_starts_a_server_for_the_session(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(_PYTEST)
    # Settings of AWS itself must not win over the server's.
    environment = wheel_kit.clean() | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_PROFILE": "nobody"}
    command = [str(installed), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_pytest_plugin_takes_the_interpreter_of_another_environment(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    interpreter = wheel_kit.environment(tmp_path / "tests", wheel)
    wheel_kit.bring(interpreter, "pytest", "boto3")
    (tmp_path / "test_mine.py").write_text(_PYTEST)
    command = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    alone = subprocess.run(command, cwd=tmp_path, env=wheel_kit.clean(), capture_output=True, text=True)
    assert "moto is not installed in" in alone.stdout and "[server]" in alone.stdout
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nlocalaws_python = {installed}\n")
    done = subprocess.run(command, cwd=tmp_path, env=wheel_kit.clean(), capture_output=True, text=True)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_command_without_its_extra_names_the_remedy(wheel: Path, tmp_path: Path) -> None:
    interpreter = wheel_kit.environment(tmp_path / "bare", wheel)
    command = interpreter.with_name("localaws")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments], cwd=tmp_path, env=wheel_kit.clean(), capture_output=True, text=True, check=False
        )

    assert run("status").stdout == "not running\n"
    refused = run("serve", "--port", "0")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert refused.stderr.endswith(f"{interpreter} -m pip install '<checkout of localaws>[server]'\n")


def test_jobs_and_endpoints_run_from_the_wheel(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = wheel_kit.environment(tmp_path / "jobs", wheel)
    (wheel_kit.site_packages(interpreter) / "jobs.pth").write_text(sysconfig.get_path("purelib"))
    server = start(tmp_path / "home", python=str(interpreter))
    try:
        job = _jobs(server, monkeypatch).train("mine", "import torch; print('torch', torch.__version__)")
        assert job["TrainingJobStatus"] == "Completed", job
        hosting = Hosting(server)
        assert hosting.invoke(hosting.serve(hosting.model(3)), 2)["product"] == 6
    finally:
        server.stop()


def _jobs(server: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    return Jobs(server.home)
