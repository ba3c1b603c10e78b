"""HTTP/1.1 on a loopback port: a thread a connection, kept alive, one write an answer."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any

from localaws.core.errors import AwsError
from localaws.gateway import guard
from localaws.gateway.admission import Admission, Responder
from localaws.gateway.connections import Connections
from localaws.gateway.framing import Body, body_of
from localaws.gateway.head import BadRequest, Head, read_head
from localaws.gateway.payload import check_length, received
from localaws.gateway.protocol.http import FileBody, Headers, HttpRequest, HttpResponse
from localaws.gateway.reader import PacedSocket, Reader, TooSlow, Truncated
from localaws.gateway.spool import Spool

log = logging.getLogger("localaws")
access = logging.getLogger("localaws.access")

HOST = "127.0.0.1"
#: up to this size an answer's body leaves in one write with its headers.
_ONE_WRITE = 64 * 1024
#: up to this size a body that is not wanted is read all the same, so that the connection stays usable.
_DRAINED = 64 * 1024
#: headers that this module writes itself.
_OWN_HEADERS = ("connection", "date", "server")
_CONTROL = dict.fromkeys((*range(9), *range(10, 32), 127))


@dataclass(frozen=True)
class Limits:
    """
    How many clients there may be, and how long they may take.

    A body has its seconds, and one more for every ``rate`` bytes that arrive.
    """

    connections: int = 256
    head_seconds: float = 10.0
    idle_seconds: float = 300.0
    #: a body whose signature was good without it.
    body_seconds: float = 60.0
    body_rate: float = 16 * 1024
    #: a body that the signature is still to be checked by.
    unproven_seconds: float = 10.0
    unproven_rate: float = 64 * 1024
    answer_seconds: float = 120.0
    #: a client that sends on what nobody reads must still get its answer.
    linger_seconds: float = 2.0


class PortTaken(Exception):
    """Another program listens on the port."""


class Connection:
    """One client's connection, in a thread of its own."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        self.proven = False
        self.working = False
        self.since = time.monotonic()
        self._server = server
        self._limits = server.limits
        self._socket = connection
        self._incoming = PacedSocket(connection)
        self._reader = Reader(self._incoming.readinto)
        self._keep = True

    def evict(self) -> None:
        """Have every read and write fail from now on."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The client was faster.
            return

    def run(self) -> None:
        """Answer requests until one of both sides has had enough."""
        try:
            # Large answers are two segments: Nagle's algorithm would hold the second one back.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wait = self._limits.head_seconds
            while self._next_begins(wait) and self._exchange():
                wait = self._limits.idle_seconds
        except OSError as error:
            log.debug("a client left: %s", error)
        except Exception:
            log.exception("a connection failed")
        finally:
            self._socket.close()
            self._server.connections.remove(self)

    def _next_begins(self, seconds: float) -> bool:
        self._server.connections.wait(self)
        self._incoming.allow(seconds)
        try:
            return self._reader.peek()
        except TooSlow:
            return False

    def _exchange(self) -> bool:
        """Answer one request, and return True if another one may follow."""
        started = time.monotonic()
        self._server.connections.wait(self)
        self._incoming.allow(self._limits.head_seconds)
        try:
            head = read_head(self._reader)
        except (BadRequest, TooSlow, Truncated) as error:
            self._keep = False
            nothing = HttpRequest("-", "-", "", Headers([]), b"")
            self._answer(nothing, self._server.responder.fault(_error_of(error), nothing), started)
            self._linger()
            return False
        self._keep = head.keep_alive
        body = body_of(self._reader, head.length)
        response = self._respond(head, body)
        if response is None:
            return False
        if not body.complete:
            self._drain(head, body)
        self._answer(head.request, response, started)
        if not body.complete:
            self._linger()
        return self._keep

    def _respond(self, head: Head, body: Body) -> HttpResponse | None:
        """Answer the request; ``None`` where the connection had to make room for another one."""
        request = head.request
        responder = self._server.responder
        try:
            guard.check(request)
            admission = responder.admit(request)
            request = admission.request
            if admission.is_proven and not self._let_in(admission):
                return None
            check_length(admission, body)
            self._allow_body(admission)
            self._continue(head)
            with received(admission, body, self._server.spool) as complete:
                return responder.handle(complete) if self._let_in(complete) else None
        except Exception as error:
            if isinstance(error, BadRequest | TooSlow | Truncated):
                self._keep = False
            return responder.fault(_error_of(error), request)

    def _let_in(self, admission: Admission) -> bool:
        return self._server.connections.work(self, proven=admission.proof is not None)

    def _allow_body(self, admission: Admission) -> None:
        limits = self._limits
        if admission.is_proven:
            self._incoming.allow(limits.body_seconds, limits.body_rate)
        else:
            self._incoming.allow(limits.unproven_seconds, limits.unproven_rate)

    def _continue(self, head: Head) -> None:
        """Tell a client that asks first that its body is wanted."""
        expected = head.request.headers.get("expect").lower()
        if expected not in ("", "100-continue"):
            raise BadRequest("Only 100-continue can be expected.", code="ExpectationFailed", status=417)
        if expected and head.length != 0:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drain(self, head: Head, body: Body) -> None:
        """Read a small body that nobody wanted; where it is larger, or may never come, the connection ends."""
        if not self._keep or "expect" in head.request.headers or (body.length or 0) > _DRAINED:
            self._keep = False
            return
        self._incoming.allow(self._limits.linger_seconds)
        view, left = memoryview(bytearray(4096)), _DRAINED
        try:
            while left > 0 and (count := body.readinto(view)):
                left -= count
        except (BadRequest, TooSlow, Truncated):
            self._keep = False
        self._keep = self._keep and body.complete

    def _linger(self) -> None:
        """Read on for a while: a reset, which unread bytes cause, could take the answer from the client."""
        self._socket.shutdown(socket.SHUT_WR)
        self._incoming.allow(self._limits.linger_seconds)
        view = memoryview(bytearray(64 * 1024))
        try:
            while self._incoming.readinto(view):
                pass
        except (TooSlow, Truncated):
            return

    def _answer(self, request: HttpRequest, response: HttpResponse, started: float) -> None:
        outcome = ""
        try:
            self._write(request, response)
        except OSError:
            outcome = ", and the client did not wait for it"
            raise
        finally:
            access.info(
                "%s %s %s %d %.0f ms%s",
                request.method,
                request.headers.get("x-amz-target") or request.path,
                request.request_id,
                response.status,
                (time.monotonic() - started) * 1000,
                outcome,
            )

    def _write(self, request: HttpRequest, response: HttpResponse) -> None:
        head = self._head_of_response(response)
        body = response.body
        if request.method == "HEAD":
            self._send(head)
        elif isinstance(body, FileBody):
            self._send(head)
            for path, start, size in body.segments:
                with open(path, "rb") as file:
                    self._socket.sendfile(file, start, size)
        elif len(body) <= _ONE_WRITE:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._limits.answer_seconds)
        self._socket.sendall(data)

    def _head_of_response(self, response: HttpResponse) -> bytes:
        headers = [(name, value) for name, value in response.headers if name.lower() not in _OWN_HEADERS]
        if response.status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(response.body))))
        headers += [("Date", formatdate(usegmt=True)), ("Server", "localaws")]
        if not self._keep:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {_one_line(value)}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _error_of(error: Exception) -> Exception:
    """Return what a client is told of an error that is not an answer by itself."""
    if isinstance(error, TooSlow):
        message = "Your socket connection to the server was not read from or written to within the timeout period."
        return AwsError(message, code="RequestTimeout", status=408)
    if isinstance(error, Truncated):
        message = "The request ended before all that it announced was sent."
        return AwsError(message, code="IncompleteBody", status=400)
    return error


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _one_line(value: Any) -> str:
    """Keep a header's value on one line: a line break in it would begin another header."""
    return str(value).replace("\n", " ").translate(_CONTROL)


