"""HTTP/1.1 on a loopback port: a thread a connection, kept alive, one write an answer."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from werkzeug.serving import DechunkedInput, ThreadedWSGIServer

from localaws import guard
from localaws.errors import AwsError
from localaws.moto_bridge import MotoRequestHandler
from localaws.wire import faults, sigv4
from localaws.wire.http import FileBody, Headers, HttpRequest, HttpResponse

access = logging.getLogger("localaws.access")

HOST = "127.0.0.1"
#: up to this size an answer's body leaves in one write with its headers.
_ONE_WRITE = 64 * 1024
#: a chunked body is read in pieces of this size, so that its limit is seen in time.
_PIECE = 1024**2
#: headers that this module writes itself.
_OWN_HEADERS = ("connection", "date", "server")


class PortTaken(Exception):
    """Another program listens on the port."""


class Responder(Protocol):
    """What answers requests."""

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The answer to one request; never raises."""


class BadBody(AwsError):
    """The body is not framed as HTTP wants it."""

    code = "MalformedHttpRequest"
    status = 400


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
            request = self._head_of_request()
            try:
                guard.check(request)
                request.body = self._body(request)
            except AwsError as error:
                # What is left of the body would be taken for the next request.
                self.close_connection = True
                response = faults.fault(error, sigv4.claimed_service(request), request)
            else:
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

    def _head_of_request(self) -> HttpRequest:
        path, _, query = self.path.partition("?")
        return HttpRequest(self.command, path, query, Headers(list(self.headers.items())), b"", self.make_environ())

    def _body(self, request: HttpRequest) -> bytes:
        limit = guard.limit(request)
        lengths = request.headers.all("content-length")
        if "transfer-encoding" in request.headers:
            if lengths or request.headers.get("transfer-encoding").lower() != "chunked":
                raise BadBody("Transfer-Encoding must be chunked, and Content-Length absent with it.")
            return self._chunked_body(limit)
        length = lengths[0] if lengths else "0"
        if len(set(lengths)) > 1 or not (length.isascii() and length.isdecimal()):
            raise BadBody("Content-Length must be one number.")
        if int(length) > limit:
            raise guard.TooLarge("Your proposed upload exceeds the maximum allowed size")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionResetError("the client left before its body was complete")
        return body

    def _chunked_body(self, limit: int) -> bytes:
        reader = DechunkedInput(self.rfile)  # type: ignore[arg-type]
        pieces = []
        size = 0
        try:
            while piece := reader.read(_PIECE):
                size += len(piece)
                if size > limit:
                    raise guard.TooLarge("Your proposed upload exceeds the maximum allowed size")
                pieces.append(piece)
        except (ValueError, OSError) as error:
            raise BadBody(f"The chunked body is malformed: {error}") from error
        return b"".join(pieces)

    def _write(self, response: HttpResponse) -> None:
        head = self._head_of_response(response)
        body = response.body
        if self.command == "HEAD":
            self.wfile.write(head)
        elif isinstance(body, FileBody):
            self.wfile.write(head)
            with body.file:
                self.connection.sendfile(body.file, body.start, len(body))
        elif len(body) <= _ONE_WRITE:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    def _head_of_response(self, response: HttpResponse) -> bytes:
        headers = [(name, value) for name, value in response.headers if name.lower() not in _OWN_HEADERS]
        if response.status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(response.body))))
        headers += [("Date", formatdate(usegmt=True)), ("Server", "localaws")]
        if self.close_connection:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {_one_line(value)}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _one_line(value: Any) -> str:
    """A header's value; a line break in it would begin another header."""
    return str(value).replace("\r", "").replace("\n", " ")


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
    """
    The listening socket and its threads. The caller sets ``responder`` before it lets the server answer.

    :raises PortTaken: another program has the port.
    """

    # Threads that wait on idle connections must not keep the process alive.
    daemon_threads = True

    def __init__(self, port: int) -> None:
        # werkzeug binds by itself too, but ends the process where it cannot.
        with _listen(port) as listening:
            super().__init__(HOST, port, _no_wsgi, Handler, fd=listening.fileno())
        self.responder: Responder
        self.busy = _Busy()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        # A burst of clients must not meet a refused connection.
        listening.listen(1024)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} on {HOST} is taken by another program") from error
        raise
    return listening


def _no_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise RuntimeError("requests go to the responder")
