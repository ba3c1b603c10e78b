"""All endpoints of this server: what serves under which name, and the way from one state to the next."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws.context import Context
from localaws.endpoints.deployment import Deployment, DeploymentFailed, discard
from localaws.endpoints.logs import LogShipper
from localaws.endpoints.metrics import InvocationMetrics
from localaws.endpoints.plan import Plan
from localaws.one_of_many import one_of_many

log = logging.getLogger(__name__)

#: the kind of the records in the store. Private keys: ``_plan``, what serves, and ``_pending``, what is to serve.
KIND = "endpoint"
_REASON_CHARACTERS = 1024
#: seconds that a request waits for a server that is only starting.
_START = 30.0
#: seconds that a stop of the server waits for model servers to end, and for their last words to be delivered.
_STOP = 12.0

Record = dict[str, Any]


class Fleet:
    """
    The deployments behind the endpoints' records.

    Each change of an endpoint is a task in a thread of its own, written down in its record first: what a stop or a
    kill interrupts is done again by :meth:`recover`.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._root = ctx.home / "endpoints"
        self._shipper = LogShipper(ctx)
        self.metrics = InvocationMetrics(ctx)
        self._serving: dict[str, Deployment] = {}
        self._building: set[Deployment] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._recovered = threading.Event()

    # -- requests

    def serving(self, endpoint: str) -> Deployment | None:
        """What answers under that name, if anything does; right after the start it waits for :meth:`recover`."""
        self._recovered.wait(_START)
        return self._serving.get(endpoint)

    # -- changes; the record's status says which, and was set before

    def deploy(self, endpoint: str) -> None:
        """
        Put ``_pending`` into service: Creating -> InService or Failed, Updating -> InService.

        What served before is in service until the new one is healthy, and stays there if that does not happen.
        """
        self._in_background(endpoint, self._deploy)

    def change(self, endpoint: str) -> None:
        """Give what serves the weights and counts of ``_pending``, the same plan otherwise: Updating -> InService."""
        self._in_background(endpoint, self._change)

    def delete(self, endpoint: str) -> None:
        """Take it out of service: Deleting -> gone."""
        self._in_background(endpoint, self._delete)

    # -- the server's own start and stop

    def recover(self) -> None:
        """Serve again what served, and go on with what was interrupted."""
        records = self._ctx.store.all(KIND)
        try:
            for record in records:
                if "_plan" in record and record["EndpointStatus"] != "Deleting":
                    with one_of_many(f"endpoint {record['EndpointName']} is not recovered"):
                        deployment = self._deployment(record["EndpointName"], record["_plan"])
                        self._serving[deployment.endpoint] = deployment
                        deployment.recover()
        finally:
            self._recovered.set()
        self._sweep(records)
        for record in records:
            with one_of_many(f"endpoint {record['EndpointName']} is not recovered"):
                self._resume(record)

    def close(self) -> None:
        """End all model servers; the records stay as they are."""
        with self._lock:
            self._closing = True
            deployments = {*self._serving.values(), *self._building}
        ending = [threading.Thread(target=deployment.end, daemon=True) for deployment in deployments]
        ending += [threading.Thread(target=each.close, daemon=True) for each in (self._shipper, self.metrics)]
        deadline = time.monotonic() + _STOP
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join(max(0, deadline - time.monotonic()))

    def _resume(self, record: Record) -> None:
        endpoint, status = record["EndpointName"], record["EndpointStatus"]
        if status == "Deleting":
            self.delete(endpoint)
        elif status not in ("Creating", "Updating"):
            return
        elif "_pending" not in record:
            # The new one had taken over; ending the old one was all that was left.
            self._set(endpoint, _in_service)
        elif record["_pending"]["id"] == record.get("_plan", {}).get("id"):
            self.change(endpoint)
        else:
            self.deploy(endpoint)

    def _sweep(self, records: list[Record]) -> None:
        """End what belongs to no deployment that serves; what was staged for one that is to serve stays."""
        serving = {record["_plan"]["id"] for record in records if "_plan" in record}
        pending = {record["_pending"]["id"] for record in records if "_pending" in record}
        for folder in self._root.glob("*/d-*"):
            if folder.name in serving:
                continue
            for instance in folder.glob("*/i-*"):
                discard(instance)
            if folder.name not in pending:
                shutil.rmtree(folder, ignore_errors=True)

    # -- tasks

    def _in_background(self, endpoint: str, task: Callable[[str], None]) -> None:
        threading.Thread(target=self._run, args=(endpoint, task), name=f"endpoint-{endpoint}", daemon=True).start()

    def _run(self, endpoint: str, task: Callable[[str], None]) -> None:
        try:
            task(endpoint)
        except Exception as error:
            log.exception("%s of endpoint %s", task.__name__, endpoint)
            # A deletion that failed is done again at the next start.
            if not self._closing and self._record(endpoint)["EndpointStatus"] != "Deleting":
                self._give_up(endpoint, f"InternalServerError: {error}")

    def _deploy(self, endpoint: str) -> None:
        """Build ``_pending`` beside what serves, if anything does, and let it take over."""
        deployment = self._deployment(endpoint, self._record(endpoint)["_pending"])
        with self._lock:
            if self._closing:
                return
            self._building.add(deployment)
        try:
            deployment.deploy()
        except Exception as failure:
            if self._closing:
                return
            deployment.retire()
            self._building.discard(deployment)
            if not isinstance(failure, DeploymentFailed):
                raise
            self._give_up(endpoint, str(failure))
            return
        # Written down first: a server killed in between finds the new one's processes, and sweeps the old one's.
        self._set(endpoint, _take_pending)
        with self._lock:
            old = self._serving.get(endpoint)
            self._serving[endpoint] = deployment
            self._building.discard(deployment)
        if old is not None:
            old.retire()
        self._set(endpoint, _in_service)

    def _change(self, endpoint: str) -> None:
        plan = Plan.load(self._record(endpoint)["_pending"])
        try:
            self._serving[endpoint].change(plan)
        except DeploymentFailed as failure:
            if not self._closing:
                self._give_up(endpoint, str(failure))
            return
        self._set(endpoint, _take_pending)
        self._set(endpoint, _in_service)

    def _delete(self, endpoint: str) -> None:
        deployment = self._serving.pop(endpoint, None)
        if deployment is not None:
            deployment.retire()
        shutil.rmtree(self._root / endpoint, ignore_errors=True)
        self._ctx.store.delete(KIND, endpoint)

    # -- steps

    def _give_up(self, endpoint: str, reason: str) -> None:
        def change(record: Record) -> None:
            serves = "_plan" in record
            record.pop("_pending", None)
            _finish(record, "InService" if serves else "Failed")
            record["FailureReason"] = reason[:_REASON_CHARACTERS]
            for variant in record.get("ProductionVariants", []):
                variant["DesiredWeight"] = variant["CurrentWeight"]
                variant["DesiredInstanceCount"] = variant["CurrentInstanceCount"]

        self._set(endpoint, change)

    def _set(self, endpoint: str, change: Callable[[Record], None]) -> None:
        self._ctx.store.update(KIND, endpoint, change)

    def _record(self, endpoint: str) -> Record:
        record = self._ctx.store.get(KIND, endpoint)
        if record is None:
            raise LookupError(f"endpoint {endpoint} has no record")
        return record

    def _deployment(self, endpoint: str, plan: Record) -> Deployment:
        return Deployment(self._ctx, endpoint, Plan.load(plan), self._root / endpoint, self._shipper)


