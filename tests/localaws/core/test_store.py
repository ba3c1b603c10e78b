"""The store of our own resources."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localaws.core.store import Store


def test_datetimes_and_bytes_come_back_as_they_went_in(tmp_path: Path) -> None:
    body = {"at": datetime(2026, 1, 1, 12, tzinfo=UTC), "data": b"\x00\xff", "deep": [{"x": None, "ü": "漢"}]}
    Store(tmp_path / "state.db").put("kind", "name", body)
    assert Store(tmp_path / "state.db").get("kind", "name") == body


def test_a_taken_name_is_not_inserted_again() -> None:
    store = Store(":memory:")
    assert store.insert("kind", "name", {"n": 1})
    assert not store.insert("kind", "name", {"n": 2})
    assert store.get("kind", "name") == {"n": 1}
    assert store.insert("other", "name", {"n": 2})


def test_put_keeps_the_place_in_the_order() -> None:
    store = Store(":memory:")
    for name in "abc":
        store.insert("kind", name, {"name": name})
    store.put("kind", "a", {"name": "A"})
    assert [body["name"] for body in store.all("kind")] == ["A", "b", "c"]
    assert store.delete("kind", "b")
    assert not store.delete("kind", "b")
    assert [body["name"] for body in store.all("kind")] == ["A", "c"]


def test_a_failed_transaction_changes_nothing() -> None:
    store = Store(":memory:")
    store.insert("kind", "a", {"n": 1})
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put("kind", "a", {"n": 2})
        store.insert("kind", "b", {})
        raise ZeroDivisionError
    assert store.all("kind") == [{"n": 1}]
    store.put("kind", "a", {"n": 3})
    assert store.get("kind", "a") == {"n": 3}


def test_updates_by_many_threads_and_connections_are_all_there(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "state.db") for _ in range(2)]
    stores[0].insert("kind", "counter", {"n": 0})

    def count(store: Store) -> None:
        for _ in range(25):
            store.update("kind", "counter", lambda body: body.update(n=body["n"] + 1))

    threads = [threading.Thread(target=count, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].get("kind", "counter") == {"n": 100}


def test_an_update_of_nothing_is_none() -> None:
    assert Store(":memory:").update("kind", "name", lambda body: body.clear()) is None
