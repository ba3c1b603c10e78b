"""What `ab_test` sees of its endpoint under load, against localaws."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operator_kit import BUCKET, Airflow, FakeTask
from variants_kit import NAME

from amazon_ml.operators.endpoint_scaling import DeleteEndpointScalingOperator, EndpointScalingOperator


def test_watching_keeps_what_an_earlier_try_has_seen(aws: Any, airflow: Airflow, ti: FakeTask, both: Any) -> None:
    from include.ab_test import watching

    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    tracking = {"TargetValue": 60.0, "PredefinedMetricSpecification": metric}
    kind = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}
    policy = {**kind, "TargetTrackingScalingPolicyConfiguration": tracking}
    given = {"endpoint_name": NAME, "variant": "champion", "min_capacity": 1, "max_capacity": 2, "policies": [policy]}
    airflow.run(lambda: EndpointScalingOperator(task_id="scale", **given), ti)
    uri = f"s3://{BUCKET}/{ti.run_id}/scaling.json"
    watching.sample_once(NAME, "champion", uri)
    found = watching.watch(NAME, "champion", 0.05, "60", uri)
    assert (found["least"], found["most"], found["alarmed"]) == (1, 1, False)
    document = json.loads(aws("s3").get_object(Bucket=BUCKET, Key=f"{ti.run_id}/scaling.json")["Body"].read())
    assert document["threshold"] == 60.0
    assert {*document} == {"endpoint", "variant", "period", "threshold", "samples", "activities", "metric"}
    assert set(document["samples"][0]["alarms"]) == {"High", "Low"}
    again = watching.watch(NAME, "champion", 0.05, "60", uri)
    assert again["samples"] == found["samples"], "its time was over: nothing more is sampled"
    airflow.run(lambda: DeleteEndpointScalingOperator(task_id="s", endpoint_name=NAME, variants=["champion"]), ti)
    with pytest.raises(ValueError, match="there is no endpoint nowhere"):
        watching.watch("nowhere", "champion", 0.05, "60", f"{uri}.other")
