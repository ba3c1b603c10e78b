"""What clean-up sees of AWS: kinds by ARN, executions of pipelines, models of lost trials, and whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from amazon_ml.hooks.inventory import InventoryHook
from amazon_ml.hooks.tagging import TaggingHook
from include.sweeping.inventory import Inventory
from include.sweeping.selection import Limits

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012"
TAGS = {"project": "p", "run": "r", "expires-at": "never"}


class Logs:
    """CloudWatch Logs with two groups."""

    def groups(self, prefix: str) -> Any:
        ages = {"TrainingJobs": {}, "Endpoints/gone": {"retentionInDays": 14}}
        return [{"logGroupName": prefix + name, "creationTime": 0, **more} for name, more in ages.items()]

    def last_event(self, group: str) -> datetime | None:
        return NOW if group.endswith("/gone") else None


class Objects:
    """S3 with the models of two trials."""

    def has_object(self, bucket: str, key: str) -> bool:
        return (bucket, key) in {("b", "best"), ("b", "lost")}


class Hook:
    """SageMaker with one of everything; ``asked`` has what was described."""

    logs, s3 = Logs(), Objects()

    def __init__(self) -> None:
        self.asked: list[str] = []

    def running_jobs(self) -> Any:
        for name in ("ours", "theirs"):
            yield (
                "TrainingJob",
                {
                    "TrainingJobName": name,
                    "TrainingJobArn": f"{ARN}:training-job/{name}",
                    "CreationTime": NOW,
                },
            )

    def all_endpoints(self) -> Any:
        return [
            {
                "EndpointName": "theirs",
                "EndpointArn": f"{ARN}:endpoint/theirs",
                "EndpointStatus": "Updating",
                "EndpointConfigName": "old",
                "PendingDeploymentSummary": {"EndpointConfigName": "new"},
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
                "ProductionVariants": [{"VariantName": "v"}],
            }
        ]

    def all_endpoint_configs(self) -> Any:
        for name in ("old", "new", "unused", "ours"):
            yield {
                "EndpointConfigName": name,
                "EndpointConfigArn": f"{ARN}:endpoint-config/{name}",
                "CreationTime": NOW,
            }

    def models(self) -> Any:
        return [{"ModelName": n, "ModelArn": f"{ARN}:model/{n}", "CreationTime": NOW} for n in ("Ours", "theirs")]

    def pipeline_executions(self, pipeline: str) -> Any:
        for number, status in enumerate(("Executing", "Succeeded")):
            yield {
                "PipelineExecutionArn": f"{ARN}:pipeline/{pipeline}/execution/{number}",
                "PipelineExecutionStatus": status,
            }

    def ended_tuning_jobs(self) -> Any:
        for name, days in {"old": 40, "young": 2, "theirs": 40}.items():
            yield {
                "HyperParameterTuningJobName": name,
                "HyperParameterTuningJobArn": f"{ARN}:hyper-parameter-tuning-job/{name}",
                "HyperParameterTuningEndTime": NOW - timedelta(days=days),
            }

    def training_jobs_of(self, tuning_job: str) -> Any:
        return [{"TrainingJobName": name} for name in ("best", "lost", "emptied", "failed")]

    def describe(self, kind: str, name: str) -> Any:
        self.asked.append(f"{kind} {name}")
        if kind == "EndpointConfig":
            return {"ProductionVariants": [{"ModelName": f"{name}-model"}], "ShadowProductionVariants": []}
        if kind == "HyperParameterTuningJob":
            return {"BestTrainingJob": {"TrainingJobName": "best"}}
        return {} if name == "failed" else {"ModelArtifacts": {"S3ModelArtifacts": f"s3://b/{name}"}}


@pytest.fixture
def inventory(monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """The inventory of a project that owns some of it."""
    ours = (
        *("training-job/ours", "training-job/ended", "endpoint-config/ours", "model/ours", "pipeline/p"),
        *("workteam/private-crowd/team", "model-package-group/g", "hyper-parameter-tuning-job/old"),
        *("hyper-parameter-tuning-job/young", "endpoint/gone"),
    )
    # ARNs have small letters where names have capitals.
    arns = {f"{ARN}:{name}": dict(TAGS) for name in ours} | {f"{ARN}:model/Ours": dict(TAGS)}
    monkeypatch.setattr(TaggingHook, "resources", lambda self, tags: iter(arns.items()) if tags else None)
    hook: Any = Hook()
    hook.sibling = lambda _: TaggingHook()
    return Inventory(hook, "p")


def test_each_resource_with_the_tag_has_its_kind_and_name(inventory: Inventory) -> None:
    found = {(each.kind, each.name): each for each in inventory.of_tags() if each.ours}
    assert found.keys() == {
        ("TrainingJob", "ours"),
        ("TrainingJob", "ended"),
        ("EndpointConfig", "ours"),
        ("Model", "Ours"),
        ("Pipeline", "p"),
        ("PipelineExecution", f"{ARN}:pipeline/p/execution/0"),
        ("Workteam", "team"),
        ("", "model-package-group/g"),
        ("HyperParameterTuningJob", "old"),
        ("HyperParameterTuningJob", "young"),
    }
    assert found["TrainingJob", "ours"].status == "InProgress"
    assert found["TrainingJob", "ended"].status == "Ended"
    # An execution is to stop, though its pipeline is to stay.
    assert "expires-at" not in found["PipelineExecution", f"{ARN}:pipeline/p/execution/0"].tags


def test_what_others_serve_is_there_for_what_it_uses(inventory: Inventory) -> None:
    theirs = {(each.kind, each.name): each for each in inventory.of_tags() if not each.ours}
    assert theirs.keys() == {("Endpoint", "theirs"), ("EndpointConfig", "old"), ("EndpointConfig", "new")}
    assert theirs["Endpoint", "theirs"].uses == ("old", "new")
    assert theirs["EndpointConfig", "new"].uses == ("new-model",)


def test_the_models_of_trials_that_lost_long_ago_are_found(inventory: Inventory) -> None:
    hook: Any = inventory.hook
    found = inventory.of_rules(Limits(), NOW)
    assert [each.name for each in found if each.kind == "S3Object"] == ["s3://b/lost"]
    assert "HyperParameterTuningJob young" not in hook.asked
    assert "HyperParameterTuningJob theirs" not in hook.asked
    groups = {each.name: each for each in found if each.kind == "LogGroup"}
    assert groups["/aws/sagemaker/TrainingJobs"].retention is None
    assert (groups["/aws/sagemaker/Endpoints/gone"].retention, groups["/aws/sagemaker/Endpoints/gone"].changed) == (
        14,
        NOW,
    )


def test_the_hook_has_all_that_the_inventory_asks() -> None:
    asked = {name for name in vars(Hook) if not name.startswith("_")}
    assert all(hasattr(InventoryHook, name) for name in asked)
