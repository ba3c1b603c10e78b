"""The types of steps that are done here, and the ones of AWS that are not."""

from __future__ import annotations

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.pipelines import calls, clarify_check, jobs, tuning
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.work import Kind

KINDS: dict[str, Kind] = {
    kind.type: kind
    for kind in (
        jobs.PROCESSING,
        jobs.TRAINING,
        jobs.TRANSFORM,
        tuning.TUNING,
        clarify_check.CLARIFY_CHECK,
        calls.Model(),
        calls.RegisterModel(),
        calls.Condition(),
        calls.Fail(),
    )
}

#: types that AWS has, and this server has not.
_OTHERS = frozenset(
    {
        "Athena",
        "AutoML",
        "Callback",
        "Cleanup",
        "EMR",
        "EMRServerless",
        "Endpoint",
        "EndpointConfig",
        "ForEach",
        "InferenceComponent",
        "Job",
        "Lambda",
        "Lineage",
        "NotebookJob",
        "QualityCheck",
    }
)


def of(step: Step) -> Kind:
    """
    Return the kind of a step.

    :raises NotImplementedByLocalAws: only AWS has it.
    :raises ValidationException: there is no such type.
    """
    if step.type in KINDS:
        return KINDS[step.type]
    if step.type in _OTHERS:
        raise NotImplementedByLocalAws(
            f"Step '{step.name}' is of the type {step.type}, which is not implemented by localaws."
        )
    raise ValidationException(
        f"Unable to parse pipeline definition. Step '{step.name}' has the invalid type '{step.type}'."
    )
