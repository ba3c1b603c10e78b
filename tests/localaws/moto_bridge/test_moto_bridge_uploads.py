"""Bodies that are on disk before moto sees the request: taken by renaming, read by sendfile, never in memory."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.gateway.protocol.http import FileBody, Headers, HttpRequest, HttpResponse, Upload
from localaws.moto_bridge import Moto

PART = os.urandom(5 << 20)
LAST = os.urandom(100_000)


@pytest.fixture
def moto(tmp_path: Path) -> Iterator[Moto]:
    (tmp_path / "spool").mkdir()
    mounted = Moto(tmp_path / "moto")
    mounted.state.restore()
    ask(mounted, "CreateBucket", "PUT", "/uploads")
    yield mounted
    for key in ("whole", "parts", "copy"):
        ask(mounted, "DeleteObject", "DELETE", f"/uploads/{key}")
    assert ask(mounted, "DeleteBucket", "DELETE", "/uploads").status == 204
    mounted.state.stop()


def ask(
    moto: Moto,
    operation: str,
    method: str,
    target: str,
    body: bytes = b"",
    upload: Upload | None = None,
    **fields: str,
) -> HttpResponse:
    """One request, as the gateway hands it on."""
    path, _, query = target.partition("?")
    # moto takes who does not say who they are for the public.
    headers = [("Host", "127.0.0.1:4566")]
    headers += [("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request")]
    headers += [(name.replace("_", "-"), value) for name, value in fields.items()]
    return moto.handle("s3", operation, HttpRequest(method, path, query, Headers(headers), body, upload=upload))


def spooled(moto_folder: Path, content: bytes) -> Upload:
    path = moto_folder / "spool" / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return Upload(path, len(content), hashlib.md5(content).digest())


def content(response: HttpResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    assert isinstance(response.body, FileBody)
    return b"".join(path.read_bytes()[start : start + size] for path, start, size in response.body.segments)


def uploaded_in_parts(moto: Moto, tmp_path: Path, **fields: str) -> HttpResponse:
    begun = ask(moto, "CreateMultipartUpload", "POST", "/uploads/parts?uploads=", **fields)  # type: ignore[arg-type]
    found = ET.fromstring(content(begun)).find("{*}UploadId")
    assert found is not None
    where = f"/uploads/parts?uploadId={found.text}"
    parts = []
    for number, data in enumerate((PART, LAST), 1):
        answer = ask(moto, "UploadPart", "PUT", f"{where}&partNumber={number}", upload=spooled(tmp_path, data))
        tag = dict(answer.headers)["ETag"]
        parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
    body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
    return ask(moto, "CompleteMultipartUpload", "POST", where, body)


def test_a_spooled_body_becomes_the_object_by_renaming(moto: Moto, tmp_path: Path) -> None:
    upload = spooled(tmp_path, PART)
    inode = upload.path.stat().st_ino
    answer = ask(
        moto,
        "PutObject",
        "PUT",
        "/uploads/whole",
        upload=upload,
        x_amz_sdk_checksum_algorithm="CRC32",
        x_amz_meta_a="b",
    )
    headers = dict(answer.headers)
    assert headers["ETag"] == f'"{hashlib.md5(PART).hexdigest()}"'
    assert headers["x-amz-checksum-crc32"] == base64.b64encode(binascii.crc32(PART).to_bytes(4, "big")).decode()
    assert not upload.path.exists()
    got = ask(moto, "GetObject", "GET", "/uploads/whole")
    assert content(got) == PART
    assert isinstance(got.body, FileBody)
    assert [segment.path.stat().st_ino for segment in got.body.segments] == [inode]


def test_a_refused_upload_leaves_no_file(moto: Moto, tmp_path: Path) -> None:
    before = list((tmp_path / "moto" / "s3").iterdir())
    upload = spooled(tmp_path, LAST)
    tags = "&".join(f"k{number}=v" for number in range(11))
    assert ask(moto, "PutObject", "PUT", "/uploads/whole", upload=upload, x_amz_tagging=tags).status == 400
    assert ask(moto, "GetObject", "GET", "/uploads/whole").status == 404
    moto.state.stop()
    assert list((tmp_path / "moto" / "s3").iterdir()) == before
    moto.state.restore()


def test_an_upload_in_parts_is_completed_without_a_copy_and_read_across_its_parts(moto: Moto, tmp_path: Path) -> None:
    answer = uploaded_in_parts(moto, tmp_path, x_amz_checksum_algorithm="SHA256")
    digests = b"".join(hashlib.md5(data).digest() for data in (PART, LAST))
    assert f"{hashlib.md5(digests).hexdigest()}-2".encode() in content(answer)
    got = ask(moto, "GetObject", "GET", "/uploads/parts", range=f"bytes={len(PART) - 3}-{len(PART) + 2}")
    assert got.status == 206
    assert content(got) == PART[-3:] + LAST[:3]
    whole = ask(moto, "GetObject", "GET", "/uploads/parts", x_amz_checksum_mode="ENABLED")
    assert content(whole) == PART + LAST
    sums = b"".join(hashlib.sha256(data).digest() for data in (PART, LAST))
    expected = base64.b64encode(hashlib.sha256(sums).digest()).decode()
    assert dict(whole.headers)["x-amz-checksum-sha256"] == f"{expected}-2"
    part = ask(moto, "HeadObject", "HEAD", "/uploads/parts?partNumber=2")
    headers = {name.lower(): value for name, value in part.headers}
    assert (part.status, headers["content-length"], headers["x-amz-mp-parts-count"]) == (200, str(len(LAST)), "2")


def test_a_copy_outlives_its_source(moto: Moto, tmp_path: Path) -> None:
    uploaded_in_parts(moto, tmp_path)
    copied = ask(moto, "CopyObject", "PUT", "/uploads/copy", x_amz_copy_source="/uploads/parts")
    assert hashlib.md5(PART + LAST).hexdigest().encode() in content(copied)
    ask(moto, "DeleteObject", "DELETE", "/uploads/parts")
    moto.state.stop()
    moto.state.restore()
    assert content(ask(moto, "GetObject", "GET", "/uploads/copy")) == PART + LAST


def test_an_answer_that_is_being_read_keeps_its_files(moto: Moto, tmp_path: Path) -> None:
    ask(moto, "PutObject", "PUT", "/uploads/whole", upload=spooled(tmp_path, PART))
    reading = ask(moto, "GetObject", "GET", "/uploads/whole")
    ask(moto, "PutObject", "PUT", "/uploads/whole", b"new")
    assert content(reading) == PART
    assert content(ask(moto, "GetObject", "GET", "/uploads/whole")) == b"new"