class Server:
    """
    The listening socket and its connections. The caller sets ``responder`` before :meth:`start`.

    :param port: 0 takes a free one, and :attr:`port` tells which.
    :param spool: where large bodies go on their way in; emptied.
    :raises PortTaken: another program has the port.
    """

    def __init__(self, port: int, spool: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._listening = _listen(port)
        self.port = int(self._listening.getsockname()[1])
        self.spool = Spool(spool)
        self.connections = Connections(self.limits.connections)
        self.responder: Responder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="accept", daemon=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """
        Answer no more.

        :param seconds: that requests in hand have; they may need the server themselves until they are done.
        :returns: whether they all ended.
        """
        self.connections.until_quiet(seconds)
        self._stopping.set()
        self._thread.join()
        self._listening.close()
        self.connections.close()
        quiet = self.connections.until_quiet(0.5)
        self.connections.close(working=True)
        return quiet

    def _accept(self) -> None:
        # It looks that often whether it is to end: a stop waits for it.
        self._listening.settimeout(0.1)
        while not self._stopping.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError as error:
                # No more open files, or a client that left in the queue.
                log.warning("a connection could not be accepted: %s", error)
                time.sleep(0.1)
                continue
            while not self.connections.make_room(0.1):
                # Nobody else is accepted meanwhile: they wait in the kernel's queue.
                if self._stopping.is_set():
                    connection.close()
                    return
            self._open(connection)

    def _open(self, connection: socket.socket) -> None:
        opened = Connection(self, connection)
        self.connections.add(opened)
        try:
            threading.Thread(target=opened.run, name="connection", daemon=True).start()
        except RuntimeError as error:
            log.warning("a connection could not be served: %s", error)
            connection.close()
            self.connections.remove(opened)


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
