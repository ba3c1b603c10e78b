"""SageMaker experiments: what groups trials."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import EXPERIMENT, TRIAL

experiment = Service("sagemaker", resource="experiment", metadata_only="a record alone, as on AWS")


@experiment.operation
def create_experiment(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make an experiment without trials."""
    display = request.get("DisplayName", request["ExperimentName"])
    return {"ExperimentArn": EXPERIMENT.create_named({**request, "DisplayName": display}, ctx)}


@experiment.operation
def describe_experiment(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return EXPERIMENT.find(ctx, request["ExperimentName"])


@experiment.operation
def update_experiment(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change display name and description."""

    def change(record: dict[str, Any]) -> None:
        record |= {key: request[key] for key in ("DisplayName", "Description") if key in request}

    return {"ExperimentArn": EXPERIMENT.update(request["ExperimentName"], ctx, change)}


@experiment.operation
def delete_experiment(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that has no trials."""
    with ctx.store.transaction():
        record = EXPERIMENT.find(ctx, request["ExperimentName"])
        name = record["ExperimentName"]
        if any(trial["ExperimentName"] == name for trial in ctx.store.all(TRIAL.kind)):
            raise ValidationException(f"Experiment '{name}' has trials: delete these first.")
        associations.require_none(ctx, record["ExperimentArn"])
        EXPERIMENT.delete(record, ctx)
    return {"ExperimentArn": record["ExperimentArn"]}


@experiment.operation
def list_experiments(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return experiments by time."""
    page, more = EXPERIMENT.page(ctx.store.all(EXPERIMENT.kind), request)
    return {"ExperimentSummaries": page, **more}
