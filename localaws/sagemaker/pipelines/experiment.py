"""The experiment and the trial that an execution's jobs are part of, by the definition's PipelineExperimentConfig."""

from __future__ import annotations

from typing import Any

from localaws.core import operations
from localaws.core.errors import ValidationException
from localaws.sagemaker.lineage.entities import EXPERIMENT, TRIAL
from localaws.sagemaker.pipelines.execution import Execution
from localaws.sagemaker.pipelines.failures import StepFailure
from localaws.sagemaker.pipelines.work import Work, request

Record = dict[str, Any]


def enter(execution: Execution) -> None:
    """
    Write down what an execution is part of; experiment and trial are made unless they are there.

    :raises ValidationException: their names are no names.
    """
    wanted = execution.definition.experiment
    if not wanted:
        return
    try:
        config = execution.scope("").resolve(wanted)
        experiment, trial = config["ExperimentName"], config["TrialName"]
        request("CreateExperiment", {"ExperimentName": experiment})
        request("CreateTrial", {"ExperimentName": experiment, "TrialName": trial})
    except StepFailure as failure:
        raise ValidationException(f"The PipelineExperimentConfig is invalid. {failure.reason}") from failure
    execution.record["PipelineExperimentConfig"] = config
    EXPERIMENT.ensure(execution.ctx, experiment, {"ExperimentName": experiment, "DisplayName": experiment})
    members = {"TrialName": trial, "DisplayName": trial, "ExperimentName": experiment}
    TRIAL.ensure(execution.ctx, trial, members)


def arguments(operation: str, work: Work) -> Record:
    """Return the arguments of a call, with the execution's experiment if the operation accepts one."""
    shape = operations.operation_model("sagemaker", operation).input_shape
    if work.experiment is None or shape is None or "ExperimentConfig" not in shape.members:
        return work.arguments
    return {**work.arguments, "ExperimentConfig": {**work.experiment, **work.arguments.get("ExperimentConfig", {})}}
