"""A folder that is uploaded while the job writes to it: checkpoints, and outputs in Continuous mode."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from localaws.jobs.aws import Aws, AwsRequestError, ServerAway
from localaws.jobs.staging import DataError, files_under, upload

#: seconds between two looks at the folder.
PERIOD_S = 2.0

_Signature = tuple[int, int]


class Mirror:
    """
    Uploads new and changed files of a folder to a prefix; what is deleted here stays there, as on AWS.

    :param folder: the real folder.
    """

    def __init__(self, aws: Aws, folder: Path, uri: str) -> None:
        self._aws = aws
        self._folder = folder
        self._uri = uri
        self._seen: dict[Path, _Signature] = {}
        self._uploaded: dict[Path, _Signature] = {}
        self._lock = threading.Lock()
        if folder.is_dir():
            # What came from S3 before the start is there already.
            self._uploaded = _signatures(folder)

    def sweep(self, *, final: bool = False) -> None:
        """
        Upload what has changed, and has not changed since the last look: a file in the making waits, unless this is
        the last look.

        :raises DataError: S3 refuses, or a link leads out of the folder.
        """
        with self._lock:
            now = _signatures(self._folder) if self._folder.is_dir() else {}
            due = [
                path
                for path, signature in now.items()
                if self._uploaded.get(path) != signature and (final or self._seen.get(path) == signature)
            ]
            self._seen = now
            upload(self._aws, due, self._folder, self._uri)
            self._uploaded.update((path, now[path]) for path in due)


def _signatures(folder: Path) -> dict[Path, _Signature]:
    found = {}
    for path in files_under(folder):
        try:
            status = path.stat()
        except FileNotFoundError:
            # The job deleted it this moment.
            continue
        found[path] = status.st_size, status.st_mtime_ns
    return found


class Mirroring:
    """A thread that sweeps mirrors until it is told to stop."""

    def __init__(self, mirrors: list[Mirror]) -> None:
        self._mirrors = mirrors
        self._stop = threading.Event()
        if mirrors:
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            for mirror in self._mirrors:
                try:
                    mirror.sweep()
                except (DataError, AwsRequestError, ServerAway, OSError) as error:
                    # The last sweep, after the job, says it again, and counts.
                    print(f"continuous upload: {error}", file=sys.stderr)

    def finish(self) -> None:
        """
        Sweep a last time.

        :raises DataError: S3 refuses.
        """
        self._stop.set()
        for mirror in self._mirrors:
            mirror.sweep(final=True)
