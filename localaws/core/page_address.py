"""Where pages for people are: a server's port, kept from one start to the next, because others know its URL."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from localaws.core.context import Context

HOST = "127.0.0.1"


class AddressError(Exception):
    """The pages cannot be reached; the text says why and what to do."""


@dataclass(frozen=True)
class PageAddress:
    """
    The address of one server of pages.

    :param kind: its name: that of its record, and of the file in the home that tells people.
    :param variable: the setting for its port, where 0 takes a free one.
    :param offset: how far its usual port is from the gateway's.
    """

    kind: str
    variable: str
    offset: int

    def url(self, ctx: Context) -> str:
        """
        Return the URL, such as ``http://127.0.0.1:4567``.

        :raises AddressError: it was never started.
        """
        record = ctx.store.get(self.kind, self.kind)
        if record is None:
            raise AddressError(f"The {self.kind} of localaws has not started: its log, server.log, says why.")
        return str(record["url"])

    def listen(self, ctx: Context) -> socket.socket:
        """
        Listen on the port of the variable, else on that of the last start, the usual one, or any free one.

        :raises AddressError: the port that was asked for is taken, or is none.
        """
        asked = os.environ.get(self.variable, "")
        if asked:
            port = self._number(asked)
            found = _bind(port)
            if found is None:
                problem = f"{self.variable} is {port}, which another program has"
                raise AddressError(f"{problem}: choose another, or end that program.")
            return found
        gateway = _gateway(ctx)
        last = ctx.store.get(self.kind, self.kind)
        wanted = [last["port"]] if last and last["gateway"] == gateway else []
        for port in (*wanted, gateway + self.offset, 0):
            found = _bind(port) if port <= 65535 else None
            if found is not None:
                return found
        raise AddressError(f"No port is free for the {self.kind}.")

    def announce(self, ctx: Context, port: int) -> None:
        """Tell the port: in the store, and for people in a file of the home."""
        url = f"http://{HOST}:{port}"
        ctx.store.put(self.kind, self.kind, {"url": url, "port": port, "gateway": _gateway(ctx)})
        path = self._file(ctx)
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"port": port, "pid": os.getpid(), "url": url}))
        part.replace(path)

    def withdraw(self, ctx: Context) -> None:
        """Remove the file: nobody answers there now."""
        self._file(ctx).unlink(missing_ok=True)

    def forget(self, ctx: Context) -> None:
        """Remove the record, so that nobody is sent to an address where another program answers."""
        ctx.store.delete(self.kind, self.kind)

    def _file(self, ctx: Context) -> Path:
        return ctx.home / f"{self.kind}.json"

    def _number(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) > 65535:
            raise AddressError(f"{self.variable} is {text!r}, which is not a port: use a number up to 65535.")
        return int(text)


def _gateway(ctx: Context) -> int:
    return int(ctx.endpoint_url.rpartition(":")[2])


def _bind(port: int) -> socket.socket | None:
    # With the protocol, because asyncio turns Nagle's algorithm off only where it is named: 40 ms an answer else.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port whose last connections are still winding down is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        return None
    return listener
