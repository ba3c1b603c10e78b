"""Fixtures of the tests of localaws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import chromium
from localaws_kit import LocalAws, start


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
