"""Fixtures of the tests of localaws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import chromium
from human_kit import Desk
from localaws_kit import LocalAws, start

from localaws.sagemaker.human_review import templates


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium. Not for the whole session: playwright keeps an event loop, which tests of asyncio mind."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A localaws for one module, which has its workforce and its sign-ins for itself."""
    started = start(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def _renderer() -> Iterator[None]:
    """End the process that renders worker templates after the module."""
    yield
    templates.close()


@pytest.fixture
def desk(tmp_path: Path, _renderer: None) -> Desk:
    return Desk(tmp_path)
