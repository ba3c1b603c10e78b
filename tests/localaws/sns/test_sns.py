"""Topics, and the messages that are kept in files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws


@pytest.fixture(scope="module")
def sns(localaws: LocalAws) -> Any:
    return localaws.client("sns")


def _code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_published_message_is_in_the_file_of_its_topic(localaws: LocalAws, sns: Any) -> None:
    arn = sns.create_topic(Name="alerts", Tags=[{"Key": "project", "Value": "reviews"}])["TopicArn"]
    assert sns.create_topic(Name="alerts")["TopicArn"] == arn
    assert {"TopicArn": arn} in sns.list_topics()["Topics"]
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsConfirmed"] == "0"
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "project", "Value": "reviews"}]

    attributes = {"dag": {"DataType": "String", "StringValue": "train"}}
    first = sns.publish(
        TopicArn=arn, Message="Zeile 1\nZeile 2: größer", Subject="failed", MessageAttributes=attributes
    )
    # As Airflow's provider publishes.
    second = sns.publish(TargetArn=arn, MessageStructure="json", Message=json.dumps({"default": "later", "sms": "l"}))

    file = localaws.home / "localaws" / "sns" / "alerts.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each["MessageId"] for each in kept] == [first["MessageId"], second["MessageId"]]
    assert kept[0].items() >= {"Subject": "failed", "Message": "Zeile 1\nZeile 2: größer"}.items()
    assert kept[0]["MessageAttributes"] == attributes
    assert kept[1]["Message"] == "later"

    sns.delete_topic(TopicArn=arn)
    with pytest.raises(ClientError, match="Topic does not exist") as caught:
        sns.publish(TopicArn=arn, Message="too late")
    assert _code(caught) == "NotFound"
    assert len(file.read_text().splitlines()) == 2


def test_a_message_after_a_torn_one_is_whole(localaws: LocalAws, sns: Any) -> None:
    arn = sns.create_topic(Name="torn")["TopicArn"]
    sns.publish(TopicArn=arn, Message="first")
    file = localaws.home / "localaws" / "sns" / "torn.jsonl"
    with file.open("a") as half:
        half.write('{"MessageId": "cut o')
    sns.publish(TopicArn=arn, Message="second")
    first, _, second = file.read_text().splitlines()
    assert [json.loads(first)["Message"], json.loads(second)["Message"]] == ["first", "second"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "x" * (256 * 1024 + 1)}, "Message too long"),
        ({"Subject": "two\nlines"}, "Subject"),
        ({"Subject": "x" * 101}, "Subject"),
        ({"MessageStructure": "json", "Message": "no JSON"}, "failed to parse"),
        ({"MessageStructure": "json", "Message": '{"sms": "x"}'}, "No default entry"),
        ({"TopicArn": "alerts"}, "not the ARN of a topic"),
    ],
)
def test_a_message_that_aws_refuses_is_refused(sns: Any, change: dict[str, str], words: str) -> None:
    arn = sns.create_topic(Name="strict")["TopicArn"]
    with pytest.raises(ClientError, match=words) as caught:
        sns.publish(**{"TopicArn": arn, "Message": "hello", **change})
    assert _code(caught) == "InvalidParameter"


def test_what_would_reach_nobody_is_not_implemented(sns: Any) -> None:
    arn = sns.create_topic(Name="lonely")["TopicArn"]
    for call in (
        lambda: sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com"),
        lambda: sns.publish(PhoneNumber="+4912345", Message="hello"),
        lambda: sns.create_topic(Name="ordered.fifo"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
