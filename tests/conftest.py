"""Fixtures of all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

# Read when huggingface_hub is first imported: what is not here must fail at once, and never ask a hub.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
from localaws_kit import LocalAws, start


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests go to one worker, as with ``--dist loadfile``; all of ``tests/e2e`` that share a stack too."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            shares = file.startswith("tests/e2e/") and file != "tests/e2e/test_chaos.py"
            return "tests/e2e" if shares else file

    return ByFile(config, log)


#: fixtures that start a localaws.
_SERVERS = {"localaws", "own_localaws", "server", "scaling"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a running localaws, directly or by its fixtures: `make check` leaves it out."""
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("localaws")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a localaws did not answer in time, the report says what it was at: it may not happen again."""
    report = yield
    if call.excinfo is not None and "Timeout" in call.excinfo.typename:
        for name, server in getattr(item, "funcargs", {}).items():
            if isinstance(server, LocalAws) and server.process.poll() is None:
                report.sections.append((f"stacks of {name}", server.stacks()))
    return report


@pytest.fixture(scope="session")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """One localaws for the whole session, with this process's AWS settings pointing at it."""
    home = tmp_path_factory.mktemp("localaws")
    server = start(home)
    before = {key: os.environ.get(key) for key in server.environment}
    os.environ.update(server.environment)
    try:
        yield server
    finally:
        server.stop()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@pytest.fixture
def own_localaws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """A localaws for one test that kills or restarts it."""
    server = start(tmp_path / "home")
    for key, value in server.environment.items():
        monkeypatch.setenv(key, value)
    # boto3's default session keeps the keys of the first server that it met.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


@pytest.fixture(scope="session")
def reviews_file() -> Path:
    """The real data file, by REVIEWS_SOURCE; tests that need it are skipped, and say so, where it is not there."""
    source = os.environ.get("REVIEWS_SOURCE", "")
    if not source or source.startswith("s3://") or not Path(source).exists():
        pytest.skip("the real reviews are not here: set REVIEWS_SOURCE to their path")
    return Path(source)
