"""
What follows when a step of an execution has ended.

Nothing is kept in memory. A turn looks at the execution and at the jobs of its steps in the store, writes down what
has become of them, and begins all that can begin then; done twice, or after a crash, it does the same: a step is
written down as Starting, with its arguments, before it begins, and its job's name is a function of the attempt.
"""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.isolate import isolate
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.pipelines import cache, failures, kinds, retries
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.execution import Execution
from localaws.sagemaker.pipelines.failures import StepFailure
from localaws.sagemaker.pipelines.jobs import reason
from localaws.sagemaker.pipelines.readiness import ENDED, READY
from localaws.sagemaker.pipelines.work import Call, Job, Result

Record = dict[str, Any]

#: SageMaker's own number of steps that run at once, where nothing is said.
_PARALLEL = 50


def advance(record: Record, ctx: Context) -> None:
    """One turn of an execution that has not ended."""
    execution = Execution(record, ctx)
    if record["PipelineExecutionStatus"] == "Stopping":
        if _stop(execution):
            execution.end("Stopped")
        return
    _look(execution)
    while not _failed_by_step(execution) and _begin(execution):
        # What is done at once, or taken from the cache, lets others begin.
        pass
    if _failed_by_step(execution):
        if _stop(execution):
            execution.end("Failed", _in_status(execution, "Failed"))
    elif not _running(execution):
        _end(execution)


def fail(record: Record, reason: str, ctx: Context) -> None:
    """End an execution that cannot go on."""
    execution = Execution(record, ctx)
    # What could not be looked at, its definition even, may keep its steps from being stopped, and not from its end.
    with isolate(f"the steps of {execution.arn} are not ended"):
        for step in _running(execution):
            _failed(execution, step, StepFailure(reason))
            with isolate(f"the job of the step {step['_Id']} is not stopped"):
                _ask_to_stop(execution, step)
    execution.end("Failed", reason=reason)


def _running(execution: Execution) -> list[Record]:
    return [step for step in execution.steps.values() if step["StepStatus"] not in ENDED]


def _in_status(execution: Execution, status: str) -> list[Record]:
    return [step for step in execution.steps.values() if step["StepStatus"] == status]


def _failed_by_step(execution: Execution) -> bool:
    """Return True if a Fail step was reached, which ends the execution at once."""
    return any(step["StepType"] == "Fail" for step in _in_status(execution, "Failed"))


def _begin(execution: Execution) -> bool:
    """Start the steps that can start, and return True if there was one."""
    config = execution.record.get("ParallelismConfiguration") or {}
    free = config.get("MaxParallelExecutionSteps", _PARALLEL) - len(_running(execution))
    ready = execution.standing().steps(READY)[: max(0, free)]
    for step in ready:
        _enter(execution, step)
    return bool(ready)


def _enter(execution: Execution, step: Step) -> None:
    """Begin a step: with the result of a former execution, or with a first attempt."""
    record = execution.begun(step)
    kind = kinds.of(step)
    try:
        name = kind.name(execution.work({**record, "_Body": step.expressions})) if isinstance(kind, Job) else ""
        record["_Body"] = execution.scope(name).resolve(step.expressions)
    except StepFailure as failure:
        _failed(execution, record, failure)
        return
    work = execution.work(record)
    record["_CacheKey"] = cache.key(kind, work)
    found = cache.find(execution.record["PipelineArn"], work, record["_CacheKey"], execution.ctx)
    if found is not None:
        source = {"SourcePipelineExecutionArn": found["_Id"].rpartition("/")[0]}
        _take_over(execution, record, found, CacheHitResult=source)
        return
    execution.save(record)
    _attempt(execution, record)


def _take_over(execution: Execution, record: Record, found: Record, **members: Any) -> None:
    """End a step with the result of another execution's."""
    taken: Record = {key: found[key] for key in ("Metadata", "_Properties", "_Child") if key in found}
    execution.save({**record, **taken, **members, "StepStatus": "Succeeded", "EndTime": execution.ctx.now()})


def _attempt(execution: Execution, step: Record) -> None:
    """Do what a step is, or start its job; what this attempt has done before is not done again."""
    work = execution.work(step)
    kind = kinds.of(work.step)
    try:
        if isinstance(kind, Call):
            _succeeded(execution, step, kind.run(work))
        elif isinstance(kind, Job):
            job = kind.begin(work)
            changed = {"StepStatus": "Executing", "Metadata": kind.metadata(work, job), "_Child": list(kind.child(job))}
            execution.save({**step, **changed})
    except StepFailure as failure:
        _again_or_failed(execution, step, failure)


