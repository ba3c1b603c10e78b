"""What of a definition is refused when a pipeline is made, and what is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_kit import (
    compare,
    condition,
    definition,
    failing,
    get,
    join,
    json_get,
    parameter,
    processing,
    reporting,
)

from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.pipelines import validation

Body = dict[str, Any]


def refused(text: str) -> str:
    with pytest.raises(ValidationException) as caught:
        validation.check(text)
    return caught.value.message


def uses(name: str, reference: str) -> Body:
    return processing(name, environment={"X": get(reference)})


def test_what_is_not_json_or_of_another_version_is_refused() -> None:
    assert "Invalid JSON" in refused("{")
    assert "Expecting start of Json Object" in refused("[]")
    assert "Invalid version '2019-01-01'" in refused(json.dumps({"Version": "2019-01-01", "Steps": []}))
    assert "at least one step" in refused(definition())
    assert "PipelineExperimentConfig must have" in refused(
        definition(processing("A"), PipelineExperimentConfig={"a": 1})
    )


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([processing("A"), processing("A")], "Duplicate step name 'A'"),
        ([{"Name": "A", "Type": "Wash", "Arguments": {}}], "Step 'A' has the invalid type 'Wash'"),
        ([processing("A b")], "Invalid step name 'A b'"),
        ([processing("A", DependsOn=["B"])], "Step 'A' depends on step 'B', which is not defined"),
        ([processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])], "Cycle detected"),
        ([processing("A", DependsOn=["A"])], "Cycle detected in the dependencies of steps: A -> A"),
        ([processing("A", DependsOn=[{"Step": "B", "Trigger": "Maybe"}]), processing("B")], "DependsOn of step 'A'"),
        ([uses("A", "Parameters.Nothing")], "Step 'A' refers to 'Parameters.Nothing'"),
        ([uses("A", "Steps.B.ProcessingJobName")], "Step 'A' refers to 'Steps.B.ProcessingJobName'"),
        ([uses("A", "Execution.Weather")], "Step 'A' refers to 'Execution.Weather'"),
        ([uses("A", "Nonsense")], "Invalid property reference 'Nonsense'"),
        ([uses("A", "Steps.B.ModelArtifacts"), processing("B")], "a step of the type Processing has no such property"),
        ([failing("A", json_get("B", "x")), processing("B")], "there is no such file in step 'B'"),
        (
            [failing("A", {"Std:JsonGet": {"PropertyFile": get("Steps.B.RoleArn"), "Path": "x"}}), processing("B")],
            "Std:JsonGet of step 'A' must refer to a property file",
        ),
        ([failing("A", {"Std:JsonGet": {"S3Uri": "s3://b/k"}})], "Std:JsonGet of step 'A' must have a Path"),
        ([failing("A", {"Std:Join": {"On": ""}})], "Std:Join of step 'A' must have Values"),
        ([processing("A", arguments={"RoleArn": None})], "Step 'A' has no 'RoleArn', which is required"),
        (
            [processing("A", arguments={"ProcessingInputs": [{"S3Input": {}}]})],
            "Step 'A' has no 'ProcessingInputs[0].InputName', which is required",
        ),
        (
            [processing("A", arguments={"ProcessingInputs": {"InputName": "x"}})],
            "Expecting start of Json Array at 'ProcessingInputs' of step 'A'",
        ),
        ([processing("A", environment=["X"])], "Expecting start of Json Object at 'Environment' of step 'A'"),
        ([processing("A", environment={"X": ["Y"]})], "no Json Object or Array at 'Environment.X' of step 'A'"),
        ([failing("A", get("Steps.B.Outcome")), failing("B", "no")], "a step of the type Fail has no such property"),
        ([processing("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})], "ExpireAfter of the CacheConfig"),
        ([processing("A", CacheConfig={"Enabled": "yes"})], "CacheConfig of step 'A'"),
        ([processing("A", RetryPolicies=[{"ExceptionType": ["Rain"]}])], "retry policy of step 'A'"),
        ([condition("A", [{"Type": "Roughly"}], [], [])], "Step 'A' has a condition of the invalid type 'Roughly'"),
        ([condition("A", [], [], [])], "at least one condition"),
        (
            [condition("A", [compare("Equals", 1, 1)], [processing("B")], [processing("B")])],
            "Duplicate step name 'B'",
        ),
        (
            [condition("A", [compare("Equals", get("Steps.B.ProcessingJobName"), "x")], [processing("B")], [])],
            "Cycle detected",
        ),
        (
            [processing("A", PropertyFiles=[{"PropertyFileName": "F", "OutputName": "out", "FilePath": "f.json"}])],
            "Property file 'F' of step 'A' is in the output 'out'",
        ),
    ],
)
def test_a_definition_that_cannot_be_executed_is_refused_with_the_step_named(steps: list[Body], words: str) -> None:
    assert words in refused(definition(*steps))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([parameter("A", "Number")], "Parameter 'A' has the invalid type 'Number'"),
        ([parameter("A"), parameter("A")], "Duplicate parameter name 'A'"),
        ([parameter("A", "Integer", "many")], "Parameter 'A' has the value 'many', which is not of its type Integer"),
        ([parameter("A", "Integer", True)], "not of its type Integer"),
        ([parameter("A", "String", "c", ["a", "b"])], "'c' of the parameter 'A' is not one of its EnumValues"),
    ],
)
def test_a_wrong_parameter_is_refused(parameters: list[Body], words: str) -> None:
    assert words in refused(definition(processing("A"), parameters=parameters))


@pytest.mark.parametrize("kind", ["Lambda", "EMR", "Callback", "QualityCheck", "AutoML", "ForEach"])
def test_a_type_that_only_aws_has_is_refused_by_name(kind: str) -> None:
    with pytest.raises(NotImplementedByLocalAws, match=f"Step 'A' is of the type {kind}"):
        validation.check(definition({"Name": "A", "Type": kind, "Arguments": {}}))


def test_a_clarify_check_of_a_model_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedByLocalAws, match="Step 'A' is a ClarifyCheck of the CheckType MODEL_BIAS"):
        validation.check(definition({**processing("A"), "Type": "ClarifyCheck", "CheckType": "MODEL_BIAS"}))


def test_what_is_nested_too_deep_is_refused_and_a_long_chain_is_not() -> None:
    deep = definition(failing("A", "MESSAGE")).replace('"MESSAGE"', '{"a": ' * 100_000 + "1" + "}" * 100_000)
    assert "Unable to parse pipeline definition" in refused(deep)
    chain = [processing(f"S{number}", DependsOn=[f"S{number + 1}"]) for number in range(2000)]
    assert len(validation.check(definition(*chain, processing("S2000"))).order) == 2001


def test_steps_may_stand_in_any_order_and_refer_to_what_a_branch_makes() -> None:
    found = validation.check(
        definition(
            failing("Last", join(get("Steps.First.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"))),
            condition("Gate", [compare("Equals", json_get("First", "$.a['b'][0]"), 1)], [processing("Inner")], []),
            reporting("First", {}),
            processing("Second", environment={"N": get("Steps.Inner.ProcessingJobName")}),
        )
    )
    assert list(found.steps) == ["Last", "Gate", "Inner", "First", "Second"]
    assert found.ancestors("Second") == {"Inner", "Gate", "First"}
