"""
moto's other services on disk: each object of their models is a row, written when a request has touched it.

What refers to an object of another row is stored as that row's number, so that objects are shared after a restart as
they were before it.
"""

from __future__ import annotations

import enum
import hashlib
import importlib
import io
import pickle
import sqlite3
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from moto.backends import get_backend
from moto.core.base_backend import AccountSpecificBackend, BackendDict

from localaws.moto_bridge import series
from localaws.moto_bridge.database import Database
from localaws.moto_bridge.series import Series

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (number INTEGER PRIMARY KEY, class TEXT NOT NULL, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS backend (
    service TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (service, account, region)
);
"""
#: service, account, region.
Place = tuple[str, str, str]
#: attributes that are empty after a restart: what a list has still to show of itself.
_TRANSIENT = {"paged_metric_data": dict}
#: times that an object is pickled again because a request that only reads had changed it meanwhile.
_TRIES = 5


@dataclass
class _Row:
    """What is stored of one object."""

    object: Any
    digest: bytes
    refers: frozenset[int]
    series: frozenset[str]


class _Thread(threading.local):
    #: id -> object, of those that this thread's request has touched; ``None`` where nobody wants to know.
    touched: dict[int, Any] | None = None


_thread = _Thread()


class Records:
    """
    The objects that are reached from moto's backends.

    :param services: moto's names of the services.
    """

    def __init__(self, database: Database, services: list[str]) -> None:
        self._database = database
        self._services = services
        self._lock = threading.RLock()
        self.rows: dict[int, _Row] = {}
        #: id of an object -> its row's number; the row keeps the object, and so its id, alive.
        self.numbers: dict[int, int] = {}
        #: how many rows refer to a row; a backend counts one more.
        self.uses: Counter[int] = Counter()
        self.places: dict[Place, int] = {}
        #: touched, and not stored because a commit failed.
        self._pending: set[int] = set()
        self._last = 0

    def next_number(self) -> int:
        """Return a number that no row has."""
        self._last += 1
        return self._last

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let one request change something; what it has changed is stored when this ends."""
        with self._lock:
            touched: dict[int, Any] = {}
            _thread.touched = touched
            try:
                yield
            finally:
                _thread.touched = None
                self._commit({self.numbers[each] for each in touched if each in self.numbers})

    def _commit(self, touched: set[int]) -> None:
        change = _Change(self, touched | self._pending)
        self._pending |= touched
        if change.states or change.removed or change.grown or change.places:
            with self._database.writing() as connection:
                ends = change.write(connection)
            for grown, end in ends:
                grown.wrote(end)
        self._adopt(change)
        self._pending.clear()

    def _adopt(self, change: _Change) -> None:
        self.rows.update(change.rows)
        self.numbers.update(change.numbers)
        self.places.update(change.places)
        self.uses.update(change.more_uses)
        for number in change.removed:
            del self.numbers[id(self.rows.pop(number).object)]
            del self.uses[number]

    def backends(self) -> Iterator[tuple[Place, Any]]:
        """Return all backends that there are, of services that are in use."""
        for service in self._services:
            if f"moto.{service}.models" in sys.modules:
                found: Any = get_backend(service)  # type: ignore[call-overload]
                for account, regions in list(found.items()):
                    for region, backend in list(regions.items()):
                        yield (service, account, region), backend

    def restore(self) -> None:
        """
        Give moto its backends as they were.

        :raises Exception: a row cannot be read.
        """
        with self._database.snapshot() as connection:
            rows = connection.execute("SELECT number, class, state FROM record").fetchall()
            places = connection.execute("SELECT service, account, region, number FROM backend").fetchall()
            for service in {service for service, *_ in places}:
                importlib.import_module(f"moto.{service}.models")
            objects: dict[int, Any] = {number: object.__new__(_class(name)) for number, name, _ in rows}
            for number, _, state in rows:
                self._restore_row(connection, number, state, objects)
        self.places = {(service, account, region): number for service, account, region, number in places}
        self._last = max(objects, default=0)
        self._drop_unreached()
        for (service, account, region), number in self.places.items():
            backends: Any = get_backend(service)  # type: ignore[call-overload]
            backends[account][region] = objects[number]

    def _restore_row(self, connection: sqlite3.Connection, number: int, state: bytes, objects: dict[int, Any]) -> None:
        reader = _Unpickler(connection, state, objects)
        vars(objects[number]).update(reader.load())
        refers, names = frozenset(reader.refers), frozenset(reader.series)
        self.rows[number] = _Row(objects[number], _digest(state), refers, names)

    def _drop_unreached(self) -> None:
        """Count uses. Objects that refer to each other in a circle, and to which nothing else refers, go."""
        reached: set[int] = set()
        queue = list(self.places.values())
        while queue:
            number = queue.pop()
            if number not in reached:
                reached.add(number)
                queue += self.rows[number].refers
        lost = {number: self.rows.pop(number) for number in set(self.rows) - reached}
        if lost:
            with self._database.writing() as connection:
                _remove(connection, lost)
        self.numbers = {id(row.object): number for number, row in self.rows.items()}
        self.uses = Counter(number for row in self.rows.values() for number in row.refers)
        self.uses.update(self.places.values())
        for row in self.rows.values():
            _is_record(type(row.object))


class _Change:
    """
    What a commit is about to store: the touched objects as they are now, and the new ones that they refer to.

    :param touched: numbers of rows.
    """

    def __init__(self, records: Records, touched: set[int]) -> None:
        self._records = records
        self._new: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}
        self.places: dict[Place, int] = {}
        self.rows: dict[int, _Row] = {}
        self.states: dict[int, bytes] = {}
        self.grown: dict[str, Series] = {}
        self.more_uses: Counter[int] = Counter()
        self.removed: set[int] = set()
        self._queue = list(touched)
        for place, backend in records.backends():
            if place not in records.places:
                self.places[place] = self._number(backend)
                self.more_uses[self.places[place]] += 1
        while self._queue:
            self._take(self._queue.pop())
        self._count()

    def _number(self, thing: Any) -> int:
        known = self._records.numbers.get(id(thing)) or self.numbers.get(id(thing))
        if known is None:
            if not _is_record(type(thing)):
                raise pickle.PicklingError(f"objects of {_name(type(thing))} cannot be rows")
            known = self._records.next_number()
            self.numbers[id(thing)] = known
            self._new[known] = thing
            self._queue.append(known)
        return known

    def _take(self, number: int) -> None:
        known = self._records.rows.get(number)
        thing = known.object if known else self._new[number]
        state, refers, grown = self._pickled(thing)
        self.grown.update({each.name: each for each in grown if each.grown})
        digest = _digest(state)
        if known is None or known.digest != digest:
            self.states[number] = state
            self.rows[number] = _Row(thing, digest, frozenset(refers), frozenset(each.name for each in grown))

    def _pickled(self, thing: Any) -> tuple[bytes, set[int], list[Series]]:
        for attempt in range(_TRIES):
            pickler = _Pickler(self._number)
            state = dict(vars(thing))
            state.update((name, empty()) for name, empty in _TRANSIENT.items() if name in state)
            try:
                pickler.dump(state)
                break
            except RuntimeError:
                # A dictionary that changed its size.
                if attempt == _TRIES - 1:
                    raise
        return pickler.buffer.getvalue(), pickler.refers, pickler.series

    def _count(self) -> None:
        """Find out which rows nothing refers to any more, and so those that only they referred to."""
        for number, row in self.rows.items():
            before = self._records.rows[number].refers if number in self._records.rows else frozenset()
            self.more_uses.update(row.refers - before)
            self.more_uses.subtract(before - row.refers)
        queue = [number for number in self.more_uses if self._unused(number)]
        while queue:
            number = queue.pop()
            if number not in self.removed:
                self.removed.add(number)
                refers = self.row(number).refers
                self.more_uses.subtract(refers)
                queue += [each for each in refers if self._unused(each)]

    def _unused(self, number: int) -> bool:
        return self._records.uses[number] + self.more_uses[number] <= 0

    def row(self, number: int) -> _Row:
        """Return an object's row as it is to be."""
        return self.rows[number] if number in self.rows else self._records.rows[number]

    def write(self, connection: sqlite3.Connection) -> list[tuple[Series, int]]:
        """Store it all; the series that grew, and up to where they are stored now."""
        for number, state in self.states.items():
            if number not in self.removed:
                name = _name(type(self.rows[number].object))
                connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (number, name, state))
                known = self._records.rows.get(number)
                series.remove(connection, known.series - self.rows[number].series if known else ())
        ends = [(grown, grown.write(connection)) for grown in self.grown.values()]
        _remove(connection, {number: self.row(number) for number in self.removed})
        for place, number in self.places.items():
            connection.execute("INSERT OR REPLACE INTO backend VALUES (?, ?, ?, ?)", (*place, number))
        return ends


