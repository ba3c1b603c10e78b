"""Selective execution: some steps of a pipeline, on the results of a former execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localaws.core.errors import ValidationException
from localaws.sagemaker.pipelines.definition import Definition
from localaws.sagemaker.pipelines.execution import KIND, Execution

Record = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """
    What a selective execution runs.

    :param selected: the steps that run.
    :param reused: the steps whose results are those of ``source``.
    """

    selected: frozenset[str]
    reused: frozenset[str]
    source: Execution | None

    @property
    def steps(self) -> frozenset[str]:
        """All steps that the execution has."""
        return self.selected | self.reused


def choose(execution: Execution, config: Record | None) -> Selection | None:
    """
    Return the selection for the SelectiveExecutionConfig of a start, or ``None`` without one.

    :raises ValidationException: a step is unknown, one between two selected ones is not selected, or no execution has
        the results that the steps need.
    """
    if config is None:
        return None
    definition = execution.definition
    selected = frozenset(each["StepName"] for each in config["SelectedSteps"])
    if unknown := sorted(selected - set(definition.steps)):
        raise ValidationException(f"Invalid SelectedSteps: {unknown} are not in the pipeline definition.")
    reused = frozenset(set().union(*(definition.ancestors(name) for name in selected)) - selected)
    if between := sorted(name for name in reused if definition.ancestors(name) & selected):
        raise ValidationException(f"Invalid SelectedSteps: {between} lie between selected steps and are not selected.")
    source = _source(execution, config.get("SourcePipelineExecutionArn"), sorted(selected), sorted(reused))
    return Selection(selected, _needed(definition, selected, reused, source), source)


def _source(execution: Execution, arn: str | None, selected: list[str], reused: list[str]) -> Execution | None:
    found = execution.ctx.store.find(KIND, arn) if arn else None
    if found is not None and found["PipelineArn"] == execution.record["PipelineArn"]:
        status = found["PipelineExecutionStatus"]
        if status in ("Executing", "Stopping", "Stopped"):
            raise ValidationException(
                f"Invalid SourcePipelineExecutionArn: {arn}. It is {status}, and must have succeeded or failed."
            )
        return Execution(found, execution.ctx)
    if arn:
        raise ValidationException(f"Invalid SourcePipelineExecutionArn: {arn}. The pipeline has no such execution.")
    if reused:
        raise ValidationException(
            f"Invalid SourcePipelineExecutionArn: null. The selected steps {_list(selected)} have dependencies on "
            f"{_list(reused)}."
        )
    return None


def _list(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def _needed(
    definition: Definition, selected: frozenset[str], reused: frozenset[str], source: Execution | None
) -> frozenset[str]:
    """Return the steps whose results are reused; those that selected steps need directly must exist."""
    have = {
        name
        for name in reused
        if source is not None and name in source.steps and source.steps[name]["StepStatus"] == "Succeeded"
    }
    direct = set().union(*(definition.upstream(name) for name in selected)) & reused
    if missing := sorted(direct - have):
        arn = source.arn if source else None
        raise ValidationException(
            f"Invalid SourcePipelineExecutionArn: {arn}. The steps {_list(missing)} have not succeeded in it."
        )
    return frozenset(have)


def take_over(execution: Execution, selection: Selection) -> None:
    """Keep the results that the selected steps need as results of this execution."""
    if selection.source is None:
        return
    for name in selection.reused:
        found = selection.source.steps[name]
        # What was itself taken over came from where it says.
        origin = found.get("SelectiveExecutionResult") or {"SourcePipelineExecutionArn": selection.source.arn}
        execution.save({**found, "_Id": execution.step_id(name), "SelectiveExecutionResult": origin})
