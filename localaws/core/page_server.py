"""
A server of pages for people: uvicorn, in a thread of localaws.

The socket is there from the start. Starlette, uvicorn and Jinja2 are imported at the first connection: a start of
localaws does not wait for them.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from localaws.core.context import Context
from localaws.core.page_address import AddressError, PageAddress

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

log = logging.getLogger("localaws.pages")

#: how long a stop waits for requests in progress.
_GRACE_SECONDS = 3
#: imports and makes the application.
Make = Callable[[Context], "Starlette"]


class PageServer:
    """Listens from its construction on, and answers from the first connection on."""

    def __init__(self, ctx: Context, address: PageAddress, make: Make) -> None:
        self._ctx = ctx
        self._address = address
        self._make = make
        self._listener = address.listen(ctx)
        self._waiting, self._waker = socket.socketpair()
        self._server: uvicorn.Server | None = None
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=address.kind, daemon=True)
        address.announce(ctx, self._listener.getsockname()[1])
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
            log.warning("the %s did not end in time", self._address.kind)
        self._address.withdraw(self._ctx)
        for each in (self._listener, self._waiting, self._waker):
            each.close()

    def _run(self) -> None:
        select.select([self._listener, self._waiting], [], [])
        try:
            server = self._load()
            if server is not None:
                server.run(sockets=[self._listener])
        except Exception:
            log.exception("the %s ended", self._address.kind)
            # Who connects is refused, and does not wait for an answer that never comes.
            self._listener.close()

    def _load(self) -> uvicorn.Server | None:
        """Return the server, or ``None`` where it is stopped already."""
        with self._lock:
            if self._stopping:
                return None
        import uvicorn

        config = uvicorn.Config(
            self._make(self._ctx),
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


class PageServers:
    """The servers of one kind, one a home."""

    def __init__(self, address: PageAddress, make: Make) -> None:
        self._address = address
        self._make = make
        self._running: dict[Path, PageServer] = {}

    def start(self, ctx: Context) -> None:
        """
        Start the one of this home.

        :raises AddressError: the port that was asked for is taken.
        """
        try:
            self._running[ctx.home] = PageServer(ctx, self._address, self._make)
        except AddressError:
            self._address.forget(ctx)
            raise

    def stop(self, ctx: Context) -> None:
        """Stop the one of this home, if it runs."""
        server = self._running.pop(ctx.home, None)
        if server is not None:
            server.stop()
