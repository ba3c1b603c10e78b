"""Executions of SageMaker pipelines. :mod:`.machine` moves them on."""

from __future__ import annotations

import secrets
import string
from typing import Any

from localaws.core import pagination, reconciler
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.pipelines import api as pipeline
from localaws.sagemaker.pipelines import execution, experiment, machine, parameters, selection, tokens
from localaws.sagemaker.pipelines.execution import KIND, TERMINAL, Execution

pipeline_execution = Service("sagemaker", resource="pipeline-execution")

_RESOURCE = reconciler.Resource(
    KIND, "PipelineExecutionArn", "PipelineExecutionStatus", machine.advance, machine.fail, TERMINAL
)
reconciler.register(_RESOURCE)

_ID = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
#: members of a start that are the execution's own.
_KEPT = (
    "PipelineExecutionDisplayName",
    "PipelineExecutionDescription",
    "ParallelismConfiguration",
    "SelectiveExecutionConfig",
)

Record = dict[str, Any]


def find(ctx: Context, arn: str) -> Record:
    """
    Return the record of an execution.

    :raises ResourceNotFound: there is none, in AWS's words.
    """
    record = ctx.store.find(KIND, arn)
    if record is None:
        raise ResourceNotFound(f"Pipeline execution '{arn}' does not exist.")
    return record


@pipeline_execution.operation
def start_pipeline_execution(request: Record, ctx: Context) -> Record:
    """Start an execution; the same ClientRequestToken starts it once."""
    arn = tokens.once("StartPipelineExecution", request, ctx, lambda: _start(request, ctx))
    reconciler.poke()
    return {"PipelineExecutionArn": arn}


