"""What follows from records of jobs, packages and endpoints, on a store alone: once, and whatever came before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.store import Store
from localaws.sagemaker.experiments import job_components as jobs
from localaws.sagemaker.lineage import associations, deployments, packages
from localaws.sagemaker.lineage.entities import ACTION, ARTIFACT, COMPONENT, CONTEXT, artifact
from localaws.sagemaker.lineage.query import query

NOW = Context.now()


@pytest.fixture
def ctx() -> Context:
    return Context(Path("/nowhere"), "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))


def processing(name: str, status: str = "InProgress", **changes: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "ProcessingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{name}",
        "ProcessingJobStatus": status,
        "CreationTime": NOW,
        "AppSpecification": {"ImageUri": "image:1"},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}},
        "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://b/raw/"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/out/"}}]},
        **changes,
    }


def edges(ctx: Context) -> set[tuple[str, str, str]]:
    """Associations, by what their ends are."""

    def words(arn: str) -> str:
        record = associations.find_entity(ctx, arn)
        return str(record.get("Source", {}).get("SourceUri") or record.get("TrialComponentName"))

    return {
        (words(each["SourceArn"]), each["AssociationType"], words(each["DestinationArn"]))
        for each in associations.everything(ctx)
    }


def test_a_job_seen_twice_has_its_entities_once(ctx: Context) -> None:
    for _ in range(2):
        jobs.begun("processing-job", processing("j"), ctx)
        jobs.ended("processing-job", processing("j", "Completed"), ctx)
    component = "j-aws-processing-job"
    assert edges(ctx) == {
        ("image:1", "ContributedTo", component),
        ("s3://b/raw/", "ContributedTo", component),
        (component, "Produced", "s3://b/out/"),
    }
    found = COMPONENT.find(ctx, component)
    assert found["Parameters"]["SageMaker.InstanceCount"] == {"NumberValue": 2.0}
    assert len(ctx.store.all(ARTIFACT.kind)) == 3


def test_a_component_that_was_deleted_stays_deleted(ctx: Context) -> None:
    jobs.begun("processing-job", processing("j"), ctx)
    COMPONENT.delete(COMPONENT.find(ctx, "j-aws-processing-job"), ctx)
    jobs.ended("processing-job", processing("j", "Completed"), ctx)
    assert ctx.store.all(COMPONENT.kind) == []


def test_a_name_used_again_shows_the_job_that_has_it_now(ctx: Context) -> None:
    jobs.begun("processing-job", processing("j"), ctx)
    jobs.ended("processing-job", processing("j", "Failed", FailureReason="no luck"), ctx)
    assert COMPONENT.find(ctx, "j-aws-processing-job")["Status"]["PrimaryStatus"] == "Failed"
    jobs.begun("processing-job", processing("j"), ctx)
    assert COMPONENT.find(ctx, "j-aws-processing-job")["Status"] == {"PrimaryStatus": "InProgress"}


def test_a_job_that_writes_where_it_reads_ends_no_query(ctx: Context) -> None:
    same = {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/raw/"}}]}
    record = processing("j", "Completed", ProcessingOutputConfig=same)
    jobs.begun("processing-job", record, ctx)
    jobs.ended("processing-job", record, ctx)
    request = {"StartArns": [artifact(ctx, "s3://b/raw/", "DataSet")], "IncludeEdges": True}
    vertices, found = query(request, ctx)
    assert [vertex["Type"] for vertex in vertices] == ["DataSet", "ProcessingJob", "Image"]
    assert len(found) == 3


def test_a_transform_job_has_its_data_and_its_model_s_name(ctx: Context) -> None:
    record = {
        "TransformJobName": "t",
        "TransformJobArn": "arn:aws:sagemaker:us-east-1:123456789012:transform-job/t",
        "TransformJobStatus": "Completed",
        "CreationTime": NOW,
        "ModelName": "m",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    jobs.begun("transform-job", record, ctx)
    jobs.ended("transform-job", record, ctx)
    component = "t-aws-transform-job"
    assert edges(ctx) == {("s3://b/in", "ContributedTo", component), (component, "Produced", "s3://b/out")}
    found = COMPONENT.find(ctx, component)
    assert found["Source"]["SourceType"] == "SageMakerTransformJob"
    assert found["Parameters"]["SageMaker.ModelName"] == {"StringValue": "m"}


@pytest.mark.parametrize("value", ["nan", "inf", "text", ""])
def test_a_hyperparameter_that_is_no_finite_number_is_text(ctx: Context, value: str) -> None:
    record = {
        "TrainingJobName": "t",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/t",
        "TrainingJobStatus": "Completed",
        "CreationTime": NOW,
        "AlgorithmSpecification": {"TrainingImage": "image:1"},
        "HyperParameters": {"one": value, "two": "1e-5"},
        "CheckpointConfig": {"S3Uri": "s3://b/checkpoints/"},
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
    }
    jobs.begun("training-job", record, ctx)
    jobs.ended("training-job", record, ctx)
    found = COMPONENT.find(ctx, "t-aws-training-job")
    assert found["Parameters"] == {"one": {"StringValue": value}, "two": {"NumberValue": 1e-5}}
    assert {each["ArtifactType"] for each in ctx.store.all(ARTIFACT.kind)} == {"Image", "Model", "Checkpoint"}


def test_a_kind_of_job_without_lineage_is_passed_over(ctx: Context) -> None:
    jobs.begun("hyper-parameter-tuning-job", {}, ctx)
    jobs.ended("hyper-parameter-tuning-job", {}, ctx)
    assert ctx.store.all(COMPONENT.kind) == []


def test_a_package_outside_of_groups_is_an_artifact_alone(ctx: Context) -> None:
    container = {"Image": "image:1", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/model/"}}}
    record = {"ModelPackageArn": "arn:p", "CreationTime": NOW, "InferenceSpecification": {"Containers": [container]}}
    packages.registered(record, None, ctx)
    assert edges(ctx) == {("image:1", "ContributedTo", "arn:p"), ("s3://b/model/", "ContributedTo", "arn:p")}
    assert ctx.store.all(CONTEXT.kind) == ctx.store.all(ACTION.kind) == []


def deploy(ctx: Context, config: str, status: str, **changes: Any) -> dict[str, Any]:
    """An endpoint's record as the service keeps it, with its deployment noted."""
    endpoint = {
        "EndpointName": "e",
        "EndpointArn": "arn:e",
        "EndpointConfigName": config,
        "EndpointStatus": "Creating",
        "CreationTime": NOW,
    }
    ctx.store.put("endpoint", "e", endpoint)
    deployments.deploying(endpoint, config, [{"PrimaryContainer": {"Image": "image:1"}}], ctx)
    ctx.store.put("endpoint", "e", {**endpoint, "EndpointStatus": status, **changes})
    return endpoint


