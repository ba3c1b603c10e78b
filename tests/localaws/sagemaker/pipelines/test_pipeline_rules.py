"""The rules of pipelines that need no server: parameters, conditions, readiness, retries, durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pipeline_kit import compare, condition, definition, get, processing

from localaws.core.errors import ValidationException
from localaws.sagemaker.pipelines import cache, conditions, parameters, references, retries, validation
from localaws.sagemaker.pipelines.failures import StepFailure, of_job
from localaws.sagemaker.pipelines.readiness import READY, SKIPPED, WAITING, Standing

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def declared(kind: str, default: Any = None, choices: list[Any] | None = None) -> dict[str, parameters.Parameter]:
    return parameters.read([{"Name": "P", "Type": kind, "DefaultValue": default, "EnumValues": choices}])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", "07", "07"),
        ("Integer", "7", 7),
        ("Float", "7", 7.0),
        ("Float", "1e-4", 0.0001),
        ("Boolean", "True", True),
    ],
)
def test_a_value_is_of_its_parameters_type(kind: str, text: str, value: Any) -> None:
    found = parameters.values(declared(kind), [{"Name": "P", "Value": text}])["P"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("found", "given", "words"),
    [
        (declared("Integer"), [{"Name": "P", "Value": "1.5"}], "not of its type Integer"),
        (declared("Integer"), [{"Name": "P", "Value": "1_000"}], "not of its type Integer"),
        (declared("Float"), [{"Name": "P", "Value": "much"}], "not of its type Float"),
        (declared("Float"), [{"Name": "P", "Value": "nan"}], "not of its type Float"),
        (declared("Boolean"), [{"Name": "P", "Value": "1"}], "not of its type Boolean"),
        (declared("String", "a", ["a", "b"]), [{"Name": "P", "Value": "c"}], "not one of its EnumValues: a, b"),
        (declared("String"), [{"Name": "Q", "Value": "c"}], "'Q' is not defined"),
        (declared("String"), [], "Missing parameter values: 'P'"),
        (declared("String"), [{"Name": "P", "Value": "a"}] * 2, "more than once"),
    ],
)
def test_a_wrong_value_is_refused(found: Any, given: Any, words: str) -> None:
    with pytest.raises(ValidationException, match=words):
        parameters.values(found, given)


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (compare("Equals", 1, 1.0), True),
        (compare("Equals", "a", "b"), False),
        (compare("GreaterThan", 2, 1), True),
        (compare("GreaterThanOrEqualTo", 0.65, 0.65), True),
        (compare("LessThan", "a", "b"), True),
        (compare("LessThanOrEqualTo", 2, 1), False),
        ({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}, True),
        ({"Type": "Not", "Condition": compare("Equals", 1, 1)}, False),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("Equals", True, True)]}, True),
        ({"Type": "Or", "Conditions": []}, False),
    ],
)
def test_each_type_of_condition(found: dict[str, Any], holds: bool) -> None:
    assert conditions.holds(found) is holds


def test_a_number_is_not_compared_with_a_string() -> None:
    with pytest.raises(conditions.NotComparable, match="number '1' with String '1'"):
        conditions.holds(compare("Equals", 1, "1"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT1H", 3600), ("p30d", 30 * 86_400), ("T12H", 43_200), ("P4DT12H", 388_800), ("T16m", 960), ("P1W", 604_800)],
)
def test_a_duration_is_read_as_aws_writes_it(text: str, seconds: int) -> None:
    assert cache.period(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "an hour", "1", None, "-PT1H"])
def test_what_is_no_duration(text: Any) -> None:
    assert cache.period(text) is None


def test_a_list_is_entered_by_position_and_by_name() -> None:
    value = {"Outputs": [{"OutputName": "train", "Uri": 1}, {"OutputName": "test", "Uri": 2}]}
    assert references.descend(value, references.parse("Steps.A.Outputs['test'].Uri").path) == 2
    assert references.descend(value, references.json_path("Outputs[0].Uri")) == 1
    with pytest.raises(LookupError):
        references.descend(value, references.json_path("Outputs['other']"))


def standing(records: dict[str, Any], *steps: Any, only: set[str] | None = None) -> Standing:
    return Standing(validation.check(definition(*steps)), records, only)


def ended(status: str, **metadata: Any) -> dict[str, Any]:
    return {"StepStatus": status, "Metadata": metadata}


def test_a_step_waits_for_what_it_needs_and_never_begins_after_a_failure() -> None:
    steps = [processing("A"), processing("B", environment={"X": get("Steps.A.ProcessingJobName")}), processing("C")]
    assert standing({}, *steps).all["B"] == WAITING
    assert [step.name for step in standing({}, *steps).steps(READY)] == ["A", "C"]
    assert standing({"A": ended("Succeeded")}, *steps).all["B"] == READY
    failed = standing({"A": ended("Failed")}, *steps)
    assert failed.all["B"] == SKIPPED
    assert failed.all["C"] == READY


def test_the_branch_that_was_not_chosen_and_what_needs_it_never_begin() -> None:
    gate = condition("Gate", [compare("Equals", 1, 1)], [processing("Then")], [processing("Else")])
    after = processing("After", DependsOn=["Else"])
    found = standing({"Gate": ended("Succeeded", Condition={"Outcome": "True"})}, gate, after)
    assert [found.all[name] for name in ("Then", "Else", "After")] == [READY, SKIPPED, SKIPPED]


def test_branches_within_branches_are_chosen_one_after_the_other() -> None:
    inner = condition("Inner", [compare("Equals", 1, 1)], [processing("A")], [processing("B")])
    outer = condition("Outer", [compare("Equals", 1, 2)], [], [inner])
    first = standing({"Outer": ended("Succeeded", Condition={"Outcome": "False"})}, outer)
    assert (first.all["Inner"], first.all["A"]) == (READY, WAITING)
    outcomes = {name: ended("Succeeded", Condition={"Outcome": "False"}) for name in ("Outer", "Inner")}
    assert [standing(outcomes, outer).all[name] for name in ("A", "B")] == [SKIPPED, READY]
    skipped = standing({"Outer": ended("Succeeded", Condition={"Outcome": "True"})}, outer)
    assert [skipped.all[name] for name in ("Inner", "A", "B")] == [SKIPPED] * 3


def test_a_step_can_wait_for_a_failure() -> None:
    steps = [processing("A"), processing("Mourn", DependsOn=[{"Step": "A", "Trigger": "Failed"}])]
    assert standing({"A": ended("Failed")}, *steps).all["Mourn"] == READY
    assert standing({"A": ended("Succeeded")}, *steps).all["Mourn"] == SKIPPED


def test_a_step_that_is_not_selected_never_begins() -> None:
    assert standing({}, processing("A"), processing("B"), only={"B"}).all["A"] == SKIPPED


def tried(count: int, **members: Any) -> dict[str, Any]:
    return {"AttemptCount": count, "StartTime": NOW, **members}


INTERNAL = of_job("InternalServerError: We encountered an internal error.")


def test_the_wait_grows_and_the_attempts_are_counted() -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 3, "BackoffRate": 2.0}
    policies = [{**policy, "MaxAttempts": 2}]
    assert retries.again(policies, tried(1), INTERNAL, NOW) == NOW + timedelta(seconds=3)
    assert retries.again(policies, tried(2), INTERNAL, NOW) == NOW + timedelta(seconds=6)
    assert retries.again(policies, tried(3), INTERNAL, NOW) is None


def test_nothing_is_tried_again_after_its_time() -> None:
    policies = [
        {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 50, "ExpireAfterMin": 1},
    ]
    assert retries.again(policies, tried(1), INTERNAL, NOW) == NOW + timedelta(seconds=50)
    assert retries.again(policies, tried(1), INTERNAL, NOW + timedelta(seconds=20)) is None


def test_only_what_a_policy_names_is_tried_again() -> None:
    policies = [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 2}]
    assert retries.again(policies, tried(1), INTERNAL, NOW) is None
    assert retries.again(policies, tried(1), of_job("AlgorithmError: no"), NOW) is None
    assert retries.again([], tried(1), StepFailure("slow down", "Step.THROTTLING"), NOW) is not None
