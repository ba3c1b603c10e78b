"""
Executions from QUEUED to their end: in threads of the server, a few at a time, each step written down.

The engine is imported with the first query: a server that is asked none stays small.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.athena.errors import SYSTEM, Cancelled, QueryError
from localaws.core.context import Context
from localaws.core.isolate import isolate

if TYPE_CHECKING:
    from localaws.athena.job import Control, Job, Outcome
    from localaws.athena.tables.cache import Cache

KIND = "query-execution"
TOKEN_KIND = "query-token"  # noqa: S105 - a client request token, no secret
#: how many queries run at once; the others wait, QUEUED.
CONCURRENCY = int(os.environ.get("LOCALAWS_ATHENA_CONCURRENCY", "4"))
FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_LOGGER = logging.getLogger(__name__)


class Queries:
    """All executions of one server."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._pool = ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="athena")
        self._lock = threading.Lock()
        self._controls: dict[str, Control] = {}
        self._cache: Cache | None = None
        self._stopping = False

    @property
    def folder(self) -> Path:
        """Where queries work."""
        return self._ctx.home / "athena"

    def submit(self, execution: str) -> None:
        """Queue an execution that is in the store."""
        from localaws.athena.job import Control

        with self._lock:
            self._controls[execution] = Control()
        self._pool.submit(self._run_logged, execution)

    def stop(self, execution: str) -> None:
        """Cancel an execution, queued or running; one that has ended stays as it is."""
        self._end(execution, "CANCELLED", "Query cancelled by user")
        with self._lock:
            control = self._controls.get(execution)
        if control is not None:
            control.cancel()

    def recover(self) -> None:
        """
        At start: what was queued is queued again; what was running failed with the server that ran it, and the data
        files that it may have uploaded are taken back.
        """
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        for name in self._ctx.store.under_way(KIND, "Status.State", FINAL):
            with isolate(f"query execution {name} is not recovered"):
                self._recover(name)
        if (self.folder / "cache").is_dir():
            self.cache().sweep()

    def _recover(self, execution: str) -> None:
        record = self._ctx.store.get(KIND, execution)
        if record is None or record["Status"]["State"] in FINAL:
            return
        if record["Status"]["State"] == "QUEUED":
            self.submit(execution)
            return
        self._undo(record)
        message = "Query was interrupted: localaws stopped while it ran. Please run it again."
        self._fail(
            execution,
            QueryError("GENERIC_INTERNAL_ERROR", message, category=SYSTEM, error_type=200, retryable=True),
        )

    def shut_down(self) -> None:
        """At an orderly stop: interrupt what runs; what waits stays QUEUED for the next start."""
        self._stopping = True
        with self._lock:
            controls = list(self._controls.values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for control in controls:
            control.cancel()

    def cache(self) -> Cache:
        """Return the cache of S3 objects, made at the first call."""
        from localaws.athena.tables.cache import Cache

        with self._lock:
            if self._cache is None:
                self._cache = Cache(self.folder / "cache", self._ctx.client("s3"))
            return self._cache

    def _undo(self, record: dict[str, Any]) -> None:
        """
        Take back the data files and the table of a statement that did not come to its end, as far as they are there.

        The query ends in any case: what cannot be taken back, as when its bucket is gone, is said in the log.
        """
        for uri in record.get("_planned", ()):
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            with _taking_back(uri):
                self._ctx.client("s3").delete_object(Bucket=bucket, Key=key)
        if "_created" in record:
            database, name = record["_created"]
            with _taking_back(f"{database}.{name}"):
                self._ctx.client("glue").delete_table(DatabaseName=database, Name=name)

    def _run_logged(self, execution: str) -> None:
        try:
            self._run(execution)
        except Exception:
            # Nothing looks at a pool's futures: what went wrong here must not vanish.
            _LOGGER.exception("query execution %s", execution)
        finally:
            with self._lock:
                self._controls.pop(execution, None)

    def _run(self, execution: str) -> None:
        record = self._begin(execution)
        if record is None:
            return
        from localaws.athena import finish, reuse

        folder = self.folder / "work" / execution
        folder.mkdir(parents=True, exist_ok=True)
        try:
            reused = reuse.find(record, KIND, self._ctx)
            if reused is not None:
                self._reuse(execution, reused)
                return
            job = self._job(record, folder)
            outcome = self._execute(record, job)
            if outcome.manifest is None:
                # Data that is written stays: stopping it now would come too late.
                job.control.check()
            changes = finish.write(record, outcome, self._ctx.client("s3"))
            self._succeed(execution, outcome, changes)
        except Cancelled as cancelled:
            self._undo(self._ctx.store.get(KIND, execution) or {})
            if cancelled.reason:
                self._end(execution, "CANCELLED", cancelled.reason)
        except QueryError as error:
            self._undo(self._ctx.store.get(KIND, execution) or {})
            finish.write_failure(record, error, self._ctx.client("s3"))
            self._fail(execution, error)
        except Exception as error:
            _LOGGER.exception("query execution %s", execution)
            self._undo(self._ctx.store.get(KIND, execution) or {})
            message = f"{type(error).__name__}: {error}"
            self._fail(execution, QueryError("GENERIC_INTERNAL_ERROR", message, category=SYSTEM, error_type=200))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, execution: str) -> dict[str, Any] | None:
        """From QUEUED to RUNNING; ``None`` where it was cancelled before."""
        begun = []

        def begin(record: dict[str, Any]) -> None:
            if record["Status"]["State"] == "QUEUED" and not self._stopping:
                record["Status"]["State"] = "RUNNING"
                record["_started"] = self._ctx.now()
                begun.append(True)

        record = self._ctx.store.update(KIND, execution, begin)
        return record if begun else None

    def _job(self, record: dict[str, Any], folder: Path) -> Job:
        from localaws.athena.catalog import Catalog
        from localaws.athena.job import Job

        execution = record["QueryExecutionId"]
        with self._lock:
            control = self._controls[execution]

        def plan(**steps: Any) -> None:
            self._ctx.store.update(KIND, execution, lambda body: body.update(steps))

        context = record["QueryExecutionContext"]
        return Job(
            id=execution,
            database=(context.get("Database") or "default").strip('`"').lower(),
            output=record["_output"],
            catalog=Catalog(self._ctx.client("glue")),
            s3=self._ctx.client("s3"),
            cache=self.cache(),
            control=control,
            folder=folder,
            plan=plan,
            limit=record.get("_limit"),
        )

    def _execute(self, record: dict[str, Any], job: Job) -> Outcome:
        from localaws.athena import parameters, prepared
        from localaws.athena.ddl.parser import parse
        from localaws.athena.errors import MalformedQuery
        from localaws.athena.execute import execute
        from localaws.athena.job import Outcome

        catalog = (record["QueryExecutionContext"].get("Catalog") or "awsdatacatalog").lower()
        if catalog not in ("awsdatacatalog", "hive"):
            raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{catalog}' does not exist")
        try:
            sql = record["_statement"]
            if record["StatementType"] == "DML" or record["SubstatementType"] == "CREATE_TABLE_AS_SELECT":
                sql = parameters.bind(sql, record.get("ExecutionParameters") or [])
            statement = parse(sql)
            if prepared.change(statement, self._ctx, record["WorkGroup"]):
                return Outcome(lines=[])
            return execute(statement, job)
        except MalformedQuery as error:
            raise QueryError("SYNTAX_ERROR", str(error)) from error

    def _reuse(self, execution: str, changes: dict[str, Any]) -> None:
        """End an execution with another one's result."""

        def extra(record: dict[str, Any]) -> None:
            record.update(changes)
            record["Statistics"]["DataScannedInBytes"] = 0
            record["Statistics"]["ResultReuseInformation"] = {"ReusedPreviousResult": True}

        self._end(execution, "SUCCEEDED", None, extra)

    def _succeed(self, execution: str, outcome: Outcome, changes: dict[str, Any]) -> None:
        def extra(record: dict[str, Any]) -> None:
            record.update(changes)
            _forget_plan(record)
            record["Statistics"]["DataScannedInBytes"] = outcome.scanned
            record["Statistics"]["QueryPlanningTimeInMillis"] = round(outcome.planning_seconds * 1000)
            if outcome.manifest is not None and "_manifest" in record:
                record["Statistics"]["DataManifestLocation"] = record["_manifest"]
            if outcome.substatement is not None:
                record["SubstatementType"] = outcome.substatement

        self._end(execution, "SUCCEEDED", None, extra)

    def _fail(self, execution: str, error: QueryError) -> None:
        def extra(record: dict[str, Any]) -> None:
            _forget_plan(record)
            record["Status"]["AthenaError"] = {
                "ErrorCategory": error.category,
                "ErrorType": error.error_type,
                "Retryable": error.retryable,
                "ErrorMessage": error.reason,
            }

        self._end(execution, "FAILED", error.reason, extra)

    def _end(self, execution: str, state: str, reason: str | None, extra: Any = None) -> None:
        """Write the end down, unless another end was first."""

        def end(record: dict[str, Any]) -> None:
            if record["Status"]["State"] in FINAL:
                return
            if extra is not None:
                extra(record)
            now = self._ctx.now()
            record["Status"].update(State=state, CompletionDateTime=now)
            if reason is not None:
                record["Status"]["StateChangeReason"] = reason
            record["Statistics"].update(_times(record, now))

        self._ctx.store.update(KIND, execution, end)


@contextmanager
def _taking_back(what: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        if not (isinstance(error, ClientError) and error.response["Error"]["Code"] == "EntityNotFoundException"):
            _LOGGER.warning("%s of a query that did not end well is not taken back: %s", what, error)


def _forget_plan(record: dict[str, Any]) -> None:
    for step in ("_planned", "_created"):
        record.pop(step, None)


def _times(record: dict[str, Any], now: datetime) -> dict[str, int]:
    submitted = record["Status"]["SubmissionDateTime"]
    started = record.get("_started", now)
    return {
        "QueryQueueTimeInMillis": round((started - submitted).total_seconds() * 1000),
        "EngineExecutionTimeInMillis": round((now - started).total_seconds() * 1000),
        "TotalExecutionTimeInMillis": round((now - submitted).total_seconds() * 1000),
        "ServiceProcessingTimeInMillis": 0,
    }


_QUERIES: dict[str, Queries] = {}
_GUARD = threading.Lock()


def queries(ctx: Context) -> Queries:
    """Return the executions of this server."""
    with _GUARD:
        return _QUERIES.setdefault(str(ctx.home), Queries(ctx))


def new_id() -> str:
    """Return a new id of the form that Athena uses."""
    return str(uuid.uuid4())
