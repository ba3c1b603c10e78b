"""Service by service: what a client can read before ``kill -9`` it can read after it, of each kind of write."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from front_kit import TRUST
from localaws_kit import LocalAws

Reads = list[tuple[str, dict[str, Any]]]
BUCKET_POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}'
)
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
PASSWORD = "Secret-1234"
NOW = int(time.time() * 1000)


def client(service: str) -> Any:
    """A client of the present test's server."""
    return client_of(service, os.environ["AWS_ENDPOINT_URL"])


@functools.cache
def client_of(service: str, _: str) -> Any:
    return boto3.Session().client(service)


def s3_writes() -> Reads:
    """Objects, versions, markers, tags, copies, uploads and the bucket's own settings."""
    s3 = client("s3")
    for bucket in ("first", "second", "third"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="second", VersioningConfiguration={"Status": "Enabled"})
    for bucket in ("first", "second"):
        for key in ("a", "b/c", "b/d", "gone"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"1", Metadata={"x": "y"}, Tagging="t=1")
        s3.put_object(Bucket=bucket, Key="a", Body=b"2" * 100_000)
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a"})
        s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        s3.delete_object_tagging(Bucket=bucket, Key="b/c")
        s3.delete_object(Bucket=bucket, Key="gone")
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b/d"}]})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    upload = {"Bucket": "first", "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tags = [
        s3.upload_part(**upload, PartNumber=1, Body=b"p" * (5 << 20))["ETag"],
        s3.upload_part_copy(**upload, PartNumber=2, CopySource="first/a", CopySourceRange="bytes=5-9")[
            "CopyPartResult"
        ]["ETag"],
    ]
    parts = [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    open_upload = s3.create_multipart_upload(Bucket="first", Key="open")["UploadId"]
    s3.upload_part(Bucket="first", Key="open", UploadId=open_upload, PartNumber=1, Body=b"part")
    aborted = s3.create_multipart_upload(Bucket="first", Key="open")["UploadId"]
    s3.abort_multipart_upload(Bucket="first", Key="open", UploadId=aborted)
    s3.put_bucket_policy(Bucket="first", Policy=BUCKET_POLICY)
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    s3.put_public_access_block(Bucket="first", PublicAccessBlockConfiguration=block)
    s3.delete_bucket(Bucket="third")
    objects = [{"Bucket": "first", "Key": key} for key in ("a", "b/c", "copy", "parts")]
    return [
        ("list_buckets", {}),
        *[("list_object_versions", {"Bucket": bucket}) for bucket in ("first", "second")],
        *[("list_objects_v2", {"Bucket": bucket, "Delimiter": "/"}) for bucket in ("first", "second")],
        *[("head_object", each) for each in objects],
        *[("get_object_tagging", each) for each in objects],
        ("get_object", {"Bucket": "first", "Key": "parts", "Range": f"bytes={(5 << 20) - 2}-"}),
        ("list_multipart_uploads", {"Bucket": "first"}),
        ("list_parts", {"Bucket": "first", "Key": "open", "UploadId": open_upload}),
        *[(f"get_bucket_{what}", {"Bucket": "first"}) for what in ("policy", "tagging", "versioning", "acl")],
        ("get_bucket_versioning", {"Bucket": "second"}),
        ("get_public_access_block", {"Bucket": "first"}),
    ]


def iam_writes() -> Reads:
    """Users, groups, roles, policies, profiles and keys."""
    iam = client("iam")
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}])
    iam.create_group(GroupName="group")
    iam.add_user_to_group(GroupName="group", UserName="ann")
    policy = iam.create_policy(PolicyName="policy", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY, SetAsDefault=True)
    iam.attach_role_policy(RoleName="ann", PolicyArn=policy)
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.attach_group_policy(GroupName="group", PolicyArn=policy)
    iam.put_role_policy(RoleName="ann", PolicyName="own", PolicyDocument=POLICY)
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="ann")
    iam.create_access_key(UserName="ann")
    iam.update_role(RoleName="ann", Description="new")
    iam.tag_role(RoleName="ann", Tags=[{"Key": "more", "Value": "v"}])
    iam.delete_role(RoleName="bob")
    iam.delete_user(UserName="bob")
    return [
        *[(f"list_{what}", {}) for what in ("users", "groups", "roles", "instance_profiles")],
        ("list_policies", {"Scope": "Local"}),
        ("get_group", {"GroupName": "group"}),
        ("list_policy_versions", {"PolicyArn": policy}),
        ("list_attached_role_policies", {"RoleName": "ann"}),
        ("list_attached_user_policies", {"UserName": "ann"}),
        ("list_attached_group_policies", {"GroupName": "group"}),
        ("get_role_policy", {"RoleName": "ann", "PolicyName": "own"}),
        ("list_role_tags", {"RoleName": "ann"}),
        ("list_access_keys", {"UserName": "ann"}),
    ]


