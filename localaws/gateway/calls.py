"""A record of which operations were called, and by whom: what an IAM policy has to allow."""

from __future__ import annotations

import threading
from pathlib import Path

from localaws.gateway.auth.sigv4 import Proof
from localaws.gateway.protocol.http import HttpRequest

#: how the Amazon provider's hooks begin what they add to botocore's user agent.
_AIRFLOW = "Airflow/"


class Calls:
    """
    A file with a line for each caller and operation, such as ``airflow sagemaker:CreateTrainingJob``.

    Safe for threads. A line is written at the first call, so a server that is killed leaves what it was asked.

    :param file: kept from one server of a home to the next.
    :param root: the access key of the home itself.
    """

    def __init__(self, file: Path, root: str) -> None:
        self._file = file
        self._root = root
        self._lock = threading.Lock()
        self._known = set(file.read_text().splitlines()) if file.exists() else set[str]()

    def note(self, request: HttpRequest, proof: Proof | None, service: str, operation: str) -> None:
        """Write a signed call down unless it is there."""
        if proof is None or not operation:
            return
        line = f"{self._caller(request, proof)} {service}:{operation}"
        if line in self._known:
            return
        with self._lock:
            if line not in self._known:
                with open(self._file, "a") as file:
                    file.write(f"{line}\n")
                self._known.add(line)

    def _caller(self, request: HttpRequest, proof: Proof) -> str:
        """Return ``job`` for the keys of jobs and endpoints, ``airflow`` for the provider's hooks, else ``other``."""
        if proof.access_key != self._root:
            return "job"
        return "airflow" if _AIRFLOW in request.headers.get("user-agent") else "other"
