"""Lists and look-ups of what moto carries: pages are as large as asked for, and cost no more than what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from front_kit import TRUST, client
from localaws_kit import LocalAws


@pytest.fixture
def iam(localaws: LocalAws) -> Any:
    return client("iam")


def test_users_and_groups_come_in_pages(iam: Any) -> None:
    names = [f"paged-{index}" for index in range(5)]
    for name in names:
        iam.create_user(UserName=name)
        iam.create_group(GroupName=name)
        iam.add_user_to_group(UserName=names[0], GroupName=name)
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2}))
    assert {len(page["Users"]) for page in pages[:-1]} == {2}
    found = [user["UserName"] for page in pages for user in page["Users"]]
    assert sorted(set(found)) == sorted(found)
    assert set(names) <= set(found)
    first = iam.list_groups_for_user(UserName=names[0], MaxItems=3)
    assert (len(first["Groups"]), first["IsTruncated"]) == (3, True)
    last = iam.list_groups_for_user(UserName=names[0], MaxItems=3, Marker=first["Marker"])
    assert (len(last["Groups"]), last["IsTruncated"], last.get("Marker")) == (2, False, None)
    with pytest.raises(ClientError, match="Invalid Marker"):
        iam.list_users(Marker="elsewhere")


def test_uploads_come_in_pages_by_key(localaws: LocalAws) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="paged-uploads")
    made = {}
    for key in ("b/2", "a/1", "c", "b/1", "a/1"):
        upload = s3.create_multipart_upload(Bucket="paged-uploads", Key=key)["UploadId"]
        made[upload] = key
    pages = list(
        s3.get_paginator("list_multipart_uploads").paginate(Bucket="paged-uploads", PaginationConfig={"PageSize": 2})
    )
    assert [[upload["Key"] for upload in page["Uploads"]] for page in pages] == [["a/1", "a/1"], ["b/1", "b/2"], ["c"]]
    assert {upload["UploadId"]: upload["Key"] for page in pages for upload in page["Uploads"]} == made
    age = pages[0]["ResponseMetadata"]["HTTPHeaders"]["date"], pages[0]["Uploads"][0]["Initiated"]
    assert str(age[1].year) in age[0]
    grouped = s3.list_multipart_uploads(Bucket="paged-uploads", Delimiter="/")
    assert [each["Prefix"] for each in grouped["CommonPrefixes"]] == ["a/", "b/"]
    assert [upload["Key"] for upload in grouped["Uploads"]] == ["c"]
    assert grouped["IsTruncated"] is False
    chosen = s3.list_multipart_uploads(Bucket="paged-uploads", Prefix="b/", MaxUploads=1)
    assert ([upload["Key"] for upload in chosen["Uploads"]], chosen["NextKeyMarker"]) == (["b/1"], "b/1")


def replicas(answer: dict[str, Any]) -> dict[str, str]:
    return {each["Region"]: each["Status"] for each in answer["ReplicationStatus"]}


def test_replicas_of_secrets_are_read_in_their_regions(own_localaws: LocalAws) -> None:
    def at(region: str) -> Any:
        return boto3.Session(region_name=region).client("secretsmanager")

    here, there, taken = at("us-east-1"), at("eu-west-1"), at("eu-west-2")
    taken.create_secret(Name="shared", SecretString="another")
    arn = here.create_secret(Name="shared", SecretString="one", AddReplicaRegions=[{"Region": "eu-west-1"}])["ARN"]
    added = here.replicate_secret_to_regions(SecretId="shared", AddReplicaRegions=[{"Region": "eu-west-2"}])
    assert replicas(added) == {"eu-west-1": "InSync", "eu-west-2": "Failed"}
    here.put_secret_value(SecretId=arn, SecretString="two")

    own_localaws.kill()
    own_localaws.restart()

    here, there, taken = at("us-east-1"), at("eu-west-1"), at("eu-west-2")
    assert there.get_secret_value(SecretId="shared")["SecretString"] == "two"
    assert taken.get_secret_value(SecretId="shared")["SecretString"] == "another"
    replica = there.describe_secret(SecretId=arn.replace("us-east-1", "eu-west-1"))
    assert (replica["Name"], replica["PrimaryRegion"]) == ("shared", "us-east-1")
    with pytest.raises(ClientError, match="not permitted on a replica"):
        there.put_secret_value(SecretId="shared", SecretString="three")
    with pytest.raises(ClientError, match="still has replica regions"):
        here.delete_secret(SecretId="shared")
    for regions in (["us-east-1"], ["eu-west-1"], ["mars-1"], ["eu-west-3", "eu-west-3"], [None]):
        wanted = [{"Region": region} if region else {} for region in regions]
        with pytest.raises(ClientError) as refused:
            client("secretsmanager", parameter_validation=False).replicate_secret_to_regions(
                SecretId="shared", AddReplicaRegions=wanted
            )
        assert refused.value.response["Error"]["Code"] in ("InvalidParameterException", "ValidationException")
    left = here.remove_regions_from_replication(SecretId="shared", RemoveReplicaRegions=["eu-west-1", "eu-west-2"])
    assert left["ReplicationStatus"] == []
    with pytest.raises(there.exceptions.ResourceNotFoundException):
        there.get_secret_value(SecretId="shared")
    assert taken.get_secret_value(SecretId="shared")["SecretString"] == "another"
    here.delete_secret(SecretId="shared", ForceDeleteWithoutRecovery=True)


def test_a_secret_is_found_by_name_and_by_either_arn(localaws: LocalAws) -> None:
    secrets = client("secretsmanager")
    arns = {name: secrets.create_secret(Name=name, SecretString=name)["ARN"] for name in ("find-a", "find-a-bcdefg")}
    for name, arn in arns.items():
        for key in (name, arn, arn[:-7]):
            assert secrets.get_secret_value(SecretId=key)["SecretString"] == name
    for key in ("find", arns["find-a"] + "x", arns["find-a"][:-1]):
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId=key)


def test_what_a_request_only_compares_is_not_written_again(tmp_path: Path) -> None:
    from localaws.gateway.protocol.http import Headers, HttpRequest
    from localaws.moto_bridge import Moto
    from localaws.moto_bridge.records import _Change

    moto = Moto(tmp_path)
    moto.state.restore()
    taken: list[int] = []
    original = _Change._take

    def count(change: _Change, number: int) -> None:
        taken.append(number)
        original(change, number)

    def create(name: str) -> int:
        headers = Headers([("host", "127.0.0.1:4566"), ("content-type", "application/x-www-form-urlencoded")])
        from urllib.parse import urlencode

        form = {"Action": "CreateRole", "RoleName": name, "AssumeRolePolicyDocument": TRUST, "Version": "2010-05-08"}
        request = HttpRequest("POST", "/", "", headers, urlencode(form).encode())
        taken.clear()
        assert moto.handle("iam", "CreateRole", request).status == 200
        return len(taken)

    _Change._take = count  # type: ignore[assignment, method-assign]
    try:
        costs = [create(f"compared-{index}") for index in range(30)]
    finally:
        _Change._take = original  # type: ignore[method-assign]
        moto.state.stop()
    assert json.dumps(costs[-1]) == json.dumps(costs[1])
