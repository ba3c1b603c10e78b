"""The profiler's and the debugger's part of a training job's request: what is done, and what is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.jobs.profiler import INTERVALS, enabled

#: the repositories of SageMaker's own rules; any other image would be one of the user's.
_RULES_IMAGE = re.compile(r"/sagemaker-debugger-rules[:@]")
_REPORT = "ProfilerReport"
_TOO_EARLY = "The job ended before the rule could be evaluated."


def check(request: Mapping[str, Any]) -> None:
    """
    Check the members that the model leaves free.

    :raises ValidationException: they contradict themselves.
    :raises NotImplementedByLocalAws: they ask for rules, or metrics, that are not evaluated here.
    """
    config = request.get("ProfilerConfig", {})
    interval = config.get("ProfilingIntervalInMilliseconds", INTERVALS[0])
    if interval not in INTERVALS:
        shown = ", ".join(map(str, INTERVALS))
        raise ValidationException(f"ProfilingIntervalInMilliseconds must be one of {shown}: {interval}")
    if config.get("ProfilingParameters"):
        raise _not_done("ProfilerConfig.ProfilingParameters (framework metrics)")
    rules = request.get("ProfilerRuleConfigurations", [])
    if rules and not enabled(request):
        raise ValidationException("ProfilerRuleConfigurations need the profiler, which DisableProfiler turns off.")
    names = [rule["RuleConfigurationName"] for rule in rules]
    if len(set(names)) < len(names):
        raise ValidationException(f"RuleConfigurationName must be unique: {', '.join(names)}")
    for rule in rules:
        _check_rule(rule)
    if request.get("DebugRuleConfigurations"):
        raise _not_done("DebugRuleConfigurations")
    if request.get("DebugHookConfig", {}).get("CollectionConfigurations"):
        raise _not_done("DebugHookConfig.CollectionConfigurations")


def _check_rule(rule: Mapping[str, Any]) -> None:
    name, invoked = rule["RuleConfigurationName"], rule.get("RuleParameters", {}).get("rule_to_invoke", _REPORT)
    if not _RULES_IMAGE.search(rule["RuleEvaluatorImage"]):
        raise _not_done(f"The image {rule['RuleEvaluatorImage']} of the profiler rule {name}")
    if invoked != _REPORT:
        raise _not_done(f"The profiler rule {invoked} ({name})")


def begun(request: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the members of Describe for a job that begins: ProfilingStatus, and its rules as being evaluated."""
    members: dict[str, Any] = {"ProfilingStatus": "Enabled" if enabled(request) else "Disabled"}
    if rules := request.get("ProfilerRuleConfigurations"):
        members["ProfilerRuleEvaluationStatuses"] = statuses(rules, "InProgress", now)
    return members


def settled(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a job; a rule still in progress when the job ended has the status Error."""
    found = record.get("ProfilerRuleEvaluationStatuses", [])
    if record["TrainingJobStatus"] not in TERMINAL or all(
        each["RuleEvaluationStatus"] != "InProgress" for each in found
    ):
        return dict(record)
    told = [{**each, "StatusDetails": _TOO_EARLY} for each in statuses(found, "Error", record["LastModifiedTime"])]
    return {**record, "ProfilerRuleEvaluationStatuses": told}


def statuses(rules: Iterable[Mapping[str, Any]], status: str, now: datetime) -> list[dict[str, Any]]:
    """ProfilerRuleEvaluationStatuses, the same for all rules."""
    return [
        {
            "RuleConfigurationName": rule["RuleConfigurationName"],
            "RuleEvaluationStatus": status,
            "LastModifiedTime": now,
        }
        for rule in rules
    ]


def _not_done(what: str) -> NotImplementedByLocalAws:
    return NotImplementedByLocalAws(f"{what} is not implemented by localaws: see docs/localaws.md.")
