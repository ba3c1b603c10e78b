"""Requests to a provider: none lasts longer, or takes in more, than the portal can bear."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from anyio import fail_after, from_thread

from localaws.portal.refusals import Refusal

#: how long a provider may take for one answer, to its last byte.
SECONDS = 10.0
#: bytes of an answer.
MOST = 256 * 1024
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
TITLE = "The identity provider does not work"


class Answer(NamedTuple):
    """
    A provider's answer.

    :param body: the JSON object; ``None`` where it is none.
    """

    status: int
    body: dict[str, Any] | None


class _TooLarge(Exception):
    """The answer has more than :data:`MOST` bytes."""


def ask_for_object(
    place: str,
    what: str,
    *,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    shown: Collection[str] = (),
) -> dict[str, Any]:
    """
    Ask a provider for a JSON object, from a thread of the portal.

    :param what: the endpoint as OidcConfig calls it, for people.
    :param form: is posted; without one the request is a GET.
    :param shown: values of the member ``error`` of a failed answer that people may see.
    :raises Refusal: no answer, too slow, too large, another status than 200, or no JSON object.
    """
    answer = _answer(place, what, form, headers)
    if answer.status != 200:
        error = (answer.body or {}).get("error")
        why = f": {error}" if isinstance(error, str) and error in shown else ""
        raise Refusal(502, TITLE, f"Its {what} answered with status {answer.status}{why}.")
    if answer.body is None:
        raise Refusal(502, TITLE, f"Its {what} did not answer a JSON object.")
    return answer.body


def _answer(place: str, what: str, form: dict[str, str] | None, headers: dict[str, str] | None) -> Answer:
    # Its import takes as long as the rest of the portal's, which works without it where Cognito signs people in.
    import httpx

    try:
        status, data = from_thread.run(_ask, place, form, headers or {})
    except TimeoutError as error:
        raise Refusal(504, TITLE, f"Its {what} gave no answer within {SECONDS:.0f} seconds.") from error
    except _TooLarge as error:
        raise Refusal(502, TITLE, f"Its {what} answered more than {MOST} bytes.") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Refusal(502, TITLE, f"Its {what} cannot be reached: {type(error).__name__}.") from error
    return Answer(status, _object(data))


async def _ask(place: str, form: dict[str, str] | None, headers: dict[str, str]) -> tuple[int, bytes]:
    import httpx

    # A proxy of this machine's settings is for the world outside. Redirects are not followed: they could lead anywhere.
    outside = urlsplit(place).hostname not in _HERE
    with fail_after(SECONDS):
        async with (
            httpx.AsyncClient(trust_env=outside, timeout=None) as client,  # noqa: S113 -- fail_after bounds the whole
            client.stream(
                "GET" if form is None else "POST",
                place,
                data=form,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            ) as response,
        ):
            data = bytearray()
            # Raw: what is compressed was not asked for, and may unpack to anything.
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > MOST:
                    raise _TooLarge
            return response.status_code, bytes(data)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