def glue_writes() -> Reads:
    """Databases, tables with their versions, partitions, tags."""
    glue = client("glue")
    for name in ("db", "gone"):
        glue.create_database(DatabaseInput={"Name": name})
    table = {"Name": "t", "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    glue.create_table(DatabaseName="db", TableInput=table)
    glue.create_table(DatabaseName="db", TableInput={"Name": "gone"})
    glue.update_table(DatabaseName="db", TableInput={**table, "Description": "new"})
    where = {"DatabaseName": "db", "TableName": "t"}
    glue.create_partition(**where, PartitionInput={"Values": ["0"]})
    glue.batch_create_partition(**where, PartitionInputList=[{"Values": [str(number)]} for number in range(1, 5)])
    glue.update_partition(**where, PartitionValueList=["1"], PartitionInput={"Values": ["1"], "Parameters": {"a": "b"}})
    glue.delete_partition(**where, PartitionValues=["2"])
    glue.batch_delete_partition(**where, PartitionsToDelete=[{"Values": ["3"]}])
    glue.delete_table(DatabaseName="db", Name="gone")
    glue.delete_database(Name="gone")
    glue.update_database(Name="db", DatabaseInput={"Name": "db", "Description": "new"})
    return [
        ("get_databases", {}),
        ("get_tables", {"DatabaseName": "db"}),
        ("get_table_versions", where),
        ("get_partitions", where),
    ]


def cognito_writes() -> Reads:
    """Pools, clients, domains, users, groups, passwords; that tokens stay valid shows the reading of the user."""
    cognito = client("cognito-idp")
    pool = {"UserPoolId": cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]}
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    app = cognito.create_user_pool_client(**pool, ClientName="c", ExplicitAuthFlows=flows)["UserPoolClient"]["ClientId"]
    cognito.create_user_pool_domain(**pool, Domain="domain")
    cognito.create_group(**pool, GroupName="group")
    for name in ("ann", "bob", "carol"):
        cognito.admin_create_user(**pool, Username=name)
        cognito.admin_set_user_password(**pool, Username=name, Password=PASSWORD, Permanent=True)
        cognito.admin_add_user_to_group(**pool, Username=name, GroupName="group")
    cognito.admin_disable_user(**pool, Username="bob")
    cognito.admin_delete_user(**pool, Username="carol")
    email = [{"Name": "email", "Value": "ann@example.com"}]
    cognito.admin_update_user_attributes(**pool, Username="ann", UserAttributes=email)
    login = {"USERNAME": "ann", "PASSWORD": PASSWORD}
    tokens = cognito.initiate_auth(ClientId=app, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=login)
    return [
        ("describe_user_pool", pool),
        ("describe_user_pool_client", {**pool, "ClientId": app}),
        ("describe_user_pool_domain", {"Domain": "domain"}),
        ("list_users", pool),
        ("list_users_in_group", {**pool, "GroupName": "group"}),
        ("admin_list_groups_for_user", {**pool, "Username": "ann"}),
        ("get_user", {"AccessToken": tokens["AuthenticationResult"]["AccessToken"]}),
    ]


def logs_writes() -> Reads:
    """Groups, streams, events, retention, tags."""
    logs = client("logs")
    for name in ("/g", "/gone"):
        logs.create_log_group(logGroupName=name, tags={"k": "v"})
        logs.create_log_stream(logGroupName=name, logStreamName="s")
        events = [{"timestamp": NOW, "message": str(number)} for number in range(3)]
        logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events)
    logs.create_log_stream(logGroupName="/g", logStreamName="gone")
    logs.delete_log_stream(logGroupName="/g", logStreamName="gone")
    logs.delete_log_group(logGroupName="/gone")
    logs.put_retention_policy(logGroupName="/g", retentionInDays=7)
    logs.tag_log_group(logGroupName="/g", tags={"more": "v"})
    return [
        ("describe_log_groups", {}),
        ("describe_log_streams", {"logGroupName": "/g"}),
        ("get_log_events", {"logGroupName": "/g", "logStreamName": "s"}),
        ("filter_log_events", {"logGroupName": "/g"}),
        ("list_tags_log_group", {"logGroupName": "/g"}),
    ]


