"""Where the portal is: its port, kept from one start to the next, because clients have its URL as a callback."""

from __future__ import annotations

import json
import os
import socket

from localaws.core.context import Context

HOST = "127.0.0.1"
KIND = "portal"
#: 0 takes a free port.
VARIABLE = "LOCALAWS_PORTAL_PORT"


class PortalError(Exception):
    """The portal cannot be reached; the text says why and what to do."""


def address(ctx: Context) -> str:
    """
    Return the portal's URL, such as ``http://127.0.0.1:4567``.

    :raises PortalError: it was never started.
    """
    record = ctx.store.get(KIND, KIND)
    if record is None:
        raise PortalError("The portal of localaws has not started: its log, server.log, says why.")
    return str(record["url"])


def sub_domain(ctx: Context) -> str:
    """Return what SageMaker calls SubDomain: the portal's host and port."""
    return address(ctx).partition("://")[2]


def listen(ctx: Context) -> socket.socket:
    """
    Listen on the port of the variable, else on that of the last start, the gateway's next one, or any free one.

    :raises PortalError: the port that was asked for is taken, or is none.
    """
    asked = os.environ.get(VARIABLE, "")
    if asked:
        port = _number(asked)
        found = _bind(port)
        if found is None:
            raise PortalError(f"{VARIABLE} is {port}, which another program has: choose another, or end that program.")
        return found
    gateway = int(ctx.endpoint_url.rpartition(":")[2])
    last = ctx.store.get(KIND, KIND)
    wanted = [last["port"]] if last and last["gateway"] == gateway else []
    for port in (*wanted, gateway + 1, 0):
        found = _bind(port) if port <= 65535 else None
        if found is not None:
            return found
    raise PortalError("No port is free for the portal.")


def announce(ctx: Context, port: int) -> None:
    """Tell the port: in the store, and for people in ``portal.json``."""
    url = f"http://{HOST}:{port}"
    gateway = int(ctx.endpoint_url.rpartition(":")[2])
    ctx.store.put(KIND, KIND, {"url": url, "port": port, "gateway": gateway})
    path = ctx.home / "portal.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"port": port, "pid": os.getpid(), "url": url}))
    part.replace(path)


def withdraw(ctx: Context) -> None:
    """Remove ``portal.json``: nobody answers there now."""
    (ctx.home / "portal.json").unlink(missing_ok=True)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise PortalError(f"{VARIABLE} is {text!r}, which is not a port: use a number up to 65535.")
    return int(text)


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
