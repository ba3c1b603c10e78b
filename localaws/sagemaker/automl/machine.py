"""
What follows when a child of an AutoML job has ended: ``analysis``, ``features``, one candidate after the other, and
``explanation`` of the best.

Nothing is kept in memory. A step looks at the record and at the children in the store, and begins the next child or
writes down the end; done twice, or after a crash, it does the same. Children may be deleted, so the record keeps what
came of them: ``_Analysis`` (``analysis.json``), ``_Features`` (whether they are made) and ``_Candidates`` (by kind,
those that have ended).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.automl import candidates, children

KIND = "automl-job"

Record = dict[str, Any]

#: the fields of FailureReason and ExitMessage hold no more.
_REASON = 1024


class Failure(Exception):
    """The job fails, and why."""


def advance(record: Record, ctx: Context) -> None:
    """One step of a job that has not ended."""
    try:
        if record["AutoMLJobStatus"] == "Stopping":
            _stop(record, ctx)
        elif _seconds_left(record, ctx) <= 0:
            _out_of_time(record, ctx)
        elif "_Analysis" not in record:
            _analyse(record, ctx)
        elif not record["_Features"]:
            _make_features(record, ctx)
        else:
            _tune(record, ctx)
    except (Failure, children.NameTaken) as failure:
        fail(record, str(failure), ctx)


def fail(record: Record, reason: str, ctx: Context) -> None:
    """End the job as Failed, and its children, if one runs, as Stopped."""
    # What could not be looked at may be what cannot be stopped either: that must not keep it from its end.
    with isolate(f"children of the AutoML job {record['AutoMLJobName']} are not stopped"):
        children.stop(record, ctx)
    _end(record, ctx, "Failed", "Failed", FailureReason=reason[:_REASON])


def _analyse(record: Record, ctx: Context) -> None:
    job = children.processing_job(record, children.ANALYSIS, _limit(record, ctx), ctx)
    _enter(record, ctx, "AnalyzingData")
    if not _done(job):
        return
    analysis = children.analysis(record, ctx)
    folder = children.notebooks(record)
    criteria = record["_Definition"]["Criteria"]
    resolved = {
        "ProblemType": analysis["problem_type"],
        "AutoMLJobObjective": {"MetricName": analysis["objective"]},
        "CompletionCriteria": criteria,
    }
    artifacts = {
        "DataExplorationNotebookLocation": f"{folder}/SageMakerAutopilotDataExplorationNotebook.ipynb",
        "CandidateDefinitionNotebookLocation": f"{folder}/SageMakerAutopilotCandidateDefinitionNotebook.ipynb",
    }
    known = {"_Analysis": analysis, "ResolvedAttributes": resolved, "AutoMLJobArtifacts": artifacts}
    if record["_Definition"]["DefinitionsOnly"]:
        _end(record, ctx, "Completed", "CandidateDefinitionsGenerated", **known)
    else:
        _change(record, ctx, lambda stored: stored.update(known))


def _make_features(record: Record, ctx: Context) -> None:
    job = children.processing_job(record, children.FEATURES, _limit(record, ctx), ctx)
    _enter(record, ctx, "FeatureEngineering")
    if _done(job):
        _change(record, ctx, lambda stored: stored.update({"_Features": True}))


def _tune(record: Record, ctx: Context) -> None:
    for kind in children.kinds(record):
        if kind.name in record["_Candidates"]:
            continue
        job = children.training_job(record, kind, ctx) or children.train(
            record, kind, _training_limit(record, ctx), ctx
        )
        _enter(record, ctx, "ModelTuning")
        if job["TrainingJobStatus"] in TERMINAL:
            _note(record, kind.name, candidates.candidate(record, job, ctx), ctx)
        return
    found = candidates.of(record, ctx)
    if candidates.best(found) is None:
        reasons = "; ".join(failure["PartialFailureMessage"] for failure in candidates.failures(found))
        raise Failure(f"No candidate could be trained. {reasons}")
    _explain(record, ctx)


def _explain(record: Record, ctx: Context) -> None:
    """Explain the best candidate. Where that fails the candidates are as good as before, and the job says so."""
    _enter(record, ctx, "GeneratingExplainabilityReport")
    try:
        done = _done(children.processing_job(record, children.EXPLANATION, _limit(record, ctx), ctx))
    except Failure as failure:
        reasons = [*record.get("PartialFailureReasons", []), {"PartialFailureMessage": str(failure)[:_REASON]}]
        _end(record, ctx, "Completed", "ExplainabilityError", PartialFailureReasons=reasons)
        return
    if done:
        _change(record, ctx, _located)
        _end(record, ctx, "Completed", "Completed")


def _located(stored: Record) -> None:
    """Tell where the explanation of the best candidate is."""
    best = stored["BestCandidate"]["CandidateName"]
    places = children.documentation(stored, best)
    for found in (stored["BestCandidate"], *stored["_Candidates"].values()):
        if found["CandidateName"] == best:
            found["CandidateProperties"] = {**found["CandidateProperties"], "CandidateArtifactLocations": places}


def _stop(record: Record, ctx: Context) -> None:
    if children.stop(record, ctx):
        _note_the_ended(record, ctx)
        _end(record, ctx, "Stopped", "Stopped")


def _out_of_time(record: Record, ctx: Context) -> None:
    """End a job that is out of time. Trained candidates count; the one in training does not."""
    if not children.stop(record, ctx):
        return
    record = _note_the_ended(record, ctx)
    seconds = record["_Definition"]["Criteria"]["MaxAutoMLJobRuntimeInSeconds"]
    if candidates.best(list(record["_Candidates"].values())) is None:
        reason = f"No candidate was trained within MaxAutoMLJobRuntimeInSeconds, {seconds}."
        _end(record, ctx, "Failed", "MaxAutoMLJobRuntimeReached", FailureReason=reason)
    else:
        _end(record, ctx, "Completed", "MaxAutoMLJobRuntimeReached")


def _note_the_ended(record: Record, ctx: Context) -> Record:
    """Keep the candidates whose training has ended; the record then."""
    for kind in children.kinds(record):
        job = None if kind.name in record["_Candidates"] else children.training_job(record, kind, ctx)
        if job and job["TrainingJobStatus"] in TERMINAL:
            record = _note(record, kind.name, candidates.candidate(record, job, ctx), ctx)
    return record


def _note(record: Record, kind: str, candidate: Record, ctx: Context) -> Record:
    """Keep a candidate that has ended, and which is the best by now."""

    def change(stored: Record) -> None:
        stored["_Candidates"][kind] = candidate
        found = list(stored["_Candidates"].values())
        if best := candidates.best(found):
            stored["BestCandidate"] = best
        if failures := candidates.failures(found):
            stored["PartialFailureReasons"] = failures

    return _change(record, ctx, change)


def _enter(record: Record, ctx: Context, secondary: str) -> None:
    """Say what the job is at, unless somebody has asked it to stop."""
    if record["AutoMLJobSecondaryStatus"] == secondary:
        return

    def change(stored: Record) -> None:
        if stored["AutoMLJobStatus"] == "InProgress":
            stored["AutoMLJobSecondaryStatus"] = secondary

    _change(record, ctx, change)


def _end(record: Record, ctx: Context, status: str, secondary: str, **members: Any) -> None:
    now = ctx.now()
    end = {"AutoMLJobStatus": status, "AutoMLJobSecondaryStatus": secondary, "EndTime": now, **members}
    _change(record, ctx, lambda stored: stored.update(end))


def _change(record: Record, ctx: Context, change: Callable[[Record], None]) -> Record:
    """Change the record in the store; as it is then."""

    def with_time(stored: Record) -> None:
        change(stored)
        stored["LastModifiedTime"] = ctx.now()

    return ctx.store.update(KIND, record["AutoMLJobName"], with_time) or record


def _done(job: Record) -> bool:
    """Return True if a processing job has completed. :raises Failure: it has ended otherwise."""
    status = job["ProcessingJobStatus"]
    if status in ("Failed", "Stopped"):
        why = job.get("ExitMessage") or job.get("FailureReason") or f"the job was {status.lower()}"
        raise Failure(f"{why} (processing job {job['ProcessingJobName']})")
    return bool(status == "Completed")


def _seconds_left(record: Record, ctx: Context) -> float:
    limit = record["_Definition"]["Criteria"]["MaxAutoMLJobRuntimeInSeconds"]
    return float(limit - (ctx.now() - record["CreationTime"]).total_seconds())


def _limit(record: Record, ctx: Context) -> int:
    """Return the seconds that the next processing job may take."""
    return max(1, min(86_400, int(_seconds_left(record, ctx))))


def _training_limit(record: Record, ctx: Context) -> int:
    """Return the seconds that the next training job may take."""
    limit: int = record["_Definition"]["Criteria"]["MaxRuntimePerTrainingJobInSeconds"]
    return min(limit, _limit(record, ctx))