_FLEETS: dict[Path, Fleet] = {}
_FLEETS_LOCK = threading.Lock()


def fleet(ctx: Context) -> Fleet:
    """The fleet of this server."""
    with _FLEETS_LOCK:
        if ctx.home not in _FLEETS:
            _FLEETS[ctx.home] = Fleet(ctx)
        return _FLEETS[ctx.home]


def _in_service(record: Record) -> None:
    record.pop("FailureReason", None)
    _finish(record, "InService")


def _take_pending(record: Record) -> None:
    plan = record["_plan"] = record.pop("_pending")
    record["EndpointConfigName"] = plan["config"]
    record["ProductionVariants"] = [_summary(variant) for variant in plan["variants"]]


def _finish(record: Record, status: str) -> None:
    record["EndpointStatus"] = status
    record["LastModifiedTime"] = Context.now()
    record.pop("PendingDeploymentSummary", None)


def _summary(variant: Record) -> Record:
    return {
        "VariantName": variant["name"],
        "DeployedImages": [
            {"SpecifiedImage": variant["image"], "ResolvedImage": variant["image"], "ResolutionTime": Context.now()}
        ],
        "CurrentWeight": variant["weight"],
        "DesiredWeight": variant["weight"],
        "CurrentInstanceCount": variant["count"],
        "DesiredInstanceCount": variant["count"],
    }
