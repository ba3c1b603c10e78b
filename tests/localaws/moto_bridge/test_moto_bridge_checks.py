"""Malformed requests to what moto carries: refused in AWS's words, and nothing is damaged by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from front_kit import client, send, signed_headers
from localaws_kit import LocalAws

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}],
}


def unchecked(service: str) -> Any:
    """A client that sends what it is given."""
    return client(service, parameter_validation=False)


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that the call meets."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def bucket(localaws: LocalAws) -> str:
    name = "checked"
    client("s3").create_bucket(Bucket=name)
    return name


def test_a_group_without_a_name_is_not_made(localaws: LocalAws) -> None:
    code, message = refusal(unchecked("iam").create_group)
    assert (code, message) == (
        "ValidationError",
        "1 validation error detected: Value null at 'groupName' failed to satisfy constraint: Member must not be null",
    )
    assert all(group["GroupName"] != "None" for group in client("iam").list_groups()["Groups"])


@pytest.mark.parametrize("document", ["hello", "{}", '{"Version": "2012-10-17"}', "[]"])
def test_a_role_without_a_trust_policy_is_not_made(localaws: LocalAws, document: str) -> None:
    code, _ = refusal(client("iam").create_role, RoleName="untrusted", AssumeRolePolicyDocument=document)
    assert code == "MalformedPolicyDocument"
    assert refusal(client("iam").get_role, RoleName="untrusted")[0] == "NoSuchEntity"


@pytest.mark.parametrize(
    "policy",
    [
        "hello",
        "{",
        "[]",
        "{}",
        json.dumps({**POLICY, "Version": "2020-01-01"}),
        json.dumps({**POLICY, "Statement": []}),
        json.dumps({**POLICY, "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}),
        json.dumps({**POLICY, "Statement": [{**POLICY["Statement"][0], "Effect": "Perhaps"}]}),  # type: ignore[dict-item]
        json.dumps({**POLICY, "Other": 1}),
    ],
)
def test_a_bucket_keeps_working_when_a_policy_is_none(bucket: str, policy: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="key", Body=b"abc")
    assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy=policy)[0] == "MalformedPolicy"
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"abc"


def test_a_policy_with_all_its_elements_is_kept(bucket: str) -> None:
    s3 = client("s3")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(POLICY))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == POLICY
    s3.delete_bucket_policy(Bucket=bucket)


def test_an_unknown_upload_is_no_such_upload(bucket: str) -> None:
    s3 = client("s3")
    upload: dict[str, Any] = {"Bucket": bucket, "Key": "key", "UploadId": "none"}
    part = {"Parts": [{"PartNumber": 1, "ETag": "a"}]}
    assert refusal(s3.upload_part, **upload, PartNumber=1, Body=b"a")[0] == "NoSuchUpload"
    assert refusal(s3.complete_multipart_upload, **upload, MultipartUpload=part)[0] == "NoSuchUpload"
    assert refusal(s3.abort_multipart_upload, **upload)[0] == "NoSuchUpload"
    assert refusal(s3.list_parts, **upload)[0] == "NoSuchUpload"


def test_parts_in_another_order_are_refused(bucket: str) -> None:
    s3 = client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = [{"PartNumber": number, "ETag": "a"} for number in (2, 1)]
    refused = refusal(
        s3.complete_multipart_upload, Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert refused[0] == "InvalidPartOrder"


@pytest.mark.parametrize("key", ["../up", "a" * 1025])
def test_keys_to_delete_are_keys_that_could_be_put(bucket: str, key: str) -> None:
    objects = {"Objects": [{"Key": key}]}
    assert refusal(client("s3").delete_objects, Bucket=bucket, Delete=objects)[0] in ("InvalidURI", "KeyTooLongError")


def test_blanks_of_a_key_are_part_of_it_when_it_is_deleted(bucket: str) -> None:
    s3 = client("s3")
    for key in ("blank", " blank ", "blank\n"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"a")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": " blank "}, {"Key": "blank\n"}]})
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="blank")["Contents"]] == ["blank"]


def test_a_request_names_one_part_of_a_bucket(localaws: LocalAws, bucket: str) -> None:
    target = f"/{bucket}?acl&policy"
    answer = send(localaws, "GET", target, headers=signed_headers(localaws, "s3", "GET", target))
    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code>" in answer.body
    assert b"Conflicting query string parameters: acl, policy" in answer.body


@pytest.mark.parametrize("query", ["attributes", "policy", "lifecycle"])
def test_a_query_that_names_another_operations_part_is_refused(localaws: LocalAws, bucket: str, query: str) -> None:
    target = f"/{bucket}/key?{query}"
    client("s3").put_object(Bucket=bucket, Key="key", Body=b"abc")
    answer = send(localaws, "GET", target, headers=signed_headers(localaws, "s3", "GET", target))
    assert (answer.status, b"InvalidArgument" in answer.body) == (400, True)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a"])
def test_an_object_is_kept_whatever_its_type_is_said_to_be(bucket: str, content_type: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="form", Body=b"a=b&key=c", ContentType=content_type)
    answer = s3.get_object(Bucket=bucket, Key="form")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"a=b&key=c", content_type)


@pytest.mark.parametrize("text", ["hello", "bytes=", "bytes=a-b", "lines=1-2", "bytes=0-0,2-2"])
def test_a_range_that_cannot_be_read_is_passed_over(bucket: str, text: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="range", Body=b"abc")
    assert s3.get_object(Bucket=bucket, Key="range", Range=text)["Body"].read() == b"abc"


@pytest.mark.parametrize(
    ("condition", "copied"),
    [
        ({"CopySourceIfMatch": "{etag}"}, True),
        ({"CopySourceIfMatch": '"other"'}, False),
        ({"CopySourceIfNoneMatch": "{etag}"}, False),
        ({"CopySourceIfNoneMatch": '"other"'}, True),
        ({"CopySourceIfModifiedSince": datetime(2001, 1, 1, tzinfo=UTC)}, True),
        ({"CopySourceIfModifiedSince": datetime(2101, 1, 1, tzinfo=UTC)}, False),
        ({"CopySourceIfUnmodifiedSince": datetime(2001, 1, 1, tzinfo=UTC)}, False),
        ({"CopySourceIfUnmodifiedSince": datetime(2001, 1, 1, tzinfo=UTC), "CopySourceIfMatch": "{etag}"}, True),
    ],
)
def test_an_object_is_copied_on_conditions(bucket: str, condition: dict[str, Any], copied: bool) -> None:
    s3 = client("s3")
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"abc")["ETag"]
    given = {key: item.format(etag=etag) if isinstance(item, str) else item for key, item in condition.items()}
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/source", **given}
    if copied:
        s3.copy_object(**copy)
    else:
        assert refusal(s3.copy_object, **copy)[0] == "PreconditionFailed"


def test_a_sign_in_without_json_is_no_failure_of_the_server(localaws: LocalAws) -> None:
    headers = {
        "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type": "application/x-amz-json-1.1",
    }
    answer = send(localaws, "POST", "/", b"hello", headers)
    assert (answer.status, answer.json["__type"]) == (400, "SerializationException")
    answer = send(localaws, "POST", "/", b"{}", headers)
    assert (answer.status, answer.json["__type"]) == (400, "InvalidParameterException")


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("sts", "assume_role", {"RoleArn": "short", "RoleSessionName": "a"}, "ValidationError"),
        ("logs", "create_log_group", {"logGroupName": "a b"}, "InvalidParameterException"),
        ("logs", "create_log_group", {}, "InvalidParameterException"),
        ("cognito-idp", "list_user_pools", {"MaxResults": 1000}, "InvalidParameterException"),
        ("secretsmanager", "describe_secret", {}, "ValidationException"),
        ("secretsmanager", "list_secrets", {"NextToken": "a"}, "InvalidNextTokenException"),
        ("secretsmanager", "list_secrets", {"Filters": [{"Values": ["a"]}]}, "InvalidParameterException"),
        ("secretsmanager", "list_secrets", {"Filters": [{"Key": "name"}]}, "InvalidParameterException"),
        ("glue", "get_table", {"DatabaseName": ""}, "ValidationException"),
        ("glue", "create_table", {"DatabaseName": "a", "Name": "a"}, "InvalidInputException"),
        ("cloudwatch", "put_metric_data", {"MetricData": []}, "MissingRequiredParameterException"),
        ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "x"}, "ValidationException"),
    ],
)
def test_each_service_refuses_under_its_own_code(
    localaws: LocalAws, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    assert refusal(getattr(unchecked(service), operation), **arguments)[0] == code


def test_the_default_registry_is_not_there_before_its_first_schema(own_localaws: LocalAws) -> None:
    glue = own_localaws.client("glue")
    arn = "arn:aws:glue:us-east-1:123456789012:registry/default-registry"
    for registry in ({}, {"RegistryName": "default-registry"}, {"RegistryArn": arn}):
        for operation in (glue.get_registry, glue.delete_registry):
            assert refusal(operation, RegistryId=registry)[0] == "EntityNotFoundException"


def test_a_schema_takes_no_version_that_would_have_to_be_compared(localaws: LocalAws) -> None:
    glue = client("glue")
    first = json.dumps({"type": "record", "name": "a", "fields": []}, indent=2)
    for compatibility in ("BACKWARD", "NONE"):
        name = f"schema-{compatibility}"
        glue.create_schema(SchemaName=name, DataFormat="AVRO", Compatibility=compatibility, SchemaDefinition=first)
        schema = {"SchemaName": name, "RegistryName": "default-registry"}
        assert glue.register_schema_version(SchemaId=schema, SchemaDefinition=first)["VersionNumber"] == 1
        second = {"SchemaId": schema, "SchemaDefinition": first.replace('"a"', '"b"')}
        if compatibility == "NONE":
            assert glue.register_schema_version(**second)["VersionNumber"] == 2
            continue
        with pytest.raises(ClientError, match="does not implement glue RegisterSchemaVersion under compatibility"):
            glue.register_schema_version(**second)


def test_a_query_of_logs_is_answered_or_refused_as_a_whole(localaws: LocalAws) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="insights")
    query = {"logGroupName": "insights", "startTime": 0, "endTime": 1}
    started = logs.start_query(**query, queryString="fields @timestamp, @message | sort @timestamp desc | limit 2")
    assert logs.get_query_results(queryId=started["queryId"])["results"] == []
    with pytest.raises(ClientError, match="does not implement 'stats count"):
        logs.start_query(**query, queryString="fields @message | stats count(*)")
    assert refusal(logs.get_query_results, queryId="none")[0] == "ResourceNotFoundException"
