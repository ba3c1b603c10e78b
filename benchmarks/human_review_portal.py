"""
The worker portal of localaws, by HTTP as browsers use it: signed in by Cognito, with forms, cookies and CSRF tokens.

    python -m benchmarks.human_review_portal [--loops 1000] [--workers 20] [--answers 400]    # prints Markdown

Runs in the jobs environment.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks.human_review import Line, spread, table, timed

from human_kit import Humans, label  # isort: skip
from localaws_kit import LocalAws, start  # isort: skip
from portal_kit import address, browser, sign_in  # isort: skip
from workforce_kit import PASSWORD, add_worker, make_people, make_team  # isort: skip

FLOW = "flow"
#: Seconds that a worker reads a task, on average.
PAUSE = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--answers", type=int, default=400)
    chosen = parser.parse_args()
    with office(chosen.workers) as humans:
        arn = humans.flow(FLOW)
        for number in range(chosen.loops):
            humans.start(f"loop-{number}", arn)
        people = [Visitor(humans.server, f"w{number}") for number in range(chosen.workers)]
        lines = [*listing(people[0], chosen.loops), *crowd(people, chosen.answers)]
    table("The worker portal", lines)


@contextmanager
def office(workers: int) -> Iterator[Humans]:
    """A localaws with a team of a number of workers."""
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder) / "home")
        try:
            humans = Humans(server)
            people = make_people(server, "people")
            for number in range(workers):
                add_worker(server, people, f"w{number}")
            humans.team = make_team(server, people, "labelers")
            yield humans
        finally:
            server.stop()


class Visitor:
    """A worker's browser."""

    def __init__(self, server: LocalAws, username: str) -> None:
        self.server = server
        self.portal = browser(server)
        page = sign_in(self.portal, username, PASSWORD)
        if page.status_code != 200 or "/logout" not in page.text:
            raise SystemExit(f"{username} cannot sign in: {page.status_code} {page.text[:500]}")

    def moved(self) -> None:
        """Go on after a restart, perhaps at another port; the cookies are those of before."""
        cookies = self.portal.cookies
        self.portal.close()
        self.portal = httpx.Client(base_url=address(self.server), cookies=cookies, timeout=20)

    def jobs(self) -> httpx.Response:
        page: httpx.Response = self.portal.get("/")
        if page.status_code != 200 or "/logout" not in page.text:
            raise SystemExit(f"the list of jobs is not there: {page.status_code} {page.text[:500]}")
        return page

    def take(self) -> tuple[str, str]:
        """Take a task; its place, and the token of its page."""
        csrf = _found(r'name="csrf" value="([^"]+)"', self.jobs().text)
        answer = self.portal.post(f"/jobs/{FLOW}/take", data={"csrf": csrf}, headers=self._origin)
        page = self.portal.get(answer.headers["location"])
        return _found(r'data-place="([^"]+)"', page.text), _found(r'data-csrf="([^"]+)"', page.text)

    def submit(self, place: str, csrf: str) -> None:
        """Send an answer, and see that it is acknowledged."""
        answer = self.portal.post(f"{place}/answer", json=label("1"), headers={"X-CSRF-Token": csrf, **self._origin})
        if answer.status_code != 200:
            raise SystemExit(f"an answer was not taken: {answer.status_code} {answer.text[:500]}")

    @property
    def _origin(self) -> dict[str, str]:
        return {"Origin": str(self.portal.base_url).rstrip("/")}


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"the page has no {pattern}: {text[:1000]}")
    return found[1]


def listing(visitor: Visitor, count: int) -> list[Line]:
    times = [timed(visitor.jobs) for _ in range(100)]
    return [(f"the list of jobs, {count:,} open loops", spread(times), "< 200 ms")]


def crowd(people: list[Visitor], count: int) -> list[Line]:
    """All workers take and answer at once, each reading the task for a second or so: far less than people do."""
    times: list[float] = []
    failed: list[BaseException] = []

    def work(visitor: Visitor) -> None:
        try:
            for _ in range(count // len(people)):
                place, csrf = visitor.take()
                time.sleep(PAUSE * random.uniform(0.5, 1.5))
                times.append(timed(partial(visitor.submit, place, csrf)))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(visitor,)) for visitor in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"a worker could not go on: {failed[0]}")
    return [
        (
            f"submit, {len(people)} workers at once, {len(times)} answers, {PAUSE:.0f} s each to read",
            spread(times),
            "p95 < 100 ms",
        )
    ]


if __name__ == "__main__":
    main()
