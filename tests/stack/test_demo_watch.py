"""What the demo says when a part of the stack ends under it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stack import processes, services
from stack.demo import _check_alive
from stack.layout import Stack, StackError


def test_a_part_that_has_ended_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    stack = Stack(home=tmp_path, localaws_port=1, airflow_port=2)
    stack.logs.mkdir(parents=True)
    try:
        for name in services.PARTS:
            processes.start(
                stack, name, [sys.executable, "-c", "import time; time.sleep(60)"], {"STACK_MARK": str(tmp_path)}
            )
        _check_alive(stack)
        processes.stop(stack, ["airflow-scheduler"])
        (stack.logs / "airflow-scheduler.log").write_text("the database is locked")
        with pytest.raises(StackError, match=r"airflow-scheduler has ended[^`]*the database is locked[^`]*`make up`"):
            _check_alive(stack)
    finally:
        processes.stop(stack, services.PARTS)
