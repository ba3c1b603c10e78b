"""Which operation a request asks for."""

from __future__ import annotations

import pytest

from localaws.gateway.protocol.http import Headers, HttpRequest
from localaws.gateway.router import route


def request(method: str, target: str, body: bytes = b"", **headers: str) -> HttpRequest:
    path, _, query = target.partition("?")
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(method, path, query, Headers(fields), body)


S3 = [
    ("GET", "/", "ListBuckets"),
    ("PUT", "/bucket", "CreateBucket"),
    ("PUT", "/bucket/", "CreateBucket"),
    ("HEAD", "/bucket", "HeadBucket"),
    ("DELETE", "/bucket", "DeleteBucket"),
    ("GET", "/bucket?list-type=2&prefix=a", "ListObjectsV2"),
    ("GET", "/bucket?prefix=a", "ListObjects"),
    ("GET", "/bucket?location", "GetBucketLocation"),
    ("GET", "/bucket?versions", "ListObjectVersions"),
    ("GET", "/bucket?uploads", "ListMultipartUploads"),
    ("POST", "/bucket?delete", "DeleteObjects"),
    ("PUT", "/bucket?policy", "PutBucketPolicy"),
    ("PUT", "/bucket?lifecycle", "PutBucketLifecycleConfiguration"),
    ("GET", "/bucket/key", "GetObject"),
    ("GET", "/bucket/key?x-id=GetObject", "GetObject"),
    ("GET", "/bucket/key?versionId=1", "GetObject"),
    ("GET", "/bucket/a/b/c", "GetObject"),
    ("GET", "/bucket//a", "GetObject"),
    ("GET", "/bucket/a%0Ab", "GetObject"),
    ("HEAD", "/bucket/key", "HeadObject"),
    ("PUT", "/bucket/key", "PutObject"),
    ("PUT", "/bucket/key?tagging", "PutObjectTagging"),
    ("GET", "/bucket/key?tagging", "GetObjectTagging"),
    ("PUT", "/bucket/key?partNumber=1&uploadId=x", "UploadPart"),
    ("POST", "/bucket/key?uploads", "CreateMultipartUpload"),
    ("POST", "/bucket/key?uploadId=x", "CompleteMultipartUpload"),
    ("DELETE", "/bucket/key?uploadId=x", "AbortMultipartUpload"),
    ("GET", "/bucket/key?uploadId=x", "ListParts"),
    ("DELETE", "/bucket/key", "DeleteObject"),
    ("POST", "/bucket/key?select&select-type=2", "SelectObjectContent"),
    ("POST", "/bucket/key", ""),
    ("PATCH", "/bucket", ""),
]


@pytest.mark.parametrize(("method", "target", "operation"), S3)
@pytest.mark.parametrize("signing_name", ["s3", ""])
def test_s3_operations_are_told_apart_by_method_path_and_query(
    method: str, target: str, operation: str, signing_name: str
) -> None:
    found = route(request(method, target), signing_name)
    assert (found.service, found.operation) in {("s3", operation), ("s3", _old_name(operation))}


def _old_name(operation: str) -> str:
    # Two operations have the same binding: the older name is as right as the newer one.
    return operation.removesuffix("Configuration")


def test_copies_are_told_apart_by_their_header() -> None:
    assert route(request("PUT", "/b/k", x_amz_copy_source="/b/o"), "s3").operation == "CopyObject"
    part = request("PUT", "/b/k?partNumber=1&uploadId=x", x_amz_copy_source="/b/o")
    assert route(part, "s3").operation == "UploadPartCopy"


@pytest.mark.parametrize(
    ("target", "service", "operation"),
    [
        ("SageMaker.CreateTrainingJob", "sagemaker", "CreateTrainingJob"),
        ("AmazonAthena.StartQueryExecution", "athena", "StartQueryExecution"),
        ("AWSGlue.GetCrawler", "glue", "GetCrawler"),
        ("AWSCognitoIdentityProviderService.InitiateAuth", "cognito-idp", "InitiateAuth"),
        ("Logs_20140328.PutLogEvents", "logs", "PutLogEvents"),
        ("GraniteServiceVersion20100801.PutMetricData", "cloudwatch", "PutMetricData"),
        ("DynamoDB_20120810.PutItem", "DynamoDB_20120810", "PutItem"),
        ("nonsense", "", "nonsense"),
    ],
)
def test_a_target_header_names_service_and_operation(target: str, service: str, operation: str) -> None:
    found = route(request("POST", "/", x_amz_target=target), "whatever")
    assert (found.service, found.operation) == (service, operation)


@pytest.mark.parametrize(
    ("method", "target", "service", "operation", "uri"),
    [
        ("POST", "/endpoints/a%20b/invocations", "sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "a b"}),
        ("PUT", "/FeatureGroup/g", "sagemaker-featurestore-runtime", "PutRecord", {"FeatureGroupName": "g"}),
        ("POST", "/human-loops", "sagemaker-a2i-runtime", "StartHumanLoop", {}),
        ("GET", "/human-loops/x", "sagemaker-a2i-runtime", "DescribeHumanLoop", {"HumanLoopName": "x"}),
        ("PUT", "/BatchPutMetrics", "sagemaker-metrics", "BatchPutMetrics", {}),
    ],
)
def test_sagemakers_planes_are_told_apart_by_their_paths(
    method: str, target: str, service: str, operation: str, uri: dict[str, str]
) -> None:
    found = route(request(method, target), "sagemaker")
    assert (found.service, found.operation, found.uri) == (service, operation, uri)


def test_a_label_does_not_swallow_another_path_segment() -> None:
    assert route(request("POST", "/endpoints/a/b/invocations"), "sagemaker").operation == ""


def test_a_forms_action_names_the_operation_of_a_query_service() -> None:
    form = b"Action=AssumeRole&Version=2011-06-15"
    assert route(request("POST", "/", form), "sts").operation == "AssumeRole"
    assert route(request("GET", "/?Action=GetUser"), "iam").operation == "GetUser"
    found = route(request("POST", "/", b"Action=DescribeInstances"), "ec2")
    assert (found.service, found.operation) == ("ec2", "DescribeInstances")
