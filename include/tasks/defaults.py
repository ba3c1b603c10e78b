"""What the tasks of all DAGs have in common: how they are retried, and the boxes that they are drawn in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup

from amazon_ml.retry import FailureBudget
from include.settings import settings

#: failures of its own that a task is tried again after, and tries that it may lose to what runs it.
FAILURES, LOST_TRIES = 2, 20


def task_defaults(*, execution_timeout: timedelta) -> dict[str, Any]:
    """
    Return a DAG's ``default_args``.

    A failed job is followed by another at most twice, since each costs money. Tries that are lost to a killed process
    or to an Airflow component that is away cost nothing: the next one finds the job, or its result.
    """
    return {
        "owner": "ml",
        "retries": LOST_TRIES,
        "retry_policy": FailureBudget(retries=FAILURES),
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": execution_timeout,
        # Of amazon_ml's operators: the tag by which teardown and sweep_idle know what is ours.
        "project": settings.project,
    }


def stage(name: str) -> TaskGroup:
    """
    Return a group for the tasks of one stage: a box of that name in the graph of the UI.

    The tasks keep their plain ids, which are in the names of their jobs.
    """
    # A group cannot have the id of a task, such as "train".
    return TaskGroup(f"stage_{name}", group_display_name=name, prefix_group_id=False)
