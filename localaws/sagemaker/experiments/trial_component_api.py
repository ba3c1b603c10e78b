"""SageMaker trial components: one job, or another step, with its parameters, data and metrics."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.experiments import job_components, trials  # noqa: F401 - which listens to jobs
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import COMPONENT, EXPERIMENT, TRIAL, same_source

trial_component = Service("sagemaker", resource="trial-component", metadata_only="a record alone, as on AWS")

#: AWS's own limits of a component.
_MOST = {"Parameters": 300, "InputArtifacts": 60, "OutputArtifacts": 60}


@trial_component.operation
def create_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make a component for a step that is no job."""
    display = request.get("DisplayName", request["TrialComponentName"])
    return {"TrialComponentArn": COMPONENT.create_named({**request, "DisplayName": display}, ctx)}


@trial_component.operation
def describe_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given, or follows from the job."""
    return COMPONENT.find(ctx, request["TrialComponentName"])


@trial_component.operation
def update_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change status and times; add and remove parameters and artifacts."""

    def change(record: dict[str, Any]) -> None:
        record |= {key: request[key] for key in ("DisplayName", "Status", "StartTime", "EndTime") if key in request}
        for member, most in _MOST.items():
            merged = {**record.get(member, {}), **request.get(member, {})}
            for key in request.get(f"{member}ToRemove", []):
                merged.pop(key, None)
            if len(merged) > most:
                raise ValidationException(f"A trial component has at most {most} {member}.")
            record[member] = merged

    return {"TrialComponentArn": COMPONENT.update(request["TrialComponentName"], ctx, change)}


@trial_component.operation
def delete_trial_component(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete one that is part of no trial, with its associations."""
    with ctx.store.transaction():
        record = COMPONENT.find(ctx, request["TrialComponentName"])
        arn = record["TrialComponentArn"]
        if trials.of(record):
            raise ValidationException(f"TrialComponent '{arn}' is linked to 1 or more trials and cannot be deleted.")
        associations.forget(ctx, arn)
        COMPONENT.delete(record, ctx)
    return {"TrialComponentArn": arn}


@trial_component.operation
def list_trial_components(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return components of an experiment, of a trial or of a source, by time."""
    if len([member for member in ("ExperimentName", "TrialName", "SourceArn") if member in request]) > 1:
        raise ValidationException("You can specify only one of ExperimentName, TrialName and SourceArn.")
    found = ctx.store.all(COMPONENT.kind)
    if "TrialName" in request:
        found = trials.components(ctx, TRIAL.find(ctx, request["TrialName"])["TrialName"])
    elif "ExperimentName" in request:
        name = EXPERIMENT.find(ctx, request["ExperimentName"])["ExperimentName"]
        own = {trial["TrialName"] for trial in ctx.store.all(TRIAL.kind) if trial["ExperimentName"] == name}
        found = [each for each in found if own.intersection(trials.of(each))]
    elif "SourceArn" in request:
        found = [
            each for each in found if same_source(request["SourceArn"], each.get("Source", {}).get("SourceArn", ""))
        ]
    page, more = COMPONENT.page([{**each, "TrialComponentSource": each.get("Source")} for each in found], request)
    return {"TrialComponentSummaries": page, **more}
