"""The portal's pages from their templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from localaws.core.templating import environment
from localaws.portal import words


class Templates:
    """The templates of ``localaws/portal/templates``."""

    def __init__(self) -> None:
        self._environment = environment(Path(__file__).parent / "templates")
        self._environment.filters |= {"until": words.until, "clock": words.clock, "at": words.at}

    def text(self, name: str, values: Mapping[str, Any]) -> str:
        """Render a template."""
        return self._environment.get_template(name).render(values)

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
        text = self.text(name, {"csrf": token.value, **(values or {})})
        response = HTMLResponse(text, status, headers=dict(headers or {}))
        token.remember(response)
        return response
