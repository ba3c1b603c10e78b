"""What CreatePipeline and UpdatePipeline refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable
from graphlib import CycleError
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localaws.core.errors import ValidationException
from localaws.core.operations import operation_model
from localaws.sagemaker.pipelines import definition, kinds, references, values
from localaws.sagemaker.pipelines.cache import period
from localaws.sagemaker.pipelines.definition import Definition, Step
from localaws.sagemaker.pipelines.references import Reference
from localaws.sagemaker.pipelines.retries import check_policies

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check(text: str) -> Definition:
    """
    Read a definition and refuse it if it cannot be executed.

    :raises ValidationException: and why; it names the step.
    :raises NotImplementedByLocalAws: a step is of a type that only AWS has.
    """
    try:
        return _checked(definition.parse(text))
    except RecursionError as error:
        raise _wrong("It is nested too deep.") from error


def _checked(found: Definition) -> Definition:
    for step in found.steps.values():
        _check_step(step, found)
    _check_order(found)
    for reference in references.within(found.experiment or {}):
        if reference.root == "Steps":
            raise _wrong(f"PipelineExperimentConfig cannot refer to a step: '{reference.text}'.")
        _check_reference(reference, "PipelineExperimentConfig", found)
    return found


def _wrong(text: str) -> ValidationException:
    return ValidationException(f"Unable to parse pipeline definition. {text}")


def _check_step(step: Step, found: Definition) -> None:
    if not _NAME.fullmatch(step.name):
        raise _wrong(f"Invalid step name '{step.name}': it must satisfy {_NAME.pattern}.")
    kind = kinds.of(step)
    for dependency in step.depends_on:
        if dependency.step not in found.steps:
            raise _wrong(f"Step '{step.name}' depends on step '{dependency.step}', which is not defined.")
    for function, operand in references.functions(step.expressions):
        _check_function(function, operand, step.name)
    for reference in step.references:
        _check_reference(reference, f"Step '{step.name}'", found)
    _check_property_files(step)
    if cache := step.body.get("CacheConfig"):
        _check_cache(cache, step.name)
    check_policies(step.body.get("RetryPolicies") or [], step.name)
    kind.check(step)


def _check_function(function: str, operand: Any, step: str) -> None:
    if function == "Std:Join" and not (isinstance(operand, dict) and isinstance(operand.get("Values"), list)):
        raise _wrong(f"Std:Join of step '{step}' must have Values.")
    if function != "Std:JsonGet":
        return
    if not isinstance(operand, dict) or ("PropertyFile" in operand) == ("S3Uri" in operand):
        raise _wrong(f"Std:JsonGet of step '{step}' must have either PropertyFile or S3Uri.")
    if not isinstance(operand.get("Path"), str):
        raise _wrong(f"Std:JsonGet of step '{step}' must have a Path.")
    references.json_path(operand["Path"])
    file = operand.get("PropertyFile")
    if file is not None and not (isinstance(file, dict) and _is_property_file(file.get("Get"))):
        raise _wrong(f"Std:JsonGet of step '{step}' must refer to a property file: '{file}'.")


def _is_property_file(reference: Any) -> bool:
    return reference is not None and references.parse(reference).property_file is not None


def _check_reference(reference: Reference, where: str, found: Definition) -> None:
    if reference.root == "Parameters":
        known: Iterable[str] = found.parameters
    elif reference.root == "Execution":
        known = values.VARIABLES
    elif reference.root == "PipelineExperimentConfig":
        known = definition.EXPERIMENT if found.experiment else ()
    elif reference.root == "Steps":
        known = found.steps
    else:
        raise _wrong(f"{where} has the invalid property reference '{reference.text}'.")
    if reference.name not in known:
        raise _wrong(f"{where} refers to '{reference.text}', and there is no '{reference.name}' in {reference.root}.")
    if reference.root == "Steps":
        _check_property(reference, where, found.steps[reference.name])


def _check_property(reference: Reference, where: str, step: Step) -> None:
    if "PropertyFiles" in reference.path[:1]:
        if reference.property_file not in step.property_files:
            raise _wrong(
                f"{where} refers to the property file '{reference.text}', and there is no such file in step "
                f"'{step.name}'."
            )
        return
    kind = kinds.of(step)
    if reference.path[:1] and reference.path[0] in kind.properties:
        return
    shapes = [operation_model("sagemaker", operation).output_shape for operation in kind.described]
    if not any(shape is not None and reference.path and _leads(shape, reference.path) for shape in shapes):
        raise _wrong(f"{where} refers to '{reference.text}', and a step of the type {step.type} has no such property.")


def _leads(shape: Shape, path: references.Path) -> bool:
    """Return True if a value of that shape can have the path."""
    for part in path:
        if isinstance(shape, StructureShape) and part in shape.members:
            shape = shape.members[part]
        elif isinstance(shape, ListShape):
            shape = shape.member
        elif isinstance(shape, MapShape):
            shape = shape.value
        else:
            return False
    return True


def _check_property_files(step: Step) -> None:
    config = step.arguments.get("ProcessingOutputConfig")
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    listed = outputs if isinstance(outputs, list) else []
    names = [output.get("OutputName") for output in listed if isinstance(output, dict)]
    for name, file in step.property_files.items():
        if file["OutputName"] not in names:
            raise _wrong(
                f"Property file '{name}' of step '{step.name}' is in the output '{file['OutputName']}', which the "
                "step does not have."
            )


def _check_cache(cache: dict[str, Any], step: str) -> None:
    if not isinstance(cache, dict) or not isinstance(cache.get("Enabled"), bool):
        raise _wrong(f"CacheConfig of step '{step}' must have Enabled, true or false.")
    if (expires := cache.get("ExpireAfter")) is not None and period(expires) is None:
        raise _wrong(f"ExpireAfter of the CacheConfig of step '{step}' is no ISO 8601 duration: '{expires}'.")


def _check_order(found: Definition) -> None:
    """Refuse steps that wait for one another."""
    try:
        _ = found.order
    except CycleError as error:
        raise _wrong(f"Cycle detected in the dependencies of steps: {' -> '.join(error.args[1])}.") from error
