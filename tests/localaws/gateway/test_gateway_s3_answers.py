"""S3's answers as clients of today read them."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from front_kit import client
from localaws_kit import LocalAws


@pytest.fixture(scope="module")
def bucket(localaws: LocalAws) -> Iterator[str]:
    client("s3").create_bucket(Bucket="answers")
    yield "answers"


def test_buckets_are_listed_page_by_page(localaws: LocalAws) -> None:
    s3 = client("s3")
    names = [f"paged-{number:02}" for number in range(7)]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 3}))
    assert [[bucket["Name"] for bucket in page["Buckets"]] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert [page["Prefix"] for page in pages] == ["paged-"] * 3
    assert ["ContinuationToken" in page for page in pages] == [True, True, False]
    assert "ContinuationToken" not in s3.list_buckets(Prefix="paged-", MaxBuckets=7)
    whole = s3.list_buckets()
    assert set(names) <= {bucket["Name"] for bucket in whole["Buckets"]}
    assert "Prefix" not in whole and whole["Owner"]["ID"]
    assert s3.list_buckets(Prefix="no-such-")["Buckets"] == []


@pytest.mark.parametrize("asked", [{"MaxBuckets": 0}, {"MaxBuckets": 10_001}, {"ContinuationToken": "ü"}])
def test_a_page_that_there_is_not_is_refused(localaws: LocalAws, asked: dict[str, Any]) -> None:
    import boto3
    from botocore.config import Config

    s3 = boto3.Session().client("s3", config=Config(parameter_validation=False))
    with pytest.raises(ClientError) as caught:
        s3.list_buckets(**asked)
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_every_object_says_that_it_is_encrypted(localaws: LocalAws, bucket: str) -> None:
    s3, where = client("s3"), {"Bucket": bucket, "Key": "object"}
    upload = s3.create_multipart_upload(**where)
    part = s3.upload_part(**where, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    answers = {
        "create": upload,
        "part": part,
        "complete": s3.complete_multipart_upload(**where, UploadId=upload["UploadId"], MultipartUpload=parts),
        "put": s3.put_object(**where, Body=b"x"),
        "put large": s3.put_object(**where, Body=bytes(100_000)),
        "get": s3.get_object(**where),
        "range": s3.get_object(**where, Range="bytes=0-0"),
        "head": s3.head_object(**where),
        "copy": s3.copy_object(Bucket=bucket, Key="copy", CopySource=where),
    }
    assert {name: answer.get("ServerSideEncryption") for name, answer in answers.items()} == dict.fromkeys(
        answers, "AES256"
    )


def test_an_encryption_that_was_asked_for_is_what_the_answer_names(localaws: LocalAws, bucket: str) -> None:
    s3 = client("s3")
    put = s3.put_object(Bucket=bucket, Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/a")
    assert put["ServerSideEncryption"] == "aws:kms"
    assert s3.head_object(Bucket=bucket, Key="kms")["ServerSideEncryption"] == "aws:kms"


def test_a_bucket_is_encrypted_unless_another_way_was_set(localaws: LocalAws, bucket: str) -> None:
    s3 = client("s3")
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules == [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.get_bucket_encryption(Bucket="no-such-bucket")


@pytest.mark.parametrize("size", [10, 100_000])
def test_content_that_is_not_what_its_checksum_says_is_refused(localaws: LocalAws, bucket: str, size: int) -> None:
    s3, body = client("s3"), b"x" * size

    def of(digest: bytes) -> str:
        return base64.b64encode(digest).decode()

    sums = {
        "ContentMD5": (of(hashlib.md5(body).digest()), of(hashlib.md5(b"y").digest())),
        "ChecksumCRC32": (of(zlib.crc32(body).to_bytes(4, "big")), of(bytes(4))),
        "ChecksumSHA1": (of(hashlib.sha1(body).digest()), of(bytes(20))),
        "ChecksumSHA256": (of(hashlib.sha256(body).digest()), of(bytes(32))),
    }
    for name, (right, wrong) in sums.items():
        s3.put_object(Bucket=bucket, Key=name, Body=body, **{name: right})
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=bucket, Key=f"bad-{name}", Body=body, **{name: wrong})
        assert caught.value.response["Error"]["Code"] == "BadDigest", name
        with pytest.raises(ClientError, match="404"):
            s3.head_object(Bucket=bucket, Key=f"bad-{name}")
