"""The web application: the page, its sections as HTML fragments, and its style, for those who are signed in to Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse

from sentiment_page.loading import Loader
from sentiment_page.rendering import render
from sentiment_page.sections import OTHER_WINDOWS, SECTIONS

STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def create_app(loader: Loader | None = None) -> FastAPI:
    """
    Return the application, to be mounted into Airflow's API server.

    Airflow does not protect what plugins mount: each route here asks for the session of Airflow's UI, or for a token of
    its API, and for the permission to see plugins, without which the navigation does not show the page either.
    """
    # No OpenAPI: these are no interfaces for programs.
    app = FastAPI(
        title="Sentiment",
        openapi_url=None,
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    )
    sections = loader or Loader()

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        """Send who opens the page and is not signed in to Airflow's login; a fragment's request is refused."""
        root = request.scope.get("root_path", "")
        if error.status_code == 401 and request.url.path == f"{root}/":
            # Airflow's own root: ours without the prefix that it is mounted at.
            login = f"{root.rpartition('/')[0]}/api/v2/auth/login"
            return RedirectResponse(f"{login}?{urlencode({'next': str(request.url)})}", status_code=303)
        return JSONResponse({"detail": error.detail}, status_code=error.status_code)

    @app.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return render("page", sections=SECTIONS)

    @app.get("/sections/{name}", response_class=HTMLResponse)
    async def section(name: str) -> str:
        wanted = SECTIONS.get(name) or OTHER_WINDOWS.get(name)
        if wanted is None:
            raise HTTPException(404, "There is no such section")
        found = await sections.load(name, wanted)
        if found.data is None:
            return render("nothing", found=found)
        return render(f"sections/{wanted.template}", **found.data)

    @app.get("/static/{name}")
    async def static(name: str) -> FileResponse:
        if name not in {path.name for path in STATIC.iterdir()}:
            raise HTTPException(404, "There is no such file")
        return FileResponse(STATIC / name)

    return app
