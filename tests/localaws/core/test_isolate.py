"""One broken record keeps no other from its turn: reconciler, recovery, and what a deletion may take with it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.athena import execution as lifecycle
from localaws.core import reconciler
from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.store import Store
from localaws.sagemaker.endpoints import fleet
from localaws.sagemaker.endpoints.deployment import Deployment
from localaws.sagemaker.endpoints.plan import Plan, VariantPlan
from localaws.sagemaker.feature_store import group_api as feature_group
from localaws.sagemaker.feature_store.flusher import FeatureStore
from localaws.sagemaker.pipelines import machine as pipelines
from localaws.sagemaker.tuning import machine as tuning
from localaws.sagemaker.tuning import trials
from localaws.sagemaker.tuning.search import KIND

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("cannot be looked at")


def test_the_store_names_what_is_under_way_oldest_first(ctx: Context) -> None:
    for name, status in (("c", "InProgress"), ("a", "Failed"), ("b", "Stopping")):
        ctx.store.put("job", name, {"JobStatus": status, "Status": {"State": status}})
    ctx.store.put("other", "d", {"JobStatus": "InProgress"})
    assert ctx.store.under_way("job", "JobStatus", {"Failed", "Completed"}) == ["c", "b"]
    assert ctx.store.under_way("job", "Status.State", ("Failed",)) == ["c", "b"]


def test_a_number_that_json_does_not_know_hides_nothing_that_is_under_way(ctx: Context) -> None:
    ctx.store.put("job", "diverged", {"JobStatus": "Failed", "Loss": float("nan")})
    ctx.store.put("job", "running", {"JobStatus": "InProgress", "Loss": float("inf")})
    ctx.store.put("job", "good", {"JobStatus": "InProgress"})
    found = ctx.store.under_way("job", "JobStatus", {"Failed"})
    assert {"running", "good"} <= set(found)


def test_a_record_that_can_neither_go_on_nor_be_failed_keeps_no_other_from_its_turn(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    advanced = []

    def advance(record: dict[str, Any], _: Context) -> None:
        if record["Name"] == "bad":
            broken()
        if record["Name"] == "first":
            # A request may do this at any time.
            ctx.store.delete("course", "deleted")
            ctx.store.update("course", "stopped", lambda stored: stored.update(Status="Stopped"))
        advanced.append(record["Name"])

    resource = reconciler.Resource("course", "Name", "Status", advance, broken)
    monkeypatch.setattr(reconciler, "_resources", {"course": resource})
    monkeypatch.setattr(reconciler, "_ending", threading.Event())
    for name in ("first", "bad", "deleted", "stopped", "last"):
        ctx.store.put("course", name, {"Name": name, "Status": "InProgress"})
    ctx.store.put("course", "diverged", {"Name": "diverged", "Status": "Failed", "Loss": float("nan")})
    reconciler.reconcile(ctx)
    assert advanced == ["first", "last"]


def test_a_tuning_job_whose_training_job_cannot_be_looked_at_fails_all_the_same(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "stop", broken)
    record = {
        "HyperParameterTuningJobName": "t",
        "HyperParameterTuningJobStatus": "InProgress",
        "_Trials": [{"TrainingJobName": "t-001", "TrainingJobStatus": "InProgress"}],
    }
    ctx.store.put(KIND, "t", record)
    tuning.fail(record, "why", ctx)
    stored = ctx.store.get(KIND, "t") or {}
    assert (stored["HyperParameterTuningJobStatus"], stored["FailureReason"]) == ("Failed", "why")


def test_an_execution_whose_definition_is_gone_fails_all_the_same(ctx: Context) -> None:
    record = {"PipelineExecutionArn": "arn/e", "PipelineExecutionStatus": "Executing", "_Definition": "gone"}
    ctx.store.put("pipeline-execution", "arn/e", record)
    pipelines.fail(record, "why", ctx)
    stored = ctx.store.get("pipeline-execution", "arn/e") or {}
    assert (stored["PipelineExecutionStatus"], stored["FailureReason"]) == ("Failed", "why")


def test_an_endpoint_that_cannot_be_recovered_keeps_no_other_from_being_served(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovered, resumed = [], []

    def recover(deployment: Deployment) -> None:
        if deployment.endpoint == "a":
            broken()
        recovered.append(deployment.endpoint)

    monkeypatch.setattr(Deployment, "recover", recover)
    monkeypatch.setattr(fleet.Fleet, "_resume", lambda _, record: resumed.append(record["EndpointName"]))
    for name in ("a", "b", "c"):
        plan = Plan("config", (VariantPlan("v", "model", "image", None, {}, 1, 1.0),)).record()
        ctx.store.put(fleet.KIND, name, {"EndpointName": name, "EndpointStatus": "InService", "_plan": plan})
    all_endpoints = fleet.Fleet(ctx)
    all_endpoints.recover()
    assert (recovered, resumed) == (["b", "c"], ["a", "b", "c"])
    all_endpoints.close()


def test_a_query_whose_data_cannot_be_taken_back_ends_and_keeps_no_other_from_being_recovered(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    class S3:
        def delete_object(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": "gone"}}, "DeleteObject")

    ctx._clients["s3"] = S3()
    for name, state, more in (("q1", "RUNNING", {"_planned": ["s3://gone/k"]}), ("q2", "QUEUED", {})):
        status = {"State": state, "SubmissionDateTime": NOW}
        ctx.store.put(lifecycle.KIND, name, {"QueryExecutionId": name, "Status": status, "Statistics": {}, **more})
    queued: list[str] = []
    monkeypatch.setattr(lifecycle.Queries, "submit", lambda _, execution: queued.append(execution))
    lifecycle.Queries(ctx).recover()
    assert (ctx.store.get(lifecycle.KIND, "q1") or {})["Status"]["State"] == "FAILED"
    assert queued == ["q2"]


def test_a_group_that_is_being_deleted_is_deleted_once(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(feature_group, "_in_background", lambda work, _, name: begun.append(name))
    group = {"FeatureGroupName": "g", "FeatureGroupArn": "arn:g", "FeatureGroupStatus": "Created", "_store": "s"}
    ctx.store.put("feature-group", "g", group)
    for _ in range(2):
        feature_group.delete_feature_group({"FeatureGroupName": "g"}, ctx)
    assert begun == ["g"]


def test_the_deletion_of_a_group_takes_no_other_of_its_name(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"FeatureGroupName": "g", "FeatureGroupArn": "arn:g", "FeatureGroupStatus": "Deleting", "_store": "old"}
    ctx.store.put("feature-group", "g", {**group, "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://b"}}})

    def flush(_: FeatureStore, store: str) -> bool:
        assert store == "old"
        ctx.store.put("feature-group", "g", {**group, "FeatureGroupStatus": "Created", "_store": "new"})
        return True

    monkeypatch.setattr(FeatureStore, "flush_group", flush)
    feature_group._remove(ctx, "g")
    assert (ctx.store.get("feature-group", "g") or {})["_store"] == "new"
