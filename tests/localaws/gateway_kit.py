"""The HTTP front alone, in this process, with an application that tells what reached it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from signed_kit import keys

from localaws.core.errors import AwsError
from localaws.gateway.admission import MAX_DOCUMENT, MAX_OBJECT, Admission
from localaws.gateway.auth import sigv4
from localaws.gateway.http_server import Limits, Server
from localaws.gateway.protocol import faults
from localaws.gateway.protocol.http import HttpRequest, HttpResponse


@dataclass
class Echo:
    """Answers each request with what arrived of it. A PUT is an object; a path of ``/open`` needs no signature."""

    #: the method and path of all that was handled.
    seen: list[str] = field(default_factory=list)
    #: seconds that an answer takes.
    pause: float = 0.0

    def admit(self, request: HttpRequest) -> Admission:
        proof = sigv4.authenticate(request, keys)
        if proof is None and not request.path.startswith("/open"):
            raise sigv4.Refused("unsigned")
        is_object = request.method == "PUT"
        return Admission(request, proof, None, MAX_OBJECT if is_object else MAX_DOCUMENT, is_object)

    def handle(self, admission: Admission) -> HttpResponse:
        request = admission.request
        self.seen.append(f"{request.method} {request.path}")
        time.sleep(self.pause)
        upload = request.upload
        body = request.body if upload is None else upload.path.read_bytes()
        told = {
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "on_disk": upload is not None,
            "md5_fits": upload is None or upload.md5 == hashlib.md5(body).digest(),
            "path": request.path,
        }
        return HttpResponse(200, [("Content-Type", "application/json")], json.dumps(told).encode())

    def fault(self, error: Exception, request: HttpRequest) -> HttpResponse:
        if isinstance(error, sigv4.Refused):
            return faults.refusal(error, "s3", request)
        if isinstance(error, AwsError):
            return faults.fault(error, "s3", request)
        raise error


@dataclass
class Front:
    """A running front."""

    server: Server
    echo: Echo
    spool: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=20)

    def talk(self, data: bytes, *, half_close: bool = True) -> bytes:
        """All that comes back to these bytes until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in what came over one connection; the bodies hold no status line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@contextlib.contextmanager
def front(folder: Path, **limits: float) -> Iterator[Front]:
    """A front with other limits than usual."""
    with Server(0, folder / "spool", Limits(**limits)) as server:  # type: ignore[arg-type]
        server.responder = echo = Echo()
        server.start()
        try:
            yield Front(server, echo, folder / "spool")
        finally:
            server.stop(1)
