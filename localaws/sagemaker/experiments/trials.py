"""Which trial components are part of which trials, and what a job's ExperimentConfig makes of it."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws
from localaws.sagemaker.lineage.entities import COMPONENT, EXPERIMENT, TRIAL, Record

#: names of trials, in a component's record.
_TRIALS = "_Trials"
#: jobs whose children are the components of an experiment of their own: its name's ending, and its SourceType, by the
#: member that names the job in a child's record.
_PARENTS = {
    "TuningJobArn": ("aws-tuning-job", "SageMakerHyperParameterTuningJob"),
    "AutoMLJobArn": ("aws-auto-ml-job", "SageMakerAutoMLJob"),
}


def of(component: Record) -> list[str]:
    """Return the names of the trials that a component is part of."""
    found: list[str] = component.get(_TRIALS, [])
    return found


def components(ctx: Context, trial: str) -> list[Record]:
    """Return the components of a trial."""
    return [each for each in ctx.store.all(COMPONENT.kind) if trial in of(each)]


def join(ctx: Context, component: str, trial: str) -> str:
    """Make a component part of a trial, both there already; the component's ARN."""

    def change(record: Record) -> None:
        record[_TRIALS] = [*(name for name in of(record) if name != trial), trial]

    return COMPONENT.update(component, ctx, change)


def leave(ctx: Context, component: str, trial: str) -> str:
    """Take a component out of a trial; the component's ARN."""

    def change(record: Record) -> None:
        record[_TRIALS] = [name for name in of(record) if name != trial]

    return COMPONENT.update(component, ctx, change)


def enter(ctx: Context, component: str, config: Record) -> None:
    """
    Do what a job's ExperimentConfig says: display name, and the trial, made where only the experiment is named.

    :raises ResourceNotFound: experiment or trial are not there.
    """
    if "RunName" in config:
        raise NotImplementedByLocalAws("ExperimentConfig with RunName is not implemented by localaws.")
    if "TrialComponentDisplayName" in config:
        shown = {"DisplayName": config["TrialComponentDisplayName"]}
        COMPONENT.update(component, ctx, lambda record: record.update(shown))
    experiment = EXPERIMENT.find(ctx, config["ExperimentName"]) if "ExperimentName" in config else None
    if "TrialName" in config:
        join(ctx, component, TRIAL.find(ctx, config["TrialName"])["TrialName"])
    elif experiment is not None:
        name = f"{component}-trial"
        members = {"TrialName": name, "DisplayName": name, "ExperimentName": experiment["ExperimentName"]}
        TRIAL.ensure(ctx, name, members)
        join(ctx, component, name)


def begin(ctx: Context, member: str, job: str, arn: str) -> None:
    """
    Make a job's experiment, ``{job}-aws-tuning-job`` or ``{job}-aws-auto-ml-job``, and its trial.

    :param member: that names the job in its children's records: TuningJobArn or AutoMLJobArn.
    """
    ending, source_type = _PARENTS[member]
    name, source = f"{job}-{ending}", {"SourceArn": arn, "SourceType": source_type}
    EXPERIMENT.ensure(ctx, name, {"ExperimentName": name, "DisplayName": name, "Source": source})
    trial = f"{name}-trial"
    TRIAL.ensure(ctx, trial, {"TrialName": trial, "DisplayName": trial, "ExperimentName": name, "Source": source})


def enter_parent(ctx: Context, component: str, record: Record) -> None:
    """Make the component of a child part of its parent's trial, unless somebody has deleted that."""
    for member, (ending, _) in _PARENTS.items():
        if member in record:
            trial = TRIAL.get(ctx, f"{record[member].rpartition('/')[2]}-{ending}-trial")
            if trial is not None:
                join(ctx, component, trial["TrialName"])
