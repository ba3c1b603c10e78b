"""Other users and other machines: no socket that they reach, no file that they read, no secret in a log."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from endpoint_kit import Hosting
from job_helpers import Jobs
from localaws_kit import LocalAws, start
from waiting_kit import until

from localaws.core.credentials import load
from localaws.sagemaker.jobs.environment import SITE

DISTRIBUTED = """
import pathlib, time
import torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.ones(1)
dist.all_reduce(total)
assert total.item() == 2
dist.new_group([0, 1])
print("all are there", flush=True)
pathlib.Path("/opt/ml/checkpoints/x").write_text("x")
time.sleep(60)
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalAws, Jobs]]:
    """A server that was started by somebody with an open umask, with a distributed job and an endpoint."""
    before, keys = os.umask(0), dict(os.environ)
    server = start(tmp_path_factory.mktemp("open") / "home")
    os.umask(before)
    os.environ.update(server.environment)
    try:
        jobs = Jobs(server.home)
        jobs.training(
            "together",
            DISTRIBUTED,
            instances=2,
            parameters={"sagemaker_torch_distributed_enabled": True},
            CheckpointConfig={"S3Uri": "s3://jobs/checkpoints"},
        )
        hosting = Hosting()
        hosting.serve(hosting.model(2))
        for host in ("algo-1", "algo-2"):
            jobs.wait_for_line("training-job", "together", "all are there", host)
        yield server, jobs
        jobs.sagemaker.stop_training_job(TrainingJobName="together")
        jobs.trained("together")
    finally:
        server.stop()
        subprocess.run([sys.executable, "-m", "localaws", "stop", "--jobs", "--home", server.home], check=False)
        os.environ.clear()
        os.environ.update(keys)


def _processes(server: LocalAws) -> list[psutil.Process]:
    """The server, its descendants, and whatever carries its mark: supervisors, jobs, model servers."""
    found = {process.pid: process for process in psutil.Process(server.process.pid).children(recursive=True)}
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOCALAWS_HOME") == str(server.home / "localaws"):
                found |= {each.pid: each for each in [process, *process.children(recursive=True)]}
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [psutil.Process(server.process.pid), *found.values()]


def _below(folder: Path) -> list[Path]:
    """All that is in a folder, of which jobs remove things meanwhile."""
    return [Path(parent, name) for parent, folders, files in os.walk(folder) for name in [*folders, *files]]


def test_every_listening_socket_is_on_loopback(busy: tuple[LocalAws, Jobs]) -> None:
    server, _ = busy
    listening: dict[str, set[str]] = {}
    for process in _processes(server):
        try:
            words = " ".join(process.cmdline())
            for connection in process.net_connections("inet"):
                bound = connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
                if bound and connection.laddr:
                    listening.setdefault(connection.laddr.ip, set()).add(words)
        except psutil.NoSuchProcess:
            continue
    everything = " ".join(words for found in listening.values() for words in found)
    assert "localaws serve" in everything
    assert "torch.distributed.run" in everything, "the rendezvous is among what is looked at"
    assert "train.py" in everything, "and so are the script's own"
    assert set(listening) <= {"127.0.0.1", "::1"}, listening


def test_nobody_else_may_read_a_file_of_localaws(busy: tuple[LocalAws, Jobs]) -> None:
    server, jobs = busy
    until(lambda: jobs.keys("checkpoints/"), bool)
    open_to_others = {}
    for path in [server.home / "credentials", *_below(server.home / "localaws")]:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        # What a link says is for all to read, if they get there.
        if stat.S_IMODE(mode) & 0o077 and not stat.S_ISLNK(mode):
            open_to_others[str(path)] = oct(mode)
    assert not open_to_others
    assert stat.S_IMODE((server.home / "localaws").stat().st_mode) == 0o700


def test_no_secret_is_in_a_log_or_a_command_line(busy: tuple[LocalAws, Jobs]) -> None:
    server, jobs = busy
    jobs.process("printing", "import os; print(dict(os.environ))")
    files = [path for path in _below(server.home) if path.name == "credentials"]
    assert len(files) >= 3, "the root's, the job's and the model server's"
    secrets = {load(file).secret_key.encode() for file in files}
    logs = [path for path in _below(server.home) if "log" in path.name and path.is_file()]
    assert any(path.name == "algo-1.log" for path in logs)
    for path in logs:
        assert not any(secret in path.read_bytes() for secret in secrets), path
    for process in _processes(server):
        try:
            text = json.dumps([process.cmdline(), process.environ()]).encode()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        assert not any(secret in text for secret in secrets), process


def test_a_store_that_torch_makes_by_itself_listens_on_its_host_alone() -> None:
    script = """
import json, psutil, torch.distributed as dist
one = dist.TCPStore("localhost", 0, 1, True)
shared = [dist.TCPStore("127.0.0.1", one.port + 1, 1, True, multi_tenant=True) for _ in range(2)]
old = dist.TCPStore("localhost", 0, 1, True, use_libuv=False)
one.set("key", "value")
assert dist.TCPStore("localhost", one.port, is_master=False).get("key") == b"value"
print(json.dumps([c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"]))
"""
    variables = {**os.environ, "PYTHONPATH": SITE}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) <= {"127.0.0.1", "::1"}


def test_a_python_without_torch_starts_as_fast_as_ever() -> None:
    script = "import sys; print(sorted(sys.modules))"
    plain, with_site = (
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for variables in ({}, {"PYTHONPATH": SITE})
    )
    assert set(eval(with_site)) - set(eval(plain)) == {"sitecustomize"}
