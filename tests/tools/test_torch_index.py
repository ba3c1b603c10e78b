"""Which build of PyTorch is installed: by driver, by TORCH, and never after a long wait."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tools import torch_index
from tools.torch_index import CPU_INDEX, Refused, answers, options

FROM_CPU_INDEX = ["--extra-index-url", CPU_INDEX]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(torch_index, "has_driver", lambda: request.param)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(torch_index, "answers", lambda address: request.param and address == CPU_INDEX)


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/whl/cpu/torch/" else 404)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/whl"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("driver", "index", "choice", "platform", "expected"),
    [
        (False, True, "", "linux", FROM_CPU_INDEX),
        (True, True, "", "linux", []),
        (True, True, "cpu", "linux", FROM_CPU_INDEX),
        (False, True, "cuda", "linux", []),
        (False, True, "default", "linux", []),
        (False, True, "", "darwin", []),
        (False, False, "", "linux", []),
    ],
    indirect=["driver", "index"],
)
@pytest.mark.usefixtures("driver", "index")
def test_the_cpu_build_is_taken_where_no_driver_is(choice: str, platform: str, expected: list[str]) -> None:
    assert options({"TORCH": choice}, platform)[0] == expected


@pytest.mark.parametrize(("driver", "index"), [(False, False)], indirect=True)
@pytest.mark.usefixtures("driver", "index")
def test_an_index_out_of_reach_is_told_and_refused_only_where_it_was_asked_for() -> None:
    assert "does not answer" in options({}, "linux")[1]
    with pytest.raises(Refused, match="without TORCH=cpu"):
        options({"TORCH": "cpu"}, "linux")


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(Refused, match="TORCH is 'gpu': it may be cpu, cuda or default"):
        options({"TORCH": "gpu"})


def test_an_index_answers_by_its_page_for_pytorch(address: str) -> None:
    assert answers(f"{address}/cpu")
    assert not answers(f"{address}/other")


def test_an_index_that_keeps_silent_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.3)
        assert time.monotonic() - began < 30


def test_a_look_up_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*words: object, **named: object) -> None:
        released.wait(60)
        raise OSError

    monkeypatch.setattr("urllib.request.urlopen", hang)
    began = time.monotonic()
    assert not answers(CPU_INDEX, 0.3)
    assert time.monotonic() - began < 30
    released.set()


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", "-m", "tools.torch_index"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, timeout=60)


def test_options_go_to_stdout_and_words_to_stderr() -> None:
    done = run(TORCH="cuda")
    assert (done.returncode, done.stdout) == (0, "\n") and "TORCH=cuda" in done.stderr
    refused = run(TORCH="gpu")
    assert (refused.returncode, refused.stdout) == (1, "") and len(refused.stderr.splitlines()) == 1
