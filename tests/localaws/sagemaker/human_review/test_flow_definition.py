"""Flow definitions: what they need, when they are Active, and what becomes of their loops."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from human_kit import BUCKET, ROLE, TEMPLATE, Humans, label
from localaws_kit import LocalAws
from waiting_kit import until

from localaws.sagemaker.human_review import seats

REKOGNITION = "AWS/Rekognition/DetectModerationLabels/Image/V3"


@pytest.fixture(scope="module")
def humans(localaws: LocalAws) -> Humans:
    return Humans(localaws)


@pytest.fixture(scope="module")
def ui(humans: Humans) -> str:
    return humans.ui("flows")


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_flow_definition_becomes_active_and_is_described_as_it_was_given(humans: Humans, ui: str) -> None:
    config = {
        "WorkteamArn": humans.team,
        "HumanTaskUiArn": ui,
        "TaskTitle": "Sentiment",
        "TaskDescription": "Say it.",
        "TaskCount": 3,
        "TaskAvailabilityLifetimeInSeconds": 43_200,
        "TaskTimeLimitInSeconds": 60,
        "TaskKeywords": ["text", "sentiment of reviews"],
    }
    made = humans.sagemaker.create_flow_definition(
        FlowDefinitionName="described",
        HumanLoopConfig=config,
        OutputConfig={"S3OutputPath": f"s3://{BUCKET}/out/"},
        RoleArn=ROLE,
        Tags=[{"Key": "ttl", "Value": "1h"}],
    )
    arn = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/described"
    assert made["FlowDefinitionArn"] == arn
    assert humans.flow_status("described") in {"Initializing", "Active"}
    until(lambda: humans.flow_status("described") == "Active")
    described = humans.sagemaker.describe_flow_definition(FlowDefinitionName="described")
    assert described["HumanLoopConfig"] == config
    assert described["OutputConfig"] == {"S3OutputPath": f"s3://{BUCKET}/out/"}
    assert described["RoleArn"] == ROLE
    assert "FailureReason" not in described
    assert humans.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "ttl", "Value": "1h"}]


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("WorkteamArn", "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/no", "The specified Workteam"),
        ("HumanTaskUiArn", "arn:aws:sagemaker:us-east-1:123456789012:human-task-ui/no", "The specified HumanTaskUi"),
        ("TaskCount", 4, "less than or equal to 3"),
        ("TaskCount", 0, "greater than or equal to 1"),
        ("TaskTimeLimitInSeconds", 29, "greater than or equal to 30"),
        ("TaskAvailabilityLifetimeInSeconds", 0, "greater than or equal to 1"),
        ("TaskKeywords", [f"k{number}" for number in range(6)], "less than or equal to 5"),
        ("TaskKeywords", ["not-a-word!"], "regular expression"),
        ("TaskTitle", "t" * 129, "less than or equal to 128"),
        ("TaskDescription", "d" * 256, "less than or equal to 255"),
        ("PublicWorkforceTaskPrice", {"AmountInUsd": {"Cents": 1}}, "public workforce"),
    ],
)
def test_what_does_not_fit_is_refused(humans: Humans, ui: str, member: str, value: Any, words: str) -> None:
    with pytest.raises(ClientError, match=words) as error:
        humans.create_flow("refused", ui, **{member: value})
    assert _code(error) == "ValidationException"


def test_a_flow_needs_a_human_loop_config(humans: Humans) -> None:
    with pytest.raises(ClientError, match="HumanLoopConfig is required"):
        humans.sagemaker.create_flow_definition(
            FlowDefinitionName="bare", OutputConfig={"S3OutputPath": f"s3://{BUCKET}/"}, RoleArn=ROLE
        )


def test_a_flow_whose_output_cannot_be_written_fails_with_the_reason(humans: Humans, ui: str) -> None:
    humans.create_flow("lost", ui, "s3://no-such-bucket/answers")
    until(lambda: humans.flow_status("lost") != "Initializing")
    described = humans.sagemaker.describe_flow_definition(FlowDefinitionName="lost")
    assert described["FlowDefinitionStatus"] == "Failed"
    assert "s3://no-such-bucket/answers" in described["FailureReason"]
    with pytest.raises(ClientError, match="is Failed") as error:
        humans.start("lost-1", described["FlowDefinitionArn"])
    assert _code(error) == "ValidationException"


def test_a_name_is_taken_once(humans: Humans, ui: str) -> None:
    humans.create_flow("taken", ui)
    with pytest.raises(ClientError) as error:
        humans.create_flow("taken", ui)
    assert _code(error) == "ResourceInUse"


def test_flows_are_listed_page_by_page_in_order_of_time(humans: Humans, ui: str) -> None:
    names = [f"listed-{number}" for number in range(3)]
    for name in names:
        humans.create_flow(name, ui)
    pages = humans.sagemaker.get_paginator("list_flow_definitions").paginate(PaginationConfig={"PageSize": 2})
    found = [each["FlowDefinitionName"] for page in pages for each in page["FlowDefinitionSummaries"]]
    assert [name for name in found if name in names] == names[::-1]


def test_an_output_path_may_be_a_web_address_of_s3(humans: Humans) -> None:
    flow = humans.flow("web-path", path=f"https://s3.us-east-1.amazonaws.com/{BUCKET}/web")
    humans.start("web-path-1", flow)
    task = seats.take(humans.ctx, humans.worker(), "web-path")
    seats.submit(humans.ctx, humans.worker(), task.seat_id, label("0"))
    uri = humans.ended("web-path-1")["HumanLoopOutput"]["OutputS3Uri"]
    assert uri.startswith(f"s3://{BUCKET}/web/web-path/")
    assert humans.output("web-path-1")["humanLoopName"] == "web-path-1"


# -- activation conditions

MODERATION = {
    "ConditionType": "ModerationLabelConfidenceCheck",
    "ConditionParameters": {"ModerationLabelName": "Suggestive", "ConfidenceLessThan": 98},
}
SAMPLING = {"ConditionType": "Sampling", "ConditionParameters": {"RandomSamplingPercentage": 5}}


def _with_conditions(humans: Humans, name: str, ui: str, text: str) -> None:
    humans.sagemaker.create_flow_definition(
        FlowDefinitionName=name,
        HumanLoopRequestSource={"AwsManagedHumanLoopRequestSource": REKOGNITION},
        HumanLoopActivationConfig={"HumanLoopActivationConditionsConfig": {"HumanLoopActivationConditions": text}},
        HumanLoopConfig={
            "WorkteamArn": humans.team,
            "HumanTaskUiArn": ui,
            "TaskTitle": "t",
            "TaskDescription": "d",
            "TaskCount": 1,
        },
        OutputConfig={"S3OutputPath": f"s3://{BUCKET}/answers"},
        RoleArn=ROLE,
    )


def test_activation_conditions_are_kept(humans: Humans, ui: str) -> None:
    text = json.dumps({"Conditions": [{"And": [MODERATION, SAMPLING]}, SAMPLING]})
    _with_conditions(humans, "conditions", ui, text)
    described = humans.sagemaker.describe_flow_definition(FlowDefinitionName="conditions")
    config = described["HumanLoopActivationConfig"]["HumanLoopActivationConditionsConfig"]
    assert config["HumanLoopActivationConditions"] == text
    assert described["HumanLoopRequestSource"] == {"AwsManagedHumanLoopRequestSource": REKOGNITION}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{Conditions: []}", "not valid JSON"),
        ("[]", "array Conditions"),
        (json.dumps({"Conditions": [{"And": [SAMPLING]}]}), "at least two"),
        (json.dumps({"Conditions": [{"ConditionType": "MissingImportantFormKey"}]}), "must be one of"),
        (json.dumps({"Conditions": [{"ConditionType": "Sampling"}]}), "RandomSamplingPercentage"),
        (
            json.dumps({"Conditions": [{**SAMPLING, "ConditionParameters": {"RandomSamplingPercentage": 101}}]}),
            "from 0 to 100",
        ),
        (
            json.dumps({"Conditions": [{**MODERATION, "ConditionParameters": {"ModerationLabelName": "*"}}]}),
            "ConfidenceLessThan",
        ),
    ],
)
def test_activation_conditions_that_are_none_are_refused(humans: Humans, ui: str, text: str, words: str) -> None:
    with pytest.raises(ClientError, match=words) as error:
        _with_conditions(humans, "none", ui, text)
    assert _code(error) == "ValidationException"


# -- deletion


def test_a_flow_keeps_the_template_of_a_ui_that_is_deleted(humans: Humans) -> None:
    flow = humans.flow("keeps", template=TEMPLATE.replace("What does", "In the end, what does"))
    humans.sagemaker.delete_human_task_ui(HumanTaskUiName="ui-of-keeps")
    humans.start("keeps-1", flow)
    assert "In the end, what does" in seats.take(humans.ctx, humans.worker(), "keeps").html


def test_a_deleted_flow_takes_its_loops_along_and_frees_its_name(humans: Humans) -> None:
    flow = humans.flow("left")
    for number in range(3):
        humans.start(f"left-{number}", flow)
    humans.sagemaker.delete_flow_definition(FlowDefinitionName="left")
    until(lambda: _gone(humans, "left"))
    with pytest.raises(ClientError) as error:
        humans.describe("left-0")
    assert _code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        humans.loops.list_human_loops(FlowDefinitionArn=flow)
    assert _code(error) == "ResourceNotFoundException"
    with pytest.raises(seats.NothingLeft):
        seats.take(humans.ctx, humans.worker(), "left")
    humans.create_flow("left", humans.ui("ui-of-left-again"))
    humans.start("left-0", _active(humans, "left"))


def test_a_flow_is_deleting_until_the_task_that_a_worker_has_open_is_done(humans: Humans) -> None:
    flow = humans.flow("slow")
    humans.start("slow-1", flow)
    task = seats.take(humans.ctx, humans.worker(), "slow")
    humans.sagemaker.delete_flow_definition(FlowDefinitionName="slow")
    assert humans.flow_status("slow") == "Deleting"
    uri = humans.describe("slow-1")["HumanLoopOutput"]["OutputS3Uri"]
    with pytest.raises(ClientError, match="is Deleting"):
        humans.start("slow-2", flow)
    seats.submit(humans.ctx, humans.worker(), task.seat_id, label("1"))
    until(lambda: _gone(humans, "slow"))
    # Deleting a flow definition does not remove answers from the bucket.
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = json.loads(humans.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert body["humanAnswers"][0]["answerContent"] == label("1")


def _gone(humans: Humans, name: str) -> bool:
    try:
        humans.flow_status(name)
    except ClientError as error:
        return error.response["Error"]["Code"] == "ResourceNotFound"
    return False


def _active(humans: Humans, name: str) -> str:
    until(lambda: humans.flow_status(name) == "Active")
    return str(humans.sagemaker.describe_flow_definition(FlowDefinitionName=name)["FlowDefinitionArn"])


def test_an_unknown_flow_is_not_found(humans: Humans) -> None:
    for call in (humans.sagemaker.describe_flow_definition, humans.sagemaker.delete_flow_definition):
        with pytest.raises(ClientError) as error:
            call(FlowDefinitionName="never-made")
        assert _code(error) == "ResourceNotFound"
