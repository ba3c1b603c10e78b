"""The pages of a team's lead: what waits, who answered what and when, and how far they agree."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from localaws.core.context import Context
from localaws.portal import access, agreement, leads
from localaws.sagemaker.human_review import seats
from localaws.sagemaker.workforce.members import Worker

#: Rows of each table on a page.
SIZE = 25
#: Loops that are listed as running out.
_EXPIRING = 5


def routes() -> list[BaseRoute]:
    """Return the routes of the lead's pages."""
    return [Route("/lead", access.page(_teams)), Route("/lead/{team}", access.page(_team))]


def _led(worker: Worker) -> dict[str, str]:
    """
    Return the teams that a worker leads: ARNs by names.

    :raises HTTPException: there are none; the page is not even there for others.
    """
    led = {arn.rpartition("/")[2]: arn for arn in leads.teams(worker)}
    if not led:
        raise HTTPException(404)
    return led


def _teams(request: Request, worker: Worker) -> Response:
    names = list(_led(worker))
    values = {"worker": worker, "is_lead": True, "teams": names}
    answer: Response = request.app.state.templates.page(request, "lead_teams.html", values)
    return answer


def _team(request: Request, worker: Worker) -> Response:
    ctx: Context = request.app.state.ctx
    team = request.path_params["team"]
    arn = _led(worker).get(team)
    if arn is None:
        raise HTTPException(404)
    offset = _offset(request.query_params.get("offset", "0"))
    try:
        overview = seats.lead(ctx, arn, size=SIZE, offset=offset, before=request.query_params.get("before"))
    except ValueError as error:
        raise HTTPException(404) from error
    values = {
        "worker": worker,
        "is_lead": True,
        "team": team,
        "overview": overview,
        "expiring": overview.expiring[:_EXPIRING],
        "agreement": agreement.of(seats.labels(ctx, arn)),
        "offset": offset,
        "further": offset + SIZE if offset + SIZE < overview.waiting else None,
        "now": ctx.now(),
    }
    answer: Response = request.app.state.templates.page(request, "lead.html", values)
    return answer


def _offset(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise HTTPException(404)
    return int(text)
