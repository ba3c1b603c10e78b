"""moto's state on disk: what is written, when, and what is refused at start."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from localaws_kit import LocalAws, start_process

from localaws.moto_bridge import StateError, state
from localaws.moto_bridge.bodies import Bodies, Body
from localaws.moto_bridge.state import SharedLock, State


def client(service: str) -> Any:
    """A client that reads the environment anew: boto3's default session keeps the first test's keys."""
    return boto3.Session().client(service)


def settled(home: Path) -> None:
    """Wait until nothing in moto's folder has changed for longer than the longest delay of a snapshot."""
    folder = home / "localaws" / "moto"
    last, since = None, time.monotonic()
    while time.monotonic() - since < 1.3:
        now = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.pickle")}
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)


def test_everything_that_moto_carries_survives_a_kill(own_localaws: LocalAws) -> None:
    s3, glue, logs = client("s3"), client("glue"), client("logs")
    iam, secrets, cognito = client("iam"), client("secretsmanager"), client("cognito-idp")
    cloudwatch, scaling = client("cloudwatch"), client("application-autoscaling")
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
    iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    secrets.create_secret(Name="secret", SecretString="x")
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 4.0}])
    scaling.register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId="endpoint/e/variant/v",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )
    pool = cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="ann")
    cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Secret-1234", Permanent=True)

    settled(own_localaws.home)
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
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]["MaxCapacity"] == 2
    login = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Secret-1234"},
    )
    assert login["AuthenticationResult"]["IdToken"].count(".") == 2


def test_a_kill_during_writing_leaves_a_state_in_which_every_object_is_whole(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="settled", Body=b"0" * 1000)
    settled(own_localaws.home)
    # Overwriting and deleting replaces files: the snapshot on disk must not lose the ones that it refers to.
    for round_number in range(40):
        for key in range(5):
            s3.put_object(Bucket="bucket", Key=f"key-{key}", Body=bytes([48 + round_number]) * 1000)
        s3.delete_object(Bucket="bucket", Key=f"key-{round_number % 5}")
    own_localaws.kill()
    own_localaws.restart()
    found = {item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    assert "settled" in found
    for key in found:
        body = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
        assert len(body) == 1000
        assert len(set(body)) == 1


def test_an_orderly_stop_loses_nothing_and_no_dead_file_stays(own_localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    for number in range(20):
        s3.put_object(Bucket="bucket", Key="same", Body=str(number).encode())
    s3.put_object(Bucket="bucket", Key="gone", Body=b"x")
    s3.delete_object(Bucket="bucket", Key="gone")
    own_localaws.stop()
    folder = own_localaws.home / "localaws" / "moto"
    (folder / "s3.part").write_bytes(b"half a snapshot")
    (folder / "s3" / "stray").write_bytes(b"a body that no snapshot knows")
    own_localaws.restart()
    assert s3.get_object(Bucket="bucket", Key="same")["Body"].read() == b"19"
    assert len(list((folder / "s3").iterdir())) == 1
    assert not list(folder.glob("*.part"))


def test_another_version_of_moto_is_refused_with_the_remedy(own_localaws: LocalAws) -> None:
    own_localaws.stop()
    path = own_localaws.home / "localaws" / "moto" / "version.json"
    path.write_text(json.dumps({"format": 1, "moto": "4.0.0"}))
    with pytest.raises(RuntimeError, match=r"written by moto 4\.0\.0.*make reset"):
        start_process(own_localaws.home, own_localaws.port)


def test_a_damaged_snapshot_is_refused_with_the_remedy(own_localaws: LocalAws) -> None:
    client("s3").create_bucket(Bucket="bucket")
    own_localaws.stop()
    (own_localaws.home / "localaws" / "moto" / "s3.pickle").write_bytes(b"\x80\x05garbage")
    with pytest.raises(RuntimeError, match=r"s3\.pickle cannot be read.*make reset"):
        start_process(own_localaws.home, own_localaws.port)


def test_a_failed_writing_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def dump(service: str) -> bytes:
        attempts.append(service)
        if len(attempts) == 1:
            raise OSError("disk full")
        return b"good"

    monkeypatch.setattr(state, "_dump", dump)
    kept = State(tmp_path, ["s3"], Bodies(tmp_path / "s3"))
    kept.restore()
    kept.changed("s3")
    with pytest.raises(OSError, match="disk full"):
        kept.write()
    kept.write()
    assert (tmp_path / "s3.pickle").read_bytes() == b"good"


def test_a_service_that_cannot_be_written_keeps_no_other_from_it_and_loses_no_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ["glue"]

    def dump(service: str) -> bytes:
        if service in broken:
            raise TypeError("cannot pickle")
        return service.encode()

    monkeypatch.setattr(state, "_dump", dump)
    bodies = Bodies(tmp_path / "s3")
    (tmp_path / "s3" / "old").write_bytes(b"what the snapshot on disk refers to")
    kept = State(tmp_path, ["glue", "s3"], bodies)
    bodies.discard("old")
    kept.changed("glue", "s3")
    with pytest.raises(TypeError, match="cannot pickle"):
        kept.write()
    assert (tmp_path / "s3.pickle").read_bytes() == b"s3"
    assert (tmp_path / "s3" / "old").exists()
    broken.clear()
    kept.write()
    assert (tmp_path / "glue.pickle").read_bytes() == b"glue"
    assert not (tmp_path / "s3" / "old").exists()


def test_the_writer_waits_for_requests_and_new_requests_wait_for_the_writer() -> None:
    lock = SharedLock()
    events: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def request() -> None:
        with lock.shared():
            inside.set()
            leave.wait(10)
            events.append("request ends")

    def writer() -> None:
        with lock.alone():
            events.append("writer")

    def late_request() -> None:
        with lock.shared():
            events.append("late request")

    first, second, third = (threading.Thread(target=work) for work in (request, writer, late_request))
    first.start()
    assert inside.wait(10)
    second.start()
    while not lock._alone:
        os.sched_yield()
    third.start()
    leave.set()
    for thread in (first, second, third):
        thread.join(10)
    assert events == ["request ends", "writer", "late request"]


def test_a_state_error_is_what_a_caller_can_catch(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text('{"format": 0, "moto": "1"}')
    with pytest.raises(StateError, match="format 0"):
        State(tmp_path, [], Bodies(tmp_path / "s3")).restore()


def test_a_body_is_a_file_of_its_own_until_a_snapshot_forgets_it(tmp_path: Path) -> None:
    bodies = Bodies(tmp_path)
    Body.bodies = bodies
    body = Body()
    assert body.read() == b""
    body.write(b"first")
    body.seek(1)
    assert (body.read(2), body.read()) == (b"ir", b"st")
    (old,) = tmp_path.iterdir()
    body.seek(0)
    body.truncate()
    body.write(b"second")
    body.seek(0)
    assert body.read() == b"second"
    assert old.read_bytes() == b"first", "the last snapshot may still refer to it"
    assert bodies.take_dead() == [old.name]
    body.close()
    body.close()
    assert len(bodies.take_dead()) == 1
