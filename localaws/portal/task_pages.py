"""A task that a worker has taken: its page, the frame in it, and what its buttons and scripts do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.core.context import Context
from localaws.portal import access, frame, leads, progress
from localaws.sagemaker.human_review import seats
from localaws.sagemaker.workforce.members import Worker

Found = TypeVar("Found", bound=seats.Held)

_TASK = "/jobs/{flow}/tasks/{seat}"
#: The policy of the page around a frame: that of all pages, and one document that the frame may have. A template
#: cannot lead its frame to another one, be it of the portal itself.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
    " frame-src {frame}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def routes() -> list[BaseRoute]:
    """Return the routes of tasks."""
    return [
        Route(_TASK, access.page(_task)),
        Route(f"{_TASK}/frame", access.page(_frame)),
        Route(f"{_TASK}/state", access.call(_state), methods=["POST"]),
        Route(f"{_TASK}/draft", access.call(_draft), methods=["POST"]),
        Route(f"{_TASK}/answer", access.call(_answer), methods=["POST"]),
        Route(f"{_TASK}/decline", access.act(_leave(seats.decline)), methods=["POST"]),
        Route(f"{_TASK}/release", access.act(_leave(seats.release)), methods=["POST"]),
        Route(f"{_TASK}/pause", access.act(_leave(seats.pause)), methods=["POST"]),
    ]


def _own(request: Request, worker: Worker, find: Callable[[Context, Worker, str], Found]) -> Found:
    """
    Return the task of a request.

    :param find: ``seats.held``, or ``seats.get`` for what the task shows.
    :raises SeatError: the worker has no such task in this job, or no longer.
    """
    task = find(request.app.state.ctx, worker, request.path_params["seat"])
    if task.flow_name != request.path_params["flow"]:
        raise seats.NoSuchSeat("You have no such task.")
    return task


def _task(request: Request, worker: Worker) -> Response:
    state = request.app.state
    task = _own(request, worker, seats.held)
    job = next((job for job in seats.jobs(state.ctx, worker) if job.flow_name == task.flow_name), None)
    values = {
        **leads.frame_values(worker),
        "task": task,
        "counts": progress.counts(state.ctx, worker),
        "left": job.open if job else 0,
        "seconds": _seconds(task.lease_until, state.ctx),
        "draft": json.dumps(task.draft or {}, ensure_ascii=False),
        "sandbox": frame.SANDBOX,
    }
    place = f"http://{request.headers['host']}{request.url.path}/frame"
    headers = {"Content-Security-Policy": _POLICY.format(frame=place)}
    answer: Response = state.templates.page(request, "task.html", values, headers=headers)
    return answer


def _frame(request: Request, worker: Worker) -> Response:
    state = request.app.state
    task = _own(request, worker, seats.get)
    portal = f"http://{request.headers['host']}"
    return frame.document(state.templates, task.html, task.title, portal=portal, storage=state.ctx.endpoint_url)


def _seconds(until: datetime, ctx: Context) -> int:
    return max(0, int((until - ctx.now()).total_seconds()))


def _state(request: Request, worker: Worker, _: access.Body) -> access.Body:
    return {"seconds": _seconds(_own(request, worker, seats.held).lease_until, request.app.state.ctx)}


def _draft(request: Request, worker: Worker, body: access.Body) -> access.Body:
    seats.save_draft(request.app.state.ctx, worker, request.path_params["seat"], body)
    return {}


def _answer(request: Request, worker: Worker, body: access.Body) -> access.Body:
    seats.submit(request.app.state.ctx, worker, request.path_params["seat"], body)
    return {}


def _leave(how: Callable[[Context, Any, str], None]) -> access.Page:
    def leave(request: Request, worker: Worker) -> Response:
        how(request.app.state.ctx, worker, request.path_params["seat"])
        return RedirectResponse("/", 303)

    return leave
