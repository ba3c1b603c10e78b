"""
Look at the page in a headless Chromium, and print what is there as JSON: run in the jobs environment, which has one.

Arguments: the page's address, the session's token, and a folder for a picture each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "localaws"))

from browser_kit import accessibility_faults, chromium, chromium_path

__all__ = ["VIEWS", "chromium_path"]

VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 780}, "color_scheme": "light"},
}
_GROUND = "getComputedStyle(document.body).backgroundColor"
_WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"
_SECTIONS = (
    "Object.fromEntries([...document.querySelectorAll('[data-section]')].map(e => [e.parentNode.id, e.innerText]))"
)
#: charts whose text is cut off, or larger than the chart.
_WIDE = """[...document.querySelectorAll('section')].flatMap(section =>
    [...section.querySelectorAll('svg text')].filter(text => {
        const box = text.getBoundingClientRect(), room = section.getBoundingClientRect();
        return box.width && (box.right > room.right || box.left < room.left);
    }).map(text => text.textContent))"""
LOADED = "[aria-busy=true]"


def look(browser: Any, url: str, token: str, picture: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Open the page, wait for its sections, and return what is to be seen."""
    context = browser.new_context(**options)
    context.add_cookies([{"name": "_token", "value": token, "url": url}])
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    page.wait_for_selector(LOADED, state="detached", timeout=60_000)
    found = {
        "sections": page.evaluate(_SECTIONS),
        "ground": page.evaluate(_GROUND),
        "widths": page.evaluate(_WIDTHS),
        "wide": page.evaluate(_WIDE),
        "asked": asked,
    }
    page.screenshot(path=picture, full_page=True)
    page.get_by_role("button", name="7 days").click()
    page.get_by_role("button", name="7 days", pressed=True).wait_for(timeout=60_000)
    found["week"] = page.locator("#endpoint").inner_text()
    for details in page.locator("details").all():
        details.locator("summary").click()
    found["opened"] = page.evaluate(_WIDTHS)
    found["faults"] = accessibility_faults(page)
    # Airflow's own choice, against that of the system.
    other = {"light": "dark", "dark": "light"}[options["color_scheme"]]
    page.evaluate(f"localStorage.setItem('theme', '{other}')")
    page.reload()
    page.wait_for_selector(LOADED, state="detached", timeout=60_000)
    found["other_ground"] = page.evaluate(_GROUND)
    context.clear_cookies()
    page.get_by_role("button", name="Reload").click()
    page.get_by_text("signed out of Airflow").first.wait_for(timeout=60_000)
    page.wait_for_selector(LOADED, state="detached", timeout=60_000)
    found["signed_out"] = page.evaluate(_SECTIONS)
    # A refused request is told on the console too.
    found["said"] = [text for text in said if "401" not in text]
    context.close()
    return found


def main(url: str, token: str, folder: str) -> None:
    """Look by all :data:`VIEWS`."""
    with chromium() as browser:
        found = {name: look(browser, url, token, Path(folder) / f"{name}.png", VIEWS[name]) for name in VIEWS}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
