"""The record store alone: shared commits, batches that stay what they are."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from localaws.sagemaker.feature_store import values
from localaws.sagemaker.feature_store.online import RecordStore, Write


def write(identifier: str, at: int = 1, **changes: Any) -> Write:
    return Write(store="s", identifier=identifier, event_time=at, body={"id": identifier, "at": str(at)}, **changes)


def test_a_change_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.db")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM record")
        raise LookupError("not this one")

    def work(turn: int) -> None:
        if turn % 5:
            store.put(write(f"id-{turn}"))
        else:
            with pytest.raises(LookupError):
                store.commit(fail)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    assert [turn for turn in range(100) if store.get("s", f"id-{turn}")] == [turn for turn in range(100) if turn % 5]


def test_a_batch_is_the_same_after_a_restart_until_it_is_pruned(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.db")
    for number in range(5):
        store.put(write(f"id-{number}"))
    store.assign("s", 3)
    assert store.queued() == ["s"]
    again = RecordStore(tmp_path / "records.db")
    batch = again.batches()[0]
    assert [store.batches(), store.records(batch)] == [[batch], again.records(batch)]
    assert [record.body["id"] for record in again.records(batch)] == ["id-0", "id-1", "id-2"]
    again.flushed(batch)
    assert again.batches() == []
    again.unflush()
    assert again.batches() == [batch]
    again.flushed(batch)
    again.prune(age=-1)
    again.unflush()
    assert (again.batches(), again.queued()) == ([], ["s"])


def test_times_are_compared_to_the_microsecond() -> None:
    assert values.event_time("Fractional", "1700000000.000001") - values.event_time("Fractional", "1.7E9") == 1
    assert values.event_time("String", "2023-11-14T22:13:20.001Z") == 1_700_000_000_001_000
    assert values.iso(values.event_time("String", "2023-11-14T22:13:20Z")) == "2023-11-14T22:13:20Z"
    assert values.expiry(0, {"Unit": "Weeks", "Value": 2}) == 14 * 86400 * 1_000_000
