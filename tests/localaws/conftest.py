"""Fixtures of the tests of localaws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium. Not for the whole session: playwright keeps an event loop, which tests of asyncio mind."""
    with chromium() as started:
        yield started
