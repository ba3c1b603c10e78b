"""HTTP/1.1 on a loopback port: a thread a connection, kept alive, one write an answer."""

from __future__ import annotations

import logging
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from werkzeug.serving import DechunkedInput, ThreadedWSGIServer

from localaws.moto_bridge import MotoRequestHandler
from localaws.wire.http import Headers, HttpRequest, HttpResponse

access = logging.getLogger("localaws.access")

HOST = "127.0.0.1"
#: up to this size an answer's body leaves in one write with its headers.
_ONE_WRITE = 64 * 1024


class Responder(Protocol):
    """What answers requests."""

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The answer to one request; never raises."""


class Handler(MotoRequestHandler):
    """
    One connection.

    moto's handler keeps underscores in metadata names; the loop here keeps the connection alive, which werkzeug's own
    does not: it closes after each answer, because it cannot know whether the body was read. Here it always was.
    """

    server: Server
    protocol_version = "HTTP/1.1"
    # A client's pooled connections end after this many idle seconds.
    timeout = 300
    # Headers and body are separate segments for large answers: Nagle's algorithm would hold the second one back.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Read one request, answer it, and leave the connection at the start of the next one."""
        started = time.monotonic()
        with self.server.busy:
            request = self._read()
            response = self.server.responder.handle(request)
            self._write(response)
        access.info(
            "%s %s %s %d %.0f ms",
            request.method,
            request.headers.get("x-amz-target") or request.path,
            request.request_id,
            response.status,
            (time.monotonic() - started) * 1000,
        )

    def _read(self) -> HttpRequest:
        environ = self.make_environ()
        if environ.get("wsgi.input_terminated"):
            body = DechunkedInput(self.rfile).read()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        return HttpRequest(self.command, path, query, Headers(list(self.headers.items())), body, environ)

    def _write(self, response: HttpResponse) -> None:
        head = self._head(response)
        if self.command == "HEAD" or len(response.body) <= _ONE_WRITE:
            self.wfile.write(head if self.command == "HEAD" else head + response.body)
        else:
            self.wfile.write(head)
            self.wfile.write(response.body)

    def _head(self, response: HttpResponse) -> bytes:
        names = {name.lower() for name, _ in response.headers}
        headers = [(name, value) for name, value in response.headers if name.lower() not in ("connection", "date")]
        if "content-length" not in names and response.status not in (204, 304):
            headers.append(("Content-Length", str(len(response.body))))
        headers += [("Date", formatdate(usegmt=True)), ("Server", "localaws")]
        if self.close_connection:
            headers.append(("Connection", "close"))
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {str(value).replace(chr(13), '').replace(chr(10), ' ')}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class _Busy:
    """Counts the requests in progress, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._condition = threading.Condition()

    def __enter__(self) -> None:
        with self._condition:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._condition:
            self._count -= 1
            self._condition.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether all requests ended within that time."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count == 0, seconds)


class Server(ThreadedWSGIServer):
    """The listening socket and its threads."""

    # A burst of clients must not meet a refused connection.
    request_queue_size = 1024

    def __init__(self, port: int) -> None:
        super().__init__(HOST, port, _no_wsgi, Handler)
        self.responder: Responder
        self.busy = _Busy()


def _no_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise RuntimeError("requests go to the responder")
