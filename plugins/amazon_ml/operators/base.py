"""What every SageMaker operator has: its connection, its deferral, its console link."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from amazon_ml.exceptions import DeadlineExceeded, JobFailed, TaskKilled
from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.links.sagemaker import SageMakerConsoleLink, console_url
from amazon_ml.naming import RunKey, tags
from amazon_ml.waiting import Watch, rules

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

#: how much longer than the deadline Airflow's own time-out waits: it is for a triggerer that is away.
TRIGGER_GRACE = timedelta(minutes=5)


def is_true(value: bool | str) -> bool:
    """Tell whether a flag, which may be a template, is set: Airflow renders a param's True as text."""
    return str(value).strip().lower() in {"1", "true", "yes"}


def as_mapping(value: Any, name: str, *, may_lack: bool) -> Mapping[str, Any]:
    """
    Return a dictionary that a template may have rendered as text.

    :param may_lack: whether nothing, such as the XCom of a task that never ran, counts as an empty one.
    :raises ValueError: the value is not a dictionary.
    """
    try:
        found = ast.literal_eval(value) if isinstance(value, str) and value else value
    except (SyntaxError, ValueError):
        found = value
    if may_lack and found in (None, ""):
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} must be a dictionary of variants, and is {value!r}")
    return found


def with_numbers(document: Any, readers: Mapping[str, Callable[[Any], Any]]) -> Any:
    """
    Return a document in which the numbers that a template has made text are numbers again.

    :param readers: member, at whatever depth -> what makes a number of its value.
    """
    if isinstance(document, Mapping):
        return {
            key: readers[key](value) if key in readers else with_numbers(value, readers)
            for key, value in document.items()
        }
    return [with_numbers(each, readers) for each in document] if isinstance(document, list) else document


def read_event(event: Mapping[str, str] | None) -> Mapping[str, str]:
    """
    Return a trigger's event, see :class:`amazon_ml.waiting.Watch`.

    :raises AirflowException: there is none.
    """
    found = validate_execute_complete_event(None if event is None else dict(event))
    if "outcome" not in found:
        return found
    # Fired by the version before, whose "status" was AWS's. Remove when no task that it has deferred is left.
    return {
        "status": found["outcome"],
        "name": found["name"],
        "resource_status": found["status"],
        "message": found["message"],
    }


