"""All endpoints of this server: what serves under which name, and the way from one state to the next."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localaws.core import beneath
from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.sagemaker.endpoints.capture import Capture, summary
from localaws.sagemaker.endpoints.deployment import Deployment, DeploymentFailed, discard
from localaws.sagemaker.endpoints.events import SETTLED
from localaws.sagemaker.endpoints.logs import LogShipper
from localaws.sagemaker.endpoints.metrics import InvocationMetrics
from localaws.sagemaker.endpoints.plan import Plan
from localaws.sagemaker.endpoints.publishing import Publishing
from localaws.sagemaker.endpoints.rollout import RolledBack, Rollout
from localaws.sagemaker.endpoints.shadow import Shadows
from localaws.sagemaker.endpoints.utilization import Utilization
from localaws.sagemaker.endpoints.worker import Worker

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
        self.metrics = InvocationMetrics(ctx, self._variants, self._publishing)
        self.capture = Capture(ctx)
        self.shadows = Shadows()
        self._serving: dict[str, Deployment] = {}
        self._building: set[Deployment] = set()
        #: the new fleet of an endpoint under a rollout, and its share of the traffic.
        self._shifts: dict[str, tuple[Deployment, float]] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._utilization = Utilization(ctx, self._workers, self._publishing)
        self._recovered = threading.Event()

    # -- requests

    def serving(self, endpoint: str, target: str | None = None) -> Deployment | None:
        """
        Return the deployment that serves an endpoint, or ``None``. Right after the start, wait for :meth:`recover`.

        During a rollout, chance decides between the two fleets.

        :param target: the variant that the request asks for, which one of them may not have.
        """
        self._recovered.wait(_START)
        shift = self._shifts.get(endpoint)
        blue = self._serving.get(endpoint)
        if shift is None or blue is None:
            return blue
        green, share = shift
        if target is not None and green.has(target) != blue.has(target):
            return green if green.has(target) else blue
        return green if random.random() < share else blue

    def new_config(self, endpoint: str, deployment: Deployment) -> str:
        """Return the config of a fleet that is new and has traffic already, else ""."""
        green, _ = self._shifts.get(endpoint, (None, 0.0))
        return deployment.plan.config if deployment is green else ""

    def _variants(self) -> list[tuple[str, str]]:
        return [
            (each.endpoint, variant.name) for each in list(self._serving.values()) for variant in each.plan.everything
        ]

    def _publishing(self, endpoint: str) -> Publishing:
        deployment = self._serving.get(endpoint)
        return deployment.plan.publishing if deployment else Publishing()

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
                    with isolate(f"endpoint {record['EndpointName']} is not recovered"):
                        deployment = self._deployment(record["EndpointName"], record["_plan"])
                        self._serving[deployment.endpoint] = deployment
                        deployment.recover()
        finally:
            self._recovered.set()
        self._sweep(records)
        for record in records:
            with isolate(f"endpoint {record['EndpointName']} is not recovered"):
                self._resume(record)

    def close(self) -> None:
        """End all model servers; the records stay as they are."""
        with self._lock:
            self._closing = True
            self.shadows.close()
            deployments = {*self._serving.values(), *self._building}
        ending = [threading.Thread(target=deployment.end, daemon=True) for deployment in deployments]
        others = (self._shipper.close, self.metrics.close, self.capture.close, self._utilization.close)
        ending += [threading.Thread(target=close, daemon=True) for close in others]
        deadline = time.monotonic() + _STOP
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join(max(0, deadline - time.monotonic()))

    def _workers(self) -> Iterator[tuple[tuple[str, str], Worker]]:
        """Yield the serving instances with their endpoint and variant."""
        with self._lock:
            deployments = list(self._serving.values())
        for deployment in deployments:
            for worker in deployment.workers():
                yield (deployment.endpoint, worker.folder.parent.name), worker

    def _resume(self, record: Record) -> None:
        endpoint, status = record["EndpointName"], record["EndpointStatus"]
        if status == "Deleting":
            self.delete(endpoint)
        elif status not in ("Creating", "Updating", "RollingBack"):
            return
        elif "_pending" not in record:
            # The new one had taken over; ending the old one was all that was left.
            self._settle(endpoint, _in_service)
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
                discard(instance, self._ctx.home)
            if folder.name not in pending:
                beneath.remove(folder)

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
            self._roll_out(endpoint, deployment)
        except Exception as failure:
            if self._closing:
                return
            if self._shifts.pop(endpoint, None):
                self._set(endpoint, lambda record: record.update(EndpointStatus="RollingBack"))
            deployment.retire()
            self._building.discard(deployment)
            if not isinstance(failure, DeploymentFailed | RolledBack):
                raise
            self._give_up(endpoint, str(failure))
            return
        # Written down first: a server killed in between finds the new one's processes, and sweeps the old one's.
        self._set(endpoint, _take_pending)
        with self._lock:
            old = self._serving.get(endpoint)
            self._serving[endpoint] = deployment
            self._shifts.pop(endpoint, None)
            self._building.discard(deployment)
        if old is not None:
            old.retire()
        self._settle(endpoint, _in_service)

    def _roll_out(self, endpoint: str, green: Deployment) -> None:
        """Build the new fleet, and give it the traffic of the old one as the record's DeploymentConfig says."""
        config = self._record(endpoint).get("_deployment")
        blue = self._serving.get(endpoint)
        if config is None or blue is None:
            green.deploy()
            return
        Rollout(self._ctx, config, blue, green, _Surroundings(self, endpoint)).run()

    def shift(self, endpoint: str, green: Deployment, share: float) -> None:
        """Give a new fleet a share of the endpoint's traffic."""
        self._shifts[endpoint] = (green, share)

    def report(self, endpoint: str, status: str, messages: Mapping[str, str]) -> None:
        """Tell in PendingDeploymentSummary what is done to each variant."""

        def change(record: Record) -> None:
            for variant in record.get("PendingDeploymentSummary", {}).get("ProductionVariants", []):
                if variant["VariantName"] in messages:
                    told = {"Status": status, "StatusMessage": messages[variant["VariantName"]]}
                    variant["VariantStatus"] = [{**told, "StartTime": self._ctx.now()}]

        self._set(endpoint, change)

    def is_closing(self) -> bool:
        """Return whether the server ends."""
        return self._closing

    def _change(self, endpoint: str) -> None:
        plan = Plan.load(self._record(endpoint)["_pending"])
        try:
            self._serving[endpoint].change(plan)
        except DeploymentFailed as failure:
            if not self._closing:
                self._give_up(endpoint, str(failure))
            return
        self._set(endpoint, _take_pending)
        self._settle(endpoint, _in_service)

    def _delete(self, endpoint: str) -> None:
        deployment = self._serving.pop(endpoint, None)
        if deployment is not None:
            deployment.retire()
        beneath.remove(self._root / endpoint)
        with self._ctx.store.transaction():
            self._ctx.store.delete(KIND, endpoint)
            SETTLED.emit(self._ctx)

    # -- steps

    def _give_up(self, endpoint: str, reason: str) -> None:
        def change(record: Record) -> None:
            serves = "_plan" in record
            record.pop("_pending", None)
            record.pop("_deployment", None)
            _finish(record, "InService" if serves else "Failed")
            record["FailureReason"] = reason[:_REASON_CHARACTERS]
            for variant in record.get("ProductionVariants", []):
                variant["DesiredWeight"] = variant["CurrentWeight"]
                variant["DesiredInstanceCount"] = variant["CurrentInstanceCount"]

        self._settle(endpoint, change)

    def _settle(self, endpoint: str, change: Callable[[Record], None]) -> None:
        """Keep the end of a deployment."""
        with self._ctx.store.transaction():
            self._set(endpoint, change)
            SETTLED.emit(self._ctx)

    def _set(self, endpoint: str, change: Callable[[Record], None]) -> None:
        self._ctx.store.update(KIND, endpoint, change)

    def _record(self, endpoint: str) -> Record:
        record = self._ctx.store.get(KIND, endpoint)
        if record is None:
            raise LookupError(f"endpoint {endpoint} has no record")
        return record

    def _deployment(self, endpoint: str, plan: Record) -> Deployment:
        return Deployment(self._ctx, endpoint, Plan.load(plan), self._root / endpoint, self._shipper)


