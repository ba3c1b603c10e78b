"""The nightly campaign, short: what runs is killed at random over one run of the chain, and nothing is lost."""

from __future__ import annotations

import pytest
from runs_kit import LONG

from benchmarks.chaos.campaign import Campaign
from benchmarks.chaos.kills import Record
from stack import services
from stack.layout import Stack, StackError

pytestmark = [pytest.mark.e2e, LONG]

KILLS = 20


@pytest.fixture(scope="module")
def record(stack: Stack) -> Record:
    def up() -> str | None:
        try:
            services.up(stack, lambda _: None)
        except StackError as error:
            return str(error)
        return None

    return Campaign(stack, up=up, seed=11, kills=KILLS, spacing=(1, 6), reviews=650).run()


def test_whatever_is_killed_the_runs_are_green_and_nothing_is_lost(record: Record) -> None:
    assert record.faults == [], record
    assert len(record.kills) == KILLS
    assert all(run["faults"] == [] for run in record.runs)
