"""
Changes of an endpoint under load.

Each returns what it did in words, the requests during it, and the failures of them. A change is made again until there
were as many requests as wanted; one that was not seen in the answers ends the benchmark, since it proves nothing.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.variants_kit import PATIENCE, Endpoints, Load

Change = Callable[[Endpoints, int], tuple[str, int, Counter[str]]]
OLD, NEW = 2, 3


def shift(endpoints: Endpoints, requests: int) -> tuple[str, int, Counter[str]]:
    """Move the weights of two variants to and fro."""
    endpoint = endpoints.serve(endpoints.model(OLD), endpoints.model(NEW))
    times = 0
    with Load(endpoints, endpoint) as load:
        for share in itertools.cycle((0.0, 0.1, 0.5, 1.0)):
            if load.total >= requests:
                break
            weights = [
                {"VariantName": "A", "DesiredWeight": 1 - share},
                {"VariantName": "B", "DesiredWeight": share},
            ]
            endpoints.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=endpoint, DesiredWeightsAndCapacities=weights
            )
            endpoints.settled(endpoint)
            times += 1
            load.wait_for(load.total + 100)
    _saw(load, ("A", OLD), ("B", NEW))
    endpoints.delete(endpoint)
    return f"{times} shifts of weights", load.total, load.failures


def update(endpoints: Endpoints, requests: int) -> tuple[str, int, Counter[str]]:
    """Give the endpoint another config and back, all at once."""
    configs = endpoints.config(endpoints.model(OLD)), endpoints.config(endpoints.model(NEW))
    endpoint = endpoints.serve(endpoints.model(OLD))
    times = 0
    with Load(endpoints, endpoint) as load:
        for config in itertools.cycle(reversed(configs)):
            if load.total >= requests:
                break
            endpoints.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
            endpoints.settled(endpoint)
            times += 1
    _saw(load, ("A", OLD), ("A", NEW))
    endpoints.delete(endpoint)
    return f"{times} updates", load.total, load.failures


def canary(endpoints: Endpoints, requests: int) -> tuple[str, int, Counter[str]]:
    """Give a slow model a canary's share until an alarm on its latency, of the new fleet alone, brings it back."""
    endpoint = endpoints.serve(endpoints.model(OLD))
    config = endpoints.config(endpoints.model(NEW, wait=0.5))
    dimensions = {"EndpointName": endpoint, "VariantName": "A", "EndpointConfigName": config}
    endpoints.cloudwatch.put_metric_alarm(
        AlarmName=f"slow-{endpoint}",
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        ExtendedStatistic="p50",
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=400_000.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    routing = {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
        "WaitIntervalInSeconds": 3600,
    }
    deployment = {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": f"slow-{endpoint}"}]},
    }
    times = 0
    with Load(endpoints, endpoint) as load:
        while load.total < requests:
            _wait_for_ok(endpoints, f"slow-{endpoint}")
            endpoints.sagemaker.update_endpoint(
                EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment
            )
            reason = endpoints.settled(endpoint).get("FailureReason", "")
            if f"the alarm slow-{endpoint} is in the state ALARM" not in reason:
                raise SystemExit(f"the canary was not rolled back by its alarm: {reason or 'it went through'}")
            times += 1
    _saw(load, ("A", OLD), ("A", NEW))
    endpoints.delete(endpoint)
    return f"{times} canaries with roll-back by an alarm on p50 latency", load.total, load.failures


def _wait_for_ok(endpoints: Endpoints, alarm: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        (found,) = endpoints.cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        if found["StateValue"] == "OK":
            return
        time.sleep(0.1)
    raise SystemExit(f"alarm {alarm} is not OK after {PATIENCE} s: {found['StateReason']}")


def scale(endpoints: Endpoints, requests: int) -> tuple[str, int, Counter[str]]:
    """Let target tracking add an instance under load, and take it away by a target that the load is far below."""
    endpoint = endpoints.serve(endpoints.model(OLD))
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/A",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    endpoints.autoscaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    with Load(endpoints, endpoint) as load:
        for value, count in ((1.0, 2), (1e9, 1)):
            endpoints.autoscaling.put_scaling_policy(
                **target,
                PolicyName="track",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": value,
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
                    },
                    "ScaleInCooldown": 60,
                    "ScaleOutCooldown": 60,
                },
            )
            _wait_for_count(endpoints, endpoint, count)
        load.wait_for(requests)
    endpoints.delete(endpoint)
    return "a scale-out and a scale-in", load.total, load.failures


def _wait_for_count(endpoints: Endpoints, endpoint: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        (variant,) = endpoints.settled(endpoint)["ProductionVariants"]
        if variant["CurrentInstanceCount"] == count:
            return
        time.sleep(0.1)
    raise SystemExit(f"{endpoint} has not {count} instances after {PATIENCE} s")


def _saw(load: Load, *answers: tuple[str, int]) -> None:
    unseen = [answer for answer in answers if not load.answers[answer]]
    if unseen:
        raise SystemExit(f"no answer of {unseen} among {dict(load.answers)}, failures {dict(load.failures)}")


ALL: tuple[Change, ...] = (shift, update, canary, scale)
