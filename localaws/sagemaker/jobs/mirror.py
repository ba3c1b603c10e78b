"""A folder that is uploaded while the job writes to it: checkpoints, and outputs in Continuous mode."""

from __future__ import annotations

import sys
import threading

from localaws.core.beneath import Tree
from localaws.core.job_client import Aws, AwsRequestError, ServerAway
from localaws.sagemaker.jobs.staging import DataError, files_in, upload

#: seconds between two looks at the folder.
PERIOD_S = 2.0

_Signature = tuple[int, int]


class Mirror:
    """
    Uploads new and changed files of a folder to a prefix; what is deleted here stays there, as on AWS.

    :param tree: the folder, which the job's processes write to meanwhile.
    """

    def __init__(self, aws: Aws, tree: Tree, uri: str) -> None:
        self._aws = aws
        self._tree = tree
        self._uri = uri
        self._seen: dict[str, _Signature] = {}
        self._lock = threading.Lock()
        # What came from S3 before the start is there already.
        self._uploaded = _signatures(tree)

    def sweep(self, *, final: bool = False) -> None:
        """
        Upload what has changed, and has not changed since the last look: a file in the making waits, unless this is
        the last look.

        :raises DataError: S3 refuses, or a link leads out of the folder.
        """
        with self._lock:
            now = _signatures(self._tree)
            due = {
                name: signature
                for name, signature in now.items()
                if self._uploaded.get(name) != signature and (final or self._seen.get(name) == signature)
            }
            self._seen = now
            if due:
                upload(self._aws, self._tree, self._uri, only=due)
                self._uploaded.update(due)


def _signatures(tree: Tree) -> dict[str, _Signature]:
    found = {}
    for name, path in files_in(tree):
        try:
            status = (tree.root / path).lstat()
        except FileNotFoundError:
            # The job deleted it this moment.
            continue
        found[name] = status.st_size, status.st_mtime_ns
    return found


class Mirroring:
    """A thread that sweeps mirrors until it is told to stop."""

    def __init__(self, mirrors: list[Mirror]) -> None:
        self._mirrors = mirrors
        self._stop = threading.Event()
        if mirrors:
            threading.Thread(target=self._run, daemon=True).start()

    @property
    def any(self) -> bool:
        """Return True if it has any mirror."""
        return bool(self._mirrors)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            for mirror in self._mirrors:
                try:
                    mirror.sweep()
                except (DataError, AwsRequestError, ServerAway, OSError) as error:
                    # The last sweep, after the job, says it again, and counts.
                    print(f"continuous upload: {error}", file=sys.stderr)

    def finish(self, *, final: bool = True) -> None:
        """
        Sweep a last time.

        :param final: whether files that have changed since the sweep before are whole.
        :raises DataError: S3 refuses.
        """
        self._stop.set()
        for mirror in self._mirrors:
            mirror.sweep(final=final)
