"""
The process of an instance of a transform job: starts the model server, sends it the records, writes its answers.

An object that cannot be transformed makes the job fail and is not written, not even in part; the others are. That is
how AWS does it: the lines of an output are those of its input, one by one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws import images
from localaws.images.entrypoint import root
from localaws.sagemaker.endpoints import container
from localaws.sagemaker.endpoints.channel import Lost, TimedOut
from localaws.sagemaker.endpoints.plan import STARTUP_TIMEOUT
from localaws.sagemaker.endpoints.worker import SILENCE, Worker, socket_path
from localaws.sagemaker.jobs.sandbox import Launch
from localaws.sagemaker.transform.processing import DataProcessing
from localaws.sagemaker.transform.records import RecordError, Splitting

#: AWS's defaults of ModelClientConfig.
_TIMEOUT_S, _RETRIES = 600, 3


class ModelGone(RecordError):
    """The model server ended, or never was healthy: there is nobody to ask any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "AlgorithmError")


class Target:
    """The output of one object: it appears under its name when it is whole."""

    def __init__(self, relative: Path, base: Path) -> None:
        self.name = str(relative)
        self.failed = False
        self._final = base / "output" / relative.with_name(f"{relative.name}.out")
        partial = base / "part" / relative
        partial.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(partial, "wb")  # noqa: SIM115 - finish closes it

    def write(self, result: bytes) -> None:
        """Append."""
        self._file.write(result)

    def finish(self) -> None:
        """Close the output of an object that is done, and keep it unless the object failed."""
        self._file.close()
        if not self.failed:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            Path(self._file.name).rename(self._final)


class Agent:
    """
    One instance's work.

    :param base: ``/opt/ml``.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._job: dict[str, Any] = json.loads((base / "transform/job.json").read_text())
        self._splitting = Splitting.of(self._job)
        self._processing = DataProcessing(self._job)
        client = self._job.get("ModelClientConfig", {})
        self._timeout: int = client.get("InvocationsTimeoutInSeconds", _TIMEOUT_S)
        self._retries: int = client.get("InvocationsMaxRetries", _RETRIES)
        self._concurrent: int = self._job.get("MaxConcurrentTransforms") or 1
        data, output = self._job["TransformInput"], self._job["TransformOutput"]
        headers = {"Content-Type": data.get("ContentType"), "Accept": output.get("Accept")}
        self._headers = {name: value for name, value in headers.items() if value}
        self._end = b"\n" if output.get("AssembleWith", "None") == "Line" else b""
        self._failures: list[str] = []
        self._worker = Worker(
            base / "transform" / "model-server",
            self._launch,
            url=os.environ["AWS_ENDPOINT_URL"],
            startup_timeout=STARTUP_TIMEOUT,
            on_change=lambda: None,
            log=Path("/dev/stdout"),
        )

    def run(self) -> int:
        """Do it; the exit status. Why it failed is in ``/opt/ml/output/failure``."""
        paths = sorted(path for path in (self._base / "transform/input").rglob("*") if path.is_file())
        if not paths:
            print("[localaws] There are more instances than objects: this one has nothing to do.")
            return 0
        try:
            self._start()
            self._transform(paths)
        except ModelGone as error:
            self._note("", error)
        self._worker.end()
        if self._failures:
            (self._base / "output/failure").write_text(self._failures[0])
        return 1 if self._failures else 0

    def _start(self) -> None:
        settings = {key: self._job.get(key) for key in ("MaxConcurrentTransforms", "MaxPayloadInMB", "BatchStrategy")}
        self._worker.start()
        self._worker.settled.wait()
        if not self._worker.healthy:
            raise ModelGone(f"The model server did not pass the ping health check ({self._worker.failure or 'ended'})")
        _say(", ".join(f"{key}={value}" for key, value in settings.items() if value is not None) or "Defaults")

    def _launch(self, folder: Path) -> Launch:
        image = images.resolve(self._job["_Model"]["Image"])
        environment = {**os.environ, **container.importing(os.environ)}
        base = str(self._base)
        command = container.command(image, folder.name, socket_path(folder), SILENCE, base=base)
        return Launch(command, environment, base, "")

    def _transform(self, paths: list[Path]) -> None:
        """Send as many requests at once as the job allows, and take the answers in their order."""
        waiting: deque[tuple[Target, Future[bytes] | None]] = deque()
        with ThreadPoolExecutor(self._concurrent) as pool:
            try:
                for target, records in self._requests(paths):
                    waiting.append((target, None if records is None else pool.submit(self._ask, records)))
                    if len(waiting) > self._concurrent:
                        self._take(*waiting.popleft())
                while waiting:
                    self._take(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _requests(self, paths: list[Path]) -> Iterator[tuple[Target, list[bytes] | None]]:
        """Yield the records of each request, and ``None`` after the last one of an object."""
        base = self._base / "transform"
        for path in paths:
            target = Target(path.relative_to(base / "input"), base)
            try:
                for records in self._splitting.requests(path):
                    if target.failed:
                        break
                    yield target, records
            except RecordError as error:
                self._fail(target, error)
            yield target, None

    def _take(self, target: Target, answer: Future[bytes] | None) -> None:
        if answer is None:
            target.finish()
            return
        try:
            target.write(answer.result())
        except ModelGone:
            raise
        except RecordError as error:
            self._fail(target, error)

    def _ask(self, records: list[bytes]) -> bytes:
        """Return what the output gets for the records of one request."""
        payload = self._processing.payload(records)
        result = self._processing.result(records, self._invoke(payload))
        return result if result.endswith(b"\n") else result + self._end

    def _invoke(self, payload: bytes) -> bytes:
        """Return the model's answer; retry after an error of the model and after a timeout."""
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                answer = self._worker.invoke(payload, self._headers, timeout=self._timeout)
            except Lost as error:
                raise ModelGone(f"Unable to get response from algorithm: the model server ended ({error})") from error
            except TimedOut as error:
                if last:
                    message = f"Model server did not respond to /invocations request within {self._timeout} seconds"
                    raise RecordError(message, "AlgorithmError") from error
                continue
            if answer.status < 300:
                return answer.body
            if last or answer.status < 500:
                raise _refused(answer.status, answer.body)
        raise AssertionError("the last attempt returns or raises")

    def _fail(self, target: Target, error: RecordError) -> None:
        if not target.failed:
            target.failed = True
            self._note(f"{target.name}: ", error)

    def _note(self, where: str, error: RecordError) -> None:
        _say(f"{where}{error}")
        self._failures.append(f"{error.whose}: See job logs for more information. {where}{error}.")


def _refused(status: int, body: bytes) -> RecordError:
    whose = "ClientError" if status < 500 else "AlgorithmError"
    # In one line; of a traceback the end says most.
    message = " ".join(body.decode("utf-8", "replace").split())[-200:]
    return RecordError(f"Bad HTTP status received from algorithm: {status} Message: {message}", whose)


def _say(text: str) -> None:
    print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:23]}:[sagemaker logs]: {text}", flush=True)


def main() -> None:
    """Be the process."""
    # In a namespace of its own it is the first process, which takes no notice of a signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    sys.exit(Agent(root()).run())
