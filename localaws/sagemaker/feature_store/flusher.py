"""The thread that brings accepted records to the offline store, soon after and whatever happens in between."""

from __future__ import annotations

import logging
import threading
import time

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.context import Context
from localaws.sagemaker.feature_store import groups, offline
from localaws.sagemaker.feature_store.groups import Group
from localaws.sagemaker.feature_store.online import Batch, RecordStore

log = logging.getLogger("localaws.sagemaker.feature_store")

#: seconds that records wait for company.
DELAY = 2.0
#: this many do not wait, and go together at most.
MOST = 2000
#: seconds until a group whose batch was refused is tried again; the others do not wait for it.
RETRY = 10.0
#: flushed records are kept for this many seconds, to go again after a kill -9: S3's own list of objects is on disk
#: about a second later than its answer.
KEEP = 60.0


class FeatureStore:
    """The record store of a server and the thread that empties its queue."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.records = RecordStore(ctx.home / "feature_store.db")
        self._wake, self._full, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._flushing = threading.Lock()
        self._counted = 0
        #: group -> when its batches may be tried again.
        self._refused: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="feature-store", daemon=True)

    def start(self) -> None:
        """Take up what an earlier server left."""
        known = {group["_store"] for group in self._ctx.store.all(groups.KIND)}
        for orphan in self.records.stores() - known:
            self.records.drop(orphan)
        self.records.unflush()
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        """Flush, and end the thread."""
        self._ended.set()
        self._full.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(15)

    def arrived(self) -> None:
        """Note that a record has been accepted."""
        self._counted += 1
        if self._counted >= MOST:
            self._full.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(RETRY if self._refused else KEEP)
            if self._wake.is_set():
                self._full.wait(DELAY)
            self._wake.clear()
            self._full.clear()
            self._counted = 0
            if not self._turn():
                self._ended.wait(RETRY)
                self._wake.set()
        # What came while the last turn was under way.
        self._turn()

    def _turn(self) -> bool:
        try:
            self.flush()
            self.records.prune(KEEP)
        except Exception:
            log.exception("the offline store was not written; it is tried again")
            return False
        return True

    def flush(self, store: str | None = None) -> None:
        """Bring what is queued to S3; all of ``store``, even if it was refused just now."""
        with self._flushing:
            for queued in self.records.queued():
                self.records.assign(queued, MOST)
            known = {group["_store"]: group for group in self._ctx.store.all(groups.KIND)}
            for batch in self.records.batches():
                if batch.store == store or time.monotonic() >= self._refused.get(batch.store, 0.0):
                    self._send(batch, known.get(batch.store))
        if self.records.queued():
            # More than one batch's worth, or new ones.
            self._full.set()
            self._wake.set()

    def flush_group(self, store: str) -> bool:
        """Write all records of one group to S3, and return True if none is left."""
        self.flush(store)
        while store in self.records.queued() and store not in self._refused:
            self.flush(store)
        return store not in self._refused

    def _send(self, batch: Batch, group: Group | None) -> None:
        if group is None:
            self.records.drop(batch.store)
            return
        records = self.records.records(batch)
        began = time.monotonic()
        try:
            objects = offline.write(self._ctx, group, batch, records)
        except (ClientError, BotoCoreError) as error:
            log.warning("%s: batch %s is not in the offline store: %s", group["FeatureGroupName"], batch.name, error)
            self._say(group, {"Status": "Blocked", "BlockedReason": str(error)[:1024]})
            self._refused[batch.store] = time.monotonic() + RETRY
            return
        self._refused.pop(batch.store, None)
        self.records.flushed(batch)
        self._say(group, {"Status": "Active"})
        seconds = time.monotonic() - began
        name = group["FeatureGroupName"]
        log.info("%s: %d records in %d objects of the offline store (%.2f s)", name, len(records), objects, seconds)

    def _say(self, group: Group, status: dict[str, str]) -> None:
        if group.get("OfflineStoreStatus") != status:
            self._ctx.store.update(
                groups.KIND, group["FeatureGroupName"], lambda record: record.update(OfflineStoreStatus=status)
            )


_STORES: dict[object, FeatureStore] = {}
_STORES_LOCK = threading.Lock()


def feature_store(ctx: Context) -> FeatureStore:
    """Return the feature store of this server."""
    with _STORES_LOCK:
        if ctx.home not in _STORES:
            _STORES[ctx.home] = FeatureStore(ctx)
        return _STORES[ctx.home]
