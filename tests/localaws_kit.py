"""A localaws of a test's own: on a free port, in a folder of its own, stopped by its pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
JOBS_PYTHON = os.environ.get("JOBS_PYTHON", str(ROOT / ".local" / "venv-jobs" / "bin" / "python"))


@dataclass
class LocalAws:
    """A running localaws. ``environment`` is what a client needs: nothing else points at it."""

    home: Path
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stacks(self) -> str:
        """What every thread of the server is at, by itself told even when none of them goes on."""
        told = self.home / "localaws" / "stacks.log"
        before = told.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and told.stat().st_size == before:
            time.sleep(0.05)
        return told.read_text()[before:]

    def kill(self) -> None:
        """``kill -9``: no orderly stop."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """An orderly stop; insists after 20 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def restart(self) -> None:
        """Start again on the same port and folder, after a stop or a kill."""
        self.process, self.port = start_process(self.home, self.port)


def start_process(home: Path, port: int = 0) -> tuple[subprocess.Popen[bytes], int]:
    """Start ``python -m localaws serve`` and wait until it answers; the process and its port."""
    ready = home / "localaws" / "server.json"
    ready.unlink(missing_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "server.log", "ab") as log:
        process = subprocess.Popen(
            [JOBS_PYTHON, "-m", "localaws", "serve", "--home", str(home), "--port", str(port)],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"localaws ended with {process.returncode}: {(home / 'server.log').read_text()[-3000:]}")
        if ready.exists():
            return process, json.loads(ready.read_text())["port"]
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"localaws did not start: {(home / 'server.log').read_text()[-3000:]}")


def start(home: Path) -> LocalAws:
    """A localaws on a free port; the caller stops it."""
    process, port = start_process(home)
    return LocalAws(home, process, port)
