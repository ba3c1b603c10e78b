"""The page behind Airflow's own login, on a free port, with an account of :mod:`sentiment_page_kit` for AWS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from sentiment_page_kit import Account
from waiting_kit import until

from sentiment_page.app import make_app
from sentiment_page.loading import Loader
from sentiment_page_plugin import PREFIX

SECRET = "of the tests, and long enough for a key of HS512, which wants 64 bytes"


@contextmanager
def airflow_login() -> Iterator[Any]:
    """Airflow's simple auth manager, with the table of tokens that were revoked; yields it and an application."""
    from airflow import settings
    from airflow.api_fastapi.app import init_auth_manager, purge_cached_app
    from airflow.api_fastapi.auth.middlewares.refresh_token import JWTRefreshMiddleware
    from airflow.models.revoked_token import RevokedToken

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", SECRET)
        RevokedToken.__table__.create(settings.get_engine(), checkfirst=True)
        root = FastAPI()
        manager = init_auth_manager(root)
        root.add_middleware(JWTRefreshMiddleware)
        yield manager, root
        purge_cached_app()


def token(manager: Any, role: str = "VIEWER") -> str:
    """Return what Airflow's login puts into the cookie ``_token``."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(manager.generate_jwt(SimpleAuthManagerUser(username="somebody", role=role)))


def mount(root: FastAPI, account: Account) -> None:
    """Mount the page, as Airflow does with that of the plugin."""
    root.mount(PREFIX, make_app(Loader(account.aws)))


@contextmanager
def serve(root: FastAPI) -> Iterator[str]:
    """Serve on a free port of this machine; yields the address."""
    server = uvicorn.Server(uvicorn.Config(root, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, what="the server answers")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
