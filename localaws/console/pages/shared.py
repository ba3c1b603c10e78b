"""What the pages share: how a function becomes a page, and how an answer of the API is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localaws.console import words
from localaws.console.parts import Cell, Facts, Note, Page, Part, Text, more
from localaws.core.context import Context

#: entries of a list on a page.
SIZE = 50
#: characters of an answer that is shown whole.
_MOST = 200_000
#: what AWS's services answer for what does not exist, beside a sentence of a ValidationException.
_MISSING = frozenset(
    {
        "404", "NoSuchBucket", "NoSuchKey", "ResourceNotFound", "ResourceNotFoundException", "EntityNotFoundException",
        "InvalidRequestException", "ValidationException", "ValidationError", "ValidationErrorException",
    }
)  # fmt: skip


def page(path: str, function: Callable[[Request, Context], Page]) -> Route:
    """Return the route of a page; what it asks for and AWS's API does not find is answered with its words and 404."""

    @wraps(function)
    def endpoint(request: Request) -> Response:
        with_status = found(function, request)
        answer: Response = request.app.state.views.answer(request, with_status)
        return answer

    return Route(path, endpoint)


def found(function: Callable[[Request, Context], Page], request: Request) -> Page:
    """
    Return a function's page.

    :raises HTTPException: 404 for what does not exist, 502 where the API answers another error.
    """
    try:
        return function(request, request.app.state.ctx)
    except ClientError as error:
        detail = error.response["Error"]
        status = 404 if detail["Code"] in _MISSING else 502
        raise HTTPException(status, f"{error.operation_name}: {detail['Message']}") from error
    except ParamValidationError as error:
        raise HTTPException(404, "Nothing can have this name.") from error


def whole(answer: dict[str, Any], label: str = "All that the API answers") -> list[Part]:
    """Return an answer as JSON, folded away."""
    shown = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
    return [Text(words.cut(words.document(shown), _MOST), fold=label)]


def query(request: Request) -> dict[str, str]:
    """Return the query of an address, without what only the page's script adds."""
    return {key: value for key, value in request.query_params.items() if key != "live"}


def next_page(request: Request, *steps: str, token: str | None) -> str:
    """Return the address of a list's next page."""
    return more(query(request), *steps, token=token)


def after(request: Request, name: str = "NextToken") -> dict[str, str]:
    """
    Return the member of a List request that asks for the page that an address names; none for the first page.

    :param name: what the API calls the token.
    """
    return given(**{name: request.query_params.get("next")})


def told(rows: Sequence[tuple[str, Cell]], reason: Any, *, bad: bool = True) -> list[Part]:
    """Return the facts of a resource, and the reason that AWS gives for its state, if any."""
    return [Facts(rows), *([Note(str(reason), bad=bad)] if reason else [])]


def given(**members: Any) -> dict[str, Any]:
    """Return the members of a request that are given."""
    return {key: value for key, value in members.items() if value}


def texts(values: Sequence[Any] | None) -> str:
    """Return values in a line."""
    return ", ".join(str(value) for value in values or ())
