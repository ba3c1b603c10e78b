"""CloudWatch alarms against a running localaws whose minutes are short."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws, start
from waiting_kit import until

#: A minute of CloudWatch's takes three seconds.
FACTOR = "20"
METRIC: dict[str, Any] = {"Namespace": "Test", "MetricName": "Errors", "Dimensions": [{"Name": "Host", "Value": "a"}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    found = start(tmp_path_factory.mktemp("alarms"), LOCALAWS_CLOCK_FACTOR=FACTOR)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def cloudwatch(server: LocalAws) -> Any:
    return server.client("cloudwatch")


def put(cloudwatch: Any, name: str, **changes: Any) -> None:
    alarm = {
        "AlarmName": name,
        **METRIC,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **changes,
    }
    cloudwatch.put_metric_alarm(**{key: value for key, value in alarm.items() if value is not None})


def find(cloudwatch: Any, name: str) -> dict[str, Any]:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found


def errors(cloudwatch: Any, value: float, host: str = "a", **more: str) -> None:
    dimensions = [{"Name": "Host", "Value": host}, *({"Name": key, "Value": each} for key, each in more.items())]
    data = [{"MetricName": "Errors", "Dimensions": dimensions, "Value": value}]
    cloudwatch.put_metric_data(Namespace="Test", MetricData=data)


def test_an_alarm_follows_its_metric_and_its_history_tells(cloudwatch: Any) -> None:
    put(
        cloudwatch,
        "follows",
        AlarmActions=["arn:aws:sns:us-east-1:123456789012:people"],
        TreatMissingData="notBreaching",
    )
    created = find(cloudwatch, "follows")
    assert (created["StateValue"], created["StateReason"]) in (
        ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation"),
        ("OK", created["StateReason"]),
    )
    errors(cloudwatch, 3)
    errors(cloudwatch, 4)
    alarm = until(lambda: find(cloudwatch, "follows"), lambda found: found["StateValue"] == "ALARM")
    assert alarm["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [7.0 (")
    data = json.loads(alarm["StateReasonData"])
    assert (data["statistic"], data["period"], data["recentDatapoints"], data["threshold"]) == ("Sum", 60, [7.0], 5.0)
    until(lambda: find(cloudwatch, "follows"), lambda found: found["StateValue"] == "OK")

    items = cloudwatch.describe_alarm_history(AlarmName="follows", ScanBy="TimestampAscending")["AlarmHistoryItems"]
    summaries = [item["HistorySummary"] for item in items]
    assert summaries[0] == 'Alarm "follows" created'
    assert "Alarm updated from OK to ALARM" in summaries or "Alarm updated from INSUFFICIENT_DATA to ALARM" in summaries
    assert summaries[-1] == "Alarm updated from ALARM to OK"
    # There is no SNS here: that it was not told is in the history, as AWS has it of an action that fails.
    (action,) = [item for item in items if item["HistoryItemType"] == "Action"]
    assert action["HistorySummary"] == "Failed to execute action arn:aws:sns:us-east-1:123456789012:people"
    assert json.loads(action["HistoryData"])["actionState"] == "Failed"


def test_a_metric_with_further_dimensions_is_another_metric(cloudwatch: Any) -> None:
    put(cloudwatch, "exact", Dimensions=[{"Name": "Host", "Value": "exact"}], TreatMissingData="notBreaching")
    further = [{"Name": "Host", "Value": "exact"}, {"Name": "Disk", "Value": "0"}]
    put(cloudwatch, "further", Dimensions=further, TreatMissingData="notBreaching")
    errors(cloudwatch, 100, "exact", Disk="0")
    since = time.time() - 60
    found = {"Namespace": "Test", "MetricName": "Errors", "StartTime": since, "EndTime": since + 120, "Period": 60}
    exact = [{"Name": "Host", "Value": "exact"}]
    answer = cloudwatch.get_metric_statistics(**found, Statistics=["Sum"], Dimensions=exact)
    assert answer["Datapoints"] == []
    errors(cloudwatch, 100, "exact", Disk="0")
    listed = cloudwatch.list_metrics(Namespace="Test", MetricName="Errors", Dimensions=exact)["Metrics"]
    assert [len(each["Dimensions"]) for each in listed] == [2], "each metric once"
    until(lambda: find(cloudwatch, "further"), lambda found: found["StateValue"] == "ALARM")
    assert find(cloudwatch, "exact")["StateValue"] == "OK"


def test_an_alarm_on_a_percentile_follows_the_values_and_not_a_statistic_set(cloudwatch: Any) -> None:
    latency = {"Namespace": "Test", "MetricName": "Latency", "Dimensions": []}
    for name, low in (("slow", None), ("slow-when-sure", "ignore")):
        put(
            cloudwatch,
            name,
            **latency,
            Statistic=None,
            ExtendedStatistic="p90",
            Threshold=50.0,
            EvaluateLowSampleCountPercentile=low,
        )
    on_metric = cloudwatch.describe_alarms_for_metric(**latency, ExtendedStatistic="p90")["MetricAlarms"]
    assert [each["AlarmName"] for each in on_metric] == ["slow", "slow-when-sure"]

    def send(**datum: Any) -> None:
        cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": "Latency", **datum}])

    # Nine in ten are fast: the mean is over the threshold, and the percentile is not.
    send(Values=[10.0, 900.0], Counts=[9.0, 1.0])
    alarm = until(lambda: find(cloudwatch, "slow"), lambda found: found["StateValue"] == "OK")
    assert json.loads(alarm["StateReasonData"])["statistic"] == "p90"
    until(lambda: find(cloudwatch, "slow"), lambda found: found["StateValue"] == "INSUFFICIENT_DATA")
    put(cloudwatch, "sum-of-the-set", **latency, Threshold=4000.0)
    send(StatisticValues={"SampleCount": 10.0, "Sum": 5000.0, "Minimum": 10.0, "Maximum": 900.0})
    until(lambda: find(cloudwatch, "sum-of-the-set"), lambda found: found["StateValue"] == "ALARM")
    assert find(cloudwatch, "slow")["StateValue"] == "INSUFFICIENT_DATA"
    send(Values=[10.0, 900.0], Counts=[8.0, 2.0])
    alarm = until(lambda: find(cloudwatch, "slow"), lambda found: found["StateValue"] == "ALARM")
    assert "1 out of the last 1 datapoint [900.0 (" in alarm["StateReason"]
    # Of the 100 values that a p90 needs there are 10: nothing is said of it.
    assert find(cloudwatch, "slow-when-sure")["StateValue"] == "INSUFFICIENT_DATA"
    send(Values=[10.0, 900.0], Counts=[80.0, 20.0])
    until(lambda: find(cloudwatch, "slow-when-sure"), lambda found: found["StateValue"] == "ALARM")


def test_percentiles_are_read_and_other_statistics_refused(cloudwatch: Any) -> None:
    now = datetime.now(UTC)
    metric = {"Namespace": "Test", "MetricName": "Percentiles"}
    data = [
        {"MetricName": "Percentiles", "Values": [float(each) for each in range(1, 101)], "Timestamp": now},
        {"MetricName": "Percentiles", "Value": 1000.0, "Timestamp": now},
    ]
    cloudwatch.put_metric_data(Namespace="Test", MetricData=data)
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}
    (point,) = cloudwatch.get_metric_statistics(
        **metric, **span, Period=3600, ExtendedStatistics=["p50", "p99", "p100"], Statistics=["SampleCount", "Sum"]
    )["Datapoints"]
    assert point["ExtendedStatistics"] == {"p50": 51.0, "p99": 100.0, "p100": 1000.0}
    assert (point["SampleCount"], point["Sum"]) == (101.0, 6050.0)

    def read(stat: str) -> list[float]:
        query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": stat}}
        (result,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **span)["MetricDataResults"]
        assert len(result["Values"]) == len(result["Timestamps"])
        values: list[float] = result["Values"]
        return values

    assert read("p90") == [91.0]
    cloudwatch.put_metric_data(
        Namespace="Test",
        MetricData=[
            {
                "MetricName": "Percentiles",
                "StatisticValues": {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0},
                "Timestamp": now,
            }
        ],
    )
    assert (read("p90"), read("SampleCount")) == ([], [103.0])
    with pytest.raises(ClientError, match=r"NotImplemented.*tm90"):
        read("tm90")
    with pytest.raises(ClientError, match="Values and Counts of a datum must be of the same size"):
        cloudwatch.put_metric_data(
            Namespace="Test", MetricData=[{"MetricName": "Percentiles", "Values": [1.0], "Counts": [1.0, 2.0]}]
        )


def test_a_state_that_is_set_lasts_until_the_next_period(cloudwatch: Any) -> None:
    put(cloudwatch, "set", Dimensions=[{"Name": "Host", "Value": "set"}])
    cloudwatch.set_alarm_state(AlarmName="set", StateValue="ALARM", StateReason="a drill")
    alarm = find(cloudwatch, "set")
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "a drill")
    alarm = until(lambda: find(cloudwatch, "set"), lambda found: found["StateValue"] == "INSUFFICIENT_DATA")
    assert alarm["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


def test_alarms_are_found_changed_and_deleted(cloudwatch: Any) -> None:
    for name in ("shop-1", "shop-2", "other"):
        put(cloudwatch, name, MetricName="Never", Tags=[{"Key": "team", "Value": "reviews"}])
    names = [each["AlarmName"] for each in cloudwatch.describe_alarms(AlarmNamePrefix="shop-")["MetricAlarms"]]
    assert names == ["shop-1", "shop-2"]
    page = cloudwatch.describe_alarms(AlarmNamePrefix="shop-", MaxRecords=1)
    rest = cloudwatch.describe_alarms(AlarmNamePrefix="shop-", MaxRecords=1, NextToken=page["NextToken"])
    assert [page["MetricAlarms"][0]["AlarmName"], rest["MetricAlarms"][0]["AlarmName"]] == names
    assert "NextToken" not in rest
    on_metric = cloudwatch.describe_alarms_for_metric(**{**METRIC, "MetricName": "Never"})["MetricAlarms"]
    assert [each["AlarmName"] for each in on_metric] == ["other", "shop-1", "shop-2"]
    put(cloudwatch, "shop-1", MetricName="Never", Threshold=9.0)
    assert find(cloudwatch, "shop-1")["Threshold"] == 9.0
    cloudwatch.disable_alarm_actions(AlarmNames=["shop-1", "nobody"])
    assert find(cloudwatch, "shop-1")["ActionsEnabled"] is False
    arn = find(cloudwatch, "shop-1")["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "reviews"}]
    for call, arguments in (
        (cloudwatch.list_tags_for_resource, {}),
        (cloudwatch.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (cloudwatch.untag_resource, {"TagKeys": ["a"]}),
    ):
        with pytest.raises(cloudwatch.exceptions.ResourceNotFoundException, match="nobody"):
            call(ResourceARN=arn.replace("shop-1", "nobody"), **arguments)
    # Names that are right are deleted all the same.
    with pytest.raises(ClientError, match=r"\(ResourceNotFound\).*nobody"):
        cloudwatch.delete_alarms(AlarmNames=["shop-1", "nobody"])
    assert cloudwatch.describe_alarms(AlarmNames=["shop-1"])["MetricAlarms"] == []
    cloudwatch.delete_alarms(AlarmNames=["shop-2", "other"])
    assert cloudwatch.describe_alarms(AlarmNamePrefix="shop-")["MetricAlarms"] == []
    (last, *_) = cloudwatch.describe_alarm_history(AlarmName="shop-2")["AlarmHistoryItems"]
    assert last["HistorySummary"] == 'Alarm "shop-2" deleted'


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Statistic": None}, "ValidationError.*Statistic or ExtendedStatistic must be given"),
        ({"Period": 45}, "ValidationError.*Period must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 2000}, "ValidationError.*more than 1 day"),
        ({"DatapointsToAlarm": 2}, "ValidationError.*DatapointsToAlarm"),
        ({"TreatMissingData": "guess"}, "ValidationError.*TreatMissingData"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "NotImplemented.*anomaly detection"),
        ({"Statistic": None, "ExtendedStatistic": "tm90"}, "NotImplemented.*Alarms on tm90.*only percentiles"),
        ({"ExtendedStatistic": "p99"}, "ValidationError.*Statistic and ExtendedStatistic cannot both"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "ValidationError.*goes with a percentile"),
    ],
)
def test_what_cannot_be_judged_is_refused(cloudwatch: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        put(cloudwatch, "refused", **changes)
    assert cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []


@pytest.mark.parametrize("factor", ["0", "fast", "31", "nan"])
def test_a_clock_factor_that_is_none_keeps_the_server_from_starting(tmp_path: Path, factor: str) -> None:
    with pytest.raises(Exception, match="LOCALAWS_CLOCK_FACTOR must be a number from 1 to 30"):
        start(tmp_path / "home", LOCALAWS_CLOCK_FACTOR=factor)
