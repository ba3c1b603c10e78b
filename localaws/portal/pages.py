"""The pages of the portal: the worker's jobs here, tasks and the lead's page beside."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.core.context import Context
from localaws.portal import access, lead_pages, leads, progress, task_pages
from localaws.sagemaker.human_review import seats
from localaws.sagemaker.workforce.members import Worker


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of the portal's own pages."""
    return [
        Route("/", access.page(_jobs)),
        Route("/jobs/{flow}/take", access.act(_take), methods=["POST"]),
        *task_pages.routes(),
        *lead_pages.routes(),
    ]


def _jobs(request: Request, worker: Worker) -> Response:
    state = request.app.state
    values = {
        **leads.frame_values(worker),
        "jobs": seats.jobs(state.ctx, worker),
        "counts": progress.counts(state.ctx, worker),
        "finished": _flow(request.query_params.get("finished", "")),
        "now": state.ctx.now(),
    }
    answer: Response = state.templates.page(request, "jobs.html", values)
    return answer


def _flow(text: str) -> str:
    """Return the name of a flow from a URL; nothing of what else somebody may have put into a link."""
    return text if re.fullmatch(r"[a-z0-9-]{1,63}", text) else ""


def _take(request: Request, worker: Worker) -> Response:
    flow = request.path_params["flow"]
    try:
        task = seats.take(request.app.state.ctx, worker, flow)
    except seats.NothingLeft:
        return RedirectResponse(f"/?finished={flow}", 303)
    return RedirectResponse(f"/jobs/{flow}/tasks/{task.seat_id}", 303)
