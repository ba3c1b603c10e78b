"""The system profiler of training jobs, and the utilization of jobs in CloudWatch."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, Jobs
from localaws_kit import LocalAws
from waiting_kit import until

RULES_IMAGE = "503895931360.dkr.ecr.us-east-1.amazonaws.com/sagemaker-debugger-rules:latest"
#: one core and 200 MB, for three seconds.
BUSY = """
import time
held = bytearray(200 << 20)
held[::4096] = b"x" * len(held[::4096])
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
"""
IDLE = "import time; print('begun', flush=True); time.sleep(60)"


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


def rule(name: str = "ProfilerReport-1700000000", **changes: Any) -> dict[str, Any]:
    parameters = {"rule_to_invoke": "ProfilerReport"}
    return {"RuleConfigurationName": name, "RuleEvaluatorImage": RULES_IMAGE, "RuleParameters": parameters, **changes}


def utilization(namespace: str, host: str) -> dict[str, float]:
    """The greatest value of each metric of a host."""
    now = datetime.now(UTC)
    found = {}
    for name in ("CPUUtilization", "MemoryUtilization", "DiskUtilization"):
        points = boto3.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": "Host", "Value": host}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        if points:
            found[name] = max(point["Maximum"] for point in points)
    return found


def test_a_profiled_job_leaves_its_metrics_and_a_report_in_s3(jobs: Jobs) -> None:
    place = f"s3://{BUCKET}/profiles"
    config = {"S3OutputPath": place, "ProfilingIntervalInMilliseconds": 200}
    job = jobs.train("busy", BUSY, ProfilerConfig=config, ProfilerRuleConfigurations=[rule()])
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ProfilingStatus"] == "Enabled"
    assert job["ProfilerConfig"] == config
    (told,) = job["ProfilerRuleEvaluationStatuses"]
    assert told["RuleConfigurationName"] == "ProfilerReport-1700000000"
    assert told["RuleEvaluationStatus"] == "NoIssuesFound"

    keys = jobs.keys("profiles/busy/profiler-output/")
    assert "profiles/busy/profiler-output/system/training_job_end.ts" in keys
    events = [
        json.loads(line)
        for key in keys
        if key.endswith(".algo-1.json")
        for line in jobs.get(f"s3://{BUCKET}/{key}").splitlines()
    ]
    assert set(events[0]) == {"Type", "Name", "Dimension", "Value", "NodeId", "Timestamp"}
    processor = [event["Value"] for event in events if event["Dimension"] == "CPUUtilization"]
    assert len(processor) >= 8
    assert 0 < max(processor) <= 101
    memory = max(event["Value"] for event in events if event["Dimension"] == "MemoryUsedPercent")
    assert 0.1 < memory < 100

    report = f"s3://{BUCKET}/busy-out/busy/rule-output/ProfilerReport-1700000000/profiler-output"
    usage = json.loads(jobs.get(f"{report}/profiler-reports/OverallSystemUsage.json"))
    assert usage["Details"]["CPU"]["algo-1"]["max"] == max(processor)
    assert b"<h2>CPU, algo-1</h2>" in jobs.get(f"{report}/profiler-report.html")
    shown = until(lambda: utilization("/aws/sagemaker/TrainingJobs", "busy/algo-1"), lambda found: len(found) == 3)
    # Of one core, as much as the other tests leave.
    assert shown["CPUUtilization"] > 2
    assert shown["MemoryUtilization"] > 0.1


def test_a_job_that_is_not_profiled_has_its_utilization_only(jobs: Jobs) -> None:
    jobs.process("measured", "import time\nend = time.monotonic() + 2.5\nwhile time.monotonic() < end: pass")
    found = until(
        lambda: utilization("/aws/sagemaker/ProcessingJobs", "measured/algo-1"), lambda seen: len(seen) == 3, 10
    )
    assert found["CPUUtilization"] > 2
    config = {"DisableProfiler": True}
    job = jobs.train(
        "unprofiled", "print(1)", ProfilerConfig=config, DebugHookConfig={"S3OutputPath": f"s3://{BUCKET}/d"}
    )
    assert job["ProfilingStatus"] == "Disabled"
    assert jobs.keys("unprofiled-out/unprofiled/profiler-output") == []
    assert "no tensors are saved" in jobs.log("training-job", "unprofiled")


def test_a_running_job_is_profiled_from_an_update_on(jobs: Jobs) -> None:
    jobs.training("updated", IDLE)
    jobs.wait_for_line("training-job", "updated", "begun")
    config = {"S3OutputPath": f"s3://{BUCKET}/later", "ProfilingIntervalInMilliseconds": 100}
    jobs.sagemaker.update_training_job(
        TrainingJobName="updated", ProfilerConfig=config, ProfilerRuleConfigurations=[rule("Later")]
    )
    job = jobs.sagemaker.describe_training_job(TrainingJobName="updated")
    assert (job["ProfilingStatus"], job["ProfilerConfig"]) == ("Enabled", config)
    assert [each["RuleEvaluationStatus"] for each in job["ProfilerRuleEvaluationStatuses"]] == ["InProgress"]
    profile = jobs.folder("training-job", "updated") / "profile"
    until(lambda: list(profile.rglob("*.algo-1.json")))
    jobs.sagemaker.stop_training_job(TrainingJobName="updated")
    ended = jobs.trained("updated")
    assert ended["TrainingJobStatus"] == "Stopped"
    assert ended["ProfilerRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] == "NoIssuesFound"
    assert any(key.endswith(".algo-1.json") for key in jobs.keys("later/updated/profiler-output/"))
    with pytest.raises(ClientError, match="only one that runs can be updated"):
        jobs.sagemaker.update_training_job(TrainingJobName="updated", ProfilerConfig={"DisableProfiler": True})


def test_a_profile_that_s3_refuses_costs_the_job_nothing_else(jobs: Jobs) -> None:
    config = {"S3OutputPath": "s3://there-is-no-such-bucket/p"}
    script = "import os, pathlib; pathlib.Path(os.environ['SM_MODEL_DIR'], 'm').write_text('1')"
    job = jobs.train("lost", script, ProfilerConfig=config, ProfilerRuleConfigurations=[rule()])
    assert job["TrainingJobStatus"] == "Completed"
    assert "ModelArtifacts" in job
    (told,) = job["ProfilerRuleEvaluationStatuses"]
    assert told["RuleEvaluationStatus"] == "Error"
    assert "there-is-no-such-bucket" in told["StatusDetails"]


def test_a_job_that_ends_before_its_processes_start_has_no_rule_in_progress(jobs: Jobs) -> None:
    nothing = {"train": f"s3://{BUCKET}/there-is-nothing-here/"}
    job = jobs.train("early", "print(1)", channels=nothing, ProfilerRuleConfigurations=[rule()])
    assert job["TrainingJobStatus"] == "Failed"
    (told,) = job["ProfilerRuleEvaluationStatuses"]
    assert told["RuleEvaluationStatus"] == "Error"
    assert "ended before" in told["StatusDetails"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"ProfilerConfig": {"ProfilingIntervalInMilliseconds": 300}}, "ValidationException", "100, 200, 500"),
        ({"ProfilerConfig": {"ProfilingParameters": {"a": "{}"}}}, "NotImplemented", "framework metrics"),
        ({"ProfilerRuleConfigurations": [rule(RuleEvaluatorImage="me/mine:1")]}, "NotImplemented", "me/mine:1"),
        (
            {"ProfilerRuleConfigurations": [rule(RuleParameters={"rule_to_invoke": "BatchSize"})]},
            "NotImplemented",
            "BatchSize",
        ),
        (
            {"ProfilerConfig": {"DisableProfiler": True}, "ProfilerRuleConfigurations": [rule()]},
            "ValidationException",
            "DisableProfiler",
        ),
        (
            {"DebugRuleConfigurations": [{"RuleConfigurationName": "r", "RuleEvaluatorImage": RULES_IMAGE}]},
            "NotImplemented",
            "DebugRuleConfigurations",
        ),
        (
            {"DebugHookConfig": {"S3OutputPath": "s3://b/d", "CollectionConfigurations": [{"CollectionName": "all"}]}},
            "NotImplemented",
            "CollectionConfigurations",
        ),
    ],
)
def test_what_is_not_profiled_is_refused_by_name(jobs: Jobs, change: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        jobs.training("refused-profile", "print(1)", **change)
    assert caught.value.response["Error"]["Code"] == code
