"""
moto's own tests against localaws: how much of what moto's users rely on is there.

    git clone https://github.com/getmoto/moto FOLDER
    pip install --target SITE freezegun pyotp pycognito pytest-timeout
    python -m benchmarks.moto_suite --tests FOLDER/tests --site SITE [--services s3,iam] [--groups 10]

Each service's tests get a localaws of their own, in a temporary home, that lets moto's fake keys in, takes any time as
now (tests freeze it), and is emptied before and after each test. A localaws has one region: tests that it refuses
because they ask for another run again against one of that region. Prints Markdown: passed (of which in another region),
failed for an operation that is refused with 501, failed otherwise, and the most common failures.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
#: moto's names of the services, which are those of its folders of tests.
CARRIED = (
    *("applicationautoscaling", "cloudwatch", "cognitoidp", "glue", "iam", "logs", "s3", "secretsmanager", "sts"),
    *("athena", "sagemaker"),
)
_KEY, _SECRET = "FOOBARKEY", "FOOBARSECRET"
_HOME = "us-east-1"
_REFUSED = re.compile(r"localaws does not implement ([\w.-]+ \S+)")
_AWAY = re.compile(
    r"scoped to a valid region, not '([\w-]+)'|the region '([\w-]+)' is wrong"
    r"|keeps alarms of .* only: \w+ of ([\w-]+) is"
)


@dataclass
class Outcome:
    """What became of one service's tests."""

    passed: int = 0
    skipped: int = 0
    #: of those that passed, against a localaws of another region.
    away: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    failed: collections.Counter[str] = field(default_factory=collections.Counter)


def serve(home: Path) -> None:
    """A localaws for these tests only, until it is stopped."""
    from moto import backends

    from localaws import server
    from localaws.core.home import Home
    from localaws.gateway import app
    from localaws.gateway.admission import Admission
    from localaws.gateway.auth import sigv4
    from localaws.gateway.protocol.http import HttpRequest, HttpResponse
    from localaws.gateway.router import Route

    class Emptied(app.Application):
        """Lets moto's keys in, and empties all by moto's own call for it."""

        def admit(self, request: HttpRequest) -> Admission:
            if request.path == "/moto-api/reset":
                return Admission(request, None, Route("moto", "reset"), 0)
            return super().admit(request)

        def handle(self, admission: Admission) -> HttpResponse:
            if admission.where is None or admission.where.service != "moto":
                return super().handle(admission)
            for service in CARRIED[:9]:
                backends.get_backend(service).reset()  # type: ignore[call-overload]
            with self._context.store.transaction() as connection:
                connection.execute("DELETE FROM resource")
            return HttpResponse(200, [("Content-Type", "application/json")], b"{}")

        def _key(self, access_key: str) -> sigv4.Key | None:
            return sigv4.Key(_SECRET) if access_key == _KEY else super()._key(access_key)

    sigv4.MAX_SKEW = timedelta(days=40_000)
    server.Application = Emptied  # type: ignore[attr-defined, misc]
    server.serve(Home(home), 0)


@contextmanager
def running(home: Path, region: str) -> Iterator[str]:
    """The URL of such a server."""
    command = [sys.executable, "-m", "benchmarks.moto_suite", "--serve", str(home)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["AWS_DEFAULT_REGION"] = region
    with open(home / "out.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    facts = home / "localaws" / "server.json"
    try:
        for _ in range(1200):
            if facts.exists() or process.poll() is not None:
                break
            time.sleep(0.1)
        yield re.findall(r'"url": "([^"]+)"', facts.read_text())[0]
    finally:
        process.terminate()
        process.wait(60)


Tests = list[ElementTree.Element]


def run(service: str, tests: Path, site: str, timeout: int) -> Outcome:
    """Run one service's tests."""
    first = _report([str(tests / f"test_{service}")], tests, site, timeout, _HOME)
    found = {_node(test): test for test in first}
    away: dict[str, list[str]] = {}
    for node, test in found.items():
        asked = _AWAY.search(_fault(test))
        if asked:
            away.setdefault(asked[asked.lastindex or 0], []).append(node)
    passed_away = 0
    for region, nodes in away.items():
        again = _report([str(tests.parent / node) for node in nodes], tests, site, timeout, region)
        for test in again:
            found[_node(test)] = test
            passed_away += _is_passed(test)
    return outcome(list(found.values()), passed_away)


def _report(which: list[str], tests: Path, site: str, timeout: int, region: str) -> Tests:
    """Run tests against a localaws of a region; what pytest says of each."""
    with tempfile.TemporaryDirectory(prefix="moto-suite-") as folder, running(Path(folder), region) as url:
        report = Path(folder) / "report.xml"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": url,
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": _HOME,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_MAX_ATTEMPTS": "1",
            "PYTHONPATH": os.pathsep.join((str(tests.parent), site)),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += ["-o", "junit_family=xunit1", "--timeout", str(timeout), "-c", os.devnull]
        command += ["--rootdir", str(tests.parent)]
        subprocess.run([*command, *which], env=environment, stdout=sys.stderr, check=False)
        # Written by a pytest of our own.
        return list(ElementTree.parse(report).getroot().iter("testcase"))


def _node(test: ElementTree.Element) -> str:
    """pytest's name of a test, from the root folder on."""
    file, name = test.get("file", ""), test.get("name", "")
    module = file.removesuffix(".py").replace("/", ".")
    classes = test.get("classname", "").removeprefix(module).strip(".")
    return "::".join([file, *([classes.replace(".", "::")] if classes else []), name])


def _fault(test: ElementTree.Element) -> str:
    """What pytest says of a failed test, ``""`` of others."""
    fault = next((each for kind in ("failure", "error") for each in test.iter(kind)), None)
    return "" if fault is None else (fault.get("message") or "") + (fault.text or "") or "failed"


def _is_passed(test: ElementTree.Element) -> bool:
    return not _fault(test) and test.find("skipped") is None


def outcome(tests: Tests, away: int) -> Outcome:
    """Count."""
    found = Outcome(away=away)
    for test in tests:
        text = _fault(test)
        if not text:
            found.skipped += test.find("skipped") is not None
            found.passed += test.find("skipped") is None
            continue
        refused = _REFUSED.search(text)
        if refused:
            found.refused[refused[1].rstrip(".'")] += 1
        else:
            found.failed[text.partition("def test")[0].replace("\n", " ")[:160]] += 1
    return found


def main() -> int:
    """Run the suites, print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=Path)
    parser.add_argument("--site", default="")
    parser.add_argument("--services", default=",".join(CARRIED))
    parser.add_argument("--groups", type=int, default=5)
    parser.add_argument("--timeout", type=int, default=60)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    print("| service | passed | of these away | refused (501) | failed | skipped |\n|---|---:|---:|---:|---:|---:|")
    outcomes = {}
    for service in given.services.split(","):
        found = outcomes[service] = run(service, given.tests.resolve(), given.site, given.timeout)
        row = (found.passed, found.away, found.refused.total(), found.failed.total(), found.skipped)
        print(f"| {service} | {' | '.join(map(str, row))} |", flush=True)
    for service, found in outcomes.items():
        for kind, groups in (("refused", found.refused), ("failed", found.failed)):
            lines = [f"{count} x {text}" for text, count in groups.most_common(given.groups)]
            print(f"\n{service}, {kind}:\n\n* " + "\n* ".join(lines) if lines else "", end="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
