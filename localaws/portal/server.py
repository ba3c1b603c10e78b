"""
The portal's server: uvicorn, in a thread of localaws.

The socket is there from the start. Starlette, uvicorn and Jinja2 are imported at the first connection: a start of
localaws does not wait for them.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from localaws.core import portal_address
from localaws.core.context import Context

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger("localaws.portal")

#: how long a stop waits for requests in progress.
_GRACE_SECONDS = 3
_running: dict[Path, Portal] = {}


class Portal:
    """Listens from its construction on, and answers from the first connection on."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._listener = portal_address.listen(ctx)
        self._waiting, self._waker = socket.socketpair()
        self._server: uvicorn.Server | None = None
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="portal", daemon=True)
        portal_address.announce(ctx, self._listener.getsockname()[1])
        self._thread.start()

    def stop(self) -> None:
        """End; requests in progress have some seconds."""
        with self._lock:
            self._stopping = True
            if self._server is not None:
                self._server.should_exit = True
        self._waker.send(b"x")
        self._thread.join(_GRACE_SECONDS + 2)
        if self._thread.is_alive():
            log.warning("the portal did not end in time")
        portal_address.withdraw(self._ctx)
        for each in (self._listener, self._waiting, self._waker):
            each.close()

    def _run(self) -> None:
        select.select([self._listener, self._waiting], [], [])
        try:
            server = self._load()
            if server is not None:
                server.run(sockets=[self._listener])
        except Exception:
            log.exception("the portal ended")
            # Who connects is refused, and does not wait for an answer that never comes.
            self._listener.close()

    def _load(self) -> uvicorn.Server | None:
        """Return the server, or ``None`` where the portal is stopped already."""
        with self._lock:
            if self._stopping:
                return None
        import uvicorn

        from localaws.portal.app import make_app

        config = uvicorn.Config(
            make_app(self._ctx),
            loop="asyncio",
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # An address in X-Forwarded-For is anybody's word.
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        with self._lock:
            self._server = uvicorn.Server(config)
            self._server.should_exit = self._stopping
            return self._server


def start(ctx: Context) -> None:
    """
    Start the portal of this home.

    :raises PortalError: the port that was asked for is taken.
    """
    try:
        _running[ctx.home] = Portal(ctx)
    except portal_address.PortalError:
        # A work team must not be told of an address where another program answers.
        ctx.store.delete(portal_address.KIND, portal_address.KIND)
        raise


def stop(ctx: Context) -> None:
    """Stop the portal of this home, if it runs."""
    portal = _running.pop(ctx.home, None)
    if portal is not None:
        portal.stop()
