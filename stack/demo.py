"""The demo: from raw reviews to a served model and people's corrections, watched live, summed up at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from stack import health, people, processes, services
from stack.airflow_api import AirflowApi
from stack.layout import ROOT, Stack, StackError
from stack.progress import Progress
from stack.summary import INGEST, TRAIN, collect, show
from stack.waiting import until

ENDED = {"success", "failed"}

#: the small run of ``make demo FAST=1``: a few hundred reviews, one epoch, and a gate that such a model can pass.
FAST = {"REVIEWS_MAX_REVIEWS": "600", "REVIEWS_EPOCHS": "1", "REVIEWS_MIN_ACCURACY": "0.2"}


class RunFailed(StackError):
    """A DAG run ended failed: names the task and carries the end of its log."""


def demo(stack: Stack, console: Console, *, with_people: bool, timeout: float = 3600) -> dict[str, Any]:
    """
    Run ``ingest_reviews`` and the ``train_sentiment`` run that it sets off; print progress and a summary.

    Returns the summary, which is also in ``.local/demo/summary.json``.

    :param with_people: whether :func:`label` follows; else the summary ends with the command for it.
    :param timeout: seconds until the demo gives up on a run.
    :raises StackError: something does not start, or a task fails.
    """
    api = _started(stack, console)
    # A run of its own each time: run ids must differ, and the names of all jobs follow from them.
    run_id = _run_id()
    deadline = time.monotonic() + timeout
    api.trigger(INGEST, run_id)
    with Progress(console) as progress:
        watch(api, progress, INGEST, run_id, deadline)
        train_run = run_set_off(api, INGEST, run_id, deadline)
        watch(api, progress, TRAIN, train_run, deadline)
        found = _close_the_loop(stack, api, progress, run_id, deadline) if with_people else None

    summary = collect(stack, api, ingest_run=run_id, train_run=train_run)
    summary["people"] = found
    target = stack.home / "demo" / "summary.json"
    target.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    show(summary, stack, api, console, _relative(target))
    if found is None:
        console.print("People      make people: a scripted worker labels 40 reviews, and the model is trained on them")
    else:
        people.describe(found, console.print)
    return summary


def label(stack: Stack, console: Console, *, timeout: float = 3600) -> dict[str, Any]:
    """
    Run ``human_review`` with a scripted worker, and the training that its labels set off.

    :raises StackError: there is no endpoint to score reviews yet, something does not start, or a task fails.
    """
    api = _started(stack, console)
    if not people.is_served(stack):
        raise StackError("there is no model yet whose uncertain reviews people could label: run make demo first")
    with Progress(console) as progress:
        found = _close_the_loop(stack, api, progress, _run_id(), time.monotonic() + timeout)
    people.describe(found, console.print)
    return found


def _started(stack: Stack, console: Console) -> AirflowApi:
    services.up(stack, console.print)
    api = AirflowApi(stack)
    console.print(f"Airflow UI  {stack.airflow_url}   user admin, password {api.password}\n")
    wait_for_dags(api, [INGEST, TRAIN, people.DAG], console)
    return api


def _run_id() -> str:
    return f"demo__{datetime.now():%Y-%m-%dT%H-%M-%S}"


def _close_the_loop(stack: Stack, api: AirflowApi, progress: Progress, run_id: str, deadline: float) -> dict[str, Any]:
    """Have reviews labelled, and wait for the training that follows; what came of both."""
    people.start(api, run_id)
    with people.Worker(stack, run_id) as worker:
        watch(api, progress, people.DAG, run_id, deadline, worker.check)
    again = run_set_off(api, people.DAG, run_id, deadline)
    watch(api, progress, TRAIN, again, deadline, title=f"{TRAIN} again")
    return people.collect(api, run_id, TRAIN, again)


def wait_for_dags(api: AirflowApi, dag_ids: list[str], console: Console) -> None:
    """
    Wait until Airflow has read these DAGs.

    :raises StackError: a DAG file cannot be imported, or they are not there after 90 s.
    """

    def present() -> bool:
        if set(dag_ids) <= {dag["dag_id"] for dag in api.call("GET", "/dags")["dags"]}:
            return True
        errors = api.call("GET", "/importErrors")["import_errors"]
        if errors:
            raise StackError(f"a DAG file cannot be imported: {errors[0]['filename']}\n{errors[0]['stack_trace']}")
        return False

    until(present, 90, f"Airflow did not show {dag_ids} within 90 s; see {_relative(api.stack.logs)}")


def watch(
    api: AirflowApi,
    progress: Progress,
    dag_id: str,
    run_id: str,
    deadline: float,
    check: Callable[[], None] = lambda: None,
    title: str = "",
) -> None:
    """
    Show a run's progress until it ends.

    :param check: called each second; may raise.
    :raises RunFailed: it failed; with the end of the failed task's log.
    :raises StackError: a part of the stack has ended, or the run's time is over.
    """
    order = api.order(dag_id)
    # Not tenacity: each look is shown, and a run ends in three ways.
    while True:
        state = api.run(dag_id, run_id)["state"]
        tasks = sorted(api.tasks(dag_id, run_id), key=lambda task: order.index(task["task_id"]))
        progress.update(title or dag_id, state, tasks)
        if state in ENDED:
            break
        check()
        _check_alive(api.stack)
        if time.monotonic() > deadline:
            raise StackError(f"{dag_id} {run_id} did not end in time and keeps running: see {api.stack.airflow_url}")
        time.sleep(1)
    if state == "failed":
        raise RunFailed(_failure(api, dag_id, run_id, tasks))


def _check_alive(stack: Stack) -> None:
    """
    Check that every part of the stack runs: else the run would be waited for in vain.

    :raises StackError: one has ended.
    """
    for name in health.PARTS:
        if processes.find(stack, name) is None:
            log = stack.logs / f"{name}.log"
            raise StackError(
                f"{name} has ended. The end of its log:\n{processes.tail(log)}\n\nRead on: {_relative(log)}\n"
                "`make up` restarts it, and Airflow continues the run."
            )


def _failure(api: AirflowApi, dag_id: str, run_id: str, tasks: list[dict[str, Any]]) -> str:
    failed = next((task for task in tasks if task["state"] == "failed"), None)
    if failed is None:
        return f"{dag_id} {run_id} failed, and none of its tasks did: see {api.stack.logs}"
    lines = api.log(dag_id, run_id, failed).splitlines()[-25:]
    folder = api.stack.airflow_home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={failed['task_id']}"
    return "\n".join(
        [
            f"{dag_id}.{failed['task_id']} failed. The end of its log:",
            *lines,
            "",
            f"Read on: {_relative(folder)}",
            f"      or {api.stack.airflow_url}/dags/{dag_id}/runs/{run_id}/tasks/{failed['task_id']}",
            # Last, where it is read first.
            f"\n{api.reason(dag_id, run_id, failed)}".rstrip(),
        ]
    )


def run_set_off(api: AirflowApi, by: str, run_id: str, deadline: float) -> str:
    """
    Return the training run that a run's Asset event has set off.

    :raises StackError: none was by the deadline.
    """

    def set_off() -> str | None:
        found = next((run for dag_id, run in api.triggered_by(by, run_id) if dag_id == TRAIN), None)
        if found is None:
            _check_alive(api.stack)
        return found

    return until(set_off, deadline - time.monotonic(), f"the Asset of {by} {run_id} did not set off {TRAIN}")


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
