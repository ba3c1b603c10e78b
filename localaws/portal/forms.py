"""Forms: read whole, and with a token that another site cannot have (CSRF)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from localaws.portal.session import COOKIE, cookie_key

FIELD = "csrf"
HEADER = "x-csrf-token"
_COOKIE = "localaws_csrf"
#: fields of a form.
_MOST_FIELDS = 100

Form = dict[str, str]
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Token:
    """What a page's forms send back, and the cookie that it belongs to."""

    value: str
    nonce: str
    is_new: bool

    def remember(self, response: Response) -> None:
        """Set the cookie, if the browser has none."""
        if self.is_new:
            response.set_cookie(_COOKIE, self.nonce, httponly=True, samesite="lax", path="/")


def token(request: Request) -> Token:
    """Return the token of a page that is about to be sent."""
    nonce = request.cookies.get(_COOKIE, "")
    is_new = not nonce
    nonce = nonce or secrets.token_urlsafe(24)
    return Token(_value(request, nonce), nonce, is_new)


def check(request: Request, given: str) -> None:
    """
    Check the token of a form, or that of the header ``X-CSRF-Token``.

    :raises HTTPException: it is not the one that this browser was given in this session.
    """
    nonce = request.cookies.get(_COOKIE, "")
    if not nonce or not hmac.compare_digest(given.encode(), _value(request, nonce).encode()):
        raise HTTPException(403, "The form is out of date. Go back, load the page again and send it once more.")


def posted(function: Callable[[Request, Form], Response], *, csrf: bool = True) -> Endpoint:
    """
    Make an endpoint of a function that is given the request and its form; it runs in a thread.

    :param csrf: whether the form must have the token: not where other programs post.
    """

    @wraps(function)
    async def endpoint(request: Request) -> Response:
        async with request.form(max_fields=_MOST_FIELDS, max_files=0) as data:
            form = {key: value for key, value in data.items() if isinstance(value, str)}
            repeated = len(data.multi_items()) != len(form)
        if repeated:
            raise HTTPException(400, "A field of the form is given twice, or is a file.")
        if csrf:
            check(request, form.pop(FIELD, ""))
        return await run_in_threadpool(function, request, form)

    return endpoint


def _value(request: Request, nonce: str) -> str:
    # The session's cookie is part of it: a token from before a sign-in is of no use after it.
    session = request.cookies.get(COOKIE, "")
    return hmac.new(cookie_key(request.app.state.ctx), f"{nonce} {session}".encode(), hashlib.sha256).hexdigest()
