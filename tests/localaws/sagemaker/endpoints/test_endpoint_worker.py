"""An instance's keeper without an endpoint around it: what a first start comes to."""

from __future__ import annotations

import sys
from pathlib import Path

from localaws.sagemaker.endpoints.worker import Worker
from localaws.sagemaker.jobs.sandbox import Launch


def test_a_model_server_that_hangs_while_it_loads_fails_in_time_and_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(600)"]
    worker = Worker(
        tmp_path / "instance",
        lambda _: Launch(command, {}, "/opt/ml", ""),
        url="http://127.0.0.1:1",
        startup_timeout=1,
        on_change=lambda: None,
    )
    worker.start()
    assert worker.settled.wait(30)
    assert (worker.healthy, worker.failure) == (False, "not healthy within 1 s")
    assert worker.pid is None
    assert worker.last_lines() == "loading"
    worker.end()
