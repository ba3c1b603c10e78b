"""What a slice tells the slices above it is kept together with the change, or not at all."""

from __future__ import annotations

import pytest

from localaws.core.events import Event
from localaws.core.store import Store


def test_listeners_are_called_in_their_order() -> None:
    event: Event[[str]] = Event()
    told: list[str] = []
    event.listen(lambda name: told.append(f"first {name}"))
    event.listen(lambda name: told.append(f"second {name}"))
    event.emit("job")
    assert told == ["first job", "second job"]


def test_a_listener_that_raises_undoes_the_change() -> None:
    store = Store(":memory:")
    event: Event[[]] = Event()

    @event.listen
    def fail() -> None:
        store.put("lineage", "component", {})
        raise LookupError("no trial")

    with pytest.raises(LookupError, match="no trial"), store.transaction():
        store.put("training-job", "job", {"Status": "Completed"})
        event.emit()
    assert store.get("training-job", "job") is None
    assert store.get("lineage", "component") is None