def _look(execution: Execution) -> None:
    """Write down what has become of the steps that run."""
    for step in _running(execution):
        if step["StepStatus"] == "Starting":
            _attempt(execution, step)
        elif "_RetryAt" in step:
            if step["_RetryAt"] <= execution.ctx.now():
                left = {key: value for key, value in step.items() if key != "_RetryAt"}
                again = {**left, "AttemptCount": step["AttemptCount"] + 1, "StepStatus": "Starting"}
                execution.save(again)
                _attempt(execution, again)
        else:
            _look_at_job(execution, step)


def _look_at_job(execution: Execution, step: Record) -> None:
    work = execution.work(step)
    kind = kinds.of(work.step)
    if not isinstance(kind, Job):
        return
    job = kind.look(step["_Child"][1], execution.ctx)
    if job is None:
        _failed(execution, step, StepFailure(f"ClientError: The {step['_Child'][0]} was deleted."))
        return
    status = kind.status(job)
    if status == "Completed":
        try:
            _succeeded(execution, step, kind.result(work, job))
        except StepFailure as failure:
            _failed(execution, step, failure)
    elif status == "Failed":
        _again_or_failed(execution, step, failures.of_job(reason(job)))
    elif status == "Stopped":
        execution.save({**step, "StepStatus": "Stopped", "EndTime": execution.ctx.now()})


def _succeeded(execution: Execution, step: Record, result: Result) -> None:
    ended = {**step, "StepStatus": "Succeeded", "EndTime": execution.ctx.now()}
    ended |= {"Metadata": result.metadata, "_Properties": result.properties}
    with execution.ctx.store.transaction():
        execution.save(ended)
        cache.keep(execution.record["PipelineArn"], ended, execution.ctx)


def _again_or_failed(execution: Execution, step: Record, failure: StepFailure) -> None:
    policies = execution.definition.steps[step["StepName"]].body.get("RetryPolicies") or []
    then = retries.again(policies, step, failure, execution.ctx.now())
    if then is None:
        _failed(execution, step, failure)
    else:
        execution.save({**step, "StepStatus": "Executing", "_RetryAt": then})


def _failed(execution: Execution, step: Record, failure: StepFailure) -> None:
    members: Record = {"FailureReason": failure.reason[: failures.STEP_REASON]}
    if failure.metadata is not None:
        members["Metadata"] = failure.metadata
    execution.save({**step, **members, "StepStatus": "Failed", "EndTime": execution.ctx.now()})


def _stop(execution: Execution) -> bool:
    """Stop what runs, and return True if nothing runs any more."""
    for step in _running(execution):
        _stop_step(execution, step)
    return not _running(execution)


def _stop_step(execution: Execution, step: Record) -> None:
    if step["StepStatus"] == "Starting" or "_RetryAt" in step:
        # Starting may have been as far as its job: that is found by the attempt's name, and stopped the next time.
        if step["StepStatus"] == "Starting" and _has_job(execution, step):
            _attempt(execution, step)
        else:
            execution.save({**step, "StepStatus": "Stopped", "EndTime": execution.ctx.now()})
        return
    if not _ask_to_stop(execution, step):
        _look_at_job(execution, step)
    elif step["StepStatus"] != "Stopping":
        execution.save({**step, "StepStatus": "Stopping"})


def _ask_to_stop(execution: Execution, step: Record) -> bool:
    """Ask a step's job to stop, and return True if one runs."""
    kind = kinds.of(execution.definition.steps[step["StepName"]])
    if not isinstance(kind, Job) or "_Child" not in step:
        return False
    job = kind.look(step["_Child"][1], execution.ctx)
    if job is None or kind.status(job) in TERMINAL:
        return False
    kind.stop(job, execution.ctx)
    return True


def _has_job(execution: Execution, step: Record) -> bool:
    work = execution.work(step)
    kind = kinds.of(work.step)
    return isinstance(kind, Job) and kind.look(kind.name(work), execution.ctx) is not None


def _end(execution: Execution) -> None:
    failed = _in_status(execution, "Failed")
    if failed:
        handled = all(_handled(execution, step["StepName"], ("Failed", "Any")) for step in failed)
        execution.end("CompletedWithFailures" if handled else "Failed", failed)
    elif not all(
        _handled(execution, step["StepName"], ("Stopped", "Any")) for step in _in_status(execution, "Stopped")
    ):
        execution.end("Stopped")
    else:
        execution.end("Succeeded")


def _handled(execution: Execution, name: str, triggers: tuple[str, ...]) -> bool:
    """Return True if a step has run because another had not completed."""
    return any(
        dependency.step == name and dependency.trigger in triggers
        for step in execution.steps
        for dependency in execution.definition.steps[step].needs
    )
