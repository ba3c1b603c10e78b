"""The portal's own scripts and styles."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"


class OpenStaticFiles(StaticFiles):
    """
    Files that a page of any origin may load.

    A task's frame has an origin of its own, "null", and modules are fetched by the rules of CORS. The files are the
    same for everybody, and a task loads all of them: they may be kept for some minutes.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*"
                headers["Cache-Control"] = "max-age=300"
            await send(message)

        await super().__call__(scope, receive, sending)
