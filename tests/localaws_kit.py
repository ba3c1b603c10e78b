"""A localaws of a test's own: on a free port, in a folder of its own, stopped by its pid."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parent.parent
JOBS_PYTHON = os.environ.get("JOBS_PYTHON", str(ROOT / ".local" / "venv-jobs" / "bin" / "python"))


def free_ports(number: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody has, each another."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


_KEYS = ("aws_access_key_id", "aws_secret_access_key")


@dataclass
class LocalAws:
    """
    A running localaws. ``environment`` is what a client needs: nothing else points at it.

    ``settings`` are its own variables, such as ``LOCALAWS_CLOCK_FACTOR``.
    """

    home: Path
    process: subprocess.Popen[bytes]
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

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

    def client(self, service: str, region: str = "us-east-1", **more: Any) -> Any:
        """A boto3 client of it, whatever the environment says."""
        keys = configparser.ConfigParser()
        keys.read(self.home / "credentials")
        (profile,) = keys.sections()
        session = boto3.Session(region_name=region, **{name: keys[profile][name] for name in _KEYS})
        return session.client(service, endpoint_url=self.url, **more)

    def stacks(self) -> str:
        """What every thread of the server is at, by itself told even when none of them goes on."""
        told = self.home / "localaws" / "stacks.log"
        before = size = told.stat().st_size
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 5
        # It is written thread by thread: all is there when no more comes.
        while time.monotonic() < deadline and (size == before or told.stat().st_size != size):
            size = told.stat().st_size
            time.sleep(0.2)
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
        self.process, self.port = start_process(self.home, self.port, self.settings)


def start_process(
    home: Path, port: int = 0, settings: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], int]:
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
            env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | dict(settings or {}),
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


def start(home: Path, **settings: str) -> LocalAws:
    """A localaws on a free port, with variables of its own; the caller stops it."""
    process, port = start_process(home, 0, settings)
    return LocalAws(home, process, port, settings)


def put_quiet_alarm(cloudwatch: Any, name: str, **metric: Any) -> None:
    """
    Put an alarm that is in alarm only when SetAlarmState says so.

    :param metric: members of PutMetricAlarm that say which metric it is on; nothing depends on it.
    """
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        **{"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", **metric},
        Statistic="Average",
        Period=3600,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
