"""The front over HTTP: who is let in, what is refused and in which words, what is not implemented."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from front_kit import TRUST, Answer, call, client, credentials, send, signed_headers
from localaws_kit import LocalAws


def error(function: Any, **arguments: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_a_foreign_host_is_refused(localaws: LocalAws) -> None:
    for host in ("example.com", "localhost.example.com", f"169.254.169.254:{localaws.port}"):
        answer = send(localaws, headers={"Host": host})
        assert answer.status == 403
        assert b"AccessDenied" in answer.body


def test_no_page_of_another_origin_is_given_leave(localaws: LocalAws) -> None:
    headers = {"Origin": "http://example.com", "Access-Control-Request-Method": "PUT"}
    for answer in (send(localaws, "OPTIONS", "/bucket/key", headers=headers), send(localaws, headers=headers)):
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_motos_own_controls_are_closed(localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="not-reset")
    for method, target in (("POST", "/moto-api/reset"), ("GET", "/moto-api/data.json"), ("GET", "/moto-api/")):
        assert send(localaws, method, target).status == 403
        headers = signed_headers(localaws, "s3", method, target)
        assert send(localaws, method, target, headers=headers).status in (404, 501)
    assert "not-reset" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "AccessDenied"),
        ({"X-Amz-Target": "SageMaker.ListTrainingJobs"}, "MissingAuthenticationTokenException"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "MissingAuthenticationToken"),
    ],
)
def test_an_unsigned_request_is_refused_in_the_protocol_of_its_service(
    localaws: LocalAws, headers: dict[str, str], code: str
) -> None:
    answer = send(localaws, "POST", "/", b"Action=GetCallerIdentity", headers)
    assert answer.status == 403
    assert code.encode() in answer.body
    assert answer.body.startswith(b"{" if "X-Amz-Target" in headers else b"<?xml")


@pytest.mark.parametrize(
    ("service", "operation", "bad_secret", "unknown_key"),
    [
        ("s3", "list_buckets", "SignatureDoesNotMatch", "InvalidAccessKeyId"),
        ("sagemaker", "list_training_jobs", "InvalidSignatureException", "UnrecognizedClientException"),
        ("glue", "get_databases", "InvalidSignatureException", "UnrecognizedClientException"),
        ("iam", "list_roles", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        ("cloudwatch", "list_metrics", "InvalidSignatureException", "UnrecognizedClientException"),
    ],
)
def test_wrong_keys_are_refused_in_the_words_of_the_service(
    localaws: LocalAws, service: str, operation: str, bad_secret: str, unknown_key: str
) -> None:
    good = credentials(localaws)
    for key, secret, code in ((good.access_key, "wrong", bad_secret), ("AKIAIOSFODNN7EXAMPLE", "x", unknown_key)):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
        found, status, _ = error(getattr(session.client(service, endpoint_url=localaws.url), operation))
        assert (found, status) == (code, 403)


def test_a_signature_for_another_service_is_refused(localaws: LocalAws) -> None:
    answer = call(localaws, "athena", "SageMaker.ListTrainingJobs")
    assert answer.status == 403
    assert answer.json["__type"] == "InvalidSignatureException"
    assert "'sagemaker'" in answer.json["message"]


def test_keys_that_iam_issues_work_until_they_are_inactive(localaws: LocalAws) -> None:
    iam = client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = boto3.Session(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    sts = session.client("sts")
    assert sts.get_caller_identity()["Arn"].endswith(":user/ann")
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert error(sts.get_caller_identity)[0] == "InvalidClientTokenId"


def test_the_keys_of_an_assumed_role_need_their_token(localaws: LocalAws) -> None:
    role = client("iam").create_role(RoleName="assumed", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    key, secret, token = keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
    assert (
        "assumed-role/assumed/session" in boto3.Session(key, secret, token).client("sts").get_caller_identity()["Arn"]
    )
    boto3.Session(key, secret, token).client("s3").list_buckets()
    assert error(boto3.Session(key, secret).client("s3").list_buckets)[0] == "InvalidToken"
    assert (
        error(boto3.Session(key, secret, "other").client("athena").list_work_groups)[0] == "UnrecognizedClientException"
    )


def test_cognitos_operations_for_users_need_no_signature(localaws: LocalAws) -> None:
    from botocore import UNSIGNED

    idp = client("cognito-idp")
    pool = idp.create_user_pool(PoolName="p")["UserPool"]["Id"]
    app = idp.create_user_pool_client(UserPoolId=pool, ClientName="c")["UserPoolClient"]["ClientId"]
    unsigned = client("cognito-idp", signature_version=UNSIGNED)
    unsigned.sign_up(ClientId=app, Username="ann", Password="Secret-1234")
    assert error(unsigned.list_user_pools, MaxResults=1)[:2] == ("MissingAuthenticationTokenException", 403)
    keys = send(localaws, "GET", f"/{pool}/.well-known/jwks.json")
    assert keys.status == 200
    assert keys.json["keys"][0]["kty"] == "RSA"


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("sagemaker", "create_notebook_instance", {"NotebookInstanceName": "n", "InstanceType": "ml.t3.medium"}, None),
        ("athena", "create_notebook", {"WorkGroup": "w", "Name": "n"}, None),
        ("glue", "start_job_run", {"JobName": "j"}, None),
        ("s3", "put_bucket_lifecycle_configuration", {"Bucket": "b-1-2"}, None),
        ("sts", "get_session_token", {}, None),
        ("cloudwatch", "put_insight_rule", {"RuleName": "r", "RuleDefinition": "{}"}, None),
        ("sqs", "list_queues", {}, None),
        ("dynamodb", "list_tables", {}, None),
        ("ec2", "describe_instances", {}, None),
        ("lambda", "list_functions", {}, "GET /2015-03-31/functions"),
    ],
)
def test_what_is_not_implemented_says_so_once_by_name(
    localaws: LocalAws, service: str, operation: str, arguments: dict[str, Any], named: str | None
) -> None:
    if operation == "create_notebook_instance":
        arguments = {**arguments, "RoleArn": "arn:aws:iam::123456789012:role/service-role"}
    caller = boto3.Session().client(service)
    seen: list[int] = []
    caller.meta.events.register("response-received.*", lambda **_: seen.append(1))
    code, status, message = error(getattr(caller, operation), **arguments)
    assert status == 501
    assert seen == [1], "botocore must not try again"
    assert code in ("NotImplemented", "501")
    assert (named or operation.replace("_", "")).lower() in message.lower().replace("_", "")


def test_a_protocol_that_is_not_spoken_is_named(localaws: LocalAws) -> None:
    target = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    headers = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}
    answer = send(
        localaws, "POST", target, b"\xa0", signed_headers(localaws, "monitoring", "POST", target, b"\xa0", headers)
    )
    assert answer.status == 501
    assert "rpc-v2-cbor" in answer.json["message"]


def test_a_path_that_moto_has_no_route_for_is_not_a_page(localaws: LocalAws) -> None:
    form = b"Action=ListRoles&Version=2010-05-08"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = send(
        localaws, "POST", "/odd/path", form, signed_headers(localaws, "iam", "POST", "/odd/path", form, headers)
    )
    assert answer.status == 501
    assert b"<ErrorResponse>" in answer.body


def test_a_malformed_body_is_a_serialization_exception(localaws: LocalAws) -> None:
    for body in (b"{", b"[]", b"\xff", b'{"MaxResults": "many"}'):
        answer = call(localaws, "sagemaker", "SageMaker.ListTrainingJobs", body)
        assert answer.status == 400
        assert answer.json["__type"] == "SerializationException"


def test_every_answer_has_a_request_id(localaws: LocalAws) -> None:
    ids = set()
    for service, operation in (
        ("sagemaker", "list_training_jobs"),
        ("s3", "list_buckets"),
        ("sts", "get_caller_identity"),
    ):
        ids.add(getattr(client(service), operation)()["ResponseMetadata"]["RequestId"])
    assert len(ids) == 3
    assert "" not in ids


def test_boto3_sees_a_validation_exception_with_awss_words(localaws: LocalAws) -> None:
    code, status, message = error(client("sagemaker").describe_training_job, TrainingJobName="../../etc")
    assert (code, status) == ("ValidationException", 400)
    assert message.startswith("1 validation error detected: Value '../../etc' at 'trainingJobName' failed to satisfy")


def raw(server: LocalAws, data: bytes) -> bytes:
    """The answer to bytes that http.client would not send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 403),
        (b"GET http://example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n", 403),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: A.B\r\nContent-Length: 99999999\r\n\r\n", 403),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (
            b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 403),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
    ],
)
def test_what_is_not_http_as_it_should_be_is_refused(localaws: LocalAws, data: bytes, status: int) -> None:
    answer = raw(localaws, data)
    found = re.match(rb"HTTP/1\.1 (\d+) ", answer)
    assert found
    assert int(found[1]) == status


