"""SageMaker trials: the steps, as trial components, of one attempt of an experiment."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.experiments import trials
from localaws.sagemaker.lineage.entities import COMPONENT, EXPERIMENT, TRIAL

trial = Service("sagemaker", resource="trial", metadata_only="a record alone, as on AWS")


@trial.operation
def create_trial(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make a trial of an experiment, without components."""
    with ctx.store.transaction():
        name = EXPERIMENT.find(ctx, request["ExperimentName"])["ExperimentName"]
        display = request.get("DisplayName", request["TrialName"])
        return {"TrialArn": TRIAL.create_named({**request, "ExperimentName": name, "DisplayName": display}, ctx)}


@trial.operation
def describe_trial(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, at creation and by updates."""
    return TRIAL.find(ctx, request["TrialName"])


@trial.operation
def update_trial(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the display name."""

    def change(record: dict[str, Any]) -> None:
        record["DisplayName"] = request.get("DisplayName", record["DisplayName"])

    return {"TrialArn": TRIAL.update(request["TrialName"], ctx, change)}


@trial.operation
def delete_trial(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that has no components."""
    with ctx.store.transaction():
        record = TRIAL.find(ctx, request["TrialName"])
        if trials.components(ctx, record["TrialName"]):
            raise ValidationException(f"Trial '{record['TrialName']}' has trial components: disassociate these first.")
        TRIAL.delete(record, ctx)
    return {"TrialArn": record["TrialArn"]}


@trial.operation
def list_trials(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return trials of an experiment, or those that a component is part of, by time."""
    found = ctx.store.all(TRIAL.kind)
    if "ExperimentName" in request:
        name = EXPERIMENT.find(ctx, request["ExperimentName"])["ExperimentName"]
        found = [each for each in found if each["ExperimentName"] == name]
    if "TrialComponentName" in request:
        joined = trials.of(COMPONENT.find(ctx, request["TrialComponentName"]))
        found = [each for each in found if each["TrialName"] in joined]
    page, more = TRIAL.page([{**each, "TrialSource": each.get("Source")} for each in found], request)
    return {"TrialSummaries": page, **more}


@trial.operation
def associate_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make a component part of a trial; once more does no harm."""
    with ctx.store.transaction():
        record = TRIAL.find(ctx, request["TrialName"])
        arn = trials.join(ctx, request["TrialComponentName"], record["TrialName"])
    return {"TrialComponentArn": arn, "TrialArn": record["TrialArn"]}


@trial.operation
def disassociate_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Take a component out of a trial."""
    with ctx.store.transaction():
        record = TRIAL.find(ctx, request["TrialName"])
        component = COMPONENT.find(ctx, request["TrialComponentName"])
        if record["TrialName"] not in trials.of(component):
            raise ResourceNotFound(
                f"Trial Component '{request['TrialComponentName']}' is not associated with Trial "
                f"'{record['TrialName']}'."
            )
        arn = trials.leave(ctx, request["TrialComponentName"], record["TrialName"])
    return {"TrialComponentArn": arn, "TrialArn": record["TrialArn"]}
