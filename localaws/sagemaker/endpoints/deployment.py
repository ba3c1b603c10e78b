"""One deployment of an endpoint: its variants, their instances, and which of them a request goes to."""

from __future__ import annotations

import logging
import os
import random
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localaws import images
from localaws.core import beneath, credentials
from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.images import hub
from localaws.sagemaker.endpoints import container, staging
from localaws.sagemaker.endpoints.logs import LogShipper
from localaws.sagemaker.endpoints.plan import Plan, VariantPlan
from localaws.sagemaker.endpoints.process import Process
from localaws.sagemaker.endpoints.worker import GRACE, SILENCE, Worker, socket_path
from localaws.sagemaker.jobs import environment, sandbox
from localaws.sagemaker.jobs.sandbox import Mount

log = logging.getLogger(__name__)

#: seconds that a request waits for an instance that is being started again.
PATIENCE = 30.0
#: seconds that requests under way have before their instance is ended anyway: a model has 60 to answer.
DRAIN = 65.0
#: where an instance in its sandbox finds the folder of its socket.
_SOCKETS = "/run/localaws/socket"


class DeploymentFailed(Exception):
    """Why it does not serve, as FailureReason says it."""


class Retired(Exception):
    """Another deployment has taken over: ask for the route again."""


class NoInstance(Exception):
    """No instance of the variant became healthy in time."""


class NoVariant(Exception):
    """No variant has the name that the request asks for."""


def discard(instance: Path, home: Path) -> None:
    """
    End the process of an instance that a server before this one had started, and remove its folder.

    :param home: ``ctx.home``.
    """
    saved = Process.saved(instance / "process.json")
    if saved is not None:
        process, more = saved
        process.end(GRACE)
        shutil.rmtree(Path(more["socket"]).parent, ignore_errors=True)
    credentials.revoke(home, instance / "credentials")
    beneath.remove(instance)


