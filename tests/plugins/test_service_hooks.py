"""Each method of the hooks asks what its service takes, by botocore's model of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from modelled_kit import Modelled

from amazon_ml.hooks.base import ServiceHook
from amazon_ml.hooks.cloudwatch import CloudWatchHook
from amazon_ml.hooks.cognito import CognitoHook
from amazon_ml.hooks.feature_store import FeatureStoreHook
from amazon_ml.hooks.human_loops import HumanLoopsHook
from amazon_ml.hooks.inventory import InventoryHook
from amazon_ml.hooks.lineage import LineageHook
from amazon_ml.hooks.logs import LogsHook
from amazon_ml.hooks.runtime import RuntimeHook
from amazon_ml.hooks.s3 import ObjectsHook
from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.hooks.scaling import ScalingHook, scalable_target
from amazon_ml.hooks.secrets import SecretsHook
from amazon_ml.hooks.tagging import TaggingHook
from amazon_ml.human_loops import list_request

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/1"
POOL = "us-east-1_pool"
NOW = datetime.now(UTC)
TARGET = scalable_target("e", "v")
VARIANT = {"Name": "VariantName", "Value": "v"}
TRACKING = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}

Ask = Callable[[Any], Any]

#: hook, what it is asked, what AWS answers to each operation, and what the hook makes of it.
CASES: list[tuple[type[ServiceHook], Ask, dict[str, Any], Any]] = [
    (ObjectsHook, lambda s3: s3.get_object("bucket", "k"), {"get_object": {"Body": "b"}}, {"Body": "b"}),
    (ObjectsHook, lambda s3: s3.put_object("bucket", "k", b"x", {"a": "b"}), {"put_object": {}}, None),
    (ObjectsHook, lambda s3: s3.put_object("bucket", "k", io.BytesIO(b"x")), {"put_object": {}}, None),
    (ObjectsHook, lambda s3: s3.delete_object("bucket", "k"), {"delete_object": {}}, None),
    (ObjectsHook, lambda s3: s3.metadata("bucket", "k"), {"head_object": {"Metadata": {"a": "b"}}}, {"a": "b"}),
    (ObjectsHook, lambda s3: s3.has_object("bucket", "k"), {"head_object": {}}, True),
    (ObjectsHook, lambda s3: s3.put_missing("bucket", {"k": b"x"}), {"head_object": "404", "put_object": {}}, 1),
    (ObjectsHook, lambda s3: s3.has_bucket("bucket"), {"head_bucket": "404"}, False),
    (ObjectsHook, lambda s3: s3.has_bucket("bucket"), {"head_bucket": {}}, True),
    (ObjectsHook, lambda s3: s3.bucket_tags("bucket"), {"get_bucket_tagging": "NoSuchTagSet"}, {}),
    (
        ObjectsHook,
        lambda s3: s3.bucket_tags("bucket"),
        {"get_bucket_tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}},
        {"a": "b"},
    ),
    (
        ObjectsHook,
        lambda s3: s3.set_bucket_tags("bucket", [{"Key": "a", "Value": "b"}]),
        {"put_bucket_tagging": {}},
        None,
    ),
    (ObjectsHook, lambda s3: s3.read("s3://bucket/k"), {"head_object": "404"}, None),
    (
        ObjectsHook,
        lambda s3: list(s3.folders("bucket", "reports/")),
        {"list_objects_v2": {"CommonPrefixes": [{"Prefix": "reports/a/"}, {"Prefix": "reports/b/"}]}},
        ["a", "b"],
    ),
    (
        CloudWatchHook,
        lambda cw: cw.variants("e"),
        {"list_metrics": {"Metrics": [{"Dimensions": [{"Name": "EndpointName", "Value": "e"}, VARIANT]}]}},
        ["v"],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.endpoints("e")),
        {"list_endpoints": {"Endpoints": [{"EndpointName": "e-ab"}, {"EndpointName": "e"}]}},
        ["e-ab", "e"],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.training_jobs("t")),
        {"list_training_jobs": {"TrainingJobSummaries": [{"TrainingJobName": "t1"}]}},
        [{"TrainingJobName": "t1"}],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.flow_definitions()),
        {"list_flow_definitions": {"FlowDefinitionSummaries": [{"FlowDefinitionName": "f"}]}},
        [{"FlowDefinitionName": "f"}],
    ),
    (
        LineageHook,
        lambda hook: hook.artifacts("s3://bucket/model"),
        {"list_artifacts": {"ArtifactSummaries": [{"ArtifactArn": "arn:1"}, {"ArtifactArn": "arn:2"}]}},
        ["arn:1", "arn:2"],
    ),
    (CloudWatchHook, lambda cw: cw.alarms("T"), {"describe_alarms": {"MetricAlarms": [1]}}, [1]),
    (
        ScalingHook,
        lambda scaling: scaling.register_target(TARGET, least=1, most=2),
        {"register_scalable_target": {"ScalableTargetARN": "arn"}},
        "arn",
    ),
    (ScalingHook, lambda scaling: scaling.deregister_target(TARGET), {"deregister_scalable_target": {}}, True),
    (
        ScalingHook,
        lambda scaling: scaling.deregister_target(TARGET),
        {"deregister_scalable_target": "ObjectNotFoundException"},
        False,
    ),
    (
        ScalingHook,
        lambda scaling: scaling.policies(TARGET, "p"),
        {"describe_scaling_policies": {"ScalingPolicies": [1]}},
        [1],
    ),
    (ScalingHook, lambda scaling: scaling.put_policy(TARGET, TRACKING), {"put_scaling_policy": {"a": 1}}, {"a": 1}),
    (
        ScalingHook,
        lambda scaling: scaling.activities(TARGET),
        {"describe_scaling_activities": {"ScalingActivities": [1]}},
        [1],
    ),
    (CognitoHook, lambda cognito: cognito.create_pool("p", {"a": "b"}), {"create_user_pool": {}}, None),
    (CognitoHook, lambda cognito: cognito.describe_pool(POOL), {"describe_user_pool": {"UserPool": {}}}, {}),
    (CognitoHook, lambda cognito: cognito.domain_owner("d"), {"describe_user_pool_domain": {}}, ""),
    (
        CognitoHook,
        lambda cognito: cognito.find_pool("p", "d"),
        {"describe_user_pool_domain": "ResourceNotFoundException", "list_user_pools": {"UserPools": []}},
        None,
    ),
    (CognitoHook, lambda cognito: cognito.create_domain(POOL, "d"), {"create_user_pool_domain": {}}, None),
    (
        CognitoHook,
        lambda cognito: cognito.find_client(POOL, "c"),
        {"list_user_pool_clients": {"UserPoolClients": []}},
        None,
    ),
    (CognitoHook, lambda cognito: cognito.create_client(POOL, "c"), {"create_user_pool_client": {}}, None),
    (
        CognitoHook,
        lambda cognito: cognito.allow_callback(POOL, "c", "https://p"),
        {
            "describe_user_pool_client": {
                "UserPoolClient": {"UserPoolId": POOL, "ClientId": "c", "ClientSecret": "s", "CallbackURLs": []}
            },
            "update_user_pool_client": {},
        },
        True,
    ),
    (CognitoHook, lambda cognito: cognito.create_group(POOL, "g"), {"create_group": "GroupExistsException"}, False),
    (CognitoHook, lambda cognito: cognito.check_group(POOL, "g"), {"get_group": {}}, None),
    (CognitoHook, lambda cognito: cognito.find_user(POOL, "u"), {"admin_get_user": "UserNotFoundException"}, None),
    (
        CognitoHook,
        lambda cognito: cognito.create_user(POOL, "u", {"email": "a@b"}, MessageAction="SUPPRESS"),
        {"admin_create_user": {}},
        True,
    ),
    (
        CognitoHook,
        lambda cognito: cognito.create_user(POOL, "u", {}),
        {"admin_create_user": "UsernameExistsException"},
        False,
    ),
    (CognitoHook, lambda cognito: cognito.add_to_group(POOL, "u", "g"), {"admin_add_user_to_group": {}}, None),
    (
        SecretsHook,
        lambda secrets: secrets.create_secret("s", "v", [{"Key": "a", "Value": "b"}]),
        {"create_secret": "ResourceExistsException"},
        False,
    ),
    (SecretsHook, lambda secrets: secrets.secret_value("s"), {"get_secret_value": {"SecretString": "v"}}, "v"),
    (
        RuntimeHook,
        lambda runtime: runtime.invoke_endpoint("e", b"{}", "application/json"),
        {"invoke_endpoint": {"Body": io.BytesIO(b"1")}},
        b"1",
    ),
    (FeatureStoreHook, lambda store: store.put_record("g", {"a": "1"}), {"put_record": {}}, None),
    (
        HumanLoopsHook,
        lambda loops: loops.describe_loop("l"),
        {"describe_human_loop": "ResourceNotFoundException"},
        None,
    ),
    (HumanLoopsHook, lambda loops: loops.start_loop("l", ARN, "{}"), {"start_human_loop": "ConflictException"}, False),
    (HumanLoopsHook, lambda loops: loops.stop_loop("l"), {"stop_human_loop": {}}, True),
    (
        HumanLoopsHook,
        lambda loops: list(loops.loop_pages(list_request(ARN, 0.0))),
        {"list_human_loops": {"HumanLoopSummaries": []}},
        [{"HumanLoopSummaries": []}],
    ),
    (LogsHook, lambda logs: logs.tail("g", "s"), {"describe_log_streams": {"logStreams": []}}, ["(nothing in g s)"]),
    (
        LogsHook,
        lambda logs: logs.last_event("g"),
        {"describe_log_streams": {"logStreams": [{"logStreamName": "s"}]}},
        None,
    ),
    (
        LogsHook,
        lambda logs: logs.last_event("g"),
        {"describe_log_streams": {"logStreams": [{"lastEventTimestamp": 1_000}]}},
        datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
    ),
    (LogsHook, lambda logs: logs.last_event("g"), {"describe_log_streams": "ResourceNotFoundException"}, None),
    (LogsHook, lambda logs: logs.set_retention("g", 30), {"put_retention_policy": {}}, True),
    (LogsHook, lambda logs: logs.set_retention("g", 30), {"put_retention_policy": "ResourceNotFoundException"}, False),
    (LogsHook, lambda logs: logs.delete_log_group("g"), {"delete_log_group": {}}, True),
    (LogsHook, lambda logs: logs.delete_log_group("g"), {"delete_log_group": "ResourceNotFoundException"}, False),
    (
        InventoryHook,
        lambda hook: [kind for kind, _ in hook.running_jobs()],
        {
            "list_hyper_parameter_tuning_jobs": {"HyperParameterTuningJobSummaries": [1]},
            "list_auto_ml_jobs": {"AutoMLJobSummaries": [1]},
            "list_training_jobs": {"TrainingJobSummaries": [1]},
            "list_processing_jobs": {"ProcessingJobSummaries": [1]},
            "list_transform_jobs": {"TransformJobSummaries": [1]},
        },
        ["HyperParameterTuningJob", "AutoMLJob", "TrainingJob", "ProcessingJob", "TransformJob"],
    ),
    (
        InventoryHook,
        lambda hook: list(hook.all_endpoints()),
        {"list_endpoints": {"Endpoints": [{"EndpointName": "e"}]}, "describe_endpoint": "ResourceNotFound"},
        [],
    ),
    (InventoryHook, lambda hook: list(hook.models()), {"list_models": {"Models": [1]}}, [1]),
    (
        InventoryHook,
        lambda hook: list(hook.all_endpoint_configs()),
        {"list_endpoint_configs": {"EndpointConfigs": [1]}},
        [1],
    ),
    (
        InventoryHook,
        lambda hook: list(hook.ended_tuning_jobs()),
        {"list_hyper_parameter_tuning_jobs": {"HyperParameterTuningJobSummaries": [1]}},
        [1, 1, 1],
    ),
    (SageMakerJobHook, lambda hook: hook.require("ModelPackage", ARN), {"describe_model_package": {"a": 1}}, {"a": 1}),
    (
        SageMakerJobHook,
        lambda hook: hook.require("PipelineExecution", ARN),
        {"describe_pipeline_execution": {"a": 1}},
        {"a": 1},
    ),
    (
        SageMakerJobHook,
        lambda hook: hook.update("Endpoint", {"EndpointName": "e", "EndpointConfigName": "c"}),
        {"update_endpoint": {}},
        {},
    ),
    (SageMakerJobHook, lambda hook: hook.update("Workteam", {"WorkteamName": "w"}), {"update_workteam": {}}, {}),
    (SageMakerJobHook, lambda hook: hook.update("Pipeline", {"PipelineName": "p"}), {"update_pipeline": {}}, {}),
    (SageMakerJobHook, lambda hook: hook.add_tags(ARN, [{"Key": "a", "Value": "b"}]), {"add_tags": {}}, None),
    (
        SageMakerJobHook,
        lambda hook: hook.tags_of(ARN),
        {"list_tags": {"Tags": [{"Key": "a", "Value": "b"}]}},
        {"a": "b"},
    ),
    (
        SageMakerJobHook,
        lambda hook: hook.update_weights("e", [{"VariantName": "v", "DesiredWeight": 1.0}]),
        {"update_endpoint_weights_and_capacities": {}},
        None,
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.endpoint_configs("e")),
        {"list_endpoint_configs": {"EndpointConfigs": [{"EndpointConfigName": "c"}]}},
        ["c"],
    ),
    (
        SageMakerJobHook,
        lambda hook: hook.register_model_package({"ModelPackageGroupName": "g", "ClientToken": "t"}),
        {"create_model_package": {"ModelPackageArn": ARN}},
        ARN,
    ),
    (SageMakerJobHook, lambda hook: hook.set_approval(ARN, "Rejected", "why"), {"update_model_package": {}}, None),
    (
        SageMakerJobHook,
        lambda hook: hook.start_pipeline({"PipelineName": "p", "ClientRequestToken": "t" * 32}),
        {"start_pipeline_execution": {"PipelineExecutionArn": "arn"}},
        "arn",
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.pipeline_executions("p")),
        {"list_pipeline_executions": {"PipelineExecutionSummaries": [1]}},
        [1],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.pipeline_steps(ARN)),
        {"list_pipeline_execution_steps": {"PipelineExecutionSteps": [1]}},
        [1],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.candidates("j")),
        {"list_candidates_for_auto_ml_job": {"Candidates": [1]}},
        [1],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.completed_tuning_jobs("j")),
        {"list_hyper_parameter_tuning_jobs": {"HyperParameterTuningJobSummaries": [1]}},
        [1],
    ),
    (
        SageMakerJobHook,
        lambda hook: list(hook.training_jobs_of("j")),
        {"list_training_jobs_for_hyper_parameter_tuning_job": {"TrainingJobSummaries": [1]}},
        [1],
    ),
    (SageMakerJobHook, lambda hook: list(hook.workforces()), {"list_workforces": {"Workforces": [1]}}, [1]),
    (
        SageMakerJobHook,
        lambda hook: hook.template_faults("<p>", "{}", "arn:aws:iam::123456789012:role/r"),
        {"render_ui_template": {"Errors": []}},
        [],
    ),
    (
        LineageHook,
        lambda hook: hook.create_context("c", "Endpoint", ARN),
        {"create_context": {"ContextArn": "arn"}},
        "arn",
    ),
    (
        LineageHook,
        lambda hook: hook.graph(ARN),
        {"query_lineage": {"Vertices": [], "Edges": []}},
        {"vertices": [], "edges": []},
    ),
]


def given(hook_class: type[ServiceHook], **answers: Any) -> Any:
    made = hook_class()
    made.__dict__["conn"] = Modelled(hook_class.service, answers)
    return made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amazon_ml.hooks.logs._PAUSE", 0)


@pytest.mark.parametrize(("hook_class", "ask", "answers", "expected"), CASES)
def test_a_request_is_one_that_the_service_takes(
    hook_class: type[ServiceHook], ask: Ask, answers: dict[str, Any], expected: Any
) -> None:
    hook = given(hook_class, **answers)
    assert ask(hook) == expected
    assert len(hook.conn.asked) >= len(answers)


def test_objects_are_listed_page_by_page() -> None:
    pages = iter(
        [
            {"Contents": [{"Key": "a"}], "IsTruncated": True, "NextContinuationToken": "t"},
            {"Contents": [{"Key": "b"}], "IsTruncated": False},
        ]
    )
    s3 = given(ObjectsHook, list_objects_v2=pages)
    assert [each["Key"] for each in s3.list_objects("bucket", "p/")] == ["a", "b"]
    assert [request.get("ContinuationToken") for request in s3.conn.asked] == [None, "t"]


def test_tagged_resources_are_read_page_by_page() -> None:
    mapping = {"ResourceARN": ARN, "Tags": [{"Key": "project", "Value": "p"}]}
    page = {"ResourceTagMappingList": [mapping]}
    tagging = given(
        TaggingHook, get_resources=iter([{**page, "PaginationToken": "t"}, {**page, "PaginationToken": ""}])
    )
    assert list(tagging.resources({"project": "p"})) == [(ARN, {"project": "p"})] * 2
    asked = {"TagFilters": [{"Key": "project", "Values": ["p"]}], "ResourceTypeFilters": ["sagemaker"]}
    assert tagging.conn.asked == [asked, {**asked, "PaginationToken": "t"}]


def test_log_groups_are_read_page_by_page() -> None:
    logs = given(LogsHook, describe_log_groups=iter([{"logGroups": [1], "nextToken": "t"}, {"logGroups": [2]}]))
    assert list(logs.groups("/aws/")) == [1, 2]
    assert [request.get("nextToken") for request in logs.conn.asked] == [None, "t"]


def test_metrics_are_read_page_by_page() -> None:
    pages = iter([{"MetricDataResults": [1], "NextToken": "t"}, {"MetricDataResults": [2]}])
    cloudwatch = given(CloudWatchHook, get_metric_data=pages)
    metric = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    assert list(cloudwatch.metric_data([{"Id": "m0", "MetricStat": metric}], since=NOW, until=NOW)) == [1, 2]
    assert [request.get("NextToken") for request in cloudwatch.conn.asked] == [None, "t"]


def test_a_sibling_has_the_connection_and_settings_of_the_hook() -> None:
    hook = SageMakerJobHook("aws_other", region_name="eu-west-1", verify=False, config={"read_timeout": 7}, attempts=3)
    s3 = hook.s3
    assert (s3.aws_conn_id, s3._region_name, s3._verify) == ("aws_other", "eu-west-1", False)
    config: Any = s3._config
    assert hook.s3 is s3
    assert (config.read_timeout, s3._attempts, s3.client_type) == (7, 3, "s3")
