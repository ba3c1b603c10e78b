"""What autoscaling does to an endpoint under load, sampled: instances, alarms, activities, and the metric itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from amazon_ml.endpoint_series import read_series
from amazon_ml.hooks.cloudwatch import CloudWatchHook
from amazon_ml.hooks.scaling import ScalingHook, scalable_target

#: seconds between two samples.
PAUSE = 2.0
METRIC = "InvocationsPerInstance"


def sample_once(endpoint: str, variant: str, output: str) -> None:
    """Write the first sample, before there is any load: how it was then, for :func:`watch` to go on from."""
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    sample = _sample(SageMakerJobHook(), endpoint, variant)
    print(sample)
    _write(output, {"samples": [sample]})


def watch(endpoint: str, variant: str, minutes: Any, period: Any, output: str) -> dict[str, Any]:
    """
    Sample until the load is over and the last scaling activity has ended, or ``minutes`` are; write what was seen.

    What :func:`sample_once` and an earlier try have seen is kept. The document is ``{"endpoint", "variant",
    "threshold", "period", "samples": [{"at", "instances", "desired", "status", "alarms": {name: state}}], "activities":
    [{"started", "ended", "description", "cause", "status"}], "metric": [{"at", "value"}]}``, times in seconds since the
    epoch.

    :param variant: whose instances scale.
    :param minutes: how long is sampled.
    :param period: seconds a point of the metric.
    :param output: S3 URI of the document.
    :returns: ``{"uri", "samples", "least", "most", "alarmed"}``: instances seen, and whether the high alarm was.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    hook = SageMakerJobHook()
    seen: list[dict[str, Any]] = _earlier(output)
    began = seen[0]["at"] if seen else time.time()
    while time.time() < began + float(minutes) * 60:
        sample = _sample(hook, endpoint, variant)
        if not seen or _changed(seen[-1], sample):
            print(f"{sample['instances']} of {sample['desired']} instances, {sample['status']}, {sample['alarms']}")
        seen.append(sample)
        _write(output, {"samples": seen})
        time.sleep(PAUSE)
    document = {
        "endpoint": endpoint,
        "variant": variant,
        "period": int(period),
        "threshold": _threshold(hook, endpoint, variant),
        "samples": seen,
        "activities": _activities(hook, endpoint, variant, began),
        "metric": _metric(hook, endpoint, variant, began, int(period)),
    }
    _write(output, document)
    counts = [sample["instances"] for sample in seen]
    alarmed = any(state == "ALARM" for sample in seen for name, state in sample["alarms"].items() if "High" in name)
    return {"uri": output, "samples": len(seen), "least": min(counts), "most": max(counts), "alarmed": alarmed}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return any(before[name] != now[name] for name in ("instances", "desired", "status", "alarms"))


def _sample(hook: Any, endpoint: str, variant: str) -> dict[str, Any]:
    description = hook.describe("Endpoint", endpoint)
    if description is None:
        raise ValueError(f"there is no endpoint {endpoint} to be watched: clear `remove_loser` and what follows")
    found = {each["VariantName"]: each for each in description["ProductionVariants"]}[variant]
    alarms = _alarms(hook, endpoint, variant)
    return {
        "at": time.time(),
        "instances": found["CurrentInstanceCount"],
        "desired": found["DesiredInstanceCount"],
        "status": description["EndpointStatus"],
        "alarms": {_short(alarm["AlarmName"]): alarm["StateValue"] for alarm in alarms},
    }


def _short(alarm: str) -> str:
    """Say which of the two alarms of target tracking this is: "High" or "Low"."""
    return "High" if "-AlarmHigh-" in alarm else "Low"


def _alarms(hook: Any, endpoint: str, variant: str) -> list[dict[str, Any]]:
    prefix = f"TargetTracking-endpoint/{endpoint}/variant/{variant}-"
    found: list[dict[str, Any]] = hook.sibling(CloudWatchHook).alarms(prefix)
    return found


def _threshold(hook: Any, endpoint: str, variant: str) -> float | None:
    """Return the value above which an instance is added; None without such an alarm."""
    high = [alarm for alarm in _alarms(hook, endpoint, variant) if _short(alarm["AlarmName"]) == "High"]
    return float(high[0]["Threshold"]) if high else None


def _activities(hook: Any, endpoint: str, variant: str, began: float) -> list[dict[str, Any]]:
    return [
        {
            "started": each["StartTime"].timestamp(),
            "ended": each["EndTime"].timestamp() if "EndTime" in each else None,
            "description": each["Description"],
            "cause": each["Cause"],
            "status": each["StatusCode"],
        }
        for each in hook.sibling(ScalingHook).activities(scalable_target(endpoint, variant))
        if each["StartTime"].timestamp() >= began
    ]


def _metric(hook: Any, endpoint: str, variant: str, began: float, period: int) -> list[dict[str, float]]:
    asked: dict[str, Any] = {"since": datetime.fromtimestamp(began, UTC), "until": datetime.now(UTC), "period": period}
    found = read_series(hook.sibling(CloudWatchHook), endpoint, [variant], {METRIC: "Sum"}, **asked)
    return found[variant][METRIC]


def _earlier(uri: str) -> list[dict[str, Any]]:
    """Return the samples that were taken before this try."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook()
    bucket, key = hook.parse_s3_url(uri)
    if not hook.check_for_key(key, bucket):
        return []
    return list(json.loads(hook.read_key(key, bucket))["samples"])


def _write(uri: str, document: Mapping[str, Any]) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook()
    bucket, key = hook.parse_s3_url(uri)
    hook.load_string(json.dumps(document) + "\n", key, bucket, replace=True)
