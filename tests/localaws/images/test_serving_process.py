"""The model server as a process: health, concurrency, and its ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from localaws.sagemaker.endpoints.channel import Channel, Lost, TimedOut
from localaws.sagemaker.endpoints.worker import socket_path

ROOT = Path(__file__).parents[3]

SLOW = """
import os, threading, time
def model_fn(d): return threading.Barrier(8)
def transform_fn(model, body, content_type, accept):
    if body == "crash":
        os._exit(3)
    if body == "die":
        raise SystemExit(1)
    if body == "together":
        return str(model.wait(30))
    time.sleep(float(body))
    return "slept"
"""

Start = Callable[..., tuple[subprocess.Popen[bytes], Channel]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def begin(code: str = SLOW, silence: float = 60) -> tuple[subprocess.Popen[bytes], Channel]:
        (tmp_path / "ml" / "model" / "code").mkdir(parents=True)
        (tmp_path / "ml" / "model" / "code" / "inference.py").write_text(code)
        path = socket_path(tmp_path)
        options = ["--socket", str(path), "--worker", "w", "--image", "pytorch-inference", "--silence", str(silence)]
        process = subprocess.Popen(
            [sys.executable, "-m", "localaws.images.serving", *options, "--base", str(tmp_path / "ml")],
            cwd=ROOT,
            stderr=subprocess.STDOUT,
            stdout=open(tmp_path / "log", "wb"),  # noqa: SIM115 - closed with the test process
            start_new_session=True,
        )
        started.append(process)
        return process, Channel(path)

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    socket_path(tmp_path).unlink(missing_ok=True)


def healthy(process: subprocess.Popen[bytes], channel: Channel) -> None:
    for _ in range(1200):
        with suppress(Lost):
            if channel.request("GET", "/ping", timeout=5).status == 200:
                return
        assert process.poll() is None
        time.sleep(0.05)
    raise TimeoutError


def test_it_is_alive_and_not_healthy_while_it_loads(start: Start) -> None:
    code = "import time\ndef model_fn(d):\n    time.sleep(2)\ndef transform_fn(m, b, c, a): return 'ok'\n"
    process, channel = start(code)
    statuses = []
    while 200 not in statuses:
        with suppress(Lost):
            statuses.append(channel.request("GET", "/ping", timeout=5).status)
        assert process.poll() is None
        time.sleep(0.02)
    assert statuses[0] == 503
    assert channel.request("POST", "/invocations", b"", timeout=5).body == b"ok"
    assert channel.request("GET", "/other", timeout=5).status == 404


def test_requests_run_side_by_side(start: Start) -> None:
    process, channel = start()
    healthy(process, channel)
    with ThreadPoolExecutor(8) as pool:
        # Each waits for the seven others.
        answers = pool.map(lambda _: channel.request("POST", "/invocations", b"together", timeout=60).body, range(8))
        assert sorted(answers) == [str(place).encode() for place in range(8)]


def test_a_model_that_does_not_load_ends_the_process_with_its_traceback(start: Start, tmp_path: Path) -> None:
    process, _ = start("def model_fn(d): raise KeyError('no such weight')\n")
    assert process.wait(60) == 1
    assert "KeyError: 'no such weight'" in (tmp_path / "log").read_text()


def test_a_process_that_dies_under_a_request_is_lost_and_not_waited_for(start: Start) -> None:
    process, channel = start()
    healthy(process, channel)
    with pytest.raises(Lost) as lost:
        channel.request("POST", "/invocations", b"crash", timeout=30)
    assert lost.value.delivered
    assert process.wait(30) == 3
    with pytest.raises(Lost) as lost:
        channel.request("POST", "/invocations", b"0", timeout=30)
    assert not lost.value.delivered


def test_a_request_that_ends_its_thread_leaves_the_others_alone(start: Start) -> None:
    process, channel = start()
    healthy(process, channel)
    with pytest.raises(Lost):
        channel.request("POST", "/invocations", b"die", timeout=30)
    assert channel.request("POST", "/invocations", b"0", timeout=30).body == b"slept"


def test_a_slow_answer_times_out(start: Start) -> None:
    process, channel = start()
    healthy(process, channel)
    with pytest.raises(TimedOut):
        channel.request("POST", "/invocations", b"5", timeout=0.2)
    assert channel.request("POST", "/invocations", b"0", timeout=30).body == b"slept"


def test_sigterm_ends_it_in_the_midst_of_a_request(start: Start, tmp_path: Path) -> None:
    process, channel = start()
    healthy(process, channel)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(channel.request, "POST", "/invocations", b"50", timeout=60)
        time.sleep(0.2)
        process.terminate()
        assert process.wait(30) == 0
        assert isinstance(waiting.exception(30), Lost)
    assert not socket_path(tmp_path).exists()


def test_it_ends_by_itself_when_nobody_asks_for_its_health(start: Start, tmp_path: Path) -> None:
    process, channel = start(silence=1)
    healthy(process, channel)
    for _ in range(5):
        time.sleep(0.4)
        assert channel.request("GET", "/ping", timeout=5).status == 200
    process.wait(30)
    assert "No health check for 1 s" in (tmp_path / "log").read_text()
    assert not socket_path(tmp_path).exists()


def test_the_code_sees_no_import_path_of_ours(start: Start) -> None:
    code = "import sys\ndef model_fn(d): return sys.path\ndef transform_fn(m, b, c, a): return '\\n'.join(m)\n"
    process, channel = start(code)
    healthy(process, channel)
    paths = channel.request("POST", "/invocations", b"", timeout=30).body.decode().splitlines()
    assert str(ROOT) not in paths
    assert "" not in paths


def test_a_body_that_is_not_framed_by_one_length_never_reaches_the_model(start: Start, tmp_path: Path) -> None:
    process, channel = start()
    healthy(process, channel)
    request = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"
    for framed in (
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n0",
        b"Content-Length: -1\r\n\r\n0",
        b"Content-Length: x\r\n\r\n0",
        b"Content-Length: 10\r\n\r\n0",
        b"\r\n0",
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(socket_path(tmp_path)))
            connection.sendall(request + framed)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                assert answer.read().startswith(b"HTTP/1.1 400 ")
    assert channel.request("POST", "/invocations", b"0", timeout=20).body == b"slept"
