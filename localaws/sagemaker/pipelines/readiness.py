"""Which steps of an execution can begin: a pure function of the definition and of what has become of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from werkzeug.utils import cached_property

from localaws.sagemaker.pipelines.definition import Branch, Definition, Dependency, Step

Record = dict[str, Any]

#: a step that has ended, as its StepStatus says.
ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
#: beside the values of StepStatus: it never begins; it waits; it can begin.
SKIPPED, WAITING, READY = "Skipped", "Waiting", "Ready"

_TRIGGERED = {"Completed": {"Succeeded"}, "Failed": {"Failed"}, "Stopped": {"Stopped"}, "Any": ENDED}


@dataclass
class Standing:
    """
    How the steps of an execution stand.

    :param records: of the steps that have begun, by name.
    :param only: the steps of a selective execution, those whose results are taken over among them; else ``None``.
    """

    definition: Definition
    records: Mapping[str, Record]
    only: Set[str] | None = None

    @cached_property
    def all(self) -> dict[str, str]:
        """By name: StepStatus of a step that has begun, else :data:`SKIPPED`, :data:`WAITING` or :data:`READY`."""
        found: dict[str, str] = {}
        for name in self.definition.order:
            found[name] = self._of(name, found)
        return found

    def steps(self, standing: str) -> list[Step]:
        """Return the steps of that standing, in the definition's order."""
        return [step for name, step in self.definition.steps.items() if self.all[name] == standing]

    def _of(self, name: str, known: Mapping[str, str]) -> str:
        """Return how a step stands, where that of all it needs is known."""
        if name in self.records:
            return str(self.records[name]["StepStatus"])
        if self.only is not None and name not in self.only:
            return SKIPPED
        step = self.definition.steps[name]
        demands = [_allowed(known[dependency.step], dependency) for dependency in step.needs]
        if step.branch:
            demands.append(self._taken(known[step.branch.condition], step.branch))
        if False in demands:
            return SKIPPED
        return WAITING if None in demands else READY

    def _taken(self, standing: str, branch: Branch) -> bool | None:
        """Return True if the condition has chosen a branch; ``None`` while that is open."""
        if standing == "Succeeded":
            outcome = self.records[branch.condition]["Metadata"]["Condition"]["Outcome"]
            return bool(outcome == str(branch.outcome))
        return False if standing == SKIPPED or standing in ENDED else None


def _allowed(standing: str, dependency: Dependency) -> bool | None:
    """Return True if a dependency lets its step begin; ``None`` while that is open."""
    if standing == SKIPPED:
        return False
    return standing in _TRIGGERED[dependency.trigger] if standing in ENDED else None
