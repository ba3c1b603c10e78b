"""moto's state on disk: what is written, when, and what is refused at start."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import moto
import pytest
from front_kit import TRUST
from localaws_kit import LocalAws, start_process
from waiting_kit import until

from localaws.moto_bridge import StateError
from localaws.moto_bridge.files import Files
from localaws.moto_bridge.locks import SharedLock
from localaws.moto_bridge.state import State


def client(service: str) -> Any:
    """A client that reads the environment now: boto3's default session keeps the first test's keys."""
    return boto3.Session().client(service)


def test_everything_that_moto_carries_survives_a_kill(own_localaws: LocalAws) -> None:
    s3, glue, logs = client("s3"), client("glue"), client("logs")
    iam, secrets, cognito = client("iam"), client("secretsmanager"), client("cognito-idp")
    cloudwatch = client("cloudwatch")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="bucket", Key="ü/a b", Body=b"one", Metadata={"my_key": "v"})
    s3.put_object(Bucket="bucket", Key="ü/a b", Body=b"two")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="big")["UploadId"]
    parts = [
        s3.upload_part(Bucket="bucket", Key="big", UploadId=upload, PartNumber=n, Body=bytes([n]) * 6_000_000)["ETag"]
        for n in (1, 2)
    ]
    glue.create_database(DatabaseInput={"Name": "db"})
    columns = {"Columns": [{"Name": "a", "Type": "int"}]}
    glue.create_table(DatabaseName="db", TableInput={"Name": "t", "StorageDescriptor": columns})
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    line = {"timestamp": int(time.time() * 1000), "message": "hello"}
    logs.put_log_events(logGroupName="/g", logStreamName="s", logEvents=[line])
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    secrets.create_secret(Name="secret", SecretString="x")
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 4.0}])
    pool = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="ann")
    cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Secret-1234", Permanent=True)

    own_localaws.kill()
    own_localaws.restart()

    assert s3.get_object(Bucket="bucket", Key="ü/a b")["Body"].read() == b"two"
    versions = s3.list_object_versions(Bucket="bucket")["Versions"]
    old = next(version["VersionId"] for version in versions if not version["IsLatest"])
    first = s3.get_object(Bucket="bucket", Key="ü/a b", VersionId=old)
    assert (first["Body"].read(), first["Metadata"]) == (b"one", {"my_key": "v"})
    done = [{"ETag": tag, "PartNumber": n} for n, tag in enumerate(parts, 1)]
    s3.complete_multipart_upload(Bucket="bucket", Key="big", UploadId=upload, MultipartUpload={"Parts": done})
    assert s3.get_object(Bucket="bucket", Key="big")["Body"].read() == b"\1" * 6_000_000 + b"\2" * 6_000_000
    assert glue.get_table(DatabaseName="db", Name="t")["Table"]["StorageDescriptor"]["Columns"][0]["Type"] == "int"
    assert logs.get_log_events(logGroupName="/g", logStreamName="s")["events"][0]["message"] == "hello"
    assert iam.get_role(RoleName="role")["Role"]["RoleName"] == "role"
    assert secrets.get_secret_value(SecretId="secret")["SecretString"] == "x"
    assert [metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="n")["Metrics"]] == ["m"]
    login = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Secret-1234"},
    )
    assert login["AuthenticationResult"]["IdToken"].count(".") == 2


def test_an_orderly_stop_loses_nothing_and_no_dead_file_stays(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    for number in range(20):
        s3.put_object(Bucket="bucket", Key="same", Body=str(number).encode() * 10_000)
    s3.put_object(Bucket="bucket", Key="gone", Body=b"x" * 10_000)
    s3.delete_object(Bucket="bucket", Key="gone")
    own_localaws.stop()
    folder = own_localaws.home / "localaws" / "moto"
    assert len(list((folder / "s3").iterdir())) == 1
    (folder / "s3" / "stray").write_bytes(b"a body that no row knows")
    own_localaws.restart()
    assert s3.get_object(Bucket="bucket", Key="same")["Body"].read() == b"19" * 10_000
    until(lambda: list((folder / "s3").iterdir()), lambda seen: len(seen) == 1)


@pytest.mark.parametrize("written", [{"format": 2, "moto": "4.0.0"}, {"format": 1, "moto": moto.__version__}])
def test_another_version_of_moto_or_format_is_refused_with_the_remedy(
    own_localaws: LocalAws, written: dict[str, Any]
) -> None:
    own_localaws.stop()
    path = own_localaws.home / "localaws" / "moto" / "version.json"
    path.write_text(json.dumps(written))
    with pytest.raises(RuntimeError, match=rf"written by moto {written['moto']}.*make reset"):
        start_process(own_localaws.home, own_localaws.port)


def test_a_damaged_database_is_refused_with_the_remedy(own_localaws: LocalAws) -> None:
    client("s3").create_bucket(Bucket="bucket")
    own_localaws.stop()
    (own_localaws.home / "localaws" / "moto" / "moto.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(RuntimeError, match=r"moto\.db cannot be read.*make reset"):
        start_process(own_localaws.home, own_localaws.port)


def test_a_state_error_is_what_a_caller_can_catch(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text('{"format": 0, "moto": "1"}')
    with pytest.raises(StateError, match="format 0"):
        State(tmp_path, []).restore()


def test_the_one_alone_waits_for_those_who_share_and_new_ones_wait_for_it() -> None:
    lock = SharedLock()
    events: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def request() -> None:
        with lock.shared():
            inside.set()
            leave.wait(10)
            events.append("request ends")

    def alone() -> None:
        with lock.alone():
            events.append("alone")

    def late_request() -> None:
        with lock.shared():
            events.append("late request")

    first, second, third = (threading.Thread(target=work) for work in (request, alone, late_request))
    first.start()
    assert inside.wait(10)
    second.start()
    while not lock._alone:
        os.sched_yield()
    third.start()
    leave.set()
    for thread in (first, second, third):
        thread.join(10)
    assert events == ["request ends", "alone", "late request"]


def test_a_file_goes_when_nobody_reads_it_any_more(tmp_path: Path) -> None:
    files = Files(tmp_path)
    name = files.write(b"content")
    hold = files.hold()
    files.discard([name])
    late = files.hold()
    time.sleep(0.5)
    assert files.path(name).read_bytes() == b"content"
    del hold
    until(lambda: not files.path(name).exists(), timeout=5, what="the file that nobody needs is removed")
    del late
    files.close()


def test_a_stretch_of_a_file_is_cut_out_and_a_link_outlives_its_source(tmp_path: Path) -> None:
    files = Files(tmp_path)
    name = files.write(b"0123456789")
    cut, link = files.cut(name, 3, 4), files.link(name)
    files.discard([name])
    files.close()
    assert not files.path(name).exists()
    assert (files.path(cut).read_bytes(), files.path(link).read_bytes()) == (b"3456", b"0123456789")
