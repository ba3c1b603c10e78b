"""HTTP to one model server over its Unix socket, on connections that are kept."""

from __future__ import annotations

import http.client
import select
import socket
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class Lost(Exception):
    """
    The process is not there, or went away before it had answered.

    :param delivered: whether it may have seen the request.
    """

    def __init__(self, message: str, *, delivered: bool) -> None:
        super().__init__(message)
        self.delivered = delivered


class TimedOut(Exception):
    """No answer in time."""


@dataclass(frozen=True)
class Answer:
    """What the model server answered; header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class Channel:
    """
    Requests to the model server at ``path``. Safe for threads: each request has a connection for itself.

    The process behind the socket must stay the same one; make another channel for another process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[_Connection] = deque()

    def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Answer:
        """
        Send a request and wait for the whole answer.

        :param timeout: seconds without a sign of life.
        :raises Lost: the process is not there, or ended before it had answered.
        :raises TimedOut: there was no answer in time.
        """
        connection = self._connected(timeout)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            connection.close()
            raise TimedOut(f"no answer in {timeout:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Lost(str(error) or type(error).__name__, delivered=True) from error
        self._idle.append(connection)
        return Answer(response.status, content, {name.lower(): value for name, value in response.getheaders()})

    def _connected(self, timeout: float) -> _Connection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            # Nothing is due on an idle connection: if there is something to read, it is the end.
            if not _readable(connection.sock):
                connection.sock.settimeout(timeout)
                return connection
            connection.close()
        connection = _Connection(self._path)
        connection.timeout = timeout
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise Lost(str(error), delivered=False) from error
        return connection

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