def cloudwatch_writes() -> Reads:
    """Metric data."""
    cloudwatch = client("cloudwatch")
    for number in range(3):
        data = [{"MetricName": f"m{number}", "Value": number, "Timestamp": NOW / 1000}]
        cloudwatch.put_metric_data(Namespace="n", MetricData=data)
    when = {"StartTime": NOW / 1000 - 600, "EndTime": NOW / 1000 + 600, "Period": 60, "Statistics": ["Sum"]}
    return [
        ("list_metrics", {"Namespace": "n"}),
        ("get_metric_statistics", {"Namespace": "n", "MetricName": "m2", **when}),
    ]


def secrets_writes() -> Reads:
    """Secrets, their versions and tags."""
    secrets = client("secretsmanager")
    for name in ("a", "b", "gone"):
        secrets.create_secret(Name=name, SecretString="one")
    secrets.put_secret_value(SecretId="a", SecretString="two")
    secrets.update_secret(SecretId="b", Description="new")
    secrets.tag_resource(SecretId="a", Tags=[{"Key": "k", "Value": "v"}])
    secrets.delete_secret(SecretId="gone", ForceDeleteWithoutRecovery=True)
    secrets.delete_secret(SecretId="b")
    secrets.restore_secret(SecretId="b")
    return [
        ("list_secrets", {}),
        ("describe_secret", {"SecretId": "a"}),
        ("list_secret_version_ids", {"SecretId": "a"}),
        ("get_secret_value", {"SecretId": "a"}),
        ("get_secret_value", {"SecretId": "b"}),
    ]


SERVICES: dict[str, Callable[[], Reads]] = {
    "s3": s3_writes,
    "iam": iam_writes,
    "glue": glue_writes,
    "cognito-idp": cognito_writes,
    "logs": logs_writes,
    "cloudwatch": cloudwatch_writes,
    "secretsmanager": secrets_writes,
}


def answers(service: str, reads: Reads) -> list[Any]:
    """What a client reads, without what each answer has of its own."""
    found = []
    asked = client(service)
    for operation, parameters in reads:
        answer = getattr(asked, operation)(**parameters)
        answer.pop("ResponseMetadata")
        # moto makes these up for each answer.
        answer.get("DomainDescription", {}).pop("AWSAccountId", None)
        if service == "secretsmanager":
            for secret in [answer, *answer.get("SecretList", []), *answer.get("Versions", [])]:
                secret.pop("LastAccessedDate", None)
                secret.pop("CreatedDate", None)
        if "Body" in answer:
            answer["Body"] = answer["Body"].read()
        found.append((operation, answer))
    return found


def test_what_was_read_before_a_kill_is_read_after_it(own_localaws: LocalAws) -> None:
    reads = {service: writes() for service, writes in SERVICES.items()}
    before = {service: answers(service, each) for service, each in reads.items()}
    own_localaws.kill()
    own_localaws.restart()
    for service, each in reads.items():
        for found, expected in zip(answers(service, each), before[service], strict=True):
            assert found == expected, service


def test_keys_that_sts_issued_before_a_kill_are_good_after_it(
    own_localaws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    role = "arn:aws:iam::123456789012:role/role"
    issued = client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    own_localaws.kill()
    own_localaws.restart()
    session = boto3.Session(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    assert session.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/role/session")


def test_objects_that_two_others_refer_to_are_one_after_a_restart(own_localaws: LocalAws) -> None:
    iam = client("iam")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="role")
    own_localaws.kill()
    own_localaws.restart()
    iam.update_role(RoleName="role", Description="new")
    profile = iam.get_instance_profile(InstanceProfileName="profile")["InstanceProfile"]
    assert profile["Roles"][0].get("Description", "new") == "new"
    iam.put_role_policy(RoleName="role", PolicyName="own", PolicyDocument=POLICY)
    iam.remove_role_from_instance_profile(InstanceProfileName="profile", RoleName="role")
    own_localaws.kill()
    own_localaws.restart()
    assert iam.list_role_policies(RoleName="role")["PolicyNames"] == ["own"]
    assert iam.get_instance_profile(InstanceProfileName="profile")["InstanceProfile"]["Roles"] == []
