"""Application Auto Scaling against a running localaws whose minutes are short: endpoints really scale."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting, load
from localaws_kit import LocalAws, start
from waiting_kit import until

#: A minute takes two seconds.
FACTOR = "30"


class Scaling:
    """The clients of one localaws, and short words for the calls."""

    def __init__(self, server: LocalAws) -> None:
        self.hosting = Hosting(server)
        self.client = server.client("application-autoscaling")
        self.cloudwatch = self.hosting.cloudwatch

    def of(self, endpoint: str, variant: str = "A") -> dict[str, str]:
        return {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }

    def register(self, endpoint: str, least: int = 1, most: int = 2, **more: Any) -> str:
        answer = self.client.register_scalable_target(**self.of(endpoint), MinCapacity=least, MaxCapacity=most, **more)
        return str(answer["ScalableTargetARN"])

    def track(self, endpoint: str, target: float = 2.0, **config: Any) -> dict[str, Any]:
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        config = {"TargetValue": target, "PredefinedMetricSpecification": metric, **config}
        return self.client.put_scaling_policy(
            **self.of(endpoint),
            PolicyName="track",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=config,
        )

    def count(self, endpoint: str) -> int:
        (variant,) = self.hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    def activities(self, endpoint: str, **more: Any) -> list[dict[str, Any]]:
        answer = self.client.describe_scaling_activities(**self.of(endpoint), **more)
        found: list[dict[str, Any]] = answer["ScalingActivities"]
        return found


@pytest.fixture(scope="module")
def scaling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scaling]:
    server = start(tmp_path_factory.mktemp("scaling"), LOCALAWS_CLOCK_FACTOR=FACTOR)
    yield Scaling(server)
    server.stop()


@pytest.fixture(scope="module")
def idle(scaling: Scaling) -> str:
    """An endpoint in service that nobody invokes."""
    return scaling.hosting.serve(scaling.hosting.model(2))


def test_a_busy_variant_gets_an_instance_and_gives_it_back_when_less_busy(scaling: Scaling) -> None:
    endpoint = scaling.hosting.serve(scaling.hosting.model(3))
    scaling.register(endpoint)
    policy = scaling.track(endpoint, ScaleOutCooldown=60, ScaleInCooldown=300)
    high, low = (alarm["AlarmName"] for alarm in policy["Alarms"])
    assert high.startswith(f"TargetTracking-endpoint/{endpoint}/variant/A-AlarmHigh-")
    alarms = scaling.cloudwatch.describe_alarms(AlarmNames=[high, low])["MetricAlarms"]
    assert [
        (each["ComparisonOperator"], each["Threshold"], each["EvaluationPeriods"], each["Period"]) for each in alarms
    ] == [("GreaterThanThreshold", 2.0, 3, 60), ("LessThanThreshold", 1.8, 15, 60)]

    with load(scaling.hosting, endpoint, 1, 0.1) as busy:
        until(lambda: scaling.count(endpoint), lambda count: count == 2, 60)
        last = until(lambda: scaling.activities(endpoint)[0], lambda each: each["StatusCode"] == "Successful")
        assert last["Description"] == "Setting desired instance count to 2."
        assert last["Cause"] == f"monitor alarm {high} in state ALARM triggered policy track"
        assert last["StatusMessage"] == (
            "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
        )
        # What it would like beyond its bound is told where that is asked for, once.
        more = until(
            lambda: scaling.activities(endpoint, IncludeNotScaledActivities=True), lambda found: len(found) == 2
        )
        assert more[0]["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 2, "CurrentCapacity": 2}]
    # For fifteen minutes there is one request in two, by two instances: below 0.9 of the target.
    with load(scaling.hosting, endpoint, 1, 4.0) as calm:
        until(lambda: scaling.count(endpoint), lambda count: count == 1, 90)
    last = until(lambda: scaling.activities(endpoint)[0], lambda each: each["StatusCode"] == "Successful")
    assert last["Cause"] == f"monitor alarm {low} in state ALARM triggered policy track"
    assert set(busy) == set(calm) == {3}


def test_capacity_outside_of_the_bounds_is_brought_into_them(scaling: Scaling) -> None:
    endpoint = scaling.hosting.serve(scaling.hosting.model(2))
    scaling.register(endpoint, least=2, most=3)
    until(lambda: scaling.count(endpoint), lambda count: count == 2)
    last = until(lambda: scaling.activities(endpoint)[0], lambda each: each["StatusCode"] == "Successful")
    assert last["Cause"] == "minimum capacity was set to 2"

    soon = datetime.now(UTC) + timedelta(seconds=2)
    scaling.client.put_scheduled_action(
        **scaling.of(endpoint),
        ScheduledActionName="night",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 1},
    )
    until(lambda: scaling.count(endpoint), lambda count: count == 1)
    causes = [each["Cause"] for each in scaling.activities(endpoint)]
    assert causes[:2] == ["maximum capacity was set to 1", "scheduled action name night was triggered"]
    scaling.client.deregister_scalable_target(**scaling.of(endpoint))


def test_a_step_policy_follows_an_alarm_of_ones_own_unless_suspended(scaling: Scaling) -> None:
    endpoint = scaling.hosting.serve(scaling.hosting.model(2))
    scaling.register(endpoint, most=3, SuspendedState={"DynamicScalingOutSuspended": True})
    arn = scaling.client.put_scaling_policy(
        **scaling.of(endpoint),
        PolicyName="steps",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ExactCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 3}],
            "Cooldown": 0,
        },
    )["PolicyARN"]
    scaling.cloudwatch.put_metric_alarm(
        AlarmName=f"queue-{endpoint}",
        Namespace="Test",
        MetricName=endpoint,
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
        AlarmActions=[arn],
    )
    scaling.cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": endpoint, "Value": 10.0}])
    until(
        lambda: scaling.cloudwatch.describe_alarms(AlarmNames=[f"queue-{endpoint}"])["MetricAlarms"][0]["StateValue"],
        lambda state: state == "ALARM",
        30,
    )
    time.sleep(3)
    assert (scaling.count(endpoint), scaling.activities(endpoint)) == (1, [])
    awake = {"DynamicScalingOutSuspended": False}
    scaling.client.register_scalable_target(**scaling.of(endpoint), SuspendedState=awake)
    scaling.cloudwatch.put_metric_data(Namespace="Test", MetricData=[{"MetricName": endpoint, "Value": 11.0}])
    until(lambda: scaling.count(endpoint), lambda count: count == 3)
    scaling.client.deregister_scalable_target(**scaling.of(endpoint))


def test_targets_policies_and_actions_are_found_changed_and_deleted(scaling: Scaling, idle: str) -> None:
    arn = scaling.register(idle, Tags={"team": "reviews"})
    (target,) = scaling.client.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[scaling.of(idle)["ResourceId"]]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableTargetARN"]) == (1, 2, arn)
    assert scaling.client.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "reviews"}
    first = scaling.track(idle)
    second = scaling.track(idle, target=7.0, DisableScaleIn=True)
    assert first["PolicyARN"] == second["PolicyARN"]
    assert (len(first["Alarms"]), len(second["Alarms"])) == (2, 1)
    names = [each["AlarmName"] for each in first["Alarms"]]
    assert scaling.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    (policy,) = scaling.client.describe_scaling_policies(**scaling.of(idle))["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 7.0
    action = {"ScheduledActionName": "day", "Schedule": "cron(0 9 * * ? *)", "Timezone": "Europe/Berlin"}
    scaling.client.put_scheduled_action(**scaling.of(idle), **action, ScalableTargetAction={"MinCapacity": 2})
    (found,) = scaling.client.describe_scheduled_actions(**scaling.of(idle))["ScheduledActions"]
    assert {key: found[key] for key in action} == action

    scaling.client.deregister_scalable_target(**scaling.of(idle))
    for operation, member in (
        ("describe_scaling_policies", "ScalingPolicies"),
        ("describe_scheduled_actions", "ScheduledActions"),
    ):
        assert getattr(scaling.client, operation)(**scaling.of(idle))[member] == []
    names = [each["AlarmName"] for each in second["Alarms"]]
    assert scaling.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []
    with pytest.raises(ClientError, match=r"ObjectNotFoundException.*No scalable target found for service namespace"):
        scaling.track(idle)


def test_an_endpoint_that_is_gone_takes_no_policy_and_its_alarm_says_why_nothing_is_scaled(scaling: Scaling) -> None:
    hosting = scaling.hosting
    endpoint = hosting.serve(hosting.model(2))
    scaling.register(endpoint)
    high, _ = (alarm["AlarmName"] for alarm in scaling.track(endpoint)["Alarms"])
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
    words = rf"ValidationException.*no endpoint {endpoint} in service with a variant A"
    with pytest.raises(ClientError, match=words):
        scaling.track(endpoint, target=3.0)
    with pytest.raises(ClientError, match=words):
        scaling.client.put_scheduled_action(
            **scaling.of(endpoint),
            ScheduledActionName="day",
            Schedule="rate(1 hour)",
            ScalableTargetAction={"MinCapacity": 1},
        )
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "A"}]
    datum = {"MetricName": "InvocationsPerInstance", "Dimensions": dimensions, "Value": 9.0}

    def activities() -> list[dict[str, Any]]:
        scaling.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])
        return scaling.activities(endpoint)

    found = until(activities, timeout=40, every=0.5)
    assert (found[0]["StatusCode"], found[0]["StatusMessage"]) == (
        "Failed",
        f"Failed to set desired instance count. Reason: endpoint/{endpoint}/variant/A does not exist.",
    )
    assert high in found[0]["Cause"]
    scaling.client.deregister_scalable_target(**scaling.of(endpoint))


def test_a_scheduled_action_whose_bounds_contradict_each_other_is_refused(scaling: Scaling, idle: str) -> None:
    scaling.register(idle)
    for bounds, words in (
        ({"MinCapacity": 3, "MaxCapacity": 2}, "Max capacity 2 cannot be less than min capacity 3"),
        ({"MinCapacity": 0}, "cannot be less than 1"),
        ({}, "At least one of min capacity and max capacity"),
    ):
        with pytest.raises(ClientError, match=rf"ValidationException.*{words}"):
            scaling.client.put_scheduled_action(
                **scaling.of(idle), ScheduledActionName="day", Schedule="rate(1 hour)", ScalableTargetAction=bounds
            )
    assert scaling.client.describe_scheduled_actions(**scaling.of(idle))["ScheduledActions"] == []
    scaling.client.deregister_scalable_target(**scaling.of(idle))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"MinCapacity": 0, "MaxCapacity": 2}, "ValidationException.*cannot be less than 1"),
        (
            {"MinCapacity": 3, "MaxCapacity": 2},
            "ValidationException.*Max capacity 2 cannot be less than min capacity 3",
        ),
        ({"MinCapacity": 1}, "ValidationException.*must not be null"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "endpoint/gone/variant/A"}, "no endpoint gone in service"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "table/x"}, "ValidationException.*Unsupported"),
        (
            {
                "MinCapacity": 1,
                "MaxCapacity": 2,
                "ServiceNamespace": "dynamodb",
                "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
            },
            "NotImplemented",
        ),
    ],
)
def test_a_target_that_cannot_be_scaled_is_refused(
    scaling: Scaling, idle: str, bounds: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        scaling.client.register_scalable_target(**{**scaling.of(idle), **bounds})
