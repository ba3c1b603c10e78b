"""A localaws of a test's own: on a free port, in a folder of its own, stopped by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localaws import testing

ROOT = Path(__file__).parent.parent
JOBS_PYTHON = os.environ.get("JOBS_PYTHON", str(ROOT / ".local" / "venv-jobs" / "bin" / "python"))


class LocalAws(testing.LocalAws):
    """A running localaws of the jobs' environment, with what tests of its faults need."""

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

    def restart(self) -> None:
        """Start again on the same port and folder, after a stop or a kill."""
        self.process, self.port = start_process(self.home, self.port, self.settings)


def start_process(
    home: Path, port: int = 0, settings: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start ``python -m localaws serve`` and wait until it answers; the process and its port."""
    return testing.start_process(home, port, settings, python=JOBS_PYTHON, folder=ROOT)


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
