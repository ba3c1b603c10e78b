"""A pipeline definition of the schema 2020-12-01, read: parameters, and the steps in one row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any

from werkzeug.utils import cached_property

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.pipelines import parameters, references

VERSION = "2020-12-01"

#: the members of PipelineExperimentConfig.
EXPERIMENT = ("ExperimentName", "TrialName")

_TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
#: members of a step that may hold expressions, beside its arguments.
_WITH_EXPRESSIONS = (
    "SkipCheck",
    "FailOnViolation",
    "RegisterNewBaseline",
    "ModelPackageGroupName",
    "SuppliedBaselineConstraints",
    "ModelName",
)

Body = dict[str, Any]


@dataclass(frozen=True)
class Branch:
    """Where a step stands that is not at the top: in IfSteps (``outcome``) or ElseSteps of a condition step."""

    condition: str
    outcome: bool


@dataclass(frozen=True)
class Dependency:
    """
    An entry of DependsOn.

    :param trigger: how the other step must have ended: ``Completed``, ``Failed``, ``Stopped`` or ``Any``.
    """

    step: str
    trigger: str


@dataclass(frozen=True, eq=False)
class Step:
    """
    A step.

    :param arguments: without the steps of its branches, if it is a condition.
    :param body: all its members.
    :param property_files: by name.
    """

    name: str
    type: str
    arguments: Body
    body: Body
    depends_on: tuple[Dependency, ...]
    property_files: dict[str, Body]
    branch: Branch | None

    @property
    def expressions(self) -> Body:
        """All that may hold expressions."""
        return {**{key: self.body[key] for key in _WITH_EXPRESSIONS if key in self.body}, "Arguments": self.arguments}

    @cached_property
    def references(self) -> tuple[references.Reference, ...]:
        """All that it refers to."""
        return tuple(references.within(self.expressions))

    @cached_property
    def needs(self) -> tuple[Dependency, ...]:
        """Return what must have ended before the step begins, by DependsOn and by what the step refers to."""
        explicit = {dependency.step: dependency for dependency in self.depends_on}
        implicit = {name: Dependency(name, "Completed") for each in self.references if (name := each.step)}
        # Whoever uses a step's results needs it completed, whatever DependsOn says.
        return tuple({**explicit, **implicit}.values())


@dataclass(frozen=True, eq=False)
class Definition:
    """A definition. ``steps`` are all of it, each after the condition step that it belongs to."""

    parameters: dict[str, parameters.Parameter]
    steps: dict[str, Step]
    experiment: Body | None

    @cached_property
    def order(self) -> tuple[str, ...]:
        """
        Return the steps in an order in which each comes after those that it needs.

        :raises CycleError: they need one another.
        """
        return tuple(TopologicalSorter({name: sorted(self.upstream(name)) for name in self.steps}).static_order())

    def upstream(self, name: str) -> set[str]:
        """Return the steps that one needs directly: those that it waits for, and its condition step."""
        step = self.steps[name]
        found = {dependency.step for dependency in step.needs}
        return found | {step.branch.condition} if step.branch else found

    def ancestors(self, name: str) -> set[str]:
        """Return the steps that one needs, directly or not."""
        found: set[str] = set()
        left = [name]
        while left:
            more = self.upstream(left.pop()) - found
            found |= more
            left += more
        return found


@lru_cache(maxsize=128)
def parse(text: str) -> Definition:
    """
    Read a definition; it is shared, and not to be changed.

    :raises ValidationException: it is not JSON, of another version, or a member is not of its type.
    :raises NotImplementedByLocalAws: it has a member that only AWS does something with.
    """
    document = _document(text)
    if document.get("Version") != VERSION:
        raise ValidationException(
            f"Unable to parse pipeline definition. Invalid version '{document.get('Version')}': supported is "
            f"'{VERSION}'."
        )
    if document.get("MlflowConfig"):
        raise NotImplementedByLocalAws("A pipeline definition with MlflowConfig is not implemented by localaws.")
    steps: dict[str, Step] = {}
    for step in _steps(document.get("Steps"), None):
        if step.name in steps:
            raise ValidationException(f"Unable to parse pipeline definition. Duplicate step name '{step.name}'.")
        steps[step.name] = step
    if not steps:
        raise ValidationException("Unable to parse pipeline definition. A pipeline must have at least one step.")
    experiment = document.get("PipelineExperimentConfig") or None
    if experiment is not None and not (isinstance(experiment, dict) and set(experiment) == set(EXPERIMENT)):
        raise ValidationException(
            "Unable to parse pipeline definition. PipelineExperimentConfig must have ExperimentName and TrialName."
        )
    return Definition(parameters.read(document.get("Parameters") or []), steps, experiment)


def _document(text: str) -> Body:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationException(f"Unable to parse pipeline definition. Invalid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValidationException("Unable to parse pipeline definition. Expecting start of Json Object.")
    return document


def _steps(found: Any, branch: Branch | None) -> Iterator[Step]:
    if not isinstance(found, list):
        raise ValidationException("Unable to parse pipeline definition. Expecting start of Json Array for Steps.")
    for body in found:
        yield from _step(body, branch)


def _step(body: Any, branch: Branch | None) -> Iterator[Step]:
    if not isinstance(body, dict) or not isinstance(body.get("Name"), str) or not isinstance(body.get("Type"), str):
        raise ValidationException("Unable to parse pipeline definition. Each step must have a Name and a Type.")
    name = body["Name"]
    arguments = body.get("Arguments") or {}
    if not isinstance(arguments, dict):
        raise ValidationException(
            f"Unable to parse pipeline definition. Arguments of step '{name}': expecting start of Json Object."
        )
    own, branches = dict(arguments), []
    if body["Type"] == "Condition":
        branches = [(own.pop(key, None) or [], outcome) for key, outcome in (("IfSteps", True), ("ElseSteps", False))]
    needed = _depends_on(name, body.get("DependsOn") or [])
    yield Step(name, body["Type"], own, body, needed, _property_files(name, body.get("PropertyFiles") or []), branch)
    for steps, outcome in branches:
        yield from _steps(steps, Branch(name, outcome))


def _depends_on(name: str, found: Any) -> tuple[Dependency, ...]:
    if not isinstance(found, list):
        raise ValidationException(
            f"Unable to parse pipeline definition. DependsOn of step '{name}': expecting start of Json Array."
        )
    return tuple(_dependency(name, each) for each in found)


def _dependency(name: str, found: Any) -> Dependency:
    if isinstance(found, str):
        return Dependency(found, "Completed")
    if isinstance(found, dict) and isinstance(found.get("Step"), str) and found.get("Trigger") in _TRIGGERS:
        return Dependency(found["Step"], found["Trigger"])
    raise ValidationException(
        f"Unable to parse pipeline definition. DependsOn of step '{name}' has the invalid entry '{found}'."
    )


def _property_files(name: str, found: Any) -> dict[str, Body]:
    wanted = ("PropertyFileName", "OutputName", "FilePath")
    if not isinstance(found, list) or not all(isinstance(file, dict) for file in found):
        raise ValidationException(
            f"Unable to parse pipeline definition. PropertyFiles of step '{name}': expecting start of Json Array."
        )
    if not all(isinstance(file.get(member), str) for file in found for member in wanted):
        raise ValidationException(
            f"Unable to parse pipeline definition. Each property file of step '{name}' must have {', '.join(wanted)}."
        )
    return {file["PropertyFileName"]: file for file in found}