def _remove(connection: sqlite3.Connection, rows: dict[int, _Row]) -> None:
    connection.executemany("DELETE FROM record WHERE number = ?", [(number,) for number in rows])
    for row in rows.values():
        series.remove(connection, row.series)


class _Pickler(pickle.Pickler):
    """Pickles what an object consists of; other objects of moto's are left to their rows."""

    def __init__(self, number: Callable[[Any], int]) -> None:
        self.buffer = io.BytesIO()
        super().__init__(self.buffer, pickle.HIGHEST_PROTOCOL)
        self._number = number
        self.refers: set[int] = set()
        self.series: list[Series] = []

    def persistent_id(self, thing: Any) -> int | str | None:
        """Return the number of a row, or the name of a series; ``None`` for what is pickled in its place."""
        if not _is_record(type(thing)):
            if type(thing) is not Series:
                return None
            self.series.append(thing)
            return thing.name
        number = self._number(thing)
        self.refers.add(number)
        return number


class _Unpickler(pickle.Unpickler):
    def __init__(self, connection: sqlite3.Connection, state: bytes, objects: dict[int, Any]) -> None:
        super().__init__(io.BytesIO(state))
        self._connection, self._objects = connection, objects
        self.refers: set[int] = set()
        self.series: set[str] = set()

    def persistent_load(self, pid: int | str) -> Any:
        """Load what the pickler's ``persistent_id`` names."""
        if isinstance(pid, str):
            self.series.add(pid)
            return series.restore(self._connection, pid)
        self.refers.add(pid)
        return self._objects[pid]