def test_a_chunk_that_breaks_off_does_not_end_the_server(own_localaws: LocalAws) -> None:
    head = b"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n" % own_localaws.port
    credential = f"{credentials(own_localaws).access_key}/20260101/us-east-1/s3/aws4_request"
    claims = f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n".encode()
    signed = signed_headers(own_localaws, "s3", "PUT", "/b/k")
    good = "".join(f"{name}: {value}\r\n" for name, value in signed.items() if name != "Content-Length").encode()
    for more, status in ((b"", 403), (claims, 400), *[(good, 400)] * 5):
        answer = raw(own_localaws, head + more + b"\r\n1000000\r\nabc")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert own_localaws.process.poll() is None
    assert send(own_localaws).status == 403


def test_one_connection_serves_many_requests_and_an_error_does_not_end_it(localaws: LocalAws) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", localaws.port, timeout=20)
    connection.connect()
    local_port = connection.sock.getsockname()[1]
    for number in range(4):
        body = b"x" * 1000 * number
        connection.request("PUT", "/bucket/key", body=body)
        assert Answer(connection.getresponse()).status == 403
        assert connection.sock.getsockname()[1] == local_port
    connection.close()


def test_keys_of_nobody_are_refused_without_a_body_being_kept(localaws: LocalAws) -> None:
    stranger = Credentials("LKIANOBODY0000000000", "x")
    headers = signed_headers(localaws, "s3", "PUT", "/bucket/key", b"x" * 100, keys=stranger)
    assert send(localaws, "PUT", "/bucket/key", b"x" * 100, headers).status == 403


def resident(server: LocalAws) -> int:
    """Bytes of memory that the server's process holds."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_bodies_without_a_good_signature_fill_no_memory(own_localaws: LocalAws) -> None:
    stranger = Credentials(credentials(own_localaws).access_key, "not the secret")
    before = resident(own_localaws)
    size = 30 * 1024**2
    heads = []
    for service, target in (("s3", "/bucket/key"), ("athena", "/")):
        headers = signed_headers(own_localaws, service, "PUT", target, b"x", keys=stranger)
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "Content-Length")
        host = f"Host: 127.0.0.1:{own_localaws.port}\r\n"
        heads.append(f"PUT {target} HTTP/1.1\r\n{host}{fields}Content-Length: {size}\r\n\r\n".encode())
    with contextlib.ExitStack() as stack:
        for head in heads * 4:
            connection = socket.create_connection(("127.0.0.1", own_localaws.port), timeout=20)
            stack.enter_context(connection)
            with contextlib.suppress(OSError):
                # All but the end: what is held for the rest of it would be held now.
                connection.sendall(head + bytes(size - 1))
        assert resident(own_localaws) - before < 40 * 1024**2
    assert send(own_localaws).status == 403
