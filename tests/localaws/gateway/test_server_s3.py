"""S3 through the front: odd keys, large objects, presigned URLs, names that look like paths."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from front_kit import Answer, client, credentials, send, signed_headers
from localaws_kit import LocalAws

KEYS = [
    "plain",
    "ü/漢字/🎈",
    "space and+plus",
    "per%2Fcent%25",
    "//double//slash",
    "trailing/",
    "new\nline",
    "quote\"'<>&",
    "down/../up",
    "..hidden/..",
    "/etc/passwd",
    "a/./b",
    "C:\\windows",
    "~!@#$^*()_=-[]{};:,.?|`",
    "%2e%2e/up",
    "a/b/../../up",
    "x" * 1024,
]


@pytest.fixture(scope="module")
def bucket(localaws: LocalAws) -> Iterator[str]:
    client("s3").create_bucket(Bucket="s3-front")
    yield "s3-front"


@pytest.mark.parametrize("key", KEYS)
def test_an_object_lives_under_any_key_and_outside_the_file_system(localaws: LocalAws, bucket: str, key: str) -> None:
    s3 = client("s3")
    before = {path for path in localaws.home.parent.rglob("*") if "moto" not in path.parts}
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"my_key": "v", "other-key": "w"})
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert answer["Body"].read() == key.encode()
    assert answer["Metadata"] == {"my_key": "v", "other-key": "w"}
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]]
    assert key in listed
    s3.copy_object(Bucket=bucket, Key=f"copy-of{key}"[:1024], CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    after = {path for path in localaws.home.parent.rglob("*") if "moto" not in path.parts}
    assert after - before <= {localaws.home / "localaws" / "server.log"}


CLIMBING = [
    "..",
    "../up",
    "a/../../up",
    "a/../../b/up",
    "/../up",
    "./../up",
    "%2e%2e/up",
    "a/..%2F../up",
    "%2E%2e%2Fup",
]


def raw(localaws: LocalAws, method: str, target: str, headers: dict[str, str] | None = None) -> Answer:
    """A request of S3 that goes out as it is written; what is signed is the path as AWS writes it."""
    signed = target.replace("%2e", ".").replace("%2E", ".")
    return send(localaws, method, target, headers=signed_headers(localaws, "s3", method, signed, headers=headers))


@pytest.mark.parametrize("key", CLIMBING)
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
def test_a_key_that_leads_out_of_its_bucket_is_refused(localaws: LocalAws, bucket: str, method: str, key: str) -> None:
    answer = raw(localaws, method, f"/{bucket}/{key}")
    assert answer.status == 400
    assert method == "HEAD" or b"<Code>InvalidURI</Code><Message>Couldn't parse the specified URI.<" in answer.body
    assert client("s3").list_objects_v2(Bucket=bucket, Prefix="up")["KeyCount"] == 0


@pytest.mark.parametrize("key", ["../up", "a/../../up"])
def test_a_client_is_told_so_whatever_it_asks_for(localaws: LocalAws, bucket: str, key: str) -> None:
    s3, where = client("s3"), {"Bucket": bucket, "Key": key}
    part = {"UploadId": "any", "PartNumber": 1}
    requests: dict[str, dict[str, Any]] = {
        "put_object": {"Body": b"x"},
        "get_object": {},
        "delete_object": {},
        "get_object_tagging": {},
        "create_multipart_upload": {},
        "upload_part": {**part, "Body": b"x"},
        "upload_part_copy": {**part, "CopySource": {"Bucket": bucket, "Key": "plain"}},
        "complete_multipart_upload": {"UploadId": "any"},
        "copy_object": {"CopySource": {"Bucket": bucket, "Key": "plain"}},
    }
    for operation, asked in requests.items():
        with pytest.raises(ClientError, match="Couldn't parse the specified URI") as caught:
            getattr(s3, operation)(**where, **asked)
        assert caught.value.response["Error"]["Code"] == "InvalidURI", operation
    with pytest.raises(ClientError, match="400"):
        s3.head_object(**where)
    # What curl and urllib call any body.
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    url = s3.generate_presigned_url("put_object", Params={**where, "ContentType": form["Content-Type"]})
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(url, "PUT", b"x", form)
    assert b"<Code>InvalidURI</Code>" in refused.value.read()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_refused_key_is_answered_as_s3_answers_its_errors(localaws: LocalAws, bucket: str) -> None:
    for key, code in (("../up", "InvalidURI"), ("x" * 1025, "KeyTooLongError")):
        answer = raw(localaws, "GET", f"/{bucket}/{key}")
        assert answer.headers["content-type"] == "application/xml"
        error = ElementTree.fromstring(answer.body)
        assert (error.tag, error.findtext("Code")) == ("Error", code)
        assert error.findtext("RequestId") == answer.headers["x-amz-request-id"] != ""


def test_the_answer_to_head_has_no_body_that_the_next_one_could_begin_with(localaws: LocalAws, bucket: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", localaws.port, timeout=20)
    for path, status in ((f"/{bucket}/../up", 400), (f"/{bucket}/{'x' * 1025}", 400), (f"/{bucket}", 200)):
        connection.request("HEAD", path, headers=signed_headers(localaws, "s3", "HEAD", path))
        # http.client itself would not look for a body: the next answer would begin with it.
        response = connection.getresponse()
        assert (response.status, response.read()) == (status, b"")
    connection.close()


def test_a_copy_of_what_lies_outside_of_its_bucket_is_refused(localaws: LocalAws, bucket: str) -> None:
    for source in ("../up", "a/../../up", "%2e%2e/up", "..%2Fup", "..?versionId=null"):
        for path in (f"{bucket}/{source}", f"/{bucket}/{source}", f"{bucket}%2F{source}"):
            for target in ("copied", "copied?partNumber=1&uploadId=any"):
                answer = raw(localaws, "PUT", f"/{bucket}/{target}", {"x-amz-copy-source": path})
                assert (answer.status, b"<Code>InvalidURI</Code>" in answer.body) == (400, True), path
    with pytest.raises(ClientError, match="InvalidURI"):
        client("s3").copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "../up"})
    with pytest.raises(ClientError, match="KeyTooLongError"):
        client("s3").copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "x" * 1025})
    with pytest.raises(ClientError, match="NoSuchKey"):
        client("s3").copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": "é" * 512})


def test_a_key_over_1024_bytes_is_refused(localaws: LocalAws, bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="é" * 512, Body=b"")
    for key, size in (("x" * 1025, 1025), ("é" * 513, 1026)):
        for operation, asked in (("put_object", {"Body": b""}), ("get_object", {}), ("create_multipart_upload", {})):
            with pytest.raises(ClientError, match="Your key is too long") as caught:
                getattr(s3, operation)(Bucket=bucket, Key=key, **asked)
            error = caught.value.response["Error"]
            assert (error["Code"], error["Size"], error["MaxSizeAllowed"]) == ("KeyTooLongError", str(size), "1024")
        with pytest.raises(ClientError, match="400"):
            s3.head_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "%2e%2e", "a", "x" * 64])
def test_a_bucket_name_that_is_none_is_refused(localaws: LocalAws, name: str) -> None:
    target = "/" + urllib.parse.quote(name, safe="%")
    answer = send(localaws, "PUT", target, headers=signed_headers(localaws, "s3", "PUT", target))
    assert answer.status in (400, 403, 404)


def test_ninety_megabytes_arrive_whole_both_ways_in_one_piece_and_in_parts(
    localaws: LocalAws, bucket: str, tmp_path: Path
) -> None:
    s3 = client("s3")
    block = hashlib.sha256(b"seed").digest() * 32768
    data = b"".join(bytes([n]) + block for n in range(90))
    s3.put_object(Bucket=bucket, Key="big", Body=data)
    assert (
        hashlib.sha256(s3.get_object(Bucket=bucket, Key="big")["Body"].read()).digest() == hashlib.sha256(data).digest()
    )
    part = s3.get_object(Bucket=bucket, Key="big", Range="bytes=1048570-1048600")
    assert (part["ResponseMetadata"]["HTTPStatusCode"], part["Body"].read()) == (206, data[1048570:1048601])
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    s3.upload_file(str(source), bucket, "parts")
    assert s3.head_object(Bucket=bucket, Key="parts")["ETag"].strip('"').endswith("-12")
    s3.download_file(bucket, "parts", str(target))
    assert target.read_bytes() == data


def test_reading_a_large_object_many_times_at_once_takes_no_memory(localaws: LocalAws, bucket: str) -> None:
    s3 = client("s3", max_pool_connections=8)
    size = 100 * 1024**2
    s3.put_object(Bucket=bucket, Key="wide", Body=b"w" * size)

    def peak() -> int:
        status = Path(f"/proc/{localaws.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024

    before = peak()
    answers = [s3.get_object(Bucket=bucket, Key="wide", Range=f"bytes={n}-")["Body"] for n in range(8)]
    assert [len(answer.read(10)) for answer in answers] == [10] * 8
    s3.delete_object(Bucket=bucket, Key="wide")
    assert len(answers[3].read()) == size - 3 - 10, "what is being read stays readable"
    for answer in answers:
        answer.close()
    assert peak() - before < size / 2


def test_a_body_that_is_not_what_its_hash_says_is_not_kept(localaws: LocalAws, bucket: str) -> None:
    headers = signed_headers(localaws, "s3", "PUT", f"/{bucket}/altered", b"good")
    answer = send(localaws, "PUT", f"/{bucket}/altered", b"evil", headers)
    assert (answer.status, b"XAmzContentSHA256Mismatch" in answer.body) == (400, True)
    assert not [
        item for item in client("s3").list_objects_v2(Bucket=bucket).get("Contents", []) if item["Key"] == "altered"
    ]


def fetch(url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_read_and_write(localaws: LocalAws, bucket: str, version: str) -> None:
    s3 = client("s3", signature_version=version)
    where = {"Bucket": bucket, "Key": f"presigned/{version} ü+"}
    put = s3.generate_presigned_url("put_object", Params={**where, "ContentType": "text/x"}, ExpiresIn=60)
    fetch(put, "PUT", b"hello", {"Content-Type": "text/x"})
    get = s3.generate_presigned_url("get_object", Params={**where, "ResponseContentType": "a/b"}, ExpiresIn=60)
    assert fetch(get) == b"hello"
    for method, url in (("GET", put), ("PUT", get), ("GET", get.replace("presigned", "other"))):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetch(url, method)
    late = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=-5 if version == "s3" else 0)
    with pytest.raises(urllib.error.HTTPError) as caught:
        for _ in range(40):
            fetch(late)
    assert b"expired" in caught.value.read()


def test_a_presigned_url_of_another_secret_is_refused(localaws: LocalAws, bucket: str) -> None:
    import boto3

    keys = credentials(localaws)
    stranger = boto3.Session(keys.access_key, "wrong").client("s3", config=Config(signature_version="s3v4"))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(stranger.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"}))


def test_a_bucket_in_the_host_name_is_found(localaws: LocalAws, bucket: str) -> None:
    client("s3").put_object(Bucket=bucket, Key="a b", Body=b"by host")
    host = f"{bucket}.localhost:{localaws.port}"
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method="GET", url=f"http://{host}/a%20b")
    S3SigV4Auth(credentials(localaws), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", localaws.port, timeout=20)
    connection.request("GET", "/a%20b", headers={**dict(request.headers.items()), "Host": host})
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"by host")
    connection.close()


def test_a_client_that_is_not_botocore_reads_and_writes(localaws: LocalAws, bucket: str) -> None:
    from pyarrow import fs

    keys = credentials(localaws)
    files = fs.S3FileSystem(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        endpoint_override=f"127.0.0.1:{localaws.port}",
        scheme="http",
        region="us-east-1",
    )
    with files.open_output_stream(f"{bucket}/arrow/ü x") as stream:
        stream.write(b"abc" * 5_000_000)
    assert files.open_input_stream(f"{bucket}/arrow/ü x").read() == b"abc" * 5_000_000
    assert [info.path for info in files.get_file_info(fs.FileSelector(f"{bucket}/arrow"))] == [f"{bucket}/arrow/ü x"]


def test_head_answers_have_the_length_and_no_body(localaws: LocalAws, bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="h", Body=b"12345")
    for _ in range(3):
        assert s3.head_object(Bucket=bucket, Key="h")["ContentLength"] == 5
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="absent")
    assert s3.head_object(Bucket=bucket, Key="h")["ContentLength"] == 5


def test_deleting_many_and_listing_in_pages(localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="paged")
    for number in range(25):
        s3.put_object(Bucket="paged", Key=f"k{number:02}", Body=b"")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="paged", PaginationConfig={"PageSize": 10}))
    assert [len(page["Contents"]) for page in pages] == [10, 10, 5]
    keys = [{"Key": item["Key"]} for page in pages for item in page["Contents"]]
    assert len(s3.delete_objects(Bucket="paged", Delete={"Objects": keys})["Deleted"]) == 25
    s3.delete_bucket(Bucket="paged")