def _start(request: Record, ctx: Context) -> str:
    if "MlflowExperimentName" in request:
        raise NotImplementedByLocalAws(
            "StartPipelineExecution with MlflowExperimentName is not implemented by localaws."
        )
    owner = pipeline.find(ctx, request["PipelineName"])
    version = pipeline.version(owner, request.get("PipelineVersionId"))
    arn = f"{owner['PipelineArn']}/execution/{''.join(secrets.choice(_ID) for _ in range(_ID_LENGTH))}"
    now = ctx.now()
    record = {
        **{key: owner[key] for key in ("ParallelismConfiguration",) if key in owner},
        **{key: request[key] for key in _KEPT if key in request},
        "PipelineArn": owner["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionStatus": "Executing",
        "PipelineVersionId": version["PipelineVersionId"],
        "CreationTime": now,
        "LastModifiedTime": now,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "_PipelineName": owner["PipelineName"],
        "_Definition": version["Definition"],
        "_Retries": 0,
        "_Token": request["ClientRequestToken"],
    }
    record.setdefault("PipelineExecutionDisplayName", f"execution-{int(now.timestamp() * 1000)}")
    started = Execution(record, ctx)
    chosen = selection.choose(started, request.get("SelectiveExecutionConfig"))
    given = request.get("PipelineParameters", [])
    before = chosen.source.record["_Parameters"] if chosen and chosen.source else None
    record["_Parameters"] = parameters.values(started.definition.parameters, given, before)
    experiment.enter(started)
    if chosen:
        record["_Only"] = sorted(chosen.steps)
        selection.take_over(started, chosen)
    ctx.store.insert(KIND, arn, record)
    ctx.store.update(pipeline.KIND, owner["PipelineName"], lambda stored: stored.update(LastRunTime=now))
    return arn


@pipeline_execution.operation
def stop_pipeline_execution(request: Record, ctx: Context) -> Record:
    """Stop an execution: nothing more begins, and the jobs that run are stopped."""

    def stop() -> str:
        return _set_status(request["PipelineExecutionArn"], ("Executing",), "Stopping", ctx, "stopped")

    arn = tokens.once("StopPipelineExecution", request, ctx, stop)
    reconciler.poke()
    return {"PipelineExecutionArn": arn}


@pipeline_execution.operation
def retry_pipeline_execution(request: Record, ctx: Context) -> Record:
    """Go on with an execution that has failed or was stopped: at the steps that did not succeed."""

    def retry() -> str:
        arn = _set_status(request["PipelineExecutionArn"], ("Failed", "Stopped"), "Executing", ctx, "retried")
        retried = Execution(find(ctx, arn), ctx)
        retried.forget_unsuccessful()

        def change(stored: Record) -> None:
            stored.pop("FailureReason", None)
            stored["_Retries"] += 1
            if "ParallelismConfiguration" in request:
                stored["ParallelismConfiguration"] = request["ParallelismConfiguration"]

        retried.change(change)
        return arn

    arn = tokens.once("RetryPipelineExecution", request, ctx, retry)
    reconciler.poke()
    return {"PipelineExecutionArn": arn}


def _set_status(arn: str, allowed: tuple[str, ...], status: str, ctx: Context, done: str) -> str:
    record = find(ctx, arn)
    if record["PipelineExecutionStatus"] not in allowed:
        # Airflow's hook matches the second sentence: AWS's ValidationException says nothing else that tells it apart.
        shown = " or ".join(f"'{each}'" for each in allowed)
        raise ValidationException(
            f"Pipeline execution with ARN {arn} is in status '{record['PipelineExecutionStatus']}'. "
            f"Only pipelines with {shown} status can be {done}"
        )
    found = Execution(record, ctx)
    found.change(lambda stored: stored.update(PipelineExecutionStatus=status))
    return found.arn


@pipeline_execution.operation
def update_pipeline_execution(request: Record, ctx: Context) -> Record:
    """Change what an execution is called, and how many of its steps run at once."""
    found = Execution(find(ctx, request["PipelineExecutionArn"]), ctx)
    found.change(lambda stored: stored.update({key: request[key] for key in _KEPT if key in request}))
    reconciler.poke()
    return {"PipelineExecutionArn": found.arn}


@pipeline_execution.operation
def describe_pipeline_execution(request: Record, ctx: Context) -> Record:
    """Describe an execution."""
    return find(ctx, request["PipelineExecutionArn"])


@pipeline_execution.operation
def describe_pipeline_definition_for_execution(request: Record, ctx: Context) -> Record:
    """Return the definition that an execution runs, even if the pipeline has changed since."""
    record = find(ctx, request["PipelineExecutionArn"])
    text = execution.definition_text(record["_Definition"], ctx)
    return {"PipelineDefinition": text, "CreationTime": record["CreationTime"]}


@pipeline_execution.operation
def list_pipeline_executions(request: Record, ctx: Context) -> Record:
    """List the executions of a pipeline."""
    owner = pipeline.find(ctx, request["PipelineName"])
    found = [
        {
            **record,
            "StartTime": record["CreationTime"],
            "PipelineExecutionFailureReason": record.get("FailureReason"),
        }
        for record in ctx.store.all(KIND)
        if record["PipelineArn"] == owner["PipelineArn"]
    ]
    chosen = pagination.select(
        found,
        pipeline.times(request),
        name="PipelineExecutionArn",
        sort_keys={"PipelineExecutionArn": "PipelineExecutionArn"},
    )
    page, more = pagination.page(chosen, request)
    return {"PipelineExecutionSummaries": page, **more}


@pipeline_execution.operation
def list_pipeline_execution_steps(request: Record, ctx: Context) -> Record:
    """List the steps of an execution that have begun, latest first by default."""
    if "PipelineExecutionArn" not in request:
        raise ValidationException("You must specify PipelineExecutionArn.")
    found = Execution(find(ctx, request["PipelineExecutionArn"]), ctx)
    # Steps that begin in the same turn begin in the definition's order.
    steps = sorted(found.steps.values(), key=lambda step: step["StartTime"])
    if request.get("SortOrder") != "Ascending":
        steps.reverse()
    page, more = pagination.page(steps, request)
    return {"PipelineExecutionSteps": page, **more}


@pipeline_execution.operation
def list_pipeline_parameters_for_execution(request: Record, ctx: Context) -> Record:
    """List the parameters of an execution as they take effect, defaults included."""
    found: Record = find(ctx, request["PipelineExecutionArn"])["_Parameters"]
    values = [{"Name": name, "Value": parameters.text(value)} for name, value in found.items()]
    page, more = pagination.page(values, request)
    return {"PipelineParameters": page, **more}
