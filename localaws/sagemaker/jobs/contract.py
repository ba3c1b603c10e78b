"""What a kind of job promises its containers: folders, files, environment, inputs and outputs."""

from __future__ import annotations

import json
import os
import posixpath
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.core import own_code
from localaws.core.beneath import Tree
from localaws.core.job_client import Aws
from localaws.images import Image
from localaws.sagemaker.jobs import environment, sandbox
from localaws.sagemaker.jobs.failure import excerpt
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.jobs.mirror import Mirror, Mirroring
from localaws.sagemaker.jobs.processes import MARK
from localaws.sagemaker.jobs.progress import shorten
from localaws.sagemaker.jobs.spot import Spot
from localaws.sagemaker.jobs.staging import Source, under


@dataclass(frozen=True)
class Outcome:
    """
    How the processes ended.

    :param status: Completed, Failed or Stopped.
    :param secondary: the same, or MaxRuntimeExceeded.
    :param reason: why, for a failure.
    """

    status: str
    secondary: str
    reason: str | None = None


class Contract(ABC):
    """
    One job of a kind. The supervisor calls its methods in the order in which they stand here.

    :param job: ``job.json``: ``Kind``, ``Name``, ``Arn``, ``Region``, ``Url`` and the ``Request`` that made it.
    """

    #: the log group and, for metrics, the namespace.
    log_group: str
    #: the metrics' dimension.
    dimension: str
    #: what the primary status means, for StatusMessage.
    noun: str
    #: the secondary status while the processes run.
    running = "Training"
    #: the working directory, as a container sees it.
    folder_to_start_in = sandbox.ML_ROOT

    def __init__(self, folder: JobFolder, job: dict[str, Any]) -> None:
        self.folder = folder
        self.name: str = job["Name"]
        self.arn: str = job["Arn"]
        self.request: dict[str, Any] = job["Request"]
        self._job = job
        self.hosts = [f"algo-{number + 1}" for number in range(self.resources["InstanceCount"])]

    @property
    def note(self) -> str:
        """A line for the log, on what the job asks for in vain."""
        return ""

    @property
    @abstractmethod
    def resources(self) -> dict[str, Any]:
        """``InstanceCount``, ``InstanceType`` and so on."""

    @property
    def max_runtime(self) -> int:
        """Seconds that the job may take."""
        # One day is SageMaker's default, for training and for processing.
        return int(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400))

    @property
    def spot(self) -> Spot | None:
        """How the job has spot instances; None for instances on demand."""
        return None

    @property
    def metric_definitions(self) -> Sequence[dict[str, str]]:
        """Regexes for the log."""
        return ()

    @property
    @abstractmethod
    def image_uri(self) -> str:
        """The container image."""

    @abstractmethod
    def prepare(self, host: str) -> None:
        """Make the folders and the configuration files of a host."""

    @abstractmethod
    def sources(self) -> Sequence[Source]:
        """Return the data to stage before the processes start."""

    def arrange(self, host: str) -> None:  # noqa: B027 - most kinds have nothing to do here
        """
        Lay out what was brought from S3.

        :raises DataError: it cannot be laid out.
        """

    def code_folders(self) -> Sequence[str]:
        """Return where sources lie that are to be rewritten where ``/opt/ml`` cannot be had."""
        return ()

    @abstractmethod
    def command(self, image: Image) -> list[str]:
        """
        Return the command line.

        :raises DataError: the image has no entry point for this kind of job.
        """

    def environment(self, host: str, port: int) -> dict[str, str]:
        """
        Return all variables of a host's process.

        :param port: a free port, the same for all hosts, for them to find each other.
        """
        variables = {
            **environment.child(self.home, self._job["Url"], self._job["Region"], self.folder.credentials),
            **self._threads(),
            "MASTER_PORT": str(port),
        }
        # The request may override all but what we find the job's folder and processes by.
        ours = {"LOCALAWS_ML_ROOT": sandbox.ML_ROOT, MARK: str(self.folder.path)}
        return {**variables, **self.kind_environment(host), **self.request.get("Environment", {}), **ours}

    def launch(self, command: list[str], host: str, port: int) -> sandbox.Launch:
        """Return how a host's process is started, see :meth:`environment`."""
        return sandbox.launch(
            command,
            self.environment(host, port),
            ml_root=self.folder.ml(host),
            hosts=self.hosts,
            cwd=self.folder_to_start_in,
            mounts=environment.mounts(self.home, self.folder.credentials, self.folder.tmp(host)),
            hidden=environment.hidden(self.home),
        )

    @abstractmethod
    def kind_environment(self, host: str) -> dict[str, str]:
        """Return the variables that only this kind of job has."""

    @abstractmethod
    def mirrors(self, aws: Aws) -> Sequence[Mirror]:
        """Return the folders that are uploaded while the job runs."""

    @abstractmethod
    def deliver(self, aws: Aws, outcome: Outcome) -> dict[str, Any]:
        """
        Upload what the job made; further members for the status.

        :raises DataError: it cannot be uploaded.
        """

    def profile_mirrors(self, aws: Aws, settings: Mapping[str, Any]) -> list[Mirror]:
        """
        Return the system metrics to upload while the job runs.

        :param settings: ``ProfilerConfig`` and its rules, as they are now.
        """
        return []

    def profile(self, aws: Aws, profiling: Mirroring, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Upload the rest of the system metrics and the rules' reports; further members for the status."""
        profiling.finish()
        return {}

    def reason(self, host: str, exit_code: int, lines: Sequence[str]) -> str:
        """
        FailureReason where a host's process failed.

        :param lines: the last of its log.
        """
        text = self.read(host, "output/failure") or excerpt(lines)
        tail = f", exit code: {exit_code}"
        return f"AlgorithmError: {shorten(text, len(tail) + 20)}{tail}"

    @property
    def home(self) -> Path:
        """``ctx.home``."""
        return self.folder.path.parents[2]

    def play(self, module: str) -> list[str]:
        """Return the command line that runs a module of localaws as the image's entry point."""
        # In place of the working directory. Installed packages are on the path already, behind the standard library.
        first = [] if own_code.installed() else [str(own_code.ROOT)]
        start = f"import sys; sys.path[:1] = {first!r}; from {module} import main; main()"
        return [sys.executable, "-c", start]

    def write(self, host: str, path: str, body: Any) -> None:
        """Write a JSON file under a host's ``/opt/ml``."""
        target = self.folder.ml(host) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(sandbox.rewrite(json.dumps(body, default=str), self.folder.ml(host)))

    def make_folders(self, host: str, *paths: str) -> None:
        """Make folders under a host's ``/opt/ml``."""
        for path in paths:
            (self.folder.ml(host) / path).mkdir(parents=True, exist_ok=True)

    def tree(self, host: str, path: str) -> Tree:
        """
        Return a folder under a host's ``/opt/ml``, which the job's processes have filled.

        :param path: absolute as they see it, or relative to ``/opt/ml``.
        """
        ml = self.folder.ml(host)
        return Tree(ml, str(under(ml, posixpath.join(sandbox.ML_ROOT, path)).relative_to(ml)), sandbox.ML_ROOT)

    def read(self, host: str, path: str) -> str | None:
        """Return what a process left in a small text file under ``/opt/ml``, shortened, or ``None`` if it left none."""
        return (self.tree(host, path).read_text(16384) or "").strip() or None

    def _threads(self) -> dict[str, str]:
        """Return the threads of one host: several share this machine's cores."""
        if len(self.hosts) == 1 or "OMP_NUM_THREADS" in os.environ:
            return {}
        return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // len(self.hosts)))}
