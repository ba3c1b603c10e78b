"""An ASGI application made at its first request: every process of Airflow loads the plugins, and one serves them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class LazyApp:
    """
    Stand for an application, and import it when it is first asked.

    :param module: has the factory.
    :param factory: name of a function that returns the application.
    """

    def __init__(self, module: str, factory: str = "make_app") -> None:
        self._module, self._factory = module, factory
        self._app: Application | None = None
        self._lock = threading.Lock()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve a request."""
        app = self._app
        if app is None:
            # In a thread: the imports take seconds, in which Airflow's own requests are answered.
            app = await asyncio.to_thread(self._make)
        await app(scope, receive, send)

    def _make(self) -> Application:
        with self._lock:
            if self._app is None:
                make: Callable[[], Application] = getattr(import_module(self._module), self._factory)
                self._app = make()
            return self._app
