"""What every request for a page passes: its Host, its origin, its size; and the headers of every answer."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A page on the web whose name resolves to 127.0.0.1 must not reach these pages with that name.
_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.I)
#: bytes of a body: an answer to a task is 1 MiB at most, and a form's encoding triples what is not plain.
MAX_BODY = 4 * 1024**2
_SAFE = frozenset({"GET", "HEAD"})
#: paths that other programs call, with credentials of their own and no cookie.
_FOR_PROGRAMS = re.compile(r"/cognito/[^/]+/oauth2/(?:token|userInfo|revoke)")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, a browser sends the Origin "null" with the portal's own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class TooLarge(Exception):
    """The body is larger than :data:`MAX_BODY`."""


class Guard:
    """
    ASGI middleware. A route may set each of the headers itself, such as a policy for a frame.

    :param name: of the pages, for the messages.
    """

    def __init__(self, app: ASGIApp, name: str = "portal") -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or let it pass."""
        if scope["type"] != "http":
            await PlainTextResponse("Only HTTP is answered here.", 400)(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _refusal(scope, headers, self._name)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, _limited(receive), _with_headers(send))


def _refusal(scope: Scope, headers: Headers, name: str) -> PlainTextResponse | None:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return PlainTextResponse(f"The {name} answers for localhost and 127.0.0.1 only.", 403)
    if int(headers.get("content-length", "0")) > MAX_BODY:
        return PlainTextResponse(f"The request is larger than {MAX_BODY} bytes.", 413)
    if scope["method"] in _SAFE or _FOR_PROGRAMS.fullmatch(scope["path"]):
        return None
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{hosts[0]}":
        return PlainTextResponse("The form came from another site: open the page here and send it again.", 403)
    return None


def _limited(receive: Receive) -> Receive:
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise TooLarge
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
