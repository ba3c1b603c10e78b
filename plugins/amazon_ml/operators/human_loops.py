"""Augmented AI's human loops: the operator that asks people about many items and collects what they answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import TaskDeferralTimeout

from amazon_ml.exceptions import JobFailed, RequestRefused, TaskKilled
from amazon_ml.hooks.human_loops import HumanLoops, HumanLoopsHook
from amazon_ml.human_answers import write_answers
from amazon_ml.human_loops import (
    WAITER,
    ItemCheck,
    LoopsWatch,
    Manifest,
    has_ended,
    load_manifest,
    named,
    oldest,
)
from amazon_ml.invocations import Records, opened
from amazon_ml.links.portal import WorkerPortalLink, portal_url
from amazon_ml.links.sagemaker import SageMakerConsoleLink
from amazon_ml.naming import RunKey, client_token
from amazon_ml.operators.base import TRIGGER_GRACE, read_event
from amazon_ml.operators.run import SageMakerRunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

STOP, LEAVE = "stop", "leave"
#: of execution_timeout, what is kept for collecting the answers: a tenth, and this at most.
_RESERVE = timedelta(minutes=5)
#: seconds in which loops that were told to stop have stopped, or are counted as stopping.
_SETTLE = 60.0


class HumanLoopsOperator(SageMakerRunOperator):
    """
    Ask people about items, a human loop for each, and write their answers as JSON lines to S3.

    Items are JSON lines ``{"id", "input"}``, the input being the object that the worker task template gets. A loop's
    name is a function of flow definition, batch and item id. Each try first asks AWS which loops there are and starts
    the others, so an item has one loop whatever is killed. Which ones it starts is written down in S3 before.

    At the deadline the answers that are there are used; loops still open are stopped, or left. The deadline counts from
    the first try: a retry with the same items does not extend it. With ``at_deadline="leave"`` a clear of this task
    collects what has come in since. A user who ends the task stops the loops that it has started, and no others.

    Answers are JSON lines in ``<output>answers.jsonl``, in the order of the items: ``{"id", "loop", "status", "output",
    "output_uri", "failure_code", "failure_reason"}``. ``output`` is the document that AWS has written, with
    ``humanAnswers`` and ``inputContent``, or null.

    Returns ``{"items", "started", "completed", "failed", "stopped", "expired", "open", "answers"}``: ``started`` counts
    the loops of this task, the others were there before it; ``expired`` those that failed because nobody took them in
    time; ``answers`` is the URI of the file.

    :param flow_definition_arn: who answers, on which page, how often. Templated.
    :param items: S3 URI of the file, or a list. Templated.
    :param output: S3 prefix for the answers, one of this run's own. Templated.
    :param batch: items of another batch have other loops, so the same item can be asked about once more. Templated.
    :param timeout: from the start of the first try until the answers are collected.
    :param at_deadline: "stop" the loops that this task has started and that are open still, or "leave" them. Templated.
    :param clients: calls of AWS at a time.
    :raises ValueError: an item is malformed, too long, or there twice; nothing is started then.
    :raises RequestRefused: there is no such flow definition, or AWS takes an item not at all.
    :raises JobFailed: the flow definition is not active, or AWS no longer says how the loops are.

    .. seealso:: StartHumanLoop in the Augmented AI Runtime API reference.
    """

    kind = "HumanLoop"
    waiter = WAITER

    template_fields: Sequence[str] = (
        *SageMakerRunOperator.template_fields,
        "flow_definition_arn",
        "items",
        "output_uri",
        "batch",
        "at_deadline",
    )
    operator_extra_links = (SageMakerConsoleLink(), WorkerPortalLink())

    def __init__(
        self,
        *,
        flow_definition_arn: str | XComArg,
        items: str | Sequence[Mapping[str, Any]] | XComArg,
        output: str,
        batch: str = "",
        timeout: timedelta = timedelta(days=1),
        at_deadline: str = STOP,
        clients: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.flow_definition_arn = flow_definition_arn
        self.items = items
        self.output_uri = output
        self.batch = batch
        self.at_deadline = at_deadline
        self.clients = clients
        self.portal_url = ""
        self._began: float | None = None

    def deadline(self, context: Context) -> float:
        """Return the deadline in seconds since the epoch, from the start of the first try, less the time to collect."""
        now = self._start_of_try(context)
        end = (now if self._began is None else self._began) + self.timeout.total_seconds()
        if self.execution_timeout:
            reserve = min(_RESERVE, self.execution_timeout / 10)
            end = min(end, now + (self.execution_timeout - reserve).total_seconds())
        return end

    def _start_of_try(self, context: Context) -> float:
        started = context["ti"].start_date
        return started.timestamp() if started else time.time()

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Collect the answers once all loops have ended or the time is over."""
        self._resume(context)
        late = read_event(event)["status"] == "deadline"
        if not late and (found := self.check_event(event, self.kind))["status"] == "failure":
            raise JobFailed(f"{self.flow_definition_arn} is there no more: {found['message']}")
        return self._collect(late=late)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's entry after a deferral; when Airflow's own time-out is over, so is the wait, and no more."""
        try:
            return super(SageMakerRunOperator, self).resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            self._resume(context)
            return self._collect(late=True)

    def _prepare(self, context: Context) -> None:
        self._key = RunKey.of(context)
        if self.at_deadline not in {STOP, LEAVE}:
            raise ValueError(f"at_deadline must be {STOP!r} or {LEAVE!r}, and is {self.at_deadline!r}")

    def _resume(self, context: Context) -> None:
        self._prepare(context)
        self._attend(self._uri)
        self._note_portal(self.hook.describe("FlowDefinition", self._flow_name))

    def _run(self, context: Context) -> Any:
        self._prepare(context)
        self._check_flow()
        with opened(self.items, self.hook.s3, name="items", check=ItemCheck()) as items:
            manifest, missing, going = self._plan(items, context)
            self._began = manifest.began
            self._attend(self._uri)
            self._start(items, missing)
        if not missing and not going:
            return self._collect(late=False)
        return self._wait(context, manifest)

    def _finish(self, name: str, context: Context) -> Any:
        return self._collect(late=False)

    def _latest(self, context: Context) -> str:
        return self._uri

    def _attend(self, name: str | None) -> None:
        self._job_name = name
        self.note_console("FlowDefinition", self._flow_name)

    @property
    def _uri(self) -> str:
        return f"{self.output_uri.rstrip('/')}/loops.jsonl"

    @property
    def _flow_name(self) -> str:
        return str(self.flow_definition_arn).rpartition("/")[2]

    def _check_flow(self) -> None:
        flow = self.hook.describe("FlowDefinition", self._flow_name)
        if flow is None:
            raise RequestRefused(f"There is no flow definition {self.flow_definition_arn}")
        if flow["FlowDefinitionStatus"] != "Active":
            reason = flow.get("FailureReason", "AWS gives no reason")
            raise JobFailed(f"Flow definition {self._flow_name} is {flow['FlowDefinitionStatus']}: {reason}")
        self._note_portal(flow)

    def _note_portal(self, flow: Mapping[str, Any] | None) -> None:
        """Keep the address of the portal for the extra link."""
        arn = (flow or {}).get("HumanLoopConfig", {}).get("WorkteamArn", "")
        team = self.hook.describe("Workteam", arn.rpartition("/")[2]) if arn else None
        if team is not None:
            host = team["Workteam"].get("SubDomain", "")
            self.portal_url = portal_url(host, self.hook.conn_client_meta.endpoint_url)
            self.log.info("People answer at %s", self.portal_url or "a portal that AWS does not name")

    @cached_property
    def _calls(self) -> HumanLoops:
        pooled = {"max_pool_connections": self.clients, **(self.botocore_config or {})}
        return HumanLoops(HumanLoopsHook(**{**self._hook_parameters, "config": pooled}), self.clients)

    def _plan(self, items: Records, context: Context) -> tuple[Manifest, set[str], bool]:
        """
        Write down which loops there are to be.

        :returns: the manifest, the names of the loops to start, and whether some that were there are still open.
        """
        arn, now = str(self.flow_definition_arn), time.time()
        loops = [named(item, arn, self.batch) for item in items]
        found = self._calls.describe_all(loops)
        missing = {name for name, description in found.items() if description is None}
        there = [description for description in found.values() if description is not None]
        earlier = self._earlier()
        before = earlier.ours if earlier else set()
        began, mine = self._start_of_try(context), missing | before
        if earlier is not None:
            if dropped := [loop for loop in earlier.loops if loop.name not in found]:
                # Of items that are asked about no more: nobody would read the answers.
                self._calls.stop(replace(earlier, loops=dropped))
            # Where nothing is asked that was not asked before, this try continues the one before it.
            began = earlier.began if missing <= before else began
        manifest = Manifest(
            flow_definition_arn=arn,
            fingerprint=self._fingerprint,
            began=began,
            since=oldest(there, now),
            loops=[replace(loop, ours=loop.name in mine) for loop in loops],
        )
        manifest.save(self.hook.s3, self._uri)
        self.log.info("%d items: %d loops are there, %d to start", len(loops), len(there), len(missing))
        return manifest, missing, any(not has_ended(each) for each in there)

    @property
    def _fingerprint(self) -> str:
        return client_token([*astuple(self._run_key), str(self.flow_definition_arn)])

    def _earlier(self) -> Manifest | None:
        """Return the manifest of an earlier try of this task instance."""
        try:
            found = load_manifest(self.hook.s3, self._uri)
        except ValueError as error:
            raise RequestRefused(f"{self._uri} is not what this task writes there: {error}") from error
        return found if found and found.fingerprint == self._fingerprint else None

    def _start(self, items: Records, missing: set[str]) -> None:
        """Start the loops that are not there."""
        arn = str(self.flow_definition_arn)
        asked = ((named(item, arn, self.batch), item) for item in items)
        try:
            # The threads only give up; what a kill stops is for this one.
            check = super(SageMakerRunOperator, self).check_alive
            self._calls.start((each for each in asked if each[0].name in missing), arn, check)
        except TaskKilled:
            # It came while loops were started, and has not seen all of them.
            self.check_alive()
            raise
        self.log.info("Started %d human loops", len(missing))
        self.check_alive()

    def _wait(self, context: Context, manifest: Manifest) -> Any:
        deadline = self.deadline(context)
        if not self.deferrable:
            return self.execute_complete(context, self._poll_loops(manifest, deadline))

        from amazon_ml.triggers.human_loops import HumanLoopsTrigger

        self.defer(
            trigger=HumanLoopsTrigger(
                waiter=self.waiter,
                name=self._uri,
                deadline=deadline,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, deadline - time.time())) + TRIGGER_GRACE,
        )
        return None

    def _poll_loops(self, manifest: Manifest, deadline: float) -> dict[str, str]:
        watch = LoopsWatch.of(manifest, self._uri, deadline, self.log.info)
        while (event := self._calls.look(watch)) is None:
            self.check_alive()
            self._pause(watch.delay())
        return event

    def _stop(self, reason: str) -> None:
        """Stop those of the loops that this task has started, and that have not ended."""
        manifest = self._earlier() if self._job_name else None
        if manifest is not None:
            self.log.info("Stopping what is open of %d human loops of this task: %s", len(manifest.ours), reason)
            self.log.info("Stopped %d human loops", self._calls.stop(manifest))

    def _collect(self, *, late: bool) -> dict[str, Any]:
        """Write the answers that there are."""
        manifest = self._earlier()
        if manifest is None:
            raise JobFailed(f"{self._uri} has been removed or overwritten while this task waited: clear the task")
        if late:
            self.log.warning("The time is over: the answers that are there are used")
        if late and self.at_deadline == STOP:
            self._stop("the task's time is over")
            self._settle(manifest)
        answers = f"{self.output_uri.rstrip('/')}/answers.jsonl"
        counts = write_answers(self._calls, self.hook.s3, manifest.loops, answers)
        self.note_data([self.items] if isinstance(self.items, str) else [], [answers])
        result = {"items": len(manifest.loops), "started": len(manifest.ours), **counts, "answers": answers}
        self.log.info("%s", result)
        return result

    def _settle(self, manifest: Manifest) -> None:
        """Wait until what was told to stop has stopped: what people have answered by then is written with it."""
        end, pause = time.monotonic() + _SETTLE, 0.25
        while time.monotonic() < end:
            if not self._calls.going(manifest):
                return
            self.check_alive()
            self._pause(pause)
            pause = min(2 * pause, 4.0)
        self.log.warning("Some human loops are still being stopped")
