"""Operations shared by all job resources."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.core import pagination, reconciler
from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ValidationException
from localaws.core.events import Event
from localaws.core.isolate import isolate
from localaws.core.operations import ON_START
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.jobs import control
from localaws.sagemaker.jobs.progress import before_end
from localaws.sagemaker.tags import api as tags

log = logging.getLogger("localaws.sagemaker.jobs")

Record = dict[str, Any]

#: Of a job's kind and record, inside the transaction that inserts it.
STARTED: Event[[str, Record, Context]] = Event()
#: Of a job's kind and record, inside the transaction that keeps its end.
ENDED: Event[[str, Record, Context]] = Event()


@dataclass(frozen=True)
class JobResource:
    """
    What the operations of training and processing jobs have in common.

    :param kind: in the store, and of the supervisor's contract: ``training-job``.
    :param prefix: of the members for name, ARN and status: ``TrainingJob``.
    :param members: a job's status (:class:`.progress.Progress`) as members of the Describe answer.
    """

    kind: str
    prefix: str
    members: Callable[[Record], Record]
    _reported: set[str] = field(default_factory=set, repr=False, compare=False)

    def __post_init__(self) -> None:
        name, status = f"{self.prefix}Name", f"{self.prefix}Status"
        # What is wrong with a job's directory does not fail the job: its supervisor may see it through.
        reconciler.register(reconciler.Resource(self.kind, name, status, self._advance, lambda *_: None))
        ON_START.append(self.sync_all)

    def name(self, record: Mapping[str, Any]) -> str:
        """Return the job's name."""
        return str(record[f"{self.prefix}Name"])

    def status(self, record: Mapping[str, Any]) -> str:
        """Return the job's primary status."""
        return str(record[f"{self.prefix}Status"])

    def begin(self, record: Record, given: list[dict[str, str]], ctx: Context, taken: str) -> None:
        """
        Keep the record and its tags, and start the supervisor.

        :raises ResourceInUse: with the text ``taken``: a job of that name is there.
        :raises ResourceNotFound: its ExperimentConfig names what is not there.
        """
        with ctx.store.transaction():
            # Two names that differ in case alone would have one ARN.
            if ctx.store.spelling(self.kind, self.name(record)) is not None:
                raise ResourceInUse(taken)
            ctx.store.insert(self.kind, self.name(record), record)
            tags.put(ctx, record[f"{self.prefix}Arn"], given)
            STARTED.emit(self.kind, record, ctx)
        control.start(ctx, self._job(record))

    def shown(self, record: Record, ctx: Context) -> Record:
        """
        Return the record with what the job's directory says, for Describe and List: nothing is changed by it.

        A job has ended for others once its end and what follows from it are kept, which the reconciler does.
        """
        if self.status(record) in TERMINAL:
            return record
        status = control.status(ctx, self._job(record))
        if status is None:
            return record
        if status["Status"] in TERMINAL:
            reconciler.poke()
            status = before_end(status)
        return {**record, **self.members(status)}

    def page(self, request: Record, ctx: Context, *, order: str = "Descending") -> tuple[list[Record], Record]:
        """
        Return the jobs that a List asks for, as they are now, and its ``NextToken`` where there are more.

        :param order: where the request names none.
        """
        jobs = [self._shown_or_not(record, ctx) for record in ctx.store.all(self.kind)]
        name, status = f"{self.prefix}Name", f"{self.prefix}Status"
        return pagination.page(pagination.select(jobs, request, name=name, status=status, order=order), request)

    def sync(self, record: Record, ctx: Context) -> Record:
        """
        Bring the record up to date with the job's directory, and keep it once that is the last word.

        A job whose supervisor was killed is ended by this, and one that was recorded and not started is started.
        """
        if self.status(record) in TERMINAL:
            return record
        status = control.sync(ctx, self._job(record))
        if status is None:
            return record
        members = self.members(status)
        if status["Status"] in TERMINAL:
            self._keep(record, members, ctx)
        return {**record, **members}

    def sync_all(self, ctx: Context) -> None:
        """Take up the jobs that continued, or ended, while the server was away."""
        for record in ctx.store.all(self.kind):
            self._advance(record, ctx)

    def stop(self, record: Record, ctx: Context) -> None:
        """
        Ask a job to stop.

        :raises ValidationException: it has ended.
        """
        record = self.sync(record, ctx)
        if self.status(record) in TERMINAL:
            raise ValidationException(self._rejected(record))
        control.stop(ctx, self.kind, self.name(record))

    def delete(self, record: Record, ctx: Context) -> None:
        """
        Forget a job that has ended; its name can be used again, and what it made stays in S3.

        :raises ResourceInUse: it has not ended.
        """
        record = self.sync(record, ctx)
        if self.status(record) not in TERMINAL:
            raise ResourceInUse(self._rejected(record))
        tags.forget(ctx, record[f"{self.prefix}Arn"])
        control.forget(ctx, self._job(record))

    def _keep(self, record: Record, members: Record, ctx: Context) -> None:
        with ctx.store.transaction():
            stored = ctx.store.get(self.kind, self.name(record))
            # The job may have been deleted meanwhile, and another made under its name.
            if stored is not None and stored["CreationTime"] == record["CreationTime"]:
                ctx.store.put(self.kind, self.name(record), {**stored, **members})
                ENDED.emit(self.kind, {**record, **members}, ctx)

    def _advance(self, record: Record, ctx: Context) -> None:
        try:
            self.sync(record, ctx)
        except Exception:
            # The next pass tries again, half a second later: the log has it once.
            if self.name(record) not in self._reported:
                self._reported.add(self.name(record))
                log.exception("the %s %s cannot be brought up to date", self.kind, self.name(record))

    def _shown_or_not(self, record: Record, ctx: Context) -> Record:
        """Isolate a job whose directory cannot be read, so that it does not hide the others."""
        with isolate(f"the directory of the {self.kind} {self.name(record)} cannot be read"):
            return self.shown(record, ctx)
        return record

    def _job(self, record: Record) -> control.Job:
        arn = record[f"{self.prefix}Arn"]
        return control.Job(self.kind, self.name(record), arn, record["CreationTime"], record)

    def _rejected(self, record: Record) -> str:
        words = self.kind.replace("-", " ")
        return f"The request was rejected because the {words} is in status {self.status(record)}."
