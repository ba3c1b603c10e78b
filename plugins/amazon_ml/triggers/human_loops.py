"""The trigger for many human loops at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from amazon_ml.hooks.human_loops import HumanLoopsHook
from amazon_ml.hooks.s3 import ObjectsHook, split
from amazon_ml.human_loops import LoopsWatch, Manifest, has_ended
from amazon_ml.triggers.sagemaker_job import SageMakerJobTrigger
from amazon_ml.waiting import Watch, rules

#: loops that are stopped at a time.
_STOPS = 16


class HumanLoopsTrigger(SageMakerJobTrigger):
    """
    Wait until all loops of a manifest have ended, or the deadline has come.

    Fires one event, see :class:`amazon_ml.waiting.Watch`. Nothing is stopped at the deadline: that is the operator's.
    When a user ends the task, those loops are stopped that it has started.

    :param name: S3 URI of the manifest.
    """

    def hook(self) -> HumanLoopsHook:
        """Return a hook for the loops, with the operator's connection settings."""
        return super().hook().sibling(HumanLoopsHook)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll by lists until the wait is over, and yield one event."""
        watch: LoopsWatch | None = None
        waiting = Watch(rules(self.waiter), self.name, self.deadline, self.log.info)
        async with await self.hook().async_client() as client:
            while True:
                if watch is None:
                    watch, event = await self._begin(waiting)
                if watch is not None:
                    event = await self._round(client, watch)
                if event is not None:
                    break
                await asyncio.sleep((watch or waiting).delay())
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _begin(self, waiting: Watch) -> tuple[LoopsWatch | None, dict[str, str] | None]:
        """Read the manifest: the watch over its loops, or the event where the wait is over without."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            async with asyncio.timeout(max(1.0, self.deadline - time.time())):
                manifest = await self._manifest()
        except (BotoCoreError, ClientError) as error:
            return None, waiting.refused(error)
        except TimeoutError:
            return None, waiting.late()
        return LoopsWatch.of(manifest, self.name, self.deadline, self.log.info), None

    async def _round(self, client: Any, watch: LoopsWatch) -> dict[str, str] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # A connection that hangs must not outlive the deadline either.
            async with asyncio.timeout(max(1.0, self.deadline - time.time())):
                async for page in _pages(client, watch.request):
                    watch.page(page)
        except (BotoCoreError, ClientError) as error:
            return watch.refused(error)
        except TimeoutError:
            return watch.late()
        return watch.round()

    async def _manifest(self) -> Manifest:
        bucket, key = split(self.name)
        async with await self.hook().sibling(ObjectsHook).async_client() as client:
            answer = await client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as body:
                return Manifest.load(await body.read())

    async def _stop(self, client: Any) -> None:
        manifest = await self._manifest()
        going = manifest.ours
        async for page in _pages(client, LoopsWatch.of(manifest, self.name, 0.0, self.log.info).request):
            going -= {loop["HumanLoopName"] for loop in page["HumanLoopSummaries"] if has_ended(loop)}
        free = asyncio.Semaphore(_STOPS)

        async def stop(name: str) -> bool:
            async with free:
                return await self._stop_one(client, name)

        stopped = await asyncio.gather(*map(stop, sorted(going)))
        self.log.info("Stopped %d of %d human loops that the task had started", sum(stopped), len(manifest.ours))

    async def _stop_one(self, client: Any, name: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            await client.stop_human_loop(HumanLoopName=name)
        except (BotoCoreError, ClientError) as error:
            # One that has ended, or was not started after all, refuses.
            self.log.warning("Stop of human loop %s: %s", name, error)
            return False
        return True


async def _pages(client: Any, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = await client.list_human_loops(**request, MaxResults=100, **token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
