"""
What follows when a training job of a tuning job has ended.

Nothing is kept in memory that the store and the logs do not have. A step looks at the training jobs, writes down what
became of them, stops those that do badly, and starts the next ones or writes down the end; done twice, or after a
crash, it does the same.
"""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.core.isolate import isolate
from localaws.sagemaker.tuning import completion, hyperband, stopping, trials
from localaws.sagemaker.tuning.search import KIND, search_of

Record = dict[str, Any]

#: FailureReason holds no more.
_REASON = 1024
#: training jobs after which, if none of them came to anything, no other is tried.
_ATTEMPTS = 5


def advance(record: Record, ctx: Context) -> None:
    """One step of a job that has not ended."""
    found = trials.look_at_all(record, ctx)
    record = _note(record, found, ctx)
    over = _why_over(record, found, ctx)
    if over is None:
        _stop_early(record, found, ctx)
        _start_next(record, found, ctx)
        return
    for trial in found:
        if not trials.ended(trial):
            trials.stop(trial, ctx)
    if all(trials.ended(trial) for trial in found):
        status, reason = over
        _end(record, status, ctx, **({"FailureReason": reason[:_REASON]} if reason else {}))


def fail(record: Record, reason: str, ctx: Context) -> None:
    """End the job as Failed, and the training jobs that run as Stopped."""
    for trial in record["_Trials"]:
        if not trials.ended(trial):
            # What could not be looked at may be what cannot be stopped either: that must not keep it from its end.
            with isolate(f"training job {trial['TrainingJobName']} is not stopped"):
                trials.stop(trial, ctx)
    _end(record, "Failed", ctx, FailureReason=reason[:_REASON])


def _why_over(record: Record, found: list[Record], ctx: Context) -> tuple[str, str] | None:
    """Return the status to end with and the reason, or ``None`` if the job continues."""
    done = [trial for trial in found if trials.ended(trial)]
    best = trials.best(done)
    limit = record["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxRuntimeInSeconds")
    if record["HyperParameterTuningJobStatus"] == "Stopping":
        return "Stopped", ""
    if "_Refusal" in record:
        return "Failed", record["_Refusal"]
    if limit and (ctx.now() - record["CreationTime"]).total_seconds() > limit:
        return ("Completed", "") if best else ("Failed", f"No training job succeeded within {limit} seconds.")
    if len(done) >= min(_ATTEMPTS, record["_Definition"]["Jobs"]) and best is None:
        return "Failed", _nothing_came_of(done)
    if len(done) == record["_Definition"]["Jobs"] or completion.reached(record):
        return "Completed", ""
    return None


def _nothing_came_of(done: list[Record]) -> str:
    if all(trial["TrainingJobStatus"] == "Failed" for trial in done):
        return (
            f"No training job succeeded after {len(done)} attempts. Please take a look at the training job failures to "
            f"get more details. {done[-1].get('FailureReason', '')}"
        ).rstrip()
    return (
        f"No objective metrics found after running {len(done)} training jobs. Please ensure that the custom algorithm "
        "is emitting the objective metric as defined by the regular expression provided."
    )


def _stop_early(record: Record, found: list[Record], ctx: Context) -> None:
    if not stopping.wanted(record):
        return
    values = {number: _values(record, number, trial, ctx) for number, trial in enumerate(found, 1)}
    for number, trial in enumerate(found, 1):
        if trial["TrainingJobStatus"] == "InProgress" and _does_worse(record, number, values, found):
            trials.stop(trial, ctx)


def _values(record: Record, number: int, trial: Record, ctx: Context) -> list[float]:
    if trials.ended(trial):
        return list(trial.get("_Values", []))
    return stopping.values(search_of(record, number)[0].metric, trial, ctx)


def _does_worse(record: Record, number: int, values: dict[int, list[float]], found: list[Record]) -> bool:
    if record["HyperParameterTuningJobConfig"]["Strategy"] == "Hyperband":
        return hyperband.worse(record, number, values[number], values)
    search, _ = search_of(record, number)
    completed = [
        values[other]
        for other, trial in enumerate(found, 1)
        if trial["TrainingJobStatus"] == "Completed" and search_of(record, other)[0] == search
    ]
    return stopping.worse(values[number], completed, search.direction)


def _start_next(record: Record, found: list[Record], ctx: Context) -> None:
    running = sum(not trials.ended(trial) for trial in found)
    parallel = record["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
    number = len(found)
    while running < parallel and number < record["_Definition"]["Jobs"]:
        number, running = number + 1, running + 1
        try:
            found = [*found, trials.start(record, number, ctx)]
        except (AwsError, trials.NameTaken) as error:
            # What runs is stopped first, and so the end comes with a later step.
            _change(record, ctx, {"_Refusal": f"ClientError: {error}"})
            return
        # At once: so that a stop finds it.
        record = _note(record, found, ctx)


def _note(record: Record, found: list[Record], ctx: Context) -> Record:
    """Keep the trials, and what is told of them as a whole; the record then."""
    if found == record["_Trials"]:
        return record
    best = trials.best(found)
    members = {"_Trials": found, **trials.counters(found), **({"BestTrainingJob": best} if best else {})}
    return _change(record, ctx, {**members, **completion.details({**record, **members}, ctx)})


def _end(record: Record, status: str, ctx: Context, **members: Any) -> None:
    now = ctx.now()
    _change(record, ctx, {"HyperParameterTuningJobStatus": status, "HyperParameterTuningEndTime": now, **members})


def _change(record: Record, ctx: Context, members: Record) -> Record:
    members = {**members, "LastModifiedTime": ctx.now()}
    return (
        ctx.store.update(KIND, record["HyperParameterTuningJobName"], lambda stored: stored.update(members)) or record
    )
