"""The crash-safe job: one task instance, one job at a time, one result."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from amazon_ml.exceptions import BadInput, BadResult, DeadlineExceeded, JobFailed, JobLost, RequestRefused
from amazon_ml.hooks.base import is_busy
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import MAX_ATTEMPTS, MAX_LENGTH, RunKey, job_name, unversioned
from amazon_ml.openlineage import of_job
from amazon_ml.operators.base import TRIGGER_GRACE, SageMakerOperator, is_true
from amazon_ml.operators.run import SageMakerRunOperator
from amazon_ml.specs.job import JobSpec

if TYPE_CHECKING:
    from airflow.sdk import Context

    from amazon_ml.code_bundle import SourceFolder

Spec = TypeVar("Spec", bound=JobSpec)

#: beyond the job's own limit: for waiting for instances, downloads and uploads.
_STARTUP = timedelta(minutes=30)
#: in SageMaker's FailureReason: a script ends with status 2 when its input cannot be used, argparse with the same when
#: its arguments cannot. What it wrote to ``/opt/ml/output/failure`` (training) or ``message`` (processing) says why.
_BAD_INPUT = re.compile(r"(AlgorithmError: )?(?P<said>.*?),? *exit code: 2", re.DOTALL)
#: how the FailureReason of a job begins for which AWS had no instances.
_NO_CAPACITY = "CapacityError"
#: where CloudWatch has the logs of a kind of job.
LOG_GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}


class SageMakerJobOperator(SageMakerRunOperator, Generic[Spec]):
    """
    Base of the operators that run a job.

    The job's name is a function of DAG, task, map index and run. Each try first asks AWS for the last attempt there is,
    and

    * waits for one that runs: its starter died, or the task was cleared;
    * returns the result of one that completed, if it computed the same (code, image, arguments, inputs). So clearing a
      task that had succeeded costs nothing; after a change of code or parameters it computes again;
    * starts the next attempt where that one failed or was stopped, or completed another computation: once a try, so a
      failed job is followed by another only when Airflow retries or somebody clears the task.

    Where AWS has no capacity (a quota in use, or ``CapacityError``) the task waits and starts the job again, until its
    time is over: that is no failed try. A quota of which nothing is in use fails at once.

    A task that a user ends stops its job, see :class:`SageMakerRunOperator`.

    :param job: what runs.
    :param wait_for_completion: off, the task ends when the job has started, with ``{"name", "arn", "status"}``, and no
        longer stops it. What later tasks take of its outputs is not there then. A job that has completed by an earlier
        try gives its whole result.
    :param durable: wait for, or take the result of, what an earlier try has started, as above. Off, each try makes an
        attempt of its own, after it has stopped one that still runs.
    :param force: run again even where a completed job of this computation is there. A retry after a crash then also
        runs again, unless the job still runs.
    :param timeout: of the try; default the job's ``max_runtime`` and half an hour. When it is over the job is stopped.
    """

    template_fields: Sequence[str] = (*SageMakerRunOperator.template_fields, "force")

    max_name_length: int = MAX_LENGTH

    def __init__(
        self,
        *,
        job: Spec,
        wait_for_completion: bool = True,
        durable: bool = True,
        force: bool | str = False,
        timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout or timedelta(), **kwargs)
        self.job = job
        self.wait_for_completion = wait_for_completion
        self.durable = durable
        self.force = force
        self._limit = timeout

    @abstractmethod
    def request(self, spec: Spec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the Create request, without tags; equal fingerprints for equal computations."""

    @abstractmethod
    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return what goes into XCom: names, URIs and numbers, never data."""

    def lifetime(self) -> timedelta:
        """Return the time that the task gives its job: one that runs longer has lost its task."""
        return self.timeout

    def log_streams(self, name: str) -> tuple[str, str]:
        """Return CloudWatch's log group of the job, and the prefix of its streams."""
        return LOG_GROUPS[self.kind], f"{name}/"

    def _run(self, context: Context) -> Any:
        from botocore.exceptions import ClientError

        spec = self._prepare(context)
        source = read_source(spec)
        code_uri = spec.code_uri(source)
        name, description = self._find(spec, code_uri)
        if description is None:
            uploaded = self.hook.s3.put_missing(spec.bucket, spec.uploads(source))
            if source.files:
                self.log.info("Code is at %s (%d objects uploaded)", code_uri, uploaded)
            self.check_alive()
            try:
                description = self._create(spec, name, code_uri)
            except ClientError as error:
                if not is_busy(error):
                    raise
                return self._wait_for_capacity(context, name, str(error))
        self._attend(name)
        self.check_alive()
        status = self._status(description)
        if status == "Completed":
            return self._finish(name, context)
        if status == "Stopping":
            self.log.info("%s %s is being stopped: waiting for its end before the next attempt", self.kind, name)
            return self.wait(context, waiter=self.waiter, name=name, then="execute_again")
        if not self.wait_for_completion:
            return {"name": name, "arn": description[f"{unversioned(self.kind)}Arn"], "status": status}
        return self.wait(context, waiter=self.waiter, name=name, then="execute_complete")

    def execute_with_capacity(self, context: Context, event: Any = None) -> Any:
        """Try again to start the job for which there was no capacity."""
        self._prepare(context)
        return self.execute(context)

    def _wait_for_capacity(self, context: Context, name: str, reason: str) -> Any:
        """
        Wait for a while within this try, then look for the job again and start it.

        :raises DeadlineExceeded: the task's time would be over by then.
        """
        deadline, now = self.deadline(context), time.time()
        started = context["ti"].start_date
        pause = _capacity_pause(now - (started.timestamp() if started else now))
        if now + pause >= deadline:
            raise DeadlineExceeded(f"{self.kind} {name} found no capacity until the task's time was over: {reason}")
        self.log.warning("No capacity for %s %s, trying again in %.0f s: %s", self.kind, name, pause, reason)
        if not self.deferrable:
            self._pause(pause)
            self.check_alive()
            return self.execute_with_capacity(context)

        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.defer(
            trigger=DateTimeTrigger(moment=datetime.fromtimestamp(now + pause, UTC)),
            method_name="execute_with_capacity",
            timeout=timedelta(seconds=deadline - now) + TRIGGER_GRACE,
        )
        return None

    def _prepare(self, context: Context) -> Spec:
        """Render the spec's templates, and set what the rest needs of the context."""
        self._key = RunKey.of(context)
        spec = rendered(self, self.job, context)
        if self._limit is None:
            self.timeout = timedelta(seconds=int(spec.max_runtime)) + _STARTUP
        return spec

    def _find(self, spec: Spec, code_uri: str) -> tuple[str, dict[str, Any] | None]:
        """Find the job to wait for or to take the result of, with its description; or the name of the one to make."""
        name, description = self._last_attempt()
        if description is None:
            return name, None
        if not self.durable:
            return self._supersede(name, description)
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

    def _supersede(self, name: str, description: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """Name the next attempt, after the end of the last one: it is stopped if it runs."""
        if self._status(description) not in {"InProgress", "Stopping"}:
            return self._name(self._attempt(name) + 1), None
        self.log.info("Stopping %s %s of an earlier try: the task is not durable", self.kind, name)
        self.hook.stop(self.kind, name)
        return name, {**description, f"{unversioned(self.kind)}Status": "Stopping"}

    def _latest(self, context: Context) -> str:
        self._key = RunKey.of(context)
        return self._last_attempt()[0]

    def _last_attempt(self) -> tuple[str, dict[str, Any] | None]:
        """Find the last attempt and its description; the first attempt's name and None where there is none."""
        name, description = self._name(1), None
        for attempt in range(1, MAX_ATTEMPTS + 1):
            candidate = self._name(attempt)
            found = self.hook.describe(self.kind, candidate)
            if found is None:
                break
            name, description = candidate, found
        return name, description

    def _create(self, spec: Spec, name: str, code_uri: str) -> dict[str, Any]:
        request = self._request(spec, name, code_uri)
        # Noted before the call: a kill that comes while it is under way has to find the job that it makes.
        self._job_name = name
        try:
            self.hook.create(self.kind, {**request, "Tags": self.resource_tags(self._run_key, spec.tags)})
            self.log.info("Started %s %s", self.kind, name)
        except AlreadyExists:
            self.log.info("%s %s was started by another process of this task: attaching to it", self.kind, name)
        description = self.hook.describe(self.kind, name)
        if description is None:
            raise JobFailed(f"{self.kind} {name} was created, and AWS does not know it")
        return description

    def _finish(self, name: str, context: Context) -> Any:
        description = self.hook.describe(self.kind, name)
        if description is None:
            raise JobFailed(f"{self.kind} {name} no longer exists")
        status = self._status(description)
        if status == "Failed" and str(description.get("FailureReason", "")).startswith(_NO_CAPACITY):
            return self._wait_for_capacity(context, name, description["FailureReason"])
        if status != "Completed":
            tail = self.hook.logs.tail(*self.log_streams(name))
            self.log.error("Last lines of %s %s:\n%s", self.kind, name, "\n".join(tail))
            raise self._failure(name, description)
        self.note_data(*of_job(self.kind, description))
        result = self.summarise(description, context)
        self.log.info("%s %s completed: %s", self.kind, name, result)
        return result

    def _request(self, spec: Spec, name: str, code_uri: str) -> dict[str, Any]:
        try:
            return self.request(spec, self._run_key, name, code_uri)
        except ValueError as error:
            raise RequestRefused(str(error)) from error

    def _name(self, attempt: int) -> str:
        key = self._run_key
        return job_name(key.dag_id, key.task_id, key.map_index, key.run_id, attempt, max_length=self.max_name_length)

    def _attempt(self, name: str) -> int:
        suffix = name.removeprefix(self._name(1)).removeprefix("-")
        return int(suffix) if suffix else 1

    def _status(self, description: Mapping[str, Any]) -> str:
        return str(description[f"{unversioned(self.kind)}Status"])

    def _failure(self, name: str, description: Mapping[str, Any]) -> JobFailed | BadResult:
        """Return the exception for a job that did not complete; its type decides whether there is another try."""
        reason = str(description.get("FailureReason", ""))
        if refused := _BAD_INPUT.fullmatch(reason):
            return BadInput(f"{self.kind} {name}: {str(description.get('ExitMessage') or refused['said']).strip()}")
        failure = JobLost if reason.startswith("InternalServerError") else JobFailed
        return failure(f"{self.kind} {name} is {self._status(description)}: {self._reason(description)}")

    def _reason(self, description: Mapping[str, Any]) -> str:
        """Why it did not complete, in AWS's words."""
        words = (description.get("FailureReason"), description.get("ExitMessage"), description.get("SecondaryStatus"))
        return "; ".join(dict.fromkeys(str(word) for word in words if word)) or "AWS gives no reason"


def _capacity_pause(waited: float) -> float:
    """Return the seconds until the next look for capacity: a tenth of those waited so far, from one minute to ten."""
    return min(max(60.0, waited / 10), 600.0)


def rendered(operator: SageMakerOperator, spec: Spec, context: Context) -> Spec:
    """Render the templates in the texts of a spec."""
    return replace(
        spec, **{each.name: operator.render_template(getattr(spec, each.name), context) for each in fields(spec)}
    )


def read_source(spec: JobSpec) -> SourceFolder:
    """
    Read the code as it is now.

    :raises RequestRefused: folder, entry point or a dependency is missing, or a name is there twice.
    """
    try:
        return spec.source()
    except ValueError as error:
        raise RequestRefused(str(error)) from error
