"""
Worker task templates of others: how many render, and how many can be answered in a browser. Runs in the jobs
environment, with a Chromium on PATH.

    git clone https://github.com/aws-samples/amazon-a2i-sample-task-uis
    python -m benchmarks.task_uis amazon-a2i-sample-task-uis    # prints Markdown

Exits with 1 where a template does not render or cannot be answered.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
for folder in (ROOT / "tests", ROOT / "tests" / "localaws"):
    sys.path.insert(0, str(folder))

from browser_kit import PICTURE, CrowdPages, answers, chromium, crowd_pages, submit  # noqa: E402
from human_kit import context  # noqa: E402

from localaws.core.context import Context  # noqa: E402
from localaws.sagemaker.human_review import templates  # noqa: E402

_PATH = re.compile(r"task\.input((?:\.\w+)+)(\s*\|\s*grant_read_access)?")
_LOOP = re.compile(r"for\s+(\w+)\s+in\s+task\.input((?:\.\w+)+)")
_TAG = re.compile(r"<crowd-([a-z-]+)")
_SCRIPT = re.compile(r"<script(?![^>]*crowd-html-elements)", re.I)
#: Asks for marks on a picture or a document, and not for text or a choice.
_DRAWN = re.compile(r"bounding|keypoint|line$|polygon|segmentation|textract")
#: Does what a worker would: something in every field of the page, native ones and ours.
_FILL = """() => {
  const say = (control, value) => {
    control.value = value;
    for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, {bubbles: true}));
  };
  for (const one of document.querySelectorAll('*')) if (one.chooseNth && one.shadowRoot) one.chooseNth(1);
  for (const one of document.querySelectorAll('crowd-input, crowd-text-area')) one.value = 'http://example.com';
  for (const one of document.querySelectorAll('crowd-slider')) one.take('3');
  for (const one of document.querySelectorAll('crowd-entity-annotation')) one.mark(0, 1);
  for (const one of document.querySelectorAll('input[type=date]')) say(one, '2019-01-01');
  for (const one of document.querySelectorAll('input[type=text], textarea')) say(one, 'words');
  for (const one of document.querySelectorAll('select')) {
    say(one, [...one.options].find((option) => option.value && !option.disabled)?.value ?? '');
  }
}"""


@dataclass
class Outcome:
    """What became of a template."""

    name: str
    tags: list[str]
    problem: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    scripts: bool = False

    @property
    def is_text(self) -> bool:
        """Whether all that it asks for is text or a choice."""
        return not any(_DRAWN.search(tag) for tag in self.tags)


def sample_input(source: str) -> dict[str, Any]:
    """Return an input that has all that a template asks for; pictures where it grants access."""
    made: dict[str, Any] = {}
    for path, granted in _PATH.findall(source):
        *above, last = path[1:].split(".")
        place = made
        for key in above:
            place = place.setdefault(key, {}) if isinstance(place.get(key, {}), dict) else {}
        value = ["Person", "Place"] if last in ("labels", "importantFormKeys") else "A few words of text"
        if isinstance(place.get(last), dict):
            continue
        place[last] = PICTURE if granted else place.get(last, value)
    for item, path in _LOOP.findall(source):
        *above, last = path[1:].split(".")
        place = made
        for key in above:
            place = place.setdefault(key, {})
        place[last] = [{name: "A few words" for name in re.findall(rf"\b{item}\.(\w+)", source)}] * 2
    return made


def tried(ctx: Context, pages: CrowdPages, path: Path, root: Path) -> Outcome:
    """Render a template, fill it in and submit it."""
    source = path.read_text()
    outcome = Outcome(str(path.relative_to(root)), sorted(set(_TAG.findall(source))))
    outcome.scripts = bool(_SCRIPT.search(source))
    rendered = templates.render(source, json.dumps(sample_input(source)), ctx)
    if rendered.problem:
        outcome.problem = f"{rendered.problem.code}: {rendered.problem.message}"
        return outcome
    html = re.sub(r"(src=\")s3://[^\"]*", rf"\g<1>{PICTURE}", rendered.content)
    with pages.open(html) as page:
        page.wait_for_timeout(100)
        page.evaluate(_FILL)
        submit(page)
        given = answers(page)
        if given:
            outcome.answer = given[0]
        else:
            outcome.problem = "not submitted: " + "; ".join(page.get_by_role("alert").all_inner_texts()).strip("; ")
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    root = parser.parse_args().folder
    paths = sorted(root.rglob("*.html"))
    if not paths:
        sys.exit(f"{root} has no templates (*.html).")
    with tempfile.TemporaryDirectory() as home, chromium() as browser, crowd_pages(browser) as pages:
        ctx = context(Path(home))
        found = [tried(ctx, pages, path, root) for path in paths]
    templates.close()
    report(found)
    sys.exit(1 if any(one.problem for one in found) else 0)


def report(found: list[Outcome]) -> None:
    text = [one for one in found if one.is_text]
    good = sum(not one.problem for one in found)
    print("### Worker task templates\n")
    print(f"* {len(found)} templates, {len({tag for one in found for tag in one.tags})} tags")
    print(f"* rendered: {sum('Error' not in one.problem.partition(':')[0] for one in found)}")
    print(
        f"* answered: {good}; of the {len(text)} that ask for text or a choice: {sum(not one.problem for one in text)}"
    )
    print(f"* of these {len(text)}, answers that are not empty: {sum(bool(one.answer) for one in text)}")
    print(f"* with scripts of their own, which the portal does not run: {sum(one.scripts for one in found)}")
    for one in found:
        if one.problem or not one.answer:
            print(f"* {one.name}: {one.problem or 'an empty answer'}")


if __name__ == "__main__":
    main()
