"""
### One task that waits, for tests of what breaks

It ends when the file `go` is there.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, task

with DAG(
    dag_id="waiting",
    schedule=None,
    doc_md=__doc__,
    params={"go": Param("", type="string", title="The task ends when this file is there")},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
):

    @task
    def wait(params: dict[str, str] | None = None) -> None:
        """Wait for the file."""
        import time
        from pathlib import Path

        while not Path((params or {})["go"]).exists():
            time.sleep(0.2)

    wait()