def _digest(state: bytes) -> bytes:
    return hashlib.blake2b(state, digest_size=16).digest()


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _class(name: str) -> type:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return cast(type, found)


# --- which objects are rows, and which were touched -----------------------------------------------------------------

_classes: dict[type, bool] = {}
#: types of attributes' values that cannot be changed in place. A method reaches its object by attributes of their own,
#: and another row's object is stored by itself.
_FROZEN = frozenset({str, int, float, bool, bytes, type(None), datetime, types.MethodType, types.FunctionType, type})


def _is_record(cls: type) -> bool:
    """Return True if objects of a class are rows. The first call installs the hooks that record their changes."""
    found = _classes.get(cls)
    if found is None:
        found = _classes[cls] = _is_model(cls)
        if found:
            for name, hook in (("__getattribute__", _get), ("__setattr__", _set), ("__delattr__", _delete)):
                setattr(cls, name, hook)
    return found


def _is_model(cls: type) -> bool:
    """Return True if a class is one of moto's, and its objects have all of their state in ``__dict__``."""
    if issubclass(cls, AccountSpecificBackend | BackendDict):
        raise pickle.PicklingError(f"{_name(cls)} is not part of the state of one backend")
    plain = all(
        getattr(cls, name, None) in (getattr(object, name, None), hook)
        for name, hook in (
            ("__reduce_ex__", None),
            ("__reduce__", None),
            ("__getstate__", None),
            ("__setstate__", None),
            ("__getattribute__", _get),
            ("__setattr__", _set),
            ("__delattr__", _delete),
        )
    )
    ours = cls.__module__.partition(".")[0] == "moto" and "<locals>" not in cls.__qualname__
    return ours and plain and _layout(cls)


def _layout(cls: type) -> bool:
    """Return True if objects are plain ones with a ``__dict__``: no dictionaries, numbers, exceptions, classes."""
    return cls.__basicsize__ == _Plain.__basicsize__ and cls.__dictoffset__ != 0 and not issubclass(cls, enum.Enum)


class _Plain:
    pass


def _get(self: Any, name: str) -> Any:
    value = object.__getattribute__(self, name)
    touched = _thread.touched
    # What cannot change in place cannot change this object: moto compares the names of all roles to add one.
    if touched is not None and not (type(value) in _FROZEN or _classes.get(type(value))):
        touched[id(self)] = self
    return value


def _set(self: Any, name: str, value: Any) -> None:
    touched = _thread.touched
    if touched is not None:
        touched[id(self)] = self
    object.__setattr__(self, name, value)


def _delete(self: Any, name: str) -> None:
    touched = _thread.touched
    if touched is not None:
        touched[id(self)] = self
    object.__delattr__(self, name)
