"""Who is not signed in to Airflow sees nothing of the page, and what is sent says what may be done with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sentiment_page_kit import Account
from sentiment_page_server import airflow_login, mount, token

from sentiment_page.lazy import LazyApp
from sentiment_page.sections import OTHER_WINDOWS, SECTIONS
from sentiment_page_plugin import SentimentPagePlugin

PARTS = ("/", "/sections/data", "/static/page.css", "/static/page.js")
IMPORTED = """
import sys
import airflow.plugins_manager, airflow.configuration
before = set(sys.modules)
sys.path.insert(0, "plugins")
import sentiment_page_plugin
print(*sorted(name.partition(".")[0] for name in set(sys.modules) - before))
"""


@pytest.fixture(scope="module")
def airflow() -> Iterator[tuple[Any, FastAPI]]:
    with airflow_login() as (manager, root):
        mount(root, Account.filled())
        yield manager, root


@pytest.fixture
def anonymous(airflow: tuple[Any, FastAPI]) -> TestClient:
    return TestClient(airflow[1], follow_redirects=False)


@pytest.fixture
def signed_in(airflow: tuple[Any, FastAPI]) -> TestClient:
    manager, root = airflow
    return TestClient(root, follow_redirects=False, cookies={"_token": token(manager)})


def test_who_is_not_signed_in_is_sent_to_airflows_login(anonymous: TestClient) -> None:
    answer = anonymous.get("/sentiment/")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/api/v2/auth/login?next=http%3A%2F%2Ftestserver%2Fsentiment%2F"
    assert "Champion" not in answer.text


def test_the_login_is_below_the_path_of_airflow(airflow: tuple[Any, FastAPI]) -> None:
    below = FastAPI(root_path="/airflow")
    mount(below, Account.filled())
    client = TestClient(below, follow_redirects=False, root_path="/airflow")
    answer = client.get("/airflow/sentiment/")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/airflow/api/v2/auth/login?next=")


@pytest.mark.parametrize("part", PARTS[1:])
def test_who_is_not_signed_in_is_refused(anonymous: TestClient, part: str) -> None:
    answer = anonymous.get(f"/sentiment{part}")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("part", PARTS)
def test_a_forged_session_is_refused(airflow: tuple[Any, FastAPI], part: str) -> None:
    forged = token(airflow[0])[:-4] + "AAAA"
    answer = TestClient(airflow[1], follow_redirects=False, cookies={"_token": forged}).get(f"/sentiment{part}")
    assert answer.status_code in {401, 403}


def test_every_route_asks_who_it_is(anonymous: TestClient) -> None:
    """Also those that are added later."""
    from sentiment_page.app import make_app

    routes = [route for route in make_app().routes if hasattr(route, "dependant")]
    assert len(routes) == 3
    for route in routes:
        path = route.path.replace("{name}", "data")  # type: ignore[attr-defined]
        assert anonymous.get(f"/sentiment{path}").status_code in {303, 401}


@pytest.mark.parametrize(
    "part", ["/", "/static/page.css", *(f"/sections/{name}" for name in (*SECTIONS, *OTHER_WINDOWS))]
)
def test_who_is_signed_in_sees_it(signed_in: TestClient, part: str) -> None:
    assert signed_in.get(f"/sentiment{part}").status_code == 200


def test_a_token_of_the_api_opens_it_too(airflow: tuple[Any, FastAPI]) -> None:
    headers = {"Authorization": f"Bearer {token(airflow[0])}"}
    assert TestClient(airflow[1]).get("/sentiment/sections/data", headers=headers).status_code == 200


@pytest.mark.parametrize("part", ["/sections/nothing", "/static/nothing", "/static/..%2Fapp.py", "/openapi.json"])
def test_there_is_nothing_else(signed_in: TestClient, part: str) -> None:
    assert signed_in.get(f"/sentiment{part}").status_code == 404


@pytest.mark.parametrize("part", PARTS)
def test_the_policy_allows_only_what_is_our_own(signed_in: TestClient, part: str) -> None:
    headers = signed_in.get(f"/sentiment{part}").headers
    policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'self'", "'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-store"


def test_the_page_needs_nothing_from_elsewhere(signed_in: TestClient) -> None:
    for part in PARTS:
        assert "//" not in signed_in.get(f"/sentiment{part}").text.replace("// ", "")


def test_the_application_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FastAPI] = []

    def make() -> FastAPI:
        made.append(FastAPI())
        return made[-1]

    monkeypatch.setattr("sentiment_page.app.make_app", make)
    client = TestClient(LazyApp("sentiment_page.app"))
    assert [client.get("/").status_code for _ in range(3)] == [404, 404, 404]
    assert len(made) == 1


def test_the_navigation_leads_to_the_page() -> None:
    (view,), (app,) = SentimentPagePlugin.external_views, SentimentPagePlugin.fastapi_apps
    assert (view["name"], view["destination"], view["href"]) == ("Sentiment", "nav", f"{app['url_prefix']}/")


def test_loading_the_plugin_imports_nothing_but_itself() -> None:
    """Every process of Airflow loads it: fastapi, jinja2, boto3 and the hooks wait for the first request."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"sentiment_page", "sentiment_page_plugin"}
