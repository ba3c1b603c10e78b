"""The things that requests of :mod:`benchmarks.malformed` speak of: made, and made again when they are gone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

NAME = "malformed"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_COLUMNS = [{"Name": "a", "Type": "string"}]


def make(url: str, keys: tuple[str, str]) -> dict[str, Any]:
    """Make what is not there; the values of members by which requests find it."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    found: dict[str, Any] = {}
    for part in (_s3, _iam, _logs, _secrets, _glue, _cognito, _metrics):
        found.update(part(client))
    return found


def _try(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    with contextlib.suppress(ClientError):
        answer: dict[str, Any] = call(**arguments)
        return answer
    return {}


def _s3(client: Callable[[str], Any]) -> dict[str, Any]:
    s3 = client("s3")
    _try(s3.create_bucket, Bucket=NAME)
    _try(s3.put_object, Bucket=NAME, Key="key", Body=b"abc")
    upload = _try(s3.create_multipart_upload, Bucket=NAME, Key="key")
    return {
        "Bucket": NAME,
        "Key": "key",
        "UploadId": upload.get("UploadId", "none"),
        "CopySource": f"{NAME}/key",
        "PartNumber": 1,
        "Policy": json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}],
            }
        ),
    }


def _iam(client: Callable[[str], Any]) -> dict[str, Any]:
    iam = client("iam")
    _try(iam.create_user, UserName=NAME)
    _try(iam.create_group, GroupName=NAME)
    _try(iam.create_role, RoleName=NAME, AssumeRolePolicyDocument=json.dumps(_TRUST))
    _try(iam.create_instance_profile, InstanceProfileName=NAME)
    _try(iam.create_policy, PolicyName=NAME, PolicyDocument=json.dumps(_POLICY))
    for arguments in ({"UserName": NAME}, {"RoleName": NAME}, {"GroupName": NAME}):
        put = getattr(iam, f"put_{next(iter(arguments))[:-4].lower()}_policy")
        _try(put, **arguments, PolicyName=NAME, PolicyDocument=json.dumps(_POLICY))
    return {
        "UserName": NAME,
        "GroupName": NAME,
        "RoleName": NAME,
        "InstanceProfileName": NAME,
        "PolicyName": NAME,
        "PolicyArn": f"arn:aws:iam::123456789012:policy/{NAME}",
        "PolicyDocument": json.dumps(_POLICY),
        "AssumeRolePolicyDocument": json.dumps(_TRUST),
        "RoleArn": f"arn:aws:iam::123456789012:role/{NAME}",
        "VersionId": "v1",
    }


def _logs(client: Callable[[str], Any]) -> dict[str, Any]:
    logs = client("logs")
    _try(logs.create_log_group, logGroupName=NAME)
    _try(logs.create_log_stream, logGroupName=NAME, logStreamName=NAME)
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{NAME}"
    return {"logGroupName": NAME, "logStreamName": NAME, "resourceArn": arn, "logGroupIdentifier": NAME}


def _secrets(client: Callable[[str], Any]) -> dict[str, Any]:
    secrets = client("secretsmanager")
    _try(secrets.restore_secret, SecretId=NAME)
    _try(secrets.create_secret, Name=NAME, SecretString="a", ClientRequestToken="a" * 32)
    return {"SecretId": NAME, "ClientRequestToken": "a" * 32}


def _glue(client: Callable[[str], Any]) -> dict[str, Any]:
    glue = client("glue")
    storage = {"Columns": _COLUMNS, "Location": f"s3://{NAME}/", "SerdeInfo": {"SerializationLibrary": "x"}}
    table = {"Name": NAME, "StorageDescriptor": storage, "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    _try(glue.create_database, DatabaseInput={"Name": NAME})
    _try(glue.create_table, DatabaseName=NAME, TableInput=table)
    _try(
        glue.create_partition,
        DatabaseName=NAME,
        TableName=NAME,
        PartitionInput={"Values": ["1"], "StorageDescriptor": storage},
    )
    return {"DatabaseName": NAME, "TableName": NAME, "Database": NAME, "Name": NAME}


def _cognito(client: Callable[[str], Any]) -> dict[str, Any]:
    cognito = client("cognito-idp")
    pools = cognito.list_user_pools(MaxResults=60)["UserPools"]
    pool = next((each["Id"] for each in pools if each["Name"] == NAME), None)
    if pool is None:
        pool = cognito.create_user_pool(PoolName=NAME)["UserPool"]["Id"]
    clients = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    if not clients:
        _try(cognito.create_user_pool_client, UserPoolId=pool, ClientName=NAME)
        clients = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    _try(cognito.admin_create_user, UserPoolId=pool, Username=NAME)
    _try(cognito.create_group, UserPoolId=pool, GroupName=NAME)
    return {"UserPoolId": pool, "ClientId": clients[0]["ClientId"], "Username": NAME}


def _metrics(client: Callable[[str], Any]) -> dict[str, Any]:
    _try(client("cloudwatch").put_metric_data, Namespace=NAME, MetricData=[{"MetricName": NAME, "Value": 1}])
    return {"Namespace": NAME, "MetricName": NAME}