class _Surroundings:
    """What a rollout sees of the fleet: one endpoint."""

    def __init__(self, fleet: Fleet, endpoint: str) -> None:
        self._fleet = fleet
        self._endpoint = endpoint

    def shift(self, green: Deployment, share: float) -> None:
        self._fleet.shift(self._endpoint, green, share)

    def report(self, status: str, messages: Mapping[str, str]) -> None:
        self._fleet.report(self._endpoint, status, messages)

    def is_closing(self) -> bool:
        return self._fleet.is_closing()


_FLEETS: dict[Path, Fleet] = {}
_FLEETS_LOCK = threading.Lock()


def fleet(ctx: Context) -> Fleet:
    """Return the fleet of this server."""
    with _FLEETS_LOCK:
        if ctx.home not in _FLEETS:
            _FLEETS[ctx.home] = Fleet(ctx)
        return _FLEETS[ctx.home]


def _in_service(record: Record) -> None:
    record.pop("FailureReason", None)
    _finish(record, "InService")


def _take_pending(record: Record) -> None:
    if "_deployment" in record:
        record["LastDeploymentConfig"] = record.pop("_deployment")
    plan = record["_plan"] = record.pop("_pending")
    record["EndpointConfigName"] = plan["config"]
    record["ProductionVariants"] = [_summary(variant) for variant in plan["variants"]]
    for member in ("ShadowProductionVariants", "DataCaptureConfig", "MetricsConfig"):
        record.pop(member, None)
    if plan.get("shadows"):
        record["ShadowProductionVariants"] = [_summary(variant) for variant in plan["shadows"]]
    if plan.get("capture"):
        record["DataCaptureConfig"] = summary(plan["capture"])
    if plan.get("metrics"):
        record["MetricsConfig"] = plan["metrics"]


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
