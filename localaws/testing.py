"""A localaws for tests: started on a free port, in a folder of its own."""

from __future__ import annotations

import configparser
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: seconds that a server may take to answer, on a busy machine.
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_KEYS = ("aws_access_key_id", "aws_secret_access_key")


class StartError(RuntimeError):
    """The server ended, or did not answer in time; the text has the end of its output."""


@dataclass
class LocalAws:
    """
    A running localaws.

    :param home: the folder that it keeps everything in.
    :param settings: variables of its own, such as ``LOCALAWS_CLOCK_FACTOR``.
    """

    home: Path
    process: subprocess.Popen[bytes]
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address for ``endpoint_url``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point any AWS client at it, and at nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, region: str = "us-east-1", **more: Any) -> Any:
        """Return a boto3 client of it, whatever the environment says."""
        import boto3

        keys = configparser.ConfigParser()
        keys.read(self.home / "credentials")
        (profile,) = keys.sections()
        session = boto3.Session(region_name=region, **{name: keys[profile][name] for name in _KEYS})
        return session.client(service, endpoint_url=self.url, **more)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it, by SIGKILL where it takes more than 20 s. Jobs that still run outlive it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


def start_process(
    home: Path,
    port: int = 0,
    settings: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
    folder: Path | None = None,
) -> tuple[subprocess.Popen[bytes], int]:
    """
    Start ``python -m localaws serve`` and wait until it answers.

    :param port: 0 takes a free one.
    :param python: the interpreter, which runs the jobs too.
    :param folder: the working directory; ``home`` by default.
    :returns: the process and its port.
    :raises StartError: it does not start.
    """
    ready = home / "localaws" / "server.json"
    ready.unlink(missing_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    output = home / "server.log"
    with open(output, "ab") as log:
        process = subprocess.Popen(
            [python, "-m", "localaws", "serve", "--home", str(home), "--port", str(port)],
            cwd=folder or home,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | dict(settings or {}),
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"localaws ended with {process.returncode}: {output.read_text()[-3000:]}")
        if ready.exists():
            return process, json.loads(ready.read_text())["port"]
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise StartError(f"localaws did not answer in {_START_SECONDS:.0f} s: {output.read_text()[-3000:]}")


def start(home: Path, settings: Mapping[str, str] | None = None, *, python: str = sys.executable) -> LocalAws:
    """
    Start a localaws on a free port. The caller stops it.

    :raises StartError: it does not start.
    """
    process, port = start_process(home, 0, settings, python=python)
    return LocalAws(home, process, port, settings or {})
