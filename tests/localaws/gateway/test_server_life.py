"""Starting, stopping, asking and resetting by command line; one server a home."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from front_kit import client
from localaws_kit import JOBS_PYTHON, ROOT, LocalAws

from localaws.core import home as lifecycle
from localaws.core.home import Home, LifecycleError


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [JOBS_PYTHON, "-m", "localaws", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_life_from_start_to_reset(own_localaws: LocalAws) -> None:
    home = own_localaws.home
    facts = json.loads((home / "localaws" / "server.json").read_text())
    assert facts == {"port": own_localaws.port, "pid": own_localaws.process.pid, "url": own_localaws.url}
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "localaws").stat().st_mode) == 0o700
    keys = (home / "credentials").read_text()

    asked = run("status", "--home", str(home))
    said = asked.stdout.splitlines()
    assert (asked.returncode, said[0]) == (0, f"{own_localaws.url} (pid {own_localaws.process.pid})")
    assert [line.partition(" ")[0] for line in said[1:]] == ["console:"]
    second = run("serve", "--home", str(home), "--port", "0")
    assert second.returncode == 1
    assert f"already runs for {home} (pid {own_localaws.process.pid})" in second.stderr
    assert run("reset", "--home", str(home)).returncode == 1
    client("s3").create_bucket(Bucket="kept")

    stopped = run("stop", "--home", str(home))
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped (pid {own_localaws.process.pid})\n")
    assert own_localaws.process.wait(10) == 0
    assert not (home / "localaws" / "server.json").exists()
    assert run("stop", "--home", str(home)).stdout == "not running\n"
    assert run("status", "--home", str(home)).returncode == 1

    own_localaws.restart()
    assert [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]] == ["kept"]
    own_localaws.stop()

    assert "removed" in run("reset", "--home", str(home)).stdout
    assert not (home / "localaws").exists()
    assert (home / "credentials").read_text() == keys
    assert run("reset", "--home", str(home)).stdout == "nothing to remove\n"


def test_a_killed_server_does_not_count_as_running(own_localaws: LocalAws) -> None:
    home = Home(own_localaws.home)
    assert lifecycle.running(home) == own_localaws.process.pid
    own_localaws.kill()
    assert lifecycle.running(home) is None
    assert lifecycle.status(home) is None, "server.json is still there, and is not believed"
    own_localaws.restart()
    assert lifecycle.running(home) == own_localaws.process.pid


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--home", str(tmp_path), "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["-1", "70000", "x"])
def test_what_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    done = run("serve", "--home", str(tmp_path), f"--port={port}")
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_it_listens_on_the_loopback_address_only(own_localaws: LocalAws) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = [
        fields[1] for fields in listening if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == own_localaws.port
    ]
    assert mine == [f"0100007F:{own_localaws.port:04X}"]
    six = [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    assert not [f for f in six if f[3] == "0A" and int(f[1].split(":")[1], 16) == own_localaws.port]


def test_a_stop_lets_a_request_in_progress_end(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"x" * 30_000_000)
    answers: list[int] = []
    body = s3.get_object(Bucket="bucket", Key="key")["Body"]
    answers.append(len(body.read(1000)))
    own_localaws.process.send_signal(signal.SIGTERM)
    rest = threading.Thread(target=lambda: answers.append(len(body.read())))
    rest.start()
    rest.join(20)
    assert sum(answers) == 30_000_000
    assert own_localaws.process.wait(20) == 0


def test_stop_kills_what_does_not_end_in_time(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time; from pathlib import Path; from localaws.core import home as lifecycle;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); lock = lifecycle.acquire(lifecycle.Home(Path(sys.argv[1])));"
        "print('ready', flush=True); time.sleep(60)"
    )
    stubborn = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    try:
        assert stubborn.stdout.readline() == b"ready\n"
        assert lifecycle.stop(Home(tmp_path), seconds=0.3) == stubborn.pid
        assert stubborn.wait(10) == -signal.SIGKILL
    finally:
        stubborn.kill()
        stubborn.stdout.close()


def test_a_pid_that_a_dead_server_left_is_never_signalled(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        home = Home(tmp_path)
        home.lock.write_text(f"{bystander.pid}\n")
        assert lifecycle.stop(home) is None
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_reset_removes_only_what_is_localawss(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.state.mkdir()
    (home.state / "thesis.txt").write_text("precious")
    with pytest.raises(LifecycleError, match="remove it by hand"):
        lifecycle.reset(home)
    elsewhere = tmp_path / "elsewhere"
    home.state.rename(elsewhere)
    home.state.symlink_to(elsewhere)
    with pytest.raises(LifecycleError, match="is a link"):
        lifecycle.reset(home)
    assert (elsewhere / "thesis.txt").read_text() == "precious"


def test_a_fault_of_ours_is_an_internal_failure_whose_traceback_is_in_the_log_only(own_localaws: LocalAws) -> None:
    # The handler of this operation meets a store whose record is not what it was written as.
    own_localaws.stop()
    from localaws.core.store import Store

    store = Store(own_localaws.home / "localaws" / "state.db")
    store.put("classifier", "broken", {"CsvClassifier": "not a structure"})
    store.close()
    own_localaws.restart()
    glue = client("glue")
    with pytest.raises(glue.exceptions.ClientError) as caught:
        glue.get_classifier(Name="broken")
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert response["Error"]["Code"] == "InternalFailure"
    assert "Traceback" not in response["Error"]["Message"]
    log = (own_localaws.home / "localaws" / "server.log").read_text()
    assert "Traceback" in log
    assert response["ResponseMetadata"]["RequestId"] in log


def test_no_secret_is_in_the_log(own_localaws: LocalAws) -> None:
    session = boto3.Session()
    keys = session.get_credentials()
    assert keys is not None
    client("s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    client("secretsmanager").create_secret(Name="s", SecretString="very-secret-value")
    client("s3").list_buckets()
    own_localaws.stop()
    log = (own_localaws.home / "localaws" / "server.log").read_text()
    assert "GET / " in log
    for secret in (keys.secret_key, "very-secret-value"):
        assert secret not in log


def test_a_server_tells_what_its_threads_are_at_and_goes_on(own_localaws: LocalAws) -> None:
    told = own_localaws.stacks()
    assert "_accept" in told and "_checkpoints" in told
    assert client("s3").list_buckets()["Buckets"] == []
