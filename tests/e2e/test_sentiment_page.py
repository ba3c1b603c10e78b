"""The page "Sentiment" of a real API server, after a training: who sees it, and what it shows."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e


def get(stack: Stack, path: str, session: str = "") -> requests.Response:
    cookies = {"_token": session} if session else {}
    address = f"{stack.airflow_url}/sentiment{path}"
    return requests.get(address, cookies=cookies, allow_redirects=False, timeout=60)


@pytest.fixture(scope="module")
def session(stack: Stack, api: AirflowApi) -> str:
    """What a browser has in its cookie after the login."""
    login = {"username": "admin", "password": api.password}
    answer = requests.post(f"{stack.airflow_url}/auth/token", json=login, timeout=60)
    return str(answer.json()["access_token"])


def test_the_navigation_has_the_page(api: AirflowApi) -> None:
    views = [view for plugin in api.call("GET", "/plugins")["plugins"] for view in plugin["external_views"]]
    assert ("Sentiment", "/sentiment/", "nav") in {(view["name"], view["href"], view["destination"]) for view in views}
    assert api.call("GET", "/plugins/importErrors")["import_errors"] == []


def test_who_is_not_signed_in_sees_nothing(stack: Stack) -> None:
    assert get(stack, "/sections/champion").status_code == 401
    page = get(stack, "/")
    assert page.status_code == 303
    login = requests.get(f"{stack.airflow_url}{page.headers['Location']}", timeout=60)
    assert login.status_code == 200
    assert "/auth/login?next=" in login.url


def test_the_page_shows_what_the_dags_have_made(stack: Stack, session: str, champion: dict[str, Any]) -> None:
    assert champion["arn"]
    assert "data-section" in get(stack, "/", session).text
    # Other runs may have made a newer one since.
    assert re.search(r"sentiment version \d", get(stack, "/sections/champion", session).text)
    assert "Reviews by sentiment" in get(stack, "/sections/data", session).text
    assert "Training jobs" in get(stack, "/sections/retraining", session).text
    assert "InService" in get(stack, "/sections/endpoint", session).text
