"""The crash-safe job: one task instance, one job at a time, one result."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferralError, TaskDeferralTimeout

from amazon_ml.exceptions import DeadlineExceeded, JobFailed, RequestRefused
from amazon_ml.jobs import JobSpec
from amazon_ml.naming import MAX_ATTEMPTS, MAX_LENGTH, RunKey, job_name, tags, unversioned
from amazon_ml.operators.base import SageMakerOperator, is_true
from amazon_ml.task_state import GOES_ON, task_state

if TYPE_CHECKING:
    from airflow.sdk import Context

Spec = TypeVar("Spec", bound=JobSpec)

#: beyond the job's own limit: for waiting for instances, downloads and uploads.
_STARTUP = timedelta(minutes=30)
#: seconds that a kill may take; Airflow follows its SIGTERM with SIGKILL after five.
_KILL_PATIENCE = 4.0
_LOG_GROUPS = {"TrainingJob": "/aws/sagemaker/TrainingJobs", "ProcessingJob": "/aws/sagemaker/ProcessingJobs"}


class SageMakerJobOperator(SageMakerOperator, Generic[Spec]):
    """
    Base of the operators that run a job.

    The job's name is a function of DAG, task, map index and run. Each try first asks AWS for the last attempt there is,
    and

    * waits for one that runs: its starter died, or the task was cleared;
    * returns the result of one that completed, if it computed the same (code, image, arguments, inputs). So clearing a
      task that had succeeded costs nothing; after a change of code or parameters it computes anew;
    * starts the next attempt where that one failed or was stopped, or completed another computation: once a try, so a
      failed job is followed by another only when Airflow retries or somebody clears the task.

    A user who marks the task failed or successful, or deletes its run, stops the job. A dying or restarting worker,
    scheduler or triggerer does not, nor does clearing.

    :param job: what runs.
    :param force: run again even where a completed job of this computation is there. A retry after a crash then also
        runs again, unless the job still runs.
    :param timeout: of the try; default the job's ``max_runtime`` and half an hour. When it is over the job is stopped.
    """

    template_fields: Sequence[str] = (*SageMakerOperator.template_fields, "force")

    kind: str
    waiter: str
    max_name_length: int = MAX_LENGTH

    def __init__(
        self, *, job: Spec, force: bool | str = False, timeout: timedelta | None = None, **kwargs: Any
    ) -> None:
        super().__init__(timeout=timeout or timedelta(), **kwargs)
        self.job = job
        self.force = force
        self._limit = timeout
        self._job_name: str | None = None
        self._key: RunKey | None = None

    @abstractmethod
    def request(self, spec: Spec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """The Create request, without tags; equal fingerprints for equal computations."""

    @abstractmethod
    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """What goes into XCom: names, URIs and numbers, never data."""

    def log_streams(self, name: str) -> tuple[str, str]:
        """CloudWatch's log group of the job, and what the names of its streams begin with."""
        return _LOG_GROUPS[self.kind], f"{name}/"

    def execute(self, context: Context) -> Any:
        """Find or start the job, and wait for it."""
        try:
            return self._run(context)
        except AirflowTaskTimeout:
            # Airflow calls on_kill too, but there this reason cannot be told from a worker that is going down.
            self._stop("execution_timeout is over")
            raise

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """The job has ended: its result, or the reason in the log and in the error."""
        self._prepare(context)
        try:
            self._attend(self.check_event(event, self.kind)["name"])
        except DeadlineExceeded:
            self._job_name = event["name"] if event else None
            self._stop("the task's time is over")
            raise
        return self._finish(self._job_name or "", context)

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """The job that was being stopped when we came has ended: now the next attempt may start."""
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

    def _run(self, context: Context) -> Any:
        spec = self._prepare(context)
        try:
            source = spec.source()
        except ValueError as error:
            raise RequestRefused(str(error)) from error
        code_uri = spec.code_uri(source)
        name, description = self._find(spec, code_uri)
        if description is None:
            uploaded = self.hook.put_missing(spec.bucket, spec.uploads(source))
            if source.files:
                self.log.info("Code is at %s (%d objects uploaded)", code_uri, uploaded)
            self.check_alive()
            description = self._create(spec, name, code_uri)
        self._attend(name)
        self.check_alive()
        status = self._status(description)
        if status == "Completed":
            return self._finish(name, context)
        if status == "Stopping":
            self.log.info("%s %s is being stopped: waiting for its end before the next attempt", self.kind, name)
            return self.wait(context, waiter=self.waiter, name=name, then="execute_again")
        return self.wait(context, waiter=self.waiter, name=name, then="execute_complete")

    def _prepare(self, context: Context) -> Spec:
        """The spec with its templates rendered; sets what the rest needs of the context."""
        self._key = RunKey.of(context)
        rendered = {item.name: self.render_template(getattr(self.job, item.name), context) for item in fields(self.job)}
        spec = replace(self.job, **rendered)
        if self._limit is None:
            self.timeout = timedelta(seconds=int(spec.max_runtime)) + _STARTUP
        return spec

    def _find(self, spec: Spec, code_uri: str) -> tuple[str, dict[str, Any] | None]:
        """The job to wait for or to take the result of, with its description; or the name of the one to make."""
        name, description = self._last_attempt()
        if description is None:
            return name, None
        wanted = spec.fingerprint(self._request(spec, name, code_uri))
        same = spec.fingerprint(description) == wanted
        status = self._status(description)
        if status == "Completed" and same and not is_true(self.force):
            self.log.info("%s %s of this run has completed already: taking its result", self.kind, name)
            return name, description
        if status in {"InProgress", "Stopping"}:
            self.log.info("%s %s of this run is %s: attaching to it", self.kind, name, status)
            if not same:
                self.log.warning("It was started with other code, arguments or inputs. To change them, end it first.")
            return name, description
        self.log.info("%s %s of this run is %s: making the next attempt", self.kind, name, status)
        return self._name(self._attempt(name) + 1), None

    def _latest(self, context: Context) -> str:
        self._key = RunKey.of(context)
        return self._last_attempt()[0]

    def _last_attempt(self) -> tuple[str, dict[str, Any] | None]:
        """The last attempt that there is and its description; the first attempt's name and None where there is none."""
        name, description = self._name(1), None
        for attempt in range(1, MAX_ATTEMPTS + 1):
            candidate = self._name(attempt)
            found = self.hook.describe(self.kind, candidate)
            if found is None:
                break
            name, description = candidate, found
        return name, description

    def _create(self, spec: Spec, name: str, code_uri: str) -> dict[str, Any]:
        from amazon_ml.hooks.sagemaker import AlreadyExists

        request = self._request(spec, name, code_uri)
        # Noted before the call: a kill that comes while it is under way has to find the job that it makes.
        self._job_name = name
        try:
            self.hook.create(self.kind, {**request, "Tags": tags(self._run_key, spec.tags, self.tags)})
            self.log.info("Started %s %s", self.kind, name)
        except AlreadyExists:
            self.log.info("%s %s was started by another process of this task: attaching to it", self.kind, name)
        description = self.hook.describe(self.kind, name)
        if description is None:
            raise JobFailed(f"{self.kind} {name} was created, and AWS does not know it")
        return description

    def _finish(self, name: str, context: Context) -> dict[str, Any]:
        description = self.hook.describe(self.kind, name)
        if description is None:
            raise JobFailed(f"{self.kind} {name} no longer exists")
        status = self._status(description)
        if status != "Completed":
            tail = self.hook.log_tail(*self.log_streams(name))
            self.log.error("Last lines of %s %s:\n%s", self.kind, name, "\n".join(tail))
            raise JobFailed(f"{self.kind} {name} is {status}: {self._reason(description)}")
        result = self.summarise(description, context)
        self.log.info("%s %s completed: %s", self.kind, name, result)
        return result

    def _attend(self, name: str) -> None:
        self._job_name = name
        self.note_console(self.kind, name)

    def _request(self, spec: Spec, name: str, code_uri: str) -> dict[str, Any]:
        try:
            return self.request(spec, self._run_key, name, code_uri)
        except ValueError as error:
            raise RequestRefused(str(error)) from error

    def _stop_if_ended(self) -> None:
        if self._job_name is None or self._key is None:
            return
        try:
            state = task_state(self._key)
        except Exception as error:
            self.log.warning("Not known whether the task goes on (%s): %s %s runs on", error, self.kind, self._job_name)
            return
        if state in GOES_ON:
            self.log.info("The task is %s: %s %s runs on", state or "cleared", self.kind, self._job_name)
        else:
            self._stop(f"the task is {state}")

    def _stop(self, reason: str) -> None:
        if self._job_name is not None:
            self.log.info("Stopping %s %s: %s", self.kind, self._job_name, reason)
            self.hook.stop(self.kind, self._job_name)

    def _name(self, attempt: int) -> str:
        key = self._run_key
        return job_name(key.dag_id, key.task_id, key.map_index, key.run_id, attempt, max_length=self.max_name_length)

    def _attempt(self, name: str) -> int:
        suffix = name.removeprefix(self._name(1)).removeprefix("-")
        return int(suffix) if suffix else 1

    def _status(self, description: Mapping[str, Any]) -> str:
        return str(description[f"{unversioned(self.kind)}Status"])

    def _reason(self, description: Mapping[str, Any]) -> str:
        """Why it did not complete, in AWS's words."""
        words = (description.get("FailureReason"), description.get("ExitMessage"), description.get("SecondaryStatus"))
        return "; ".join(dict.fromkeys(str(word) for word in words if word)) or "AWS gives no reason"

    @property
    def _run_key(self) -> RunKey:
        if self._key is None:
            raise RuntimeError("the operator has not been given its context yet")
        return self._key
