"""Sign-in by an OpenID Connect provider in a real browser: to a task, an answer, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import accessibility_faults
from localaws_kit import LocalAws, start
from oidc_kit import Idp, OidcOffice, running_idp
from people_kit import shown, start_job


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    started = start(tmp_path_factory.mktemp("oidc-browser") / "home")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def idp() -> Iterator[Idp]:
    with running_idp() as made:
        yield made


@pytest.fixture(scope="module")
def office(server: LocalAws, idp: Idp) -> OidcOffice:
    return OidcOffice(server, idp)


@pytest.fixture
def page(office: OidcOffice, browser: Any) -> Iterator[Any]:
    """A page of which no form is kept from leading where it should."""
    surroundings = browser.new_context(base_url=office.portal)
    opened = surroundings.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text) if "form-action" in message.text else None)
    yield opened
    surroundings.close()
    assert problems == []


def sign_in(page: Any, office: OidcOffice, user: str) -> None:
    """Give an account at the provider's page, where the portal has led to."""
    page.wait_for_url(f"{office.idp.url}/authorize**")
    page.get_by_label("Account").fill(user)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{office.portal}/**")


def test_worker_signs_in_answers_and_signs_out_of_both(office: OidcOffice, idp: Idp, page: Any) -> None:
    office.job("browser", 1)
    page.goto("/")
    sign_in(page, office, "ann")
    assert page.get_by_text("Signed in as Ann Doe").is_visible()
    frame = start_job(page, "browser")
    frame.get_by_role("radio", name="1", exact=True).check()
    frame.get_by_role("button", name="Submit").click()
    page.get_by_text("Nothing is left for you in browser").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signed-out")
    assert idp.times_asked("/logout") == 1
    # The provider asks for the account again: it has signed out too.
    page.get_by_role("link", name="Sign in again").click()
    page.wait_for_url(f"{idp.url}/authorize**")
    assert page.get_by_label("Account").is_visible()
    office.ended("browser-0")
    (given,) = office.output("browser-0")["humanAnswers"]
    assert given["answerContent"] == {"sentiment": {"label": "1"}}
    who = {"identityProviderType": "Oidc", "issuer": idp.url, "sub": "S-1-5-ann"}
    assert given["workerMetadata"] == {"identityData": who}


def test_ended_session_leads_back_to_the_task_with_its_draft(office: OidcOffice, page: Any) -> None:
    office.job("ended", 1)
    page.goto("/")
    sign_in(page, office, "bob")
    frame = start_job(page, "ended")
    task = page.url
    page.context.clear_cookies(name="localaws_portal")
    frame.get_by_role("radio", name="0", exact=True).check()
    frame.get_by_role("button", name="Submit").click()
    # The provider still knows the browser and asks nothing.
    page.wait_for_url(task)
    frame = shown(page)
    frame.locator("input:checked").wait_for()
    assert frame.locator("input:checked").get_attribute("value") == "0"
    frame.get_by_role("button", name="Submit").click()
    page.get_by_text("Nothing is left for you in ended").wait_for()


def test_form_of_an_ended_session_has_a_way_to_sign_in(office: OidcOffice, page: Any) -> None:
    office.job("form", 1)
    page.goto("/")
    sign_in(page, office, "cat")
    page.context.clear_cookies()
    page.get_by_role("button", name="Sentiment, form").click()
    page.get_by_role("heading", name="Sign in again").wait_for()
    page.get_by_role("link", name="Worker portal").last.click()
    sign_in(page, office, "cat")
    assert page.get_by_role("heading", name="Jobs").is_visible()


def test_wrong_account_can_be_changed_at_the_provider(office: OidcOffice, idp: Idp, page: Any) -> None:
    idp.groups["stranger"] = "strangers"
    page.goto("/")
    sign_in(page, office, "stranger")
    assert page.get_by_role("heading", name="No work team").is_visible()
    assert accessibility_faults(page) == []
    page.get_by_role("link", name="Sign out of the identity provider").click()
    page.wait_for_url("**/signed-out")
    page.goto("/")
    sign_in(page, office, "ann")
    assert page.get_by_text("Signed in as Ann Doe").is_visible()
