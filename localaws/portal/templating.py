"""HTML from Jinja2 templates, always escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from localaws.portal import words


class Templates:
    """The templates of ``localaws/portal/templates``."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("localaws.portal"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            # A template that asks for what it was not given is wrong, and must not show an empty place.
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"until": words.until, "clock": words.clock, "at": words.at}

    def page(
        self,
        request: Request,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Return a page; every template has ``csrf``, the token of its forms."""
        from localaws.portal import forms

        token = forms.token(request)
        text = self._environment.get_template(name).render({"csrf": token.value, **(values or {})})
        response = HTMLResponse(text, status, headers=dict(headers or {}))
        token.remember(response)
        return response
