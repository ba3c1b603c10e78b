"""Pages for what went wrong: one sentence for people, and nothing of the code."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from localaws.portal.guard import MAX_BODY, TooLarge

_TITLES = {403: "Not allowed", 404: "Not Found", 405: "Not allowed", 410: "Gone"}
_SENTENCES = {404: "There is no such page here.", 405: "This page cannot be used in that way."}


def page(request: Request, status: int, title: str, sentence: str, *, leave: str = "") -> Response:
    """
    Return a page with a title and a sentence.

    :param leave: an address to sign out of an identity provider at, for who came with the wrong account.
    """
    values = {"title": title, "sentence": sentence, "leave": leave}
    answer: Response = request.app.state.templates.page(request, "failure.html", values, status=status)
    return answer


def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("only for HTTPException")
    status = error.status_code
    known = _SENTENCES.get(status)
    # Starlette's own detail is the name of the status.
    sentence = known if known and error.detail in ("Not Found", "Method Not Allowed") else error.detail
    return page(request, status, _TITLES.get(status, "That did not work"), sentence)


def _too_large(request: Request, _: Exception) -> Response:
    return page(request, 413, "Too large", f"What was sent is larger than {MAX_BODY} bytes.")


def _internal(request: Request, _: Exception) -> Response:
    # uvicorn logs it: Starlette raises it once more after this answer.
    return page(request, 500, "That did not work", "An internal error occurred. The server's log has the details.")


HANDLERS: dict[Any, Any] = {HTTPException: _http, TooLarge: _too_large, Exception: _internal}
