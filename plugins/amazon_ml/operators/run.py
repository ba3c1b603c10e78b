"""What ends with its task: the life of something that AWS runs for one task instance."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout

from amazon_ml.exceptions import DeadlineExceeded
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator, read_event
from amazon_ml.task_state import GOES_ON, task_state

if TYPE_CHECKING:
    from airflow.sdk import Context

#: seconds that a kill may take; Airflow follows its SIGTERM with SIGKILL after five.
_KILL_PATIENCE = 4.0


class SageMakerRunOperator(SageMakerOperator):
    """
    Base of the operators that run something on AWS: a job, or a pipeline's execution.

    A user who marks the task failed or successful, or deletes its run, stops it, and so does a time-out. A dying or
    restarting worker, scheduler or triggerer does not, nor does clearing: the next try attaches to it.

    :param timeout: of the try. When it is over what runs is stopped.
    """

    kind: str
    waiter: str

    def __init__(self, *, timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self._job_name: str | None = None
        self._key: RunKey | None = None

    @abstractmethod
    def _prepare(self, context: Context) -> Any:
        """Set what the rest needs of the context."""

    @abstractmethod
    def _run(self, context: Context) -> Any:
        """Find or start it, and wait for it."""

    @abstractmethod
    def _finish(self, name: str, context: Context) -> Any:
        """Return the result of one that has ended, or raise with AWS's reason."""

    @abstractmethod
    def _latest(self, context: Context) -> str | None:
        """Return the last of this task instance that there may be, by what AWS is asked for it."""

    def execute(self, context: Context) -> Any:
        """Find or start the job, and wait for it."""
        try:
            return self._run(context)
        except AirflowTaskTimeout:
            # Airflow calls on_kill too, but there this reason cannot be told from a worker that is going down.
            self._stop("execution_timeout is over")
            raise

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Return the result of the job that has ended, or put the reason into the log and the error."""
        self._prepare(context)
        found = read_event(event)
        try:
            self._attend(self.check_event(found, self.kind)["name"])
        except DeadlineExceeded:
            self._job_name = found["name"]
            self._stop("the task's time is over")
            raise
        return self._finish(self._job_name or "", context)

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Start the next attempt, after the job that was being stopped has ended."""
        self._prepare(context)
        self.check_event(event, self.kind)
        return self.execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's entry after a deferral; adds what its own time-out, which knows of no job, cannot do."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralError:
            # The trigger broke, the job did not: a retry attaches to it.
            self._attend(self._latest(context))
            raise
        except TaskDeferralTimeout as error:
            self._attend(self._latest(context))
            self._stop("Airflow's time-out for the deferred task is over")
            raise DeadlineExceeded(
                f"{self.kind} {self._job_name} was not done when execution_timeout, or the deadline, was over: stopped"
            ) from error

    def on_kill(self) -> None:
        """Stop the job if a user ended the task; leave it to the next try if the task will go on."""
        super().on_kill()
        # In a thread of its own: this runs in a signal handler, on top of code that may hold a lock we need.
        killer = threading.Thread(target=self._stop_if_ended, daemon=True)
        killer.start()
        killer.join(_KILL_PATIENCE)

    def check_alive(self) -> None:
        """Raise when the task was killed; a kill while the job was being created came too early to stop it."""
        if self._killed:
            self._stop_if_ended()
        super().check_alive()

    def _attend(self, name: str | None) -> None:
        """From here on this is what a kill stops."""
        self._job_name = name
        if name is not None:
            self.note_console(self.kind, name)

    def _stop_if_ended(self) -> None:
        if self._job_name is None or self._key is None:
            return
        try:
            state = task_state(self._key)
        except Exception as error:
            self.log.warning("The task's state is unknown (%s): %s %s keeps running", error, self.kind, self._job_name)
            return
        if state in GOES_ON:
            self.log.info("The task is %s: %s %s keeps running", state or "cleared", self.kind, self._job_name)
        else:
            self._stop(f"the task is {state}")

    def _stop(self, reason: str) -> None:
        if self._job_name is not None:
            self.log.info("Stopping %s %s: %s", self.kind, self._job_name, reason)
            self.hook.stop(self.kind, self._job_name)

    @property
    def _run_key(self) -> RunKey:
        if self._key is None:
            raise RuntimeError("the operator has not been given its context yet")
        return self._key
