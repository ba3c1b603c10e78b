"""A browser without a screen, for the portal of a localaws."""

from __future__ import annotations

import json
import re

import httpx
from localaws_kit import LocalAws


def address(server: LocalAws) -> str:
    """The portal's URL."""
    return str(json.loads((server.home / "localaws" / "portal.json").read_text())["url"])


def browser(server: LocalAws, **more: object) -> httpx.Client:
    """A client with cookies of its own, that follows no redirect by itself."""
    return httpx.Client(base_url=address(server), timeout=20, **more)  # type: ignore[arg-type]


def fields(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: value.replace("&amp;", "&") for name, value in found}


def sign_in(portal: httpx.Client, username: str, password: str, path: str = "/") -> httpx.Response:
    """Open a page of the portal, and give name and password where the hosted pages ask; the last page."""
    page = follow(portal, portal.get(path))
    return follow(portal, give(portal, page, username=username, password=password))


def give(portal: httpx.Client, page: httpx.Response, **values: str) -> httpx.Response:
    """Fill in the form of a page and send it."""
    found = re.search(r'<form method="post" action="([^"]+)"', page.text)
    assert found, page.text
    action = found[1].replace("&amp;", "&")
    return portal.post(action, data={**fields(page), **values})


def follow(portal: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Follow redirects within the portal, as a browser would; stops at the first page."""
    while answer.is_redirect and answer.next_request is not None and _is_own(portal, answer):
        answer = portal.get(answer.headers["location"])
    return answer


def _is_own(portal: httpx.Client, answer: httpx.Response) -> bool:
    assert answer.next_request is not None
    return answer.next_request.url.netloc == portal.base_url.netloc
