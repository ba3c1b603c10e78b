"""Runs of a DAG by Airflow's own rules, in this process: no scheduler, no worker and no pause between two tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"
#: rounds of a run after which it is stuck.
_MOST_ROUNDS = 400
_BUNDLE = "tests"


def make_database(patch: pytest.MonkeyPatch, file: Path) -> None:
    """Let this process's Airflow have a database of its own, whatever its settings say."""
    from airflow import settings
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{file}")
    settings.configure_vars()
    settings.configure_orm()
    with create_session() as session:
        initdb(session=session)
    with create_session() as session:
        session.add(DagBundleModel(name=_BUNDLE))


def load(dag_id: str) -> Any:
    """Return the DAG of a file in ``dags/`` that has its name. A run changes its params: each needs one of its own."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS / f"{dag_id}.py")).dags[dag_id]


class Run:
    """
    A run of a DAG.

    :param conf: its params that are not the defaults.
    """

    def __init__(self, dag: Any, conf: dict[str, Any]) -> None:
        from airflow.models.dagrun import get_or_create_dagrun
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.serialization.definitions.dag import SerializedDAG
        from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
        from airflow.utils.session import create_session
        from airflow.utils.types import DagRunTriggeredByType

        self.dag = dag
        with create_session() as session:
            lazy = LazyDeserializedDAG.from_dag(dag)
            SerializedDAG.bulk_write_to_db(_BUNDLE, None, [lazy], session=session)
            SerializedDagModel.write_dag(lazy, bundle_name=_BUNDLE, session=session)
        self._scheduled = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        now = datetime.now(UTC)
        self.run_id = f"manual__{now.isoformat()}"
        with create_session() as session:
            get_or_create_dagrun(
                dag=self._scheduled,
                run_id=self.run_id,
                logical_date=now,
                data_interval=(now, now),
                run_after=now,
                conf=conf,
                triggered_by=DagRunTriggeredByType.TEST,
                triggering_user_name="test",
                start_date=now,
                session=session,
            )

    def go_on(self, until: str = "") -> dict[str, str]:
        """
        Run what may run until the run has ended, or nothing may; ``{"run": state, task: state}``.

        :param until: a task; the run is left as it is before this one runs.
        """
        from airflow.sdk.definitions.dag import _run_task

        before: dict[str, str] = {}
        for _ in range(_MOST_ROUNDS):
            with self._state() as (run, session):
                if run.state != "running":
                    break
                ready = self._ready(run, session)
                if until in {each.task_id for each in ready}:
                    break
                if not ready:
                    # A round may do no more than to skip what has no way to it.
                    before, states = self.states(), before
                    if before == states:
                        break
                for each in ready:
                    _run_task(ti=each, task=self.dag.task_dict[each.task_id], run_triggerer=True)
        else:
            raise AssertionError(f"the run does not end: {self.states()}")
        return self.states()

    def _ready(self, run: Any, session: Any) -> list[Any]:
        """The task instances that a scheduler would queue now, and those whose retry it would wait for."""
        for each in run.get_task_instances(session=session, state=["up_for_retry"]):
            each.end_date = datetime.now(UTC) - timedelta(days=1)
        session.flush()
        ready, _ = run.update_state(session=session)
        for each in ready:
            each.try_number += 1
        ready += run.get_task_instances(session=session, state=["scheduled"])
        for each in ready:
            each.state, each.scheduled_dttm = "scheduled", datetime.now(UTC)
        session.commit()
        return ready

    @contextmanager
    def _state(self) -> Iterator[tuple[Any, Any]]:
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            run = session.scalars(select(DagRun).where(DagRun.run_id == self.run_id)).one()
            run.dag = self._scheduled
            yield run, session

    def states(self) -> dict[str, str]:
        """The states of the run and of its tasks; "none" for a task that nothing has happened to."""
        with self._state() as (run, session):
            tasks = {each.task_id: str(each.state or "none") for each in run.get_task_instances(session=session)}
            return {"run": str(run.state), **tasks}

    def result(self, task_id: str, key: str = "return_value") -> Any:
        """An XCom of a task; None without one."""
        from airflow.models.xcom import XComModel

        with self._state() as (_, session):
            found = XComModel.get_many(run_id=self.run_id, key=key, task_ids=task_id, dag_ids=self.dag.dag_id)
            row = session.scalars(found).first()
            return None if row is None else XComModel.deserialize_value(row)

    def answer(self, task_id: str, option: str | None) -> None:
        """What a person answers to a task that waits; None lets the time for an answer pass."""
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.trigger import handle_event_submit
        from airflow.triggers.base import TriggerEvent
        from sqlalchemy import select
        from sqlalchemy.orm import joinedload

        with self._state() as (_, session):
            named = select(TaskInstance).where(TaskInstance.run_id == self.run_id, TaskInstance.task_id == task_id)
            ti = session.scalars(named.options(joinedload(TaskInstance.hitl_detail))).one()
            assert ti.state == "awaiting_input", ti.state
            if option is not None:
                detail = ti.hitl_detail
                detail.chosen_options, detail.params_input, detail.responded_at = [option], {}, datetime.now(UTC)
                event = TriggerEvent(detail.as_resume_event_payload())
                handle_event_submit(event, task_instance=ti, session=session)
                return
            left = ti.trigger_timeout - datetime.now(UTC)
            assert left > timedelta(hours=1), left
            ti.trigger_timeout = datetime.now(UTC) - timedelta(seconds=1)
        with self._state() as (_, session):
            runner = SchedulerJobRunner.__new__(SchedulerJobRunner)
            runner.check_awaiting_input_timeouts(session=session)

    def clear(self, *task_ids: str) -> None:
        """Clear tasks and what follows them, as a user does."""
        part = self._scheduled.partial_subset(task_ids=list(task_ids), include_downstream=True, include_upstream=False)
        with self._state() as (run, session):
            part.clear(run_id=self.run_id, session=session)
            run.set_state("running")

    def mark_failed(self) -> None:
        """Mark the run failed, as a user does."""
        from airflow.api.common.mark_tasks import set_dag_run_state_to_failed

        with self._state() as (_, session):
            set_dag_run_state_to_failed(dag=self._scheduled, run_id=self.run_id, commit=True, session=session)
