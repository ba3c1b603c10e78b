"""Was the task ended by a user, or will it go on? What decides whether a job is stopped with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amazon_ml.naming import RunKey

#: in these the task runs again, or never stopped: it was cleared, its worker or triggerer ends, another triggerer took
#: it over. Its next try finds the job and attaches to it.
GOES_ON = frozenset(
    {
        None,
        "scheduled",
        "queued",
        "running",
        "restarting",
        "deferred",
        "up_for_retry",
        "up_for_reschedule",
    }
)
#: no such task instance: its run was deleted.
GONE = "removed"


def task_state(key: RunKey) -> str | None:
    """
    Return the task instance's state in Airflow's database now; :data:`GONE` where it is no longer there.

    Asks the process above (supervisor or triggerer), so it blocks: not for an event loop.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states: dict[str, dict[str, Any]] = RuntimeTaskInstance.get_task_states(
        dag_id=key.dag_id, task_ids=[key.task_id], run_ids=[key.run_id], map_index=key.map_index
    )
    label = key.task_id if key.map_index < 0 else f"{key.task_id}_{key.map_index}"
    state = states.get(key.run_id, {}).get(label, GONE)
    return None if state is None else str(state)
