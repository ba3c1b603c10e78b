"""What becomes of a DAG's tasks when some fail or are skipped, by Airflow's trigger rules and without running any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SUCCESS, FAILED, SKIPPED = "success", "failed", "skipped"


class Flow:
    """One DAG's tasks and edges."""

    def __init__(self, dag: Any) -> None:
        self.dag = dag
        self.tasks: dict[str, Any] = dag.task_dict

    def upstream(self, task_id: str) -> set[str]:
        """Every task that ends before this one begins."""
        return set(self.tasks[task_id].get_flat_relative_ids(upstream=True))

    def downstream(self, task_id: str) -> set[str]:
        """Every task that begins after this one has ended."""
        return set(self.tasks[task_id].get_flat_relative_ids(upstream=False))

    def run(self, *, failed: Iterable[str] = (), skipped: Iterable[str] = ()) -> dict[str, str]:
        """
        Return the state in which every task ends.

        :param failed: tasks that fail.
        :param skipped: tasks that are skipped, as a branch does with the way that it does not take.
        """
        assert {*failed, *skipped} <= self.tasks.keys()
        states: dict[str, str] = {}
        for task in self.dag.topological_sort():
            state = _state(task, states)
            if state == SUCCESS and task.task_id in {*failed, *skipped}:
                state = FAILED if task.task_id in failed else SKIPPED
            states[task.task_id] = state
        return states

    def needs(self, task_id: str, *others: str) -> None:
        """Assert that the task runs, and does not where any one of the others fails."""
        assert self.run()[task_id] == SUCCESS, f"{task_id} never runs"
        for other in others:
            assert self.run(failed=[other])[task_id] != SUCCESS, f"{task_id} runs though {other} has failed"

    def needs_one_of(self, task_id: str, *others: str) -> None:
        """Assert that the task runs after any one of the others, and not where all of them are skipped."""
        for other in others:
            states = self.run(skipped=[each for each in others if each != other])
            assert states[task_id] == SUCCESS, f"{task_id} does not run after {other} alone"
        assert self.run(skipped=others)[task_id] != SUCCESS, f"{task_id} runs without any of {others}"

    def does_without(self, task_id: str, *others: str) -> None:
        """Assert that the task waits for the others, and runs although they were skipped."""
        assert self.upstream(task_id) >= {*others}, f"{task_id} does not wait for {others}"
        assert self.run(skipped=others)[task_id] == SUCCESS, f"{task_id} does not run without {others}"

    def takes_from(self, task_id: str, *others: str) -> None:
        """Assert that the others come directly before the task: it takes their results, or is chosen by them."""
        assert self.tasks[task_id].upstream_task_ids >= {*others}

    def runs_after_any(self, task_id: str, *setups: str) -> None:
        """Assert that the task runs once a setup has succeeded, whatever fails behind it, and never without one."""
        for setup in setups:
            alone = [each for each in setups if each != setup and each not in self.upstream(setup)]
            assert self.run(failed=alone)[task_id] == SUCCESS, f"{task_id} does not run after {setup} alone"
            for other in self.downstream(setup) & self.upstream(task_id):
                assert self.run(failed=[other])[task_id] == SUCCESS, f"{task_id} does not run where {other} has failed"
        assert self.run(skipped=setups)[task_id] != SUCCESS, f"{task_id} runs where none of {setups} has"


def _state(task: Any, states: dict[str, str]) -> str:
    """The state that a task's trigger rule gives it."""
    upstream = {name: states[name] for name in task.upstream_task_ids}
    rule = str(task.trigger_rule.value)
    if rule == "all_done_setup_success":
        setups = [state for name, state in upstream.items() if task.dag.task_dict[name].is_setup]
        return SUCCESS if SUCCESS in setups else SKIPPED
    if rule == "one_failed":
        return SUCCESS if FAILED in upstream.values() else SKIPPED
    if FAILED in upstream.values():
        return FAILED
    missing = SKIPPED in upstream.values() if rule == "all_success" else upstream and SUCCESS not in upstream.values()
    assert rule in {"all_success", "none_failed_min_one_success"}, f"{task.task_id}: what is {rule}?"
    return SKIPPED if missing else SUCCESS
