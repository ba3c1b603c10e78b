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

#: seconds for the tests below these paths, several times what they take on two cores; pyproject.toml has the others'.
_TIMEOUTS = {
    "tests/e2e": 1800,
    "tests/dags/test_ab_test_runs.py": 600,
    "tests/include": 600,
    "tests/localaws/images": 600,
    "tests/localaws/sagemaker": 600,
}
_ROOT = Path(__file__).parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Turn warnings of job scripts into errors as pyproject.toml does for packages; tests import them by bare names."""
    scripts = "|".join(sorted({path.stem for path in (_ROOT / "include" / "jobs").glob("*/*.py")}))
    for category in ("DeprecationWarning", "FutureWarning"):
        config.addinivalue_line("filterwarnings", f"error::{category}:({scripts})$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a running localaws, which `make check` leaves out, and what may take longer than the others."""
    for item in items:
        if _SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("localaws")
        for path, seconds in _TIMEOUTS.items():
            if item.path.is_relative_to(_ROOT / path) and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(seconds))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a localaws or the test was not done in time, the report says what it was at: it may not happen again."""
    report = yield
    if call.excinfo is not None and "Timeout" in f"{call.excinfo.typename}: {call.excinfo.value}":
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