class SageMakerOperator(AwsBaseOperator[SageMakerJobHook]):
    """
    Base of all: waits deferred, or polling where ``deferrable`` is off, by the same rules.

    :param timeout: from the start of the task's try until what it waits for must be done. Absolute: a triggerer that
        restarts does not extend it. A shorter ``execution_timeout`` goes before it.
    :param tags: on what is created, beside those of :func:`amazon_ml.naming.tags`.
    :param project: value of the tag ``project`` on what is created.
    :param deferrable: wait in the triggerer, without a worker slot. True whatever ``[operators] default_deferrable``
        says, which is off by default: a job of hours would hold a slot.
    :param aws_conn_id: Airflow connection; without one of that name boto3's own settings are used.
    :param region_name: AWS region, else the connection's.
    :param verify: whether, or with which CA bundle, to verify TLS certificates.
    :param botocore_config: settings of botocore's Config; retries default to ten with backoff.
    """

    aws_hook_class = SageMakerJobHook
    template_fields: Sequence[str] = aws_template_fields("tags")
    template_fields_renderers = {"tags": "json"}
    operator_extra_links: Sequence[BaseOperatorLink] = (SageMakerConsoleLink(),)
    ui_color = "#e8f3ec"

    def __init__(
        self,
        *,
        timeout: timedelta = timedelta(hours=1),
        tags: Mapping[str, str] | None = None,
        project: str = "",
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timeout = timeout
        self.tags = dict(tags or {})
        self.project = project
        self.deferrable = deferrable
        self.console_url = ""
        self._killed = False
        self._data: tuple[list[str], list[str]] = ([], [])

    def deadline(self, context: Context) -> float:
        """Seconds since the epoch. Airflow keeps the try's start over a deferral, and so the deadline."""
        # Airflow measures execution_timeout itself, also over a deferral. We do first, for we can stop what runs.
        limit = min(self.timeout, self.execution_timeout or self.timeout)
        started = context["ti"].start_date
        return (started.timestamp() if started else time.time()) + limit.total_seconds()

    def lifetime(self) -> timedelta | None:
        """Return how long what is created is needed; None, the default, for what other runs need too."""
        return None

    def resource_tags(self, key: RunKey, *more: Mapping[str, str]) -> list[dict[str, str]]:
        """
        Return the tags of what this task instance creates, for the Create request and never for a fingerprint.

        :param more: further tags; those given to the operator win.
        """
        lifetime = self.lifetime()
        expires = None if lifetime is None else datetime.now(UTC) + lifetime
        return tags(key, *more, self.tags, project=self.project, expires=expires)

    def note_console(self, kind: str, name: str) -> None:
        """Keep the address of the console page for the extra link."""
        meta = self.hook.conn_client_meta
        self.console_url = console_url(
            kind, name, region=meta.region_name, partition=meta.partition, endpoint_url=meta.endpoint_url
        )

    def note_data(self, read: Iterable[str], written: Iterable[str]) -> None:
        """Keep S3 URIs and ARNs of what was read and written for OpenLineage, when they are known: at the end."""
        self._data = list(read), list(written)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the datasets for the OpenLineage provider, which asks when a task has succeeded."""
        from amazon_ml.openlineage import as_lineage

        return as_lineage(*self._data)

    def wait(self, context: Context, *, waiter: str, name: str, then: str, **kwargs: Any) -> Any:
        """
        Wait by these rules, then call the method ``then`` with ``context``, ``event`` and ``kwargs``; its result.

        Deferred, this raises TaskDeferred and Airflow makes that call, in another process.
        """
        deadline = self.deadline(context)
        if not self.deferrable:
            return getattr(self, then)(context, event=self._poll(waiter, name, deadline), **kwargs)

        from amazon_ml.triggers.sagemaker_job import SageMakerJobTrigger

        self.defer(
            trigger=SageMakerJobTrigger(
                waiter=waiter,
                name=name,
                deadline=deadline,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name=then,
            kwargs=kwargs,
            timeout=timedelta(seconds=max(0.0, deadline - time.time())) + TRIGGER_GRACE,
        )
        return None

    def check_event(self, event: Mapping[str, str] | None, kind: str) -> Mapping[str, str]:
        """
        Return the event if it says that the wait is over.

        :raises AirflowException: there is no event.
        :raises DeadlineExceeded: too late.
        :raises JobFailed: AWS does not answer Describe.
        """
        found = read_event(event)
        if found["status"] == "deadline":
            limit = min(self.timeout, self.execution_timeout or self.timeout)
            raise DeadlineExceeded(
                f"{kind} {found['name']} was still {found['resource_status'] or 'without an answer'} when the task's "
                f"time was over ({limit} from the start of this try)"
            )
        if found["status"] == "error":
            raise JobFailed(f"{kind} {found['name']}: its status could not be read: {found['message']}")
        return found

    def on_kill(self) -> None:
        """Give up polling at Airflow's SIGTERM; the work on AWS continues."""
        self._killed = True

    def check_alive(self) -> None:
        """Raise when the task was killed in the meantime: Airflow's handler returns to wherever the code was."""
        if self._killed:
            raise TaskKilled(f"{self.task_id} was killed")

    def _poll(self, waiter: str, name: str, deadline: float) -> dict[str, str]:
        from botocore.exceptions import BotoCoreError, ClientError

        watch = Watch(rules(waiter), name, deadline, self.log.info)
        kind = watch.rules.kind
        while True:
            self.check_alive()
            try:
                event = watch.answered(self.hook.look(kind, name, watch.rules.parts))
            except (BotoCoreError, ClientError) as error:
                event = watch.refused(error)
            if event is not None:
                return event
            self._pause(watch.delay())

    def _pause(self, seconds: float) -> None:
        # In slices: the signal handler of a kill returns here, and the task must end before Airflow insists.
        end = time.monotonic() + seconds
        while not self._killed and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
