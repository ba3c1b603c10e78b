"""CPUUtilization, MemoryUtilization and DiskUtilization of an endpoint's variants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from endpoint_kit import Hosting
from localaws_kit import LocalAws
from waiting_kit import until

#: a model of 200 MB whose server never rests.
BUSY = """
import threading
def model_fn(model_dir):
    held = bytearray(200 << 20)
    held[::4096] = b"x" * len(held[::4096])
    def spin():
        while True:
            pass
    threading.Thread(target=spin, daemon=True).start()
    return held
def predict_fn(data, model):
    return data
"""
METRICS = ("CPUUtilization", "MemoryUtilization", "DiskUtilization")


def utilization(hosting: Hosting, endpoint: str, variant: str) -> dict[str, float]:
    now = datetime.now(UTC)
    found = {}
    for metric in METRICS:
        points = hosting.cloudwatch.get_metric_statistics(
            Namespace="/aws/sagemaker/Endpoints",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        if points:
            found[metric] = max(point["Maximum"] for point in points)
    return found


def test_each_variant_has_the_use_of_its_own_model_servers(localaws: LocalAws) -> None:
    hosting = Hosting()
    endpoint = hosting.serve(hosting.model(), hosting.model(code=BUSY))
    idle, busy = until(
        lambda: [utilization(hosting, endpoint, variant) for variant in "AB"],
        lambda found: all(set(each) == set(METRICS) for each in found),
        30,
        every=0.3,
    )
    assert busy["CPUUtilization"] > idle["CPUUtilization"] + 2
    assert busy["MemoryUtilization"] > idle["MemoryUtilization"] > 0
    assert 0 < idle["DiskUtilization"] <= 100
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
