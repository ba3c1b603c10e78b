"""EndpointScalingOperator and DeleteEndpointScalingOperator against localaws."""

from __future__ import annotations

from typing import Any

import pytest
from operator_kit import Airflow, FakeTask
from variants_kit import NAME, Killed

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.operators.endpoint_scaling import DeleteEndpointScalingOperator, EndpointScalingOperator


def test_a_variant_scales_by_a_policy_and_stops(aws: Any, airflow: Airflow, ti: FakeTask, both: Any) -> None:
    tracking = {
        "TargetValue": "60",
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "ScaleOutCooldown": 60,
    }
    policy = {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    given = {"endpoint_name": NAME, "variant": "champion", "min_capacity": 1, "max_capacity": "2", "policies": [policy]}

    def scale() -> EndpointScalingOperator:
        return EndpointScalingOperator(task_id="scale", **given)

    found = airflow.run(scale, ti)
    assert list(found["policies"]) == ["p"] and len(found["alarms"]) == 2
    again = airflow.run(scale, ti.next_try())
    assert again == found, "a recreated alarm has lost its history"
    assert found["resource_id"] == f"endpoint/{NAME}/variant/champion"
    given["policies"] = {"p": tracking}
    assert airflow.run(scale, ti.next_try()) == found
    tracking["TargetValue"] = 30
    assert airflow.run(scale, ti.next_try())["alarms"] != found["alarms"]
    scaling = aws("application-autoscaling")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 2)

    def stop() -> DeleteEndpointScalingOperator:
        return DeleteEndpointScalingOperator(task_id="stop", endpoint_name=NAME, variants=["gone", "champion"])

    assert airflow.run(stop, ti)["deleted"] == ["champion"]
    assert airflow.run(stop, ti.next_try())["deleted"] == []
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []


INVOCATIONS = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
TRACKING = {"TargetValue": 60, "PredefinedMetricSpecification": INVOCATIONS}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_capacity": 0}, "Min capacity of a variant on instances cannot be less than 1: 0"),
        ({"min_capacity": 3}, "Max capacity 2 cannot be less than min capacity 3"),
        ({"variant": "nobody"}, f"no endpoint {NAME} in service with a variant nobody"),
        ({"endpoint_name": "gone"}, "no endpoint gone in service"),
        ({"policies": {"p": {**TRACKING, "TargetValue": 0}}}, "TargetValue must be greater than 0"),
        ({"policies": {"p": {"TargetValue": 1}}}, "Exactly one of PredefinedMetricSpecification and Customized"),
    ],
)
def test_scaling_that_cannot_be_fails_at_once_in_the_words_of_aws(
    airflow: Airflow, ti: FakeTask, both: Any, changes: dict[str, Any], said: str
) -> None:
    given = {"endpoint_name": NAME, "variant": "champion", "min_capacity": 1, "max_capacity": 2}
    given["policies"] = {"p": TRACKING}
    with pytest.raises(RequestRefused, match=said):
        airflow.run(lambda: EndpointScalingOperator(task_id="scale", **{**given, **changes}), ti)
    airflow.run(lambda: DeleteEndpointScalingOperator(task_id="s", endpoint_name=NAME, variants=["champion"]), ti)


def test_a_killed_try_of_scaling_is_completed_by_its_next(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ServiceHook._call

    def killed(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        answer = call(self, method, **request)
        if method == "put_scaling_policy":
            raise Killed
        return answer

    given = {"endpoint_name": NAME, "variant": "champion", "min_capacity": 1, "max_capacity": 2}
    given["policies"] = {"p": TRACKING, "q": {**TRACKING, "TargetValue": 90}}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(ServiceHook, "_call", killed)
        airflow.run(lambda: EndpointScalingOperator(task_id="scale", **given), ti)
    found = airflow.run(lambda: EndpointScalingOperator(task_id="scale", **given), ti.next_try())
    assert (list(found["policies"]), len(found["alarms"])) == (["p", "q"], 4)
    described = aws("cloudwatch").describe_alarms(AlarmNamePrefix=f"TargetTracking-{found['resource_id']}")
    assert {alarm["AlarmName"] for alarm in described["MetricAlarms"]} == set(found["alarms"])
    airflow.run(lambda: DeleteEndpointScalingOperator(task_id="s", endpoint_name=NAME, variants=["champion"]), ti)
