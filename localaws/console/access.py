"""Who may see the console: the browser that was opened by the token's address."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localaws.console import address
from localaws.core.context import Context

FIELD = "csrf"
#: the parameter of the address that opens the console.
PARAMETER = "token"
_REFUSAL = (
    "Open the console by the address that `make status` prints (or `python -m localaws status`): it has the token."
)


class Keys:
    """What is made from a home's token: neither the cookie nor a form tells the token."""

    def __init__(self, ctx: Context) -> None:
        self._token = address.token(ctx)
        # A browser sends cookies to all ports of a host: two localaws must not take each other's for theirs.
        self.cookie = f"localaws_console_{address.CONSOLE.url(ctx).rpartition(':')[2]}"
        self.session = self._derived("session")
        self.csrf = self._derived("csrf")

    def opens(self, given: str) -> bool:
        """Return whether this is the token."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def is_session(self, given: str) -> bool:
        """Return whether this is the cookie of a browser that has given the token."""
        return hmac.compare_digest(given.encode(), self.session.encode())

    def check_form(self, given: str) -> None:
        """
        Check the token of a form.

        :raises HTTPException: it is not one of a page of this console.
        """
        if not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise HTTPException(403, "The form is out of date. Load the page again and send it once more.")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self._token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class Access:
    """ASGI middleware: lets a browser in that has the cookie, and gives the cookie for the token."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request pass."""
        request = Request(scope)
        answer = self._answer(request)
        send = _alone(send)
        if answer is None:
            await self._app(scope, receive, send)
        else:
            await answer(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        # Style and script are the same for everybody, and the refusal has the style.
        if request.url.path.startswith("/static/"):
            return None
        given = request.query_params.getlist(PARAMETER)
        if given and request.method == "GET" and self._keys.opens(given[0]):
            return self._welcome(request)
        if self._keys.is_session(request.cookies.get(self._keys.cookie, "")):
            return None
        return _refused(request)

    def _welcome(self, request: Request) -> Response:
        rest = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != PARAMETER])
        # The path alone, and with one slash: "//host" would be another host's.
        path = "/" + request.url.path.lstrip("/\\")
        response = RedirectResponse(f"{path}?{rest}" if rest else path, 303, {"Referrer-Policy": "no-referrer"})
        response.set_cookie(self._keys.cookie, self._keys.session, httponly=True, samesite="strict", path="/")
        return response


def _refused(request: Request) -> Response:
    # A link of another site comes without the cookie; one that is followed from here has it.
    again = request.url.path if request.headers.get("sec-fetch-site") == "cross-site" else ""
    page: Response = request.app.state.views.failure(403, "The console is closed", _REFUSAL, again=again)
    return page


def _alone(send: Send) -> Send:
    """Have no other origin read or embed an answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        await send(message)

    return sending
