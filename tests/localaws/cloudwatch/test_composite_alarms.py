"""Composite alarms: rules, and alarms on alarms of a running localaws."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws, put_quiet_alarm, start
from waiting_kit import until

from localaws.cloudwatch import rules

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('ALARM("a")', lambda a, b, c: a == "ALARM"),
        ("alarm(a) and not alarm(b)", lambda a, b, c: a == "ALARM" and b != "ALARM"),
        # AND binds closer than OR, and NOT closer than AND.
        ("ALARM(a) OR OK(b) AND NOT OK(c)", lambda a, b, c: a == "ALARM" or (b == "OK" and c != "OK")),
        ("(ALARM(a) OR OK(b)) AND OK(c)", lambda a, b, c: (a == "ALARM" or b == "OK") and c == "OK"),
        ("NOT (NOT INSUFFICIENT_DATA(a) OR FALSE)", lambda a, b, c: a == "INSUFFICIENT_DATA"),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a) AND TRUE", lambda a, b, c: a == "ALARM"),
    ],
)
def test_a_rule_holds_as_boolean_algebra_has_it(text: str, wanted: Any) -> None:
    rule = rules.parse(text)
    assert set(rule.children) <= {"a", "b", "c"}
    for states in product(STATES, repeat=3):
        assert rule.holds(dict(zip("abc", states, strict=True)).__getitem__) == wanted(*states), states


def test_names_may_have_spaces_and_words_of_rules_in_quotation_marks() -> None:
    assert rules.parse('ALARM("too slow (p99) AND late") OR OK("b") OR ALARM("b")').children == (
        "too slow (p99) AND late",
        "b",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it ends where an alarm"),
        ("ALARM(a) AND", "it ends where an alarm"),
        ("ALARM(a) ALARM(b)", "child is not expected"),
        ("(ALARM(a)", "a parenthesis is not closed"),
        ("ALARM(a))", r"\) is not expected"),
        ("AND ALARM(a)", "AND comes where"),
        ("ALARM()", "cannot be read from"),
        ("AT_LEAST(1, ALARM, (a, b))", "cannot be read from"),
        (" OR ".join(f"ALARM(a{each})" for each in range(101)), "it has 101 alarms"),
        (" OR ".join(["TRUE"] * 501), "501 elements"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, words: str) -> None:
    with pytest.raises(rules.RuleError, match=words):
        rules.parse(text)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    found = start(tmp_path_factory.mktemp("composite"), LOCALAWS_CLOCK_FACTOR="20")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def cloudwatch(server: LocalAws) -> Any:
    client = server.client("cloudwatch")
    for name in ("slow", "failing"):
        put_quiet_alarm(client, name)
    return client


def state(cloudwatch: Any, name: str, value: str) -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="a drill")


def composites(cloudwatch: Any, *names: str) -> list[dict[str, Any]]:
    answer = cloudwatch.describe_alarms(AlarmNames=list(names), AlarmTypes=["CompositeAlarm"])
    assert answer["MetricAlarms"] == []
    found: list[dict[str, Any]] = answer["CompositeAlarms"]
    return found


def follow(cloudwatch: Any, name: str, wanted: str) -> dict[str, Any]:
    found: dict[str, Any] = until(
        lambda: composites(cloudwatch, name)[0], lambda alarm: alarm["StateValue"] == wanted, 20
    )
    return found


def test_a_composite_alarm_follows_the_alarms_of_its_rule(cloudwatch: Any) -> None:
    state(cloudwatch, "slow", "OK")
    state(cloudwatch, "failing", "OK")
    topic = "arn:aws:sns:us-east-1:123456789012:none"
    cloudwatch.put_composite_alarm(
        AlarmName="bad",
        AlarmRule='ALARM("slow") AND ALARM("failing")',
        AlarmActions=[topic],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    alarm = follow(cloudwatch, "bad", "OK")
    assert (alarm["AlarmRule"], alarm["ActionsEnabled"]) == ('ALARM("slow") AND ALARM("failing")', True)
    assert cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    state(cloudwatch, "slow", "ALARM")
    time.sleep(1)
    assert composites(cloudwatch, "bad")[0]["StateValue"] == "OK"
    state(cloudwatch, "failing", "ALARM")
    alarm = follow(cloudwatch, "bad", "ALARM")
    assert ":alarm:failing transitioned to ALARM at " in alarm["StateReason"]
    told = json.loads(alarm["StateReasonData"])["triggeringAlarms"]
    assert [(each["arn"].rpartition(":")[2], each["state"]["value"]) for each in told] == [
        ("slow", "ALARM"),
        ("failing", "ALARM"),
    ]
    # What was set lasts until an alarm of the rule changes.
    state(cloudwatch, "bad", "INSUFFICIENT_DATA")
    time.sleep(1)
    assert composites(cloudwatch, "bad")[0]["StateValue"] == "INSUFFICIENT_DATA"
    state(cloudwatch, "slow", "OK")
    follow(cloudwatch, "bad", "OK")
    history = cloudwatch.describe_alarm_history(
        AlarmName="bad", AlarmTypes=["CompositeAlarm"], ScanBy="TimestampAscending"
    )
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[:2] == ['Alarm "bad" created', "Alarm updated from INSUFFICIENT_DATA to OK"]
    assert f"Failed to execute action {topic}" in summaries
    assert cloudwatch.describe_alarm_history(AlarmName="bad")["AlarmHistoryItems"] == []


def test_relatives_are_found_and_keep_an_alarm_from_being_deleted(cloudwatch: Any) -> None:
    cloudwatch.put_composite_alarm(AlarmName="parent", AlarmRule="OK(slow) OR FALSE")
    cloudwatch.put_composite_alarm(AlarmName="grand", AlarmRule="ALARM(parent) OR ALARM(failing)")
    answer = cloudwatch.describe_alarms(ChildrenOfAlarmName="grand")
    assert [each["AlarmName"] for each in answer["CompositeAlarms"]] == ["parent"]
    (child,) = answer["MetricAlarms"]
    assert set(child) == {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}
    answer = cloudwatch.describe_alarms(ParentsOfAlarmName="parent")
    assert [set(each) for each in answer["CompositeAlarms"]] == [{"AlarmName", "AlarmArn"}]
    # Without AlarmTypes there are metric alarms only.
    assert cloudwatch.describe_alarms(AlarmNames=["grand"])["CompositeAlarms"] == []
    with pytest.raises(ClientError, match=r"ValidationError.*Alarm parent cannot be deleted.*depend on it: grand"):
        cloudwatch.delete_alarms(AlarmNames=["parent"])
    with pytest.raises(ClientError, match=r"ValidationError.*No more than one composite alarm"):
        cloudwatch.delete_alarms(AlarmNames=["parent", "grand"])
    cloudwatch.delete_alarms(AlarmNames=["grand"])
    cloudwatch.delete_alarms(AlarmNames=["parent"])
    assert composites(cloudwatch, "grand", "parent") == []


def test_an_alarm_that_depends_on_itself_keeps_its_state(cloudwatch: Any) -> None:
    cloudwatch.put_composite_alarm(AlarmName="one", AlarmRule="FALSE")
    cloudwatch.put_composite_alarm(AlarmName="other", AlarmRule="NOT ALARM(one)")
    follow(cloudwatch, "other", "ALARM")
    cloudwatch.put_composite_alarm(AlarmName="one", AlarmRule="ALARM(other)")
    time.sleep(1)
    assert [each["StateValue"] for each in composites(cloudwatch, "one", "other")] == ["OK", "ALARM"]
    cloudwatch.put_composite_alarm(AlarmName="one", AlarmRule="TRUE")
    follow(cloudwatch, "other", "OK")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AlarmRule": "ALARM(slow) AND"}, "ValidationError.*AlarmRule is not a valid rule: it ends where"),
        ({"AlarmRule": "ALARM(nobody)"}, "ValidationError.*alarms that do not exist: nobody"),
        ({"AlarmName": "slow"}, "ValidationError.*an alarm slow of the other kind"),
        ({"ActionsSuppressor": "slow"}, "NotImplemented.*ActionsSuppressor"),
    ],
)
def test_what_cannot_be_a_composite_alarm_is_refused(cloudwatch: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        cloudwatch.put_composite_alarm(**{"AlarmName": "refused", "AlarmRule": "TRUE", **change})
    assert composites(cloudwatch, "refused") == []
