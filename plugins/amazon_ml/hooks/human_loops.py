"""Human loops through the hook: looked at, started and stopped many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.human_loops import SERVICE, Loop, LoopsWatch, Manifest, has_ended, input_content, list_request
from amazon_ml.parallel import mapped

_MISSING = {"ResourceNotFoundException"}


class HumanLoopsHook(ServiceHook):
    """Augmented AI's human loops."""

    service = SERVICE

    def describe_loop(self, name: str) -> dict[str, Any] | None:
        """Return what AWS knows of a loop; None where there is none of that name."""
        return self._call_unless(_MISSING, "describe_human_loop", HumanLoopName=name)

    def start_loop(self, name: str, flow_definition_arn: str, content: str) -> bool:
        """Start a loop with this input, a JSON object, and return False if there is one of that name."""
        request = {"FlowDefinitionArn": flow_definition_arn, "HumanLoopInput": {"InputContent": content}}
        made = self._call_unless({"ConflictException"}, "start_human_loop", HumanLoopName=name, **request)
        return made is not None

    def stop_loop(self, name: str) -> bool:
        """Stop a loop, and return False if it has ended or does not exist."""
        refusals = {"ValidationException", *_MISSING}
        return self._call_unless(refusals, "stop_human_loop", HumanLoopName=name) is not None

    def loop_pages(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the answers of ListHumanLoops, see :func:`amazon_ml.human_loops.list_request`."""
        return self._pages("list_human_loops", **request)


class HumanLoops:
    """
    Describe, start, list and stop loops, several calls at a time.

    :param threads: calls at a time. The hook's pool of connections should have as many.
    """

    def __init__(self, hook: HumanLoopsHook, threads: int) -> None:
        self.runtime = hook
        self.threads = threads
        # Made here, once, and not by several threads at a time.
        _ = self.runtime.conn

    def describe(self, name: str) -> dict[str, Any] | None:
        """Return what AWS knows of a loop; None where there is none of that name."""
        return self.runtime.describe_loop(name)

    def describe_all(self, loops: Iterable[Loop]) -> dict[str, dict[str, Any] | None]:
        """Return what AWS knows of each loop, by its name."""
        return dict(mapped(lambda loop: (loop.name, self.describe(loop.name)), loops, self.threads))

    def start(self, asked: Iterable[tuple[Loop, Mapping[str, Any]]], arn: str, check: Callable[[], None]) -> int:
        """
        Start a loop for each item, unless it exists, and return how many exist then.

        :param arn: of the flow definition.
        :param check: called before each of them; raises where no more are to be started.
        :raises RequestRefused: AWS takes an item not at all; names it.
        """

        def start_one(one: tuple[Loop, Mapping[str, Any]]) -> None:
            loop, item = one
            check()
            try:
                self.runtime.start_loop(loop.name, arn, input_content(item))
            except RequestRefused as error:
                raise RequestRefused(f"Item {loop.id!r} was not taken: {error}") from error

        return sum(1 for _ in mapped(start_one, asked, self.threads))

    def listed(self, manifest: Manifest) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the flow definition's loops since the oldest of the manifest, by pages."""
        asked = list_request(manifest.flow_definition_arn, manifest.since)
        for page in self.runtime.loop_pages(asked):
            yield from page["HumanLoopSummaries"]

    def look(self, watch: LoopsWatch) -> dict[str, str] | None:
        """Poll once, and return the event when the wait is over."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for page in self.runtime.loop_pages(watch.request):
                watch.page(page)
        except RequestRefused as error:
            return watch.refused(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        except (BotoCoreError, ClientError) as error:
            return watch.refused(error)
        return watch.round()

    def going(self, manifest: Manifest) -> set[str]:
        """Return the names of those loops of the manifest's task that AWS lists as not ended."""
        return {loop["HumanLoopName"] for loop in self.listed(manifest) if not has_ended(loop)} & manifest.ours

    def stop(self, manifest: Manifest) -> int:
        """Stop the loops that the manifest's task has started and that have not ended; return how many."""
        # Not only those that are listed as open: one that was started just now may not be listed yet.
        ended = {loop["HumanLoopName"] for loop in self.listed(manifest) if has_ended(loop)}
        return sum(mapped(self.runtime.stop_loop, sorted(manifest.ours - ended), self.threads))
