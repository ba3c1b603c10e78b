"""The web application for those who are signed in to Airflow: the page, and its sections as HTML fragments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
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


router = APIRouter()


def make_app(loader: Loader | None = None) -> FastAPI:
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
        exception_handlers={HTTPException: _refuse},
    )
    app.state.loader = loader or Loader()
    app.middleware("http")(_add_headers)
    app.include_router(router)
    return app


@router.get("/", response_class=HTMLResponse)
async def page() -> str:
    """Return the page, whose sections load for themselves."""
    return render("page", sections=SECTIONS)


@router.get("/sections/{name}", response_class=HTMLResponse)
async def section(name: str, request: Request) -> str:
    """Return a section as a fragment, or the sentence that says why there is none."""
    wanted = SECTIONS.get(name) or OTHER_WINDOWS.get(name)
    if wanted is None:
        raise HTTPException(404, "There is no such section")
    found = await request.app.state.loader.load(name, wanted)
    if found.data is None:
        return render("nothing", found=found)
    return render(f"sections/{wanted.template}", **found.data)


@router.get("/static/{name}")
async def static(name: str) -> FileResponse:
    """Return a style sheet, script or icon."""
    if name not in {path.name for path in STATIC.iterdir()}:
        raise HTTPException(404, "There is no such file")
    return FileResponse(STATIC / name)


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    return response


async def _refuse(request: Request, error: Any) -> Response:
    """Send whoever opens the page and is not signed in to Airflow's login; refuse a fragment's request."""
    root = request.scope.get("root_path", "")
    if error.status_code == 401 and request.url.path == f"{root}/":
        # Airflow's own root: ours without the prefix that it is mounted at.
        login = f"{root.rpartition('/')[0]}/api/v2/auth/login"
        return RedirectResponse(f"{login}?{urlencode({'next': str(request.url)})}", status_code=303)
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)
