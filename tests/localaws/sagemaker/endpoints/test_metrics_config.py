"""MetricsConfig of an endpoint config: how often metrics are published, and those of each instance."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting
from localaws_kit import LocalAws, start
from waiting_kit import until

#: A minute takes six seconds: the shortest period, ten seconds of AWS's, takes one.
FACTOR = "10"
INVOCATIONS, UTILIZATION = "AWS/SageMaker", "/aws/sagemaker/Endpoints"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    found = start(tmp_path_factory.mktemp("metrics"), LOCALAWS_CLOCK_FACTOR=FACTOR)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def hosting(server: LocalAws) -> Hosting:
    return Hosting(server)


@pytest.fixture(scope="module")
def model(hosting: Hosting) -> str:
    return hosting.model(2)


def configure(hosting: Hosting, model: str, metrics: dict[str, Any], count: int = 1) -> str:
    """Copy a config that is of no use otherwise, with a MetricsConfig."""
    plain = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=hosting.config(model, count=count))
    name = f"{plain['EndpointConfigName']}-metrics"
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=plain["ProductionVariants"], MetricsConfig=metrics
    )
    return name


def dimensions(endpoint: str, **more: str) -> list[dict[str, str]]:
    named = {"EndpointName": endpoint, "VariantName": "A", **more}
    return [{"Name": name, "Value": value} for name, value in named.items()]


def points(
    hosting: Hosting, namespace: str, metric: str, named: list[dict[str, str]], statistic: str = "Sum", period: int = 1
) -> list[float]:
    now = datetime.now(UTC)
    found = hosting.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=named,
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=period,
        Statistics=[statistic],
    )["Datapoints"]
    return [point[statistic] for point in found]


def instances(hosting: Hosting, namespace: str, metric: str, endpoint: str) -> list[str]:
    """The instances that a metric has series of their own for."""
    found = hosting.cloudwatch.list_metrics(
        Namespace=namespace, MetricName=metric, Dimensions=[*dimensions(endpoint), {"Name": "InstanceId"}]
    )["Metrics"]
    return sorted(each["Value"] for one in found for each in one["Dimensions"] if each["Name"] == "InstanceId")


def test_enhanced_metrics_are_told_apart_by_instance(hosting: Hosting, model: str) -> None:
    wanted = {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10}
    config = configure(hosting, model, wanted, count=2)
    assert hosting.sagemaker.describe_endpoint_config(EndpointConfigName=config)["MetricsConfig"] == wanted
    endpoint = hosting.create(config)
    assert hosting.settled(endpoint)["MetricsConfig"] == wanted
    for _ in range(6):
        hosting.invoke(endpoint, 1)
    both = until(
        lambda: instances(hosting, INVOCATIONS, "Invocations", endpoint), lambda found: len(found) == 2, timeout=20
    )
    until(lambda: instances(hosting, UTILIZATION, "CPUUtilization", endpoint), lambda found: found == both, timeout=20)

    def total(metric: str, **more: str) -> float:
        return sum(points(hosting, INVOCATIONS, metric, dimensions(endpoint, **more)))

    # Idle instances take turns, and the whole has what its parts have.
    assert [total("Invocations", InstanceId=each) for each in both] == [3.0, 3.0]
    assert total("Invocations") == 6.0
    assert total("InvocationsPerInstance") == pytest.approx(3.0)
    parts = [total("ModelLatency", InstanceId=each) for each in both]
    assert min(parts) > 0
    assert total("ModelLatency") == pytest.approx(sum(parts))


def test_the_frequency_is_that_of_utilization_and_if_enhanced_of_invocations_too(hosting: Hosting, model: str) -> None:
    often, seldom, default = (
        hosting.create(config)
        for config in (
            configure(hosting, model, {"MetricPublishFrequencyInSeconds": 10}),
            configure(hosting, model, {"MetricPublishFrequencyInSeconds": 180, "EnableEnhancedMetrics": True}),
            hosting.config(model),
        )
    )
    for endpoint in (often, seldom, default):
        hosting.settled(endpoint)
        hosting.invoke(endpoint, 1)

    def counts(namespace: str, metric: str) -> list[int]:
        found = (
            points(hosting, namespace, metric, dimensions(each), "SampleCount", 3600)
            for each in (often, seldom, default)
        )
        return [int(sum(each)) for each in found]

    began = time.monotonic()
    until(lambda: counts(UTILIZATION, "MemoryUtilization"), lambda found: found[0] >= 5, timeout=30)
    often_, seldom_, default_ = counts(UTILIZATION, "MemoryUtilization")
    # A first one at once; then one each second, each eighteen and each six.
    passed = time.monotonic() - began
    assert seldom_ <= 2 + passed / 18
    assert default_ <= 2 + passed / 6
    assert often_ > default_ >= seldom_
    # Invocations of one that is not enhanced come as ever; of the other they wait for eighteen seconds.
    invoked = until(lambda: counts(INVOCATIONS, "ModelLatency"), lambda found: found[0] and found[2], timeout=10)
    assert invoked == [1, 0, 1]
    until(lambda: counts(INVOCATIONS, "ModelLatency"), lambda found: found == [1, 1, 1], timeout=40)
    assert not instances(hosting, INVOCATIONS, "Invocations", often)


def test_a_latency_percentile_of_a_variant_is_read_and_alarms(hosting: Hosting, model: str) -> None:
    endpoint = hosting.serve(model)
    hosting.cloudwatch.put_metric_alarm(
        AlarmName=f"slow-{endpoint}",
        Namespace=INVOCATIONS,
        MetricName="ModelLatency",
        Dimensions=dimensions(endpoint),
        ExtendedStatistic="p80",
        Period=60,
        EvaluationPeriods=1,
        Threshold=400_000.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    for seconds in (0.0, 0.0, 0.5, 0.6):
        hosting.invoke(endpoint, {"sleep": seconds})
    until(
        lambda: hosting.cloudwatch.describe_alarms(AlarmNames=[f"slow-{endpoint}"])["MetricAlarms"][0]["StateValue"],
        lambda state: state == "ALARM",
        timeout=30,
    )
    # The alarm may have been set off by the first of two deliveries.
    latency = (hosting, INVOCATIONS, "ModelLatency", dimensions(endpoint), "SampleCount")
    until(lambda: sum(points(*latency)), lambda count: count == 4, timeout=10)
    now = datetime.now(UTC)
    (point,) = hosting.cloudwatch.get_metric_statistics(
        Namespace=INVOCATIONS,
        MetricName="ModelLatency",
        Dimensions=dimensions(endpoint),
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        ExtendedStatistics=["p25", "p75", "p100"],
        Unit="Microseconds",
    )["Datapoints"]
    found = point["ExtendedStatistics"]
    assert found["p25"] < 400_000 < 500_000 <= found["p75"] < found["p100"]


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (
            {"MetricPublishFrequencyInSeconds": 15},
            r"ValidationException.*must be one of 10, 30, 60, 120, 180, 240, 300, and is 15",
        ),
        ({"EnableDetailedObservability": True}, r"NotImplemented.*EnableDetailedObservability.*Prometheus"),
    ],
)
def test_a_metrics_config_that_is_none_is_refused(
    hosting: Hosting, model: str, metrics: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        configure(hosting, model, metrics)
