"""EndpointMetricsOperator against localaws."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from operator_kit import BUCKET, Airflow, FakeTask
from variants_kit import record, variants

from amazon_ml.exceptions import DeadlineExceeded, RequestRefused
from amazon_ml.operators.endpoint import EndpointOperator
from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.endpoint_metrics import EndpointMetricsOperator


def test_metrics_of_both_variants_are_written_down(aws: Any, airflow: Airflow, ti: FakeTask, both: Any) -> None:
    uri = f"s3://{BUCKET}/metrics/metrics.json"
    for minute, count in enumerate((3.0, 5.0)):
        at = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
        dimensions = [{"Name": "EndpointName", "Value": "measured"}, {"Name": "VariantName", "Value": "champion"}]
        data = {"MetricName": "Invocations", "Dimensions": dimensions, "Timestamp": at, "Value": count, "Unit": "None"}
        aws("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[data])
    found = airflow.run(
        lambda: EndpointMetricsOperator(
            task_id="m",
            endpoint_name="measured",
            variants=["champion", "challenger"],
            metrics={"Invocations": "Sum", "ModelLatency": "Average"},
            since="2026-01-01T11:59:30+00:00",
            period="60",
            output=uri,
        ),
        ti,
    )
    assert found["totals"] == {
        "champion": {"Invocations": 8.0, "ModelLatency": None},
        "challenger": {"Invocations": 0.0, "ModelLatency": None},
    }
    document = json.loads(aws("s3").get_object(Bucket=BUCKET, Key="metrics/metrics.json")["Body"].read())
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    expected = [{"at": noon, "value": 3.0}, {"at": noon + 60, "value": 5.0}]
    assert document["variants"]["champion"]["Invocations"] == expected


def put_invocations(aws: Any, endpoint: str, variant: str, count: float) -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    data = {"MetricName": "Invocations", "Dimensions": dimensions, "Values": [1.0], "Counts": [count], "Unit": "None"}
    aws("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[data])


def test_metrics_are_waited_for_until_they_have_what_was_sent(
    aws: Any, airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_invocations(aws, "late", "a", 4)
    operator = EndpointMetricsOperator(
        task_id="m", endpoint_name="late", variants=["a"], metrics=["ModelLatency"], expect="{'a': '10'}"
    )
    paused: list[float] = []

    def meanwhile(seconds: float) -> None:
        paused.append(seconds)
        put_invocations(aws, "late", "a", 3)

    monkeypatch.setattr(operator, "_pause", meanwhile)
    found = airflow.run(lambda: operator, ti)
    assert len(paused) == 2
    assert found == {
        "uri": None,
        "endpoint": "late",
        "totals": {"a": {"ModelLatency": None, "Invocations": 10.0}},
    }


def test_metrics_that_never_come_are_named(aws: Any, airflow: Airflow, old_ti: FakeTask) -> None:
    put_invocations(aws, "never", "a", 4)
    given: dict[str, Any] = {"endpoint_name": "never", "variants": ["a", "b"], "timeout": timedelta(minutes=1)}
    expect = {"a": 4, "b": 1}
    with pytest.raises(DeadlineExceeded, match="CloudWatch has only 0 of 1 of b's invocations of endpoint never"):
        airflow.run(lambda: EndpointMetricsOperator(task_id="m", **given, expect=expect), old_ti)
    with pytest.raises(ValueError, match="no metrics are requested for c, only for a, b"):
        airflow.run(lambda: EndpointMetricsOperator(task_id="m", **given, expect={"c": 1}), old_ti)
    with pytest.raises(ValueError, match="must be Sum"):
        EndpointMetricsOperator(task_id="m", **given, metrics={"Invocations": "Average"}, expect={"a": 1})
    with pytest.raises(RequestRefused, match="Could not find endpoint"):
        airflow.run(lambda: EndpointMetricsOperator(task_id="m", endpoint_name="never"), old_ti)


def test_metrics_have_the_requests_that_were_sent(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    given, name = variants(aws, airflow)[:1], "metered"
    airflow.run(lambda: EndpointOperator(task_id="d", endpoint_name=name, variants=given), ti)
    sent: dict[str, Any] = {"records": [record(f"r{n}") for n in range(5)], "output": f"s3://{BUCKET}/metered/"}
    airflow.run(lambda: InvokeEndpointBatchOperator(task_id="batch", endpoint_name=name, **sent), ti)
    asked: dict[str, Any] = {"metrics": {"Invocations": "Sum", "ModelLatency": "p99"}, "expect": {"champion": 5}}
    found = airflow.run(lambda: EndpointMetricsOperator(task_id="m", endpoint_name=name, **asked), ti)["totals"]
    assert found["champion"]["Invocations"] == 5
    assert found["champion"]["ModelLatency"] > 0