class Variant:
    """A production variant; the deployment's lock guards what changes, and ``staging`` its folder."""

    def __init__(self, plan: VariantPlan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.workers: list[Worker] = []
        self.staging = threading.Lock()

    def best(self) -> Worker | None:
        """Return the healthy instance with the fewest requests under way, or ``None`` if none is healthy."""
        healthy = [worker for worker in self.workers if worker.healthy]
        if not healthy:
            return None
        if self.plan.random:
            return random.choice(healthy)
        chosen = min(healthy, key=lambda worker: worker.outstanding)
        # Idle instances take turns.
        self.workers.remove(chosen)
        self.workers.append(chosen)
        return chosen


class Deployment:
    """
    The running form of a plan.

    :param folder: the endpoint's folder; the deployment has one of its own in it, by the plan's id.
    """

    def __init__(self, ctx: Context, endpoint: str, plan: Plan, folder: Path, shipper: LogShipper) -> None:
        self.plan = plan
        self.endpoint = endpoint
        self.folder = folder / plan.id
        self._ctx = ctx
        self._shipper = shipper
        self._changed = threading.Condition()
        self._retired = False
        self._ended = False
        self._variants = {variant.name: Variant(variant, self.folder / variant.name) for variant in plan.everything}
        self._production = {variant.name: self._variants[variant.name] for variant in plan.variants}

    # -- life

    def deploy(self) -> None:
        """
        Stage the models and start all instances.

        :raises DeploymentFailed: one of them does not become healthy; what was started is still to be ended.
        """
        self.start_with({variant.name: variant.count for variant in self.plan.everything})

    def start_with(self, counts: Mapping[str, int]) -> None:
        """
        Stage the models and start the given number of instances; :meth:`change` starts the others.

        :raises DeploymentFailed: one of them does not become healthy; what was started is still to be ended.
        """
        for variant in self._variants.values():
            self._check_image(variant.plan)
        with ThreadPoolExecutor(len(self._variants)) as pool:
            list(pool.map(self._stage, self._variants.values()))
        started = [
            self._add(variant)
            for name, variant in self._variants.items()
            for _ in range(counts.get(name, variant.plan.count))
        ]
        self._wait(started)

    def recover(self) -> None:
        """Bring back what a stopped or killed server had: adopt the instances that live, start the others."""
        for variant in self._variants.values():
            found = sorted(variant.folder.glob("i-*"))
            for path in found[: variant.plan.count]:
                self._add(variant, path.name, proven=True)
            while len(variant.workers) < variant.plan.count:
                self._add(variant, proven=True)
            for path in found[variant.plan.count :]:
                discard(path, self._ctx.home)

    def change(self, plan: Plan) -> None:
        """
        Give the variants other weights and instance counts.

        :param plan: the same plan :meth:`~localaws.sagemaker.endpoints.plan.Plan.changed`.
        :raises DeploymentFailed: an added instance does not become healthy; all is as before.
        """
        wanted = {variant.name: variant for variant in plan.everything}
        added: list[tuple[Variant, Worker]] = []
        surplus: list[Worker] = []
        for name, variant in self._variants.items():
            missing = wanted[name].count - len(variant.workers)
            added += [(variant, self._add(variant)) for _ in range(missing)]
        try:
            self._wait([worker for _, worker in added])
        except DeploymentFailed:
            with self._changed:
                for variant, worker in added:
                    variant.workers.remove(worker)
            self._end(worker for _, worker in added)
            raise
        with self._changed:
            self.plan = plan
            for name, variant in self._variants.items():
                variant.plan = wanted[name]
                surplus += variant.workers[wanted[name].count :]
                del variant.workers[wanted[name].count :]
        self._drain(surplus)
        self._end(surplus)

    def retire(self) -> None:
        """Take no more requests, let those under way finish, end all instances and remove the folder."""
        with self._changed:
            self._retired = True
            self._changed.notify_all()
        workers = self.workers()
        self._drain(workers)
        self.end()
        for worker in workers:
            credentials.revoke(self._ctx.home, worker.folder / "credentials")
        beneath.remove(self.folder)

    def end(self) -> None:
        """End all instances now, and start no more; the folder stays."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._end(self.workers())

    def workers(self) -> list[Worker]:
        """Return all instances."""
        with self._changed:
            return [worker for variant in self._variants.values() for worker in variant.workers]

    # -- requests

    def acquire(self, target: str | None) -> tuple[VariantPlan, Worker]:
        """
        Return the instance for one request; :meth:`release` must follow.

        :param target: the variant that the request asks for; else the weights decide.
        :raises NoVariant: there is no variant of that name.
        :raises NoInstance: none of its instances was healthy within :data:`PATIENCE`.
        :raises Retired: another deployment has replaced this one.
        """
        with self._changed:
            variant = self._by_weight() if target is None else self._production.get(target)
            if variant is None:
                raise NoVariant(target)
            return self._wait_for(variant)

    def acquire_shadow(self, shadow: str) -> tuple[VariantPlan, Worker]:
        """
        Return the instance for the copy of a request; :meth:`release` must follow.

        :raises NoInstance: none of its instances was healthy within :data:`PATIENCE`.
        :raises Retired: another deployment has replaced this one.
        """
        return self._wait_for(self._variants[shadow])

    def _wait_for(self, variant: Variant) -> tuple[VariantPlan, Worker]:
        with self._changed:
            deadline = time.monotonic() + PATIENCE
            while not self._retired:
                worker = variant.best()
                if worker is not None:
                    worker.outstanding += 1
                    return variant.plan, worker
                if self._ended or not self._changed.wait(deadline - time.monotonic()):
                    raise NoInstance(variant.plan.name)
            raise Retired

    def has(self, variant: str) -> bool:
        """Return whether there is a variant of that name."""
        return variant in self._production

    def release(self, worker: Worker) -> None:
        """Note that a request has ended."""
        with self._changed:
            worker.outstanding -= 1
            if self._retired or worker.outstanding == 0:
                self._changed.notify_all()

    def _by_weight(self) -> Variant:
        """Draw a variant by weight, independently for each request: tests of variants against each other rest on it."""
        variants = list(self._production.values())
        (chosen,) = random.choices(variants, [variant.plan.weight for variant in variants])
        return chosen

    # -- instances

    def _stage(self, variant: Variant) -> Path:
        try:
            with variant.staging:
                return staging.stage(self._ctx, variant.plan, variant.folder)
        except staging.StagingError as error:
            raise DeploymentFailed(f"{error} (production variant {variant.plan.name}).") from error

    def _check_image(self, plan: VariantPlan) -> None:
        try:
            image = images.resolve(plan.image)
        except AwsError as error:
            raise DeploymentFailed(f"{error.message} (production variant {plan.name}).") from error
        if image.serving is None:
            raise DeploymentFailed(
                f"The image {plan.image!r} of production variant {plan.name} does not serve: it has no serve program."
            )

    def _add(self, variant: Variant, identity: str | None = None, *, proven: bool = False) -> Worker:
        worker = Worker(
            variant.folder / (identity or f"i-0{secrets.token_hex(8)}"),
            lambda folder: self._launch(variant, folder),
            url=self._ctx.endpoint_url,
            startup_timeout=variant.plan.startup_timeout,
            on_change=self._notify,
        )
        with self._changed:
            if self._ended:
                raise DeploymentFailed("The endpoint was ended before it served.")
            variant.workers.append(worker)
        self._shipper.follow(
            worker.log, f"/aws/sagemaker/Endpoints/{self.endpoint}", f"{variant.plan.name}/{worker.id}"
        )
        worker.start(proven=proven)
        return worker

    def _launch(self, variant: Variant, folder: Path) -> sandbox.Launch:
        plan = variant.plan
        image = images.resolve(plan.image)
        root = staging.instance_root(self._stage(variant), folder)
        instances = sum(each.count for each in self.plan.everything)
        home = self._ctx.home
        hub.prepare(home)
        own = folder / "credentials"
        credentials.issue(home, own)
        settings = environment.child(home, self._ctx.endpoint_url, self._ctx.region, own)
        settings.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // instances)))
        settings |= container.variables(self._ctx.region, plan.environment)
        real = socket_path(folder)
        socket = Path(_SOCKETS, real.name) if sandbox.isolated() else real
        return sandbox.launch(
            container.command(image, folder.name, socket, SILENCE),
            settings,
            ml_root=root,
            cwd="/opt/ml/model",
            mounts=[*environment.mounts(home, own, folder / "tmp"), Mount(real.parent, _SOCKETS, writable=True)],
            hidden=environment.hidden(home),
            # The server may go and come back while the model stays loaded.
            die_with_parent=False,
        )

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait(self, workers: list[Worker]) -> None:
        for worker in workers:
            worker.settled.wait()
            if not worker.healthy:
                name = worker.folder.parent.name
                raise DeploymentFailed(
                    f"The primary container for production variant {name} did not pass the ping health check"
                    f" ({worker.failure or 'ended'}). Please check CloudWatch logs for this endpoint."
                    f" Its last lines: {worker.last_lines()}"
                )

    def _drain(self, workers: list[Worker]) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: not any(w.outstanding for w in workers), DRAIN):
                log.warning("ending instances of %s with requests under way", self.endpoint)

    def _end(self, workers: Iterable[Worker]) -> None:
        ending = [threading.Thread(target=self._end_one, args=(worker,)) for worker in workers]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()

    def _end_one(self, worker: Worker) -> None:
        worker.end()
        self._shipper.leave(worker.log)
        if worker not in self.workers():
            credentials.revoke(self._ctx.home, worker.folder / "credentials")
            beneath.remove(worker.folder)
