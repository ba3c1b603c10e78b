"""The console's application: its pages, and what guards them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from localaws.console import pages
from localaws.console.access import Access, Keys
from localaws.console.views import Views
from localaws.core.context import Context
from localaws.portal.guard import MAX_BODY, Guard, TooLarge

_TITLES = {403: "Not allowed", 404: "Not found", 405: "Not allowed", 429: "Busy"}
_SENTENCES = {404: "There is no such page here.", 405: "This page cannot be used in that way."}


def make_app(ctx: Context) -> Starlette:
    """Return the application; ``app.state`` has ``ctx``, ``keys`` and ``views``."""
    keys = Keys(ctx)
    app = Starlette(
        routes=[
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static"),
            *pages.routes(),
        ],
        middleware=[Middleware(Access, keys=keys)],
        exception_handlers=_HANDLERS,
    )
    app.state.ctx = ctx
    app.state.keys = keys
    app.state.views = Views(keys.csrf)
    # Outside of all that Starlette has, so that its own answers to errors have the headers too.
    app.middleware_stack = Guard(app.build_middleware_stack(), "console")
    return app


def _failure(request: Request, status: int, sentence: str) -> Response:
    page: Response = request.app.state.views.failure(status, _TITLES.get(status, "That did not work"), sentence)
    return page


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("only for HTTPException")
    plain = error.detail in ("Not Found", "Method Not Allowed")
    sentence = _SENTENCES.get(error.status_code, error.detail) if plain else error.detail
    return _failure(request, error.status_code, sentence)


def _too_large(request: Request, _: Exception) -> Response:
    return _failure(request, 413, f"What was sent is larger than {MAX_BODY} bytes.")


def _internal(request: Request, _: Exception) -> Response:
    # uvicorn logs it: Starlette raises it once more after this answer.
    return _failure(request, 500, "An internal error occurred. The server's log has the details.")


_HANDLERS: dict[Any, Any] = {HTTPException: _http, TooLarge: _too_large, Exception: _internal}
