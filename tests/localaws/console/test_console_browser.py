"""The console in a real browser, light, dark and on a phone: a log that grows, an endpoint that answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from browser_kit import accessibility_faults
from console_kit import HOSTILE, address, running, token_url
from endpoint_kit import Hosting
from job_helpers import Jobs
from localaws_kit import LocalAws
from waiting_kit import until

#: prints until it is stopped.
_SCRIPT = f"""
import time
print({HOSTILE!r}, flush=True)
for step in range(100_000):
    print(f"step {{step}} loss={{1 / (1 + step)}};", flush=True)
    time.sleep(0.3)
"""
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True},
}


@dataclass(frozen=True)
class World:
    """A localaws with a job that prints, and an endpoint."""

    server: LocalAws
    jobs: Jobs
    endpoint: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with running(tmp_path_factory.mktemp("console-browser") / "home", LOCALAWS_CLOCK_FACTOR="30") as started:
        yield started


@pytest.fixture(scope="module")
def world(server: LocalAws) -> Iterator[World]:
    jobs, hosting = Jobs(server.home), Hosting(server)
    metrics = [{"Name": "loss", "Regex": "loss=([0-9.e-]+);"}]
    jobs.training("talker", _SCRIPT, algorithm={"MetricDefinitions": metrics}, seconds=600)
    yield World(server, jobs, hosting.serve(hosting.model(2), hosting.model(3)))
    if jobs.sagemaker.describe_training_job(TrainingJobName="talker")["TrainingJobStatus"] == "InProgress":
        jobs.sagemaker.stop_training_job(TrainingJobName="talker")
    jobs.trained("talker")


@pytest.fixture(params=sorted(LOOKS))
def page(request: pytest.FixtureRequest, world: World, browser: Any) -> Iterator[Any]:
    """A page of a browser that was let in; what its policy or a script complains about fails the test."""
    surroundings = browser.new_context(base_url=address(world.server), **LOOKS[request.param])
    opened = surroundings.new_page()
    opened.set_default_timeout(60_000)
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    opened.goto(token_url(world.server))
    yield opened
    surroundings.close()
    assert problems == []


def fits(page: Any) -> None:
    """Nothing is wider than the window, and no rule of accessibility is broken."""
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window
    assert accessibility_faults(page) == []


def lines(page: Any) -> int:
    """How many lines of a log the page has."""
    return len((page.locator("pre.log").text_content() or "").splitlines())


def points(page: Any) -> int:
    """How many points the page's first chart has; 0 without a chart."""
    return int(page.evaluate("document.querySelector('polyline.line')?.points.length ?? 0"))


def test_a_jobs_page_fits_and_its_log_and_chart_grow(page: Any, world: World) -> None:
    page.goto("/jobs/training/talker")
    until(lambda: "step 1 " in (page.locator("pre.log").text_content() or ""))
    assert HOSTILE in page.locator("pre.log").text_content()
    seen = lines(page)
    until(lambda: lines(page), lambda now: now > seen + 5)
    drawn = until(lambda: points(page))
    until(lambda: points(page), lambda now: now > drawn)
    fits(page)


def test_the_form_shows_the_endpoints_answer_in_the_page(page: Any, world: World) -> None:
    page.goto(f"/endpoints/{world.endpoint}")
    page.get_by_label("Body").fill("21")
    page.get_by_label("Variant", exact=True).select_option("B")
    page.get_by_role("button", name="Invoke").click()
    page.get_by_text('"product": 63').wait_for()
    assert page.url.endswith(f"/endpoints/{world.endpoint}")
    page.get_by_label("Body").fill(f'"{"<b>" * 2}"')
    page.get_by_role("button", name="Invoke").click()
    page.get_by_text("<b><b><b><b>").first.wait_for()
    fits(page)


def test_every_list_fits(page: Any) -> None:
    for path in ("/queries", "/tables", "/buckets", "/loops", "/alarms", "/logs", "/pipelines", "/endpoints"):
        page.goto(path)
        wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window, path
    page.goto("/")
    fits(page)


def test_an_address_of_aws_console_leads_to_the_page(page: Any, world: World) -> None:
    page.goto(f"{world.server.url}/sagemaker/home?region=us-east-1#/jobs/talker")
    page.wait_for_url("**/jobs/training/talker")
    page.goto(f"{world.server.url}/sagemaker/home?region=us-east-1#/endpoints/{world.endpoint}")
    page.wait_for_url(f"**/endpoints/{world.endpoint}")


def test_the_page_of_a_job_sees_its_log_begin_and_the_job_end(world: World, browser: Any) -> None:
    surroundings = browser.new_context(base_url=address(world.server))
    page = surroundings.new_page()
    page.set_default_timeout(60_000)
    page.goto(token_url(world.server))
    world.jobs.training("late", _SCRIPT, seconds=600)
    page.goto("/jobs/training/late")
    page.locator("#status .busy").wait_for()
    # As it is for a job that has said nothing yet, however soon this one did.
    page.evaluate("document.querySelector('pre.log')?.closest('section').replaceChildren()")
    page.locator("pre.log").wait_for()
    until(lambda: "step 1 " in (page.locator("pre.log").text_content() or ""))
    world.jobs.sagemaker.stop_training_job(TrainingJobName="late")
    page.locator("#status").get_by_text("Stopped", exact=True).wait_for()
    page.locator(".state").get_by_text("lines").wait_for()
    surroundings.close()
    world.jobs.trained("late")


def test_without_the_token_a_browser_is_told_where_the_address_is(world: World, browser: Any) -> None:
    surroundings = browser.new_context(base_url=address(world.server))
    page = surroundings.new_page()
    answer = page.goto("/jobs/training")
    assert answer.status == 403
    assert "make status" in page.get_by_role("main").text_content()
    surroundings.close()
