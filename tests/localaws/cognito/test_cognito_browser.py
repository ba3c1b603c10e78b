"""The hosted pages in a real browser: keyboard alone, phone and desktop, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import accessibility_faults, chromium
from localaws_kit import LocalAws, start
from portal_kit import address
from workforce_kit import PASSWORD, TEMPORARY, add_worker, make_people, make_team

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    started = start(tmp_path_factory.mktemp("browser"))
    people = make_people(started, "people")
    make_team(started, people)
    for number in range(5):
        add_worker(started, people, f"new-{number}", permanent=False)
    add_worker(started, people, "eve", group=None)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def until_in(page: Any, field: str) -> None:
    """Wait for `autofocus`, which takes effect when the page is first drawn: after its load event, at times."""
    page.wait_for_function("field => document.activeElement.name === field", arg=field)


def test_a_first_sign_in_needs_no_mouse(server: LocalAws, browser: Any) -> None:
    page = browser.new_context(viewport=DESKTOP).new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(address(server))
    until_in(page, "username")
    page.keyboard.type("new-0")
    page.keyboard.press("Tab")
    page.keyboard.type(TEMPORARY)
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm?**")
    until_in(page, "password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address(server)}/")
    assert "new-0" in page.inner_text("body")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signed-out")
    page.goto(address(server))
    assert page.url.startswith(f"{address(server)}/cognito/people-domain/login")
    # Nothing that a page needs is forbidden by its policy.
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_has_a_barrier(server: LocalAws, browser: Any, scheme: str, size: dict[str, int]) -> None:
    names = {("light", 360): "new-1", ("dark", 360): "new-2", ("light", 1280): "new-3", ("dark", 1280): "new-4"}
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    seen: list[str] = []

    def look() -> None:
        seen.append(page.title())
        assert accessibility_faults(page) == []
        # Nothing has to be moved sideways to be read.
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.goto(address(server))
    look()
    page.fill("#username", names[scheme, size["width"]])
    page.fill("#password", "Wrong-horse-1")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem")
    look()
    page.fill("#password", TEMPORARY)
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm?**")
    look()
    page.fill("#password", "short")
    page.fill("#again", "short")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem")
    look()
    page.goto(f"{address(server)}/signed-out")
    look()
    page.goto(f"{address(server)}/no-such-page")
    look()
    page.goto(address(server))
    page.fill("#username", "eve")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address(server)}/")
    look()
    context.close()
    assert seen == [
        "Sign in",
        "Problem: Sign in",
        "Change password",
        "Problem: Change password",
        "Signed out",
        "Not Found",
        "No work team",
    ]
