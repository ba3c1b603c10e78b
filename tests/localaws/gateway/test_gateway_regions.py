"""A client of another region sees that region's resources or a refusal, never this region's under its name."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from front_kit import TRUST
from localaws_kit import LocalAws

AWAY = "eu-west-1"


def client(service: str, region: str = AWAY, **config: Any) -> Any:
    import boto3

    settings = Config(retries={"total_max_attempts": 1}, **config)
    return boto3.Session(region_name=region).client(service, config=settings)


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "list_models", {}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"x"}),
        (
            "sagemaker-featurestore-runtime",
            "get_record",
            {"FeatureGroupName": "g", "RecordIdentifierValueAsString": "1"},
        ),
        ("athena", "list_work_groups", {}),
        ("glue", "get_databases", {}),
        ("glue", "list_crawlers", {}),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}),
    ],
)
def test_what_works_in_one_region_refuses_another(
    localaws: LocalAws, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(service), operation)(**arguments)
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("InvalidSignatureException", 403)
    assert "Credential should be scoped to a valid region, not 'eu-west-1'." in error["Error"]["Message"]
    assert "us-east-1" in error["Error"]["Message"]


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "mars-1"])
@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("s3", "list_buckets", "AuthorizationHeaderMalformed"),
        ("logs", "describe_log_groups", "InvalidSignatureException"),
    ],
)
def test_a_region_of_another_partition_is_none(
    localaws: LocalAws, region: str, service: str, operation: str, code: str
) -> None:
    with pytest.raises(ClientError, match=region) as caught:
        getattr(client(service, region), operation)()
    assert caught.value.response["Error"]["Code"] == code


def test_iam_and_sts_are_one_for_all_regions(localaws: LocalAws) -> None:
    arn = client("iam").create_role(RoleName="everywhere", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert client("iam", "us-east-1").get_role(RoleName="everywhere")["Role"]["Arn"] == arn
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="abroad")["Credentials"]
    assert keys["AccessKeyId"]
    assert client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_bucket_is_reached_from_every_region(localaws: LocalAws) -> None:
    client("s3", "us-east-1").create_bucket(Bucket="at-home")
    client("s3").create_bucket(Bucket="abroad", CreateBucketConfiguration={"LocationConstraint": AWAY})
    for region in ("us-east-1", AWAY, "ap-south-1"):
        s3 = client("s3", region)
        for bucket, home in (("at-home", None), ("abroad", AWAY)):
            s3.put_object(Bucket=bucket, Key=region, Body=b"x")
            assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == home
    assert client("s3", "us-east-1").list_objects_v2(Bucket="abroad")["KeyCount"] == 3
    with pytest.raises(ClientError, match="IllegalLocationConstraintException"):
        client("s3").create_bucket(Bucket="nowhere")


def test_other_resources_are_kept_apart_by_region(localaws: LocalAws) -> None:
    for region in ("us-east-1", AWAY):
        pool = client("cognito-idp", region).create_user_pool(PoolName=f"people-of-{region}")["UserPool"]
        assert pool["Id"].startswith(f"{region}_")
        assert f":{region}:" in pool["Arn"]
        secret = client("secretsmanager", region).create_secret(Name="same-name", SecretString=region)
        assert f":{region}:" in secret["ARN"]
    for region in ("us-east-1", AWAY):
        pools = [pool["Name"] for pool in client("cognito-idp", region).list_user_pools(MaxResults=60)["UserPools"]]
        assert f"people-of-{region}" in pools
        assert len([name for name in pools if name.startswith("people-of-")]) == 1
        assert client("secretsmanager", region).get_secret_value(SecretId="same-name")["SecretString"] == region


def test_a_user_signs_up_in_the_region_of_the_pool(localaws: LocalAws) -> None:
    idp = client("cognito-idp")
    pool = idp.create_user_pool(PoolName="abroad")["UserPool"]["Id"]
    app = idp.create_user_pool_client(UserPoolId=pool, ClientName="c")["UserPoolClient"]["ClientId"]
    for region in (AWAY, "us-east-1"):
        client("cognito-idp", region, signature_version=UNSIGNED).sign_up(
            ClientId=app, Username=f"ann-{region}", Password="Secret-1234"
        )
    assert len(idp.list_users(UserPoolId=pool)["Users"]) == 2


def test_alarms_of_another_region_are_none(localaws: LocalAws) -> None:
    alarm = {
        "AlarmName": "at-home",
        "Namespace": "Regions",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    home, abroad = client("cloudwatch", "us-east-1"), client("cloudwatch")
    home.put_metric_alarm(**alarm)
    (found,) = home.describe_alarms(AlarmNames=["at-home"])["MetricAlarms"]
    assert abroad.describe_alarms()["MetricAlarms"] == []
    assert abroad.describe_alarm_history()["AlarmHistoryItems"] == []
    assert abroad.describe_alarms_for_metric(Namespace="Regions", MetricName="m")["MetricAlarms"] == []
    abroad.disable_alarm_actions(AlarmNames=["at-home"])
    for call, arguments in (
        (abroad.delete_alarms, {"AlarmNames": ["at-home"]}),
        (abroad.set_alarm_state, {"AlarmName": "at-home", "StateValue": "ALARM", "StateReason": "x"}),
        (abroad.list_tags_for_resource, {"ResourceARN": found["AlarmArn"]}),
    ):
        with pytest.raises(ClientError, match=r"ResourceNotFound.*at-home in eu-west-1"):
            call(**arguments)
    with pytest.raises(ClientError, match=r"NotImplemented.*keeps alarms of us-east-1 only.*AWS_DEFAULT_REGION"):
        abroad.put_metric_alarm(**alarm)
    assert home.describe_alarms(AlarmNames=["at-home"])["MetricAlarms"] == [found]
    # Metrics are kept apart by region, as moto does.
    abroad.put_metric_data(Namespace="Regions", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert home.list_metrics(Namespace="Regions")["Metrics"] == []
    home.delete_alarms(AlarmNames=["at-home"])
