"""The page with all sections filled, in a headless Chromium: light, dark, and as wide as a phone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from localaws_kit import JOBS_PYTHON
from sentiment_page_browser import VIEWS, chromium_path
from sentiment_page_kit import RUN, Account
from sentiment_page_server import airflow_login, mount, serve, token

from sentiment_page.sections import SECTIONS

HOSTILE = "<b id=injected onclick=alert(1)>bold</b>"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if chromium_path() is None:
        pytest.skip("no chromium on PATH")
    script = Path(__file__).with_name("sentiment_page_browser.py")
    with airflow_login() as (manager, root):
        mount(root, Account.filled(HOSTILE))
        with serve(root) as address:
            arguments = [f"{address}/sentiment/", token(manager), str(tmp_path_factory.mktemp("pictures"))]
            done = subprocess.run(
                [JOBS_PYTHON, str(script), *arguments], capture_output=True, text=True, timeout=240, check=False
            )
    assert done.returncode == 0, done.stderr
    yield json.loads(done.stdout)


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest, seen: dict[str, Any]) -> dict[str, Any]:
    return dict(seen[request.param])


def test_every_section_is_filled(view: dict[str, Any]) -> None:
    assert list(view["sections"]) == list(SECTIONS)
    expected = {
        "champion": "sentiment version 3",
        "endpoint": "InService",
        "data": "17,433",
        "bias": "+0.470 → +0.750",
        "leader-board": "87.0%",
        "ab-tests": RUN,
        "human-reviews": "So-so. Runs large.",
        "retraining": "train-sentiment-train-1",
    }
    assert {name: text in view["sections"][name] for name, text in expected.items()} == dict.fromkeys(SECTIONS, True)


def test_a_text_from_outside_stays_a_text(view: dict[str, Any]) -> None:
    assert HOSTILE in view["sections"]["champion"]


def test_nothing_is_said_on_the_console(view: dict[str, Any]) -> None:
    """Also nothing about the policy, which the browser enforces."""
    assert view["said"] == []


def test_nothing_is_asked_of_another_host(view: dict[str, Any]) -> None:
    assert {url.split("/")[2] for url in view["asked"]} == {view["asked"][0].split("/")[2]}


def test_nothing_is_wider_than_the_page(view: dict[str, Any]) -> None:
    assert view["widths"][0] <= view["widths"][1]
    assert view["opened"][0] <= view["opened"][1]


def test_no_text_of_a_chart_is_cut_off(view: dict[str, Any]) -> None:
    assert view["wide"] == []


def test_it_is_accessible(view: dict[str, Any]) -> None:
    assert view["faults"] == []


def test_the_time_of_the_charts_can_be_chosen(view: dict[str, Any]) -> None:
    assert "Requests per hour" in view["week"]


def test_who_is_signed_out_is_told(view: dict[str, Any]) -> None:
    assert {"signed out" in text for text in view["signed_out"].values()} == {True}


def test_it_is_dark_where_the_system_or_airflow_is(seen: dict[str, Any]) -> None:
    light, dark = seen["light"]["ground"], seen["dark"]["ground"]
    assert (light, dark) == ("rgb(246, 247, 249)", "rgb(20, 23, 28)")
    assert (seen["light"]["other_ground"], seen["dark"]["other_ground"]) == (dark, light)