@pytest.mark.parametrize(
    ("status", "changes", "outcome"),
    [
        ("Creating", {}, "InProgress"),
        ("InService", {}, "Completed"),
        ("Failed", {}, "Failed"),
        ("InService", {"EndpointConfigName": "other"}, "Failed"),
    ],
)
def test_a_deployment_has_the_status_that_the_endpoint_gives_it(
    ctx: Context, status: str, changes: dict[str, Any], outcome: str
) -> None:
    deploy(ctx, "config", status, **changes)
    deployments.settle(ctx)
    (action,) = ctx.store.all(ACTION.kind)
    assert action["Status"] == outcome


def test_a_deployment_of_an_endpoint_that_has_gone_has_stopped(ctx: Context) -> None:
    deploy(ctx, "config", "Creating")
    ctx.store.delete("endpoint", "e")
    deployments.settle(ctx)
    (action,) = ctx.store.all(ACTION.kind)
    assert action["Status"] == "Stopped"


def test_a_user_s_own_deployment_action_is_let_alone(ctx: Context) -> None:
    members = {"ActionName": "mine", "ActionType": "ModelDeployment", "Status": "InProgress"}
    ACTION.ensure(ctx, "mine", {**members, "Source": {"SourceUri": "arn:e"}})
    deployments.settle(ctx)
    assert ACTION.find(ctx, "mine")["Status"] == "InProgress"
