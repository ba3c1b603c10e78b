"""
The process that sees one job through, of whatever kind: :mod:`localaws.sagemaker.supervise` runs it.

It outlives the server that started it, and waits for it where it needs it. What it knows is in the job's folder. If it
is killed the kernel kills the job's processes with it and drops its lock, and the server sees that.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localaws.core import beneath, credentials
from localaws.core.job_client import Aws, ServerAway
from localaws.images import Image, UnknownImage, hub, resolve
from localaws.sagemaker.jobs import processes, sandbox
from localaws.sagemaker.jobs.contract import Contract, Outcome
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.jobs.instance import Instance
from localaws.sagemaker.jobs.logs import HostLog
from localaws.sagemaker.jobs.metrics import Metrics
from localaws.sagemaker.jobs.mirror import Mirroring
from localaws.sagemaker.jobs.profiler import Profiler, ProfilerSettings
from localaws.sagemaker.jobs.progress import Progress, shorten
from localaws.sagemaker.jobs.shipping import Shipper
from localaws.sagemaker.jobs.spot import Spot
from localaws.sagemaker.jobs.staging import DataError, download

#: seconds between looks for a request to stop and for the deadline; the end of a process is noticed at once.
_LOOK_S = 0.2
#: seconds to wait for the last lines: in the pipe, and on their way to CloudWatch.
_DRAIN_S = 10

_STARTING = "Preparing the instances for training"

#: Makes the contract of a job from its folder and ``job.json``.
Contracts = Mapping[str, Callable[[JobFolder, dict[str, Any]], Contract]]


class Stopped(Exception):
    """The job is to end while none of its processes run; the text is its secondary status."""


class Supervisor:
    """One job."""

    def __init__(self, folder: JobFolder, contracts: Contracts) -> None:
        job = folder.job()
        self._folder = folder
        self._began = time.monotonic()
        self._grace = float(job["StopGrace"])
        self._progress = Progress(folder)
        self._contract = contracts[job["Kind"]](folder, job)
        self._aws = Aws(self._contract.home, job["Region"])
        self._metrics = Metrics(self._contract.metric_definitions)
        dimension = (self._contract.dimension, self._contract.name)
        self._shipper = Shipper(self._aws, self._contract.log_group, self._metrics, dimension)
        self._settings = ProfilerSettings(self._contract.request, folder.profiler_settings)
        self._profiler = self._new_profiler()
        self._spot: Spot | None = self._contract.spot
        self._interruptions = 0
        #: seconds without instances.
        self._away = 0.0
        self._changed = threading.Event()
        self._instances: list[Instance] = []

    def run(self) -> None:
        """See the job through; whatever happens, its status says so."""
        try:
            self._run()
        except Stopped as stopped:
            self._finish(Outcome("Stopped", str(stopped)))
        except (DataError, UnknownImage) as error:
            self._finish(Outcome("Failed", "Failed", f"ClientError: {error}"))
        except ServerAway as error:
            self._finish(_internal(f"localaws did not answer for {self._aws.patience:.0f} s: {error}"))
        except Exception as error:
            traceback.print_exc()
            self._finish(_internal(f"{type(error).__name__}: {error}"))

    def _run(self) -> None:
        contract = self._contract
        self._progress.enter("Starting", _STARTING)
        image = resolve(contract.image_uri)
        command = contract.command(image)
        profiling = Mirroring(contract.profile_mirrors(self._aws, self._settings.request()))
        outcome, mirroring = self._attempt(command, image)
        while outcome.secondary == "Interrupted":
            self._await_instances()
            self._progress.enter("Starting", _STARTING)
            outcome, mirroring = self._attempt(command, image)
        if outcome.status == "Failed" and outcome.reason is None:
            outcome = self._explain()
        self._progress.enter("Uploading", "Uploading generated training model")
        members = self._upload(mirroring, outcome)
        self._finish(outcome, **members, **self._contract.profile(self._aws, profiling, self._settings.request()))

    def _attempt(self, command: list[str], image: Image) -> tuple[Outcome, Mirroring]:
        """Run the job on new instances until it ends, or they are taken away: then its checkpoints are in S3."""
        contract = self._contract
        self._progress.enter("Downloading", "Downloading input data")
        self._stage()
        mirrors = list(contract.mirrors(self._aws))
        self._progress.enter(contract.running, "Training image download completed. Training in progress.")
        self._start(command, image)
        mirroring = Mirroring(mirrors)
        outcome = self._await()
        self._settle()
        if outcome.secondary == "Interrupted":
            killed = any(instance.exit_code == 128 + signal.SIGKILL for instance in self._instances)
            # What a killed process was writing is not whole: only files that have not changed for a while count.
            mirroring.finish(final=not killed)
        return outcome, mirroring

    def _await_instances(self) -> None:
        """
        Wait for instances after an interruption; the volumes of those before are gone.

        :raises Stopped: somebody asked, or it takes longer than MaxWaitTimeInSeconds.
        """
        assert self._spot
        self._progress.enter("Interrupted", "Training job interrupted: the spot instances were reclaimed")
        self._interruptions += 1
        for path in (self._folder.path / "ml", self._folder.path / "tmp"):
            beneath.remove(path)
        began = time.monotonic()
        while time.monotonic() - began < self._spot.away:
            if self._folder.asked_to_stop():
                raise Stopped("Stopped")
            if time.monotonic() > self._began + self._spot.max_wait:
                raise Stopped("MaxWaitTimeExceeded")
            time.sleep(_LOOK_S)
        self._away += time.monotonic() - began

    def _stage(self) -> None:
        contract = self._contract
        for host in contract.hosts:
            contract.prepare(host)
        for source in contract.sources():
            for number, host in enumerate(contract.hosts):
                if self._folder.asked_to_stop():
                    raise Stopped("Stopped")
                ml = self._folder.ml(host)
                download(self._aws, source, ml, host=number, hosts=len(contract.hosts))
        for host in contract.hosts:
            contract.arrange(host)
            for path in contract.code_folders():
                ml = self._folder.ml(host)
                sandbox.rewrite_sources(ml / path.removeprefix("/opt/ml/"), ml)

    def _start(self, command: list[str], image: Image) -> None:
        contract = self._contract
        if not sandbox.has_process_namespace():
            processes.adopt_orphans()
        notes = [note for note in (_hub_note(contract.home), contract.note) if note]
        credentials.issue(contract.home, self._folder.credentials)
        port = _free_port()
        epoch = int(time.time())
        if not self._interruptions:
            self._shipper.start()
        self._instances, self._profiler = [], self._new_profiler()
        for host in contract.hosts:
            log = HostLog(self._folder.log(host), f"{contract.name}/{host}-{epoch}", self._shipper, self._metrics)
            launch = contract.launch(command, host, port)
            for note in notes:
                log.say(note)
            self._instances.append(Instance(host, launch, log, self._changed.set))
        for instance in self._instances:
            instance.start()
        pids = {instance.host: instance.pid for instance in self._instances if instance.pid}
        self._profiler.start(pids)
        self._progress.note(Processes=pids)

    def _await(self) -> Outcome:
        """Wait for the processes' end, a request to stop or the deadline; none runs afterwards."""
        began = time.monotonic()
        deadline = self._began + self._away + self._contract.max_runtime
        while True:
            codes = [instance.exit_code for instance in self._instances]
            if any(codes):
                self._end_all()
                return Outcome("Failed", "Failed")
            if None not in codes:
                return Outcome("Completed", "Completed")
            if self._folder.asked_to_stop():
                self._end_all(f"Stopping the {self._contract.noun}")
                return Outcome("Stopped", "Stopped")
            if time.monotonic() > deadline:
                self._end_all(f"Stopping the {self._contract.noun}")
                return Outcome("Stopped", "MaxRuntimeExceeded")
            if self._spot and (outcome := self._reclaimed(self._spot, time.monotonic() - began)):
                return outcome
            self._changed.wait(_LOOK_S)
            self._changed.clear()

    def _reclaimed(self, spot: Spot, seconds: float) -> Outcome | None:
        """
        End the processes of a job whose spot instances are taken away, or whose time is over.

        :param seconds: that it has had the instances for.
        """
        if time.monotonic() > self._began + spot.max_wait:
            self._end_all(f"Stopping the {self._contract.noun}")
            return Outcome("Stopped", "MaxWaitTimeExceeded")
        if seconds < spot.until(self._interruptions) and not self._folder.asked_to_interrupt():
            return None
        self._end_all(grace=spot.notice)
        return Outcome("InProgress", "Interrupted")

    def _end_all(self, message: str = "", *, grace: float | None = None) -> None:
        """SIGTERM, and SIGKILL for what is left after the grace."""
        if message:
            self._progress.enter("Stopping", message, status="Stopping")
        for instance in self._instances:
            instance.terminate()
        deadline = time.monotonic() + (self._grace if grace is None else grace)
        while any(instance.exit_code is None for instance in self._instances):
            if time.monotonic() > deadline:
                for instance in self._instances:
                    instance.kill()
            self._changed.wait(_LOOK_S)
            self._changed.clear()

    def _settle(self) -> None:
        """Wait until nothing that the processes started runs, and all that they printed has been read."""
        if not sandbox.has_process_namespace():
            processes.kill_descendants()
        for instance in self._instances:
            instance.log.finish(_DRAIN_S)
        self._profiler.finish()
        self._progress.note(ExitCodes={instance.host: instance.exit_code for instance in self._instances}, Processes={})

    def _explain(self) -> Outcome:
        """Return the reason of the first host that failed by itself rather than by our signal."""
        failed = [instance for instance in self._instances if instance.exit_code]
        failed.sort(key=lambda instance: instance.exit_code in (128 + signal.SIGTERM, 128 + signal.SIGKILL))
        first = failed[0]
        reason = self._contract.reason(first.host, first.exit_code or 0, first.log.last_lines())
        return Outcome("Failed", "Failed", reason)

    def _upload(self, mirroring: Mirroring, outcome: Outcome) -> dict[str, Any]:
        try:
            mirroring.finish()
            return self._contract.deliver(self._aws, outcome)
        except DataError as error:
            if outcome.status != "Failed":
                raise
            # The script's own failure came first, and is what the user has to know.
            print(f"after the failure: {error}", file=sys.stderr)
            return {}

    def _finish(self, outcome: Outcome, **members: Any) -> None:
        if self._instances and not self._shipper.close(_DRAIN_S):
            print("not all lines reached CloudWatch Logs: the server is away", file=sys.stderr)
        noun = self._contract.noun.capitalize()
        messages = {
            "Completed": f"{noun} completed",
            "Failed": f"{noun} failed",
            "Stopped": f"{noun} stopped",
            "MaxRuntimeExceeded": f"{noun} runtime exceeded MaxRuntimeInSeconds provided",
            "MaxWaitTimeExceeded": f"{noun} exceeded MaxWaitTimeInSeconds provided",
        }
        if self._spot:
            members["BillableSeconds"] = self._spot.billable(time.monotonic() - self._began - self._away)
        self._progress.finish(
            outcome.status,
            outcome.secondary,
            messages[outcome.secondary],
            FailureReason=outcome.reason and shorten(outcome.reason),
            Metrics=self._metrics.final(),
            **members,
        )
        credentials.revoke(self._contract.home, self._folder.credentials)
        # An instance's volume goes with it.
        for path in (self._folder.path / "ml", self._folder.path / "tmp", self._folder.profile):
            beneath.remove(path)

    def _new_profiler(self) -> Profiler:
        return Profiler(self._contract.name, self._folder.profile, self._settings, self._shipper)


def _internal(detail: str) -> Outcome:
    return Outcome("Failed", "Failed", f"InternalServerError: We encountered an internal error. {detail}")


def _hub_note(home: Path) -> str:
    try:
        hub.prepare(home)
    except (hub.HubError, OSError) as error:
        return f"[localaws] no model hub for this job: {error}"
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(contracts: Contracts) -> None:
    """
    Run the job whose folder is the first argument, unless another supervisor has it.

    :param contracts: by kind of job.
    """
    os.umask(0o077)
    folder = JobFolder(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        # Handed down by the server, so that there is no moment without it. The job's processes must not keep it.
        os.set_inheritable(int(sys.argv[2]), False)
    elif folder.lock() is None:
        sys.exit(f"{folder.path} has a supervisor already")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: folder.ask_to_stop())
    Supervisor(folder, contracts).run()
