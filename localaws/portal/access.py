"""Who may see a page of the portal, and what becomes of what a worker may not do."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localaws.portal import forms, sign_in
from localaws.portal.session import current_worker
from localaws.sagemaker.human_review import seats
from localaws.sagemaker.workforce.members import Worker

Body = dict[str, Any]
Page = Callable[[Request, Worker], Response]
Call = Callable[[Request, Worker, Body], Body]

#: Bytes of a JSON request; an answer may have 1 MiB.
MOST = 1024**2 + 4096
_STATUS: list[tuple[type[seats.SeatError], int, str]] = [
    (seats.NoSuchSeat, 404, "No such task"),
    (seats.NothingLeft, 404, "Nothing left to do"),
    (seats.BadAnswer, 422, "This cannot be submitted"),
    (seats.LeaseOver, 410, "Your time for this task is over"),
    (seats.AlreadyAnswered, 410, "Already answered"),
    (seats.LoopEnded, 410, "This task has ended"),
]


def page(function: Page) -> Callable[[Request], Response]:
    """Make an endpoint of a page for workers; it runs in a thread. Others are sent to sign in, and then back."""

    @wraps(function)
    def endpoint(request: Request) -> Response:
        worker = current_worker(request)
        if worker is None:
            return sign_in.turn_away(request)
        try:
            return function(request, worker)
        except seats.SeatError as error:
            return refusal(request, error)

    return endpoint


def act(function: Page) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Make an endpoint of what a form with a CSRF token does."""

    def posted(request: Request, form: forms.Form) -> Response:
        worker = current_worker(request)
        if worker is None:
            # The token belongs to the session: without one, signing in comes first.
            return sign_in.after_form(request)
        forms.check(request, form.pop(forms.FIELD, ""))
        try:
            return function(request, worker)
        except seats.SeatError as error:
            return refusal(request, error)

    return forms.posted(wraps(function)(posted), csrf=False)


def call(function: Call) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Make an endpoint of a function from one JSON object to another, for the portal's own scripts."""

    def answer(request: Request, data: bytes) -> Response:
        worker = current_worker(request)
        if worker is None:
            return JSONResponse({"message": "You are no longer signed in."}, 401)
        forms.check(request, request.headers.get(forms.HEADER, ""))
        try:
            return JSONResponse(function(request, worker, _object(data)))
        except seats.SeatError as error:
            return JSONResponse({"message": str(error)}, _status(error)[0])

    @wraps(function)
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, request, await request.body())

    return endpoint


def _object(data: bytes) -> Body:
    if len(data) > MOST:
        raise HTTPException(413, f"What was sent is larger than {MOST} bytes.")
    try:
        body = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "What was sent is not JSON.") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "What was sent is not a JSON object.")
    return body


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def refusal(request: Request, error: seats.SeatError) -> Response:
    """Return a page that says why, and from which another task of the job can be taken."""
    status, title = _status(error)
    flow = request.path_params.get("flow", "")
    values = {
        "title": title,
        "sentence": str(error),
        "flow": "" if status == 404 else flow,
        "kept": isinstance(error, seats.LeaseOver),
    }
    answer: Response = request.app.state.templates.page(request, "ended.html", values, status=status)
    return answer


def _status(error: seats.SeatError) -> tuple[int, str]:
    return next(((status, title) for kind, status, title in _STATUS if isinstance(error, kind)), (409, "Not possible"))
