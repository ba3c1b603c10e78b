"""The one trigger for everything that SageMaker takes its time over; what differs is in the rules file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from amazon_ml.hooks.base import ServiceHook
from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.naming import RunKey, identifier, unversioned
from amazon_ml.task_state import GOES_ON, task_state
from amazon_ml.waiting import Watch, rules

#: one look is tried twice only: the next look comes anyway, and an outage must not hold back the deadline.
_ATTEMPTS = 2
#: seconds to find out whether the task continues, and to stop its job if not; Airflow gives a kill 30.
_KILL_PATIENCE = 28.0
#: kills under way: the event loop itself keeps no hold of its tasks.
_ENDING: set[asyncio.Task[None]] = set()


# Not the provider's AwsBaseWaiterTrigger: that counts attempts, and each triggerer that takes it over begins at one, so
# that its wait has no end in time. It also ends with an error where AWS does not answer for a moment.
class SageMakerJobTrigger(BaseTrigger):
    """
    Wait until a job or an endpoint is done, or the deadline has come.

    Fires one event, see :class:`amazon_ml.waiting.Watch`. At the deadline the job is stopped first. An AWS that does
    not answer is asked again until the deadline. When a user ends the task (marks it, deletes its run), the job is
    stopped; when the task is only cleared, or the triggerer ends, the job is left to whoever attaches to it next.

    :param waiter: name in the rules file.
    :param name: of the job or endpoint.
    :param deadline: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        waiter: str,
        name: str,
        deadline: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waiter = waiter
        self.name = name
        self.deadline = deadline
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return all that another triggerer needs to take over."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "waiter": self.waiter,
                "name": self.name,
                "deadline": self.deadline,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
                "verify": self.verify,
                "botocore_config": dict(self.botocore_config) if self.botocore_config else None,
            },
        )

    def hook(self) -> ServiceHook:
        """Return a hook with the operator's connection settings."""
        return SageMakerJobHook(
            self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
            attempts=_ATTEMPTS,
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the wait is over, and yield one event."""
        watch = Watch(rules(self.waiter), self.name, self.deadline, self.log.info)
        async with await self.hook().async_client() as client:
            while (event := await self._look(client, watch)) is None:
                await asyncio.sleep(watch.delay())
            if event["status"] == "deadline":
                await self._stop(client)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """
        Act on what ended the trigger: a user who acted on the task, or another triggerer that took it over.

        As Airflow's triggerer (3.3.2) cancels the trigger again in every round until it is gone, this method included,
        the work is done in an asyncio task of its own that no cancellation reaches.
        """
        if not rules(self.waiter).stop:
            self.log.info("%s cannot be stopped while it changes, and is left as it is", self._subject)
            return
        work = asyncio.create_task(self._end())
        _ENDING.add(work)
        work.add_done_callback(_ENDING.discard)
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(work)

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(_KILL_PATIENCE):
                state = await asyncio.to_thread(task_state, RunKey.of_task(self.task_instance))
                if state in GOES_ON:
                    self.log.info("The task is %s: %s is left to its next try", state or "cleared", self._subject)
                    return
                self.log.info("The task is %s: stopping %s", state, self._subject)
                async with await self.hook().async_client() as client:
                    await self._stop(client)
        except Exception as error:
            # Where the task's state is not known the job is left alone: one that nobody waits for ends by its limit,
            # but one that was stopped under a task that continues has lost its work.
            self.log.error("%s was not stopped: %s", self._subject, str(error) or "no answer in time")

    @property
    def _subject(self) -> str:
        return f"{rules(self.waiter).kind} {self.name}"

    async def _look(self, client: Any, watch: Watch) -> dict[str, str] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # A connection that hangs must not outlive the deadline either.
            async with asyncio.timeout(max(1.0, self.deadline - time.time())):
                answer = await self._call(client, f"Describe{watch.rules.kind}")
                if watch.rules.parts:
                    answer = {**answer, **await self._call(client, watch.rules.parts)}
        except (BotoCoreError, ClientError) as error:
            return watch.refused(error)
        except TimeoutError:
            return watch.late()
        return watch.answered(answer)

    async def _stop(self, client: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if not rules(self.waiter).stop:
            return
        try:
            await self._call(client, f"Stop{unversioned(rules(self.waiter).kind)}")
        except (BotoCoreError, ClientError) as error:
            # The operator stops it again when it resumes; a job that has ended refuses, which is as good.
            self.log.warning("Stop of %s: %s", self._subject, error)

    async def _call(self, client: Any, operation: str) -> dict[str, Any]:
        from botocore import xform_name

        member = identifier(rules(self.waiter).kind)
        answer: dict[str, Any] = await getattr(client, xform_name(operation))(**{member: self.name})
        return answer
