"""Feature Store over boto3: groups, records online and offline, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from feature_kit import BUCKET, FEATURES, Kit, record
from localaws_kit import LocalAws
from waiting_kit import until

NOON = 1_700_000_000  # 2023-11-14 22:13:20 UTC


@pytest.fixture(scope="module")
def kit(localaws: LocalAws) -> Iterator[Kit]:
    yield Kit()


@pytest.fixture(scope="module")
def shared(kit: Kit) -> str:
    """A group for tests that only need one, each with identifiers of its own."""
    return kit.group()


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """Code and message of the error."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_group_is_described_with_what_follows_from_its_request(kit: Kit) -> None:
    request = kit.request(Description="reviews", Tags=[{"Key": "team", "Value": "ml"}])
    name = request["FeatureGroupName"]
    arn = kit.sagemaker.create_feature_group(**request)["FeatureGroupArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:feature-group/{name}"
    found = kit.settled(name)
    assert found["FeatureGroupStatus"] == "Created"
    assert found["OfflineStoreStatus"] == {"Status": "Active"}
    config = found["OfflineStoreConfig"]
    epoch = int(found["CreationTime"].timestamp())
    assert config["S3StorageConfig"]["ResolvedOutputS3Uri"] == (
        f"s3://{BUCKET}/features/123456789012/sagemaker/us-east-1/offline-store/{name}-{epoch}/data"
    )
    assert config["DataCatalogConfig"] == {
        "Catalog": "AwsDataCatalog",
        "Database": "sagemaker_featurestore",
        "TableName": f"{name.replace('-', '_')}_{epoch}",
    }
    assert kit.describe(arn)["FeatureGroupName"] == name
    assert kit.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]
    assert refused(kit.sagemaker.create_feature_group, **request)[0] == "ResourceInUse"


def test_a_record_is_read_back_online_and_counted_by_athena(kit: Kit) -> None:
    name = kit.group()
    kit.put(name, "a", NOON, count=3, score="0.5", text="good, ünï")
    kit.put(name, "b", NOON + 7200, count=-1)
    assert kit.get(name, "a") == {"id": "a", "at": str(NOON), "count": "3", "score": "0.5", "text": "good, ünï"}
    assert kit.get(name, "b", FeatureNames=["count", "text"]) == {"count": "-1"}
    assert kit.get(name, "nobody") is None
    until(lambda: len(kit.objects(name)) == 2)
    assert re.fullmatch(
        r"year=2023/month=11/day=14/hour=22/20231114T221320Z_[0-9a-z]{16}\.parquet", kit.objects(name)[0]
    )
    sql = "SELECT id, at, count, score, text, is_deleted, year, hour, api_invocation_time <= write_time FROM {table}"
    assert sorted(kit.query(name, sql)) == [
        ("a", "1.7E9", "3", "0.5", "good, ünï", "false", "2023", "22", "true"),
        ("b", "1.7000072E9", "-1", None, None, "false", "2023", "00", "true"),
    ]
    assert kit.query(name, "SELECT id FROM {table} WHERE hour = '22'") == [("a",)]


def test_the_latest_event_time_wins_online_and_all_are_offline(kit: Kit) -> None:
    name = kit.group()
    kit.put(name, "a", NOON, text="first")
    kit.put(name, "a", NOON + 1, text="later")
    kit.put(name, "a", NOON - 1, text="late to come")
    kit.put(name, "a", NOON + 1, text="at the same time")
    assert (kit.get(name, "a") or {})["text"] == "later"
    until(lambda: kit.count(name) == 4)


def test_a_string_event_time_is_iso_8601(kit: Kit) -> None:
    kinds = {**FEATURES, "at": "String"}
    definitions = [{"FeatureName": each, "FeatureType": kind} for each, kind in kinds.items()]
    name = kit.group(FeatureDefinitions=definitions, OfflineStoreConfig=None, RoleArn=None)
    kit.put(name, "a", "2024-02-29T10:00:00.500Z", text="later")
    kit.put(name, "a", "2024-02-29T10:00:00Z", text="earlier")
    assert (kit.get(name, "a") or {})["text"] == "later"
    for bad in ("2024-02-30T10:00:00Z", "2024-02-29 10:00:00", "1700000000", "2024-02-29T10:00:00+02:00"):
        code, message = refused(kit.runtime.put_record, FeatureGroupName=name, Record=record(id="b", at=bad))
        assert (code, "ISO-8601" in message) == ("ValidationError", True), bad


BAD_RECORDS = {
    "no identifier": (record(at=NOON), "RecordIdentifier"),
    "an empty identifier": (record(id="", at=NOON), "RecordIdentifier"),
    "no event time": (record(id="x"), "EventTime"),
    "an event time that is none": (record(id="x", at="-5"), "Unix seconds"),
    "a fraction for an integral feature": (record(id="x", at=NOON, count="1.5"), "not an Integral"),
    "an integral feature of more than 64 bits": (record(id="x", at=NOON, count=2**63), "not an Integral"),
    "a word for a fractional feature": (record(id="x", at=NOON, score="much"), "not a Fractional"),
    "an unknown feature": (record(id="x", at=NOON, colour="red"), "no feature colour"),
    "a feature twice": (record(id="x", at=NOON) + record(id="y"), "more than once"),
    "a text of two lines": (record(id="x", at=NOON, text="one\ntwo"), "regular expression pattern"),
    "a list for a scalar": (
        [*record(id="x", at=NOON), {"FeatureName": "text", "ValueAsStringList": ["a"]}],
        "is not a collection",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_bad_record_is_refused_and_leaves_no_trace(kit: Kit, shared: str, case: str) -> None:
    bad, said = BAD_RECORDS[case]
    code, message = refused(kit.runtime.put_record, FeatureGroupName=shared, Record=bad)
    assert (code, said in message) == ("ValidationError", True), message
    assert kit.get(shared, "x") is None


def test_a_group_that_is_not_there_is_reported_as_each_operation_declares_it(kit: Kit, shared: str) -> None:
    runtime, ask = kit.runtime, {"FeatureGroupName": "nobody", "RecordIdentifierValueAsString": "a"}
    code, message = refused(runtime.put_record, FeatureGroupName="nobody", Record=record(id="a", at=NOON))
    assert (code, "can't find a FeatureGroup with name nobody" in message) == ("ValidationError", True)
    with pytest.raises(runtime.exceptions.ResourceNotFound):
        runtime.get_record(**ask)
    with pytest.raises(runtime.exceptions.ValidationError):
        runtime.delete_record(**ask, EventTime=str(NOON))
    arn = f"arn:aws:sagemaker:us-east-1:210987654321:feature-group/{shared}"
    with pytest.raises(runtime.exceptions.AccessForbidden):
        runtime.get_record(FeatureGroupName=arn, RecordIdentifierValueAsString="a")
    assert refused(runtime.get_record, FeatureGroupName=shared, RecordIdentifierValueAsString="a", FeatureNames=["z"])
    assert refused(kit.sagemaker.describe_feature_group, FeatureGroupName="nobody")[0] == "ResourceNotFound"


def test_a_batch_gives_records_and_errors(kit: Kit, shared: str) -> None:
    kit.put(shared, "batch-1", NOON, text="one")
    kit.put(shared, "batch-2", NOON, text="two")
    answer = kit.runtime.batch_get_record(
        Identifiers=[
            {
                "FeatureGroupName": shared,
                "RecordIdentifiersValueAsString": ["batch-1", "batch-2", "batch-3"],
                "FeatureNames": ["text"],
            },
            {"FeatureGroupName": "nobody", "RecordIdentifiersValueAsString": ["a"]},
        ]
    )
    assert [(each["RecordIdentifierValueAsString"], each["Record"]) for each in answer["Records"]] == [
        ("batch-1", record(text="one")),
        ("batch-2", record(text="two")),
    ]
    assert [(e["FeatureGroupName"], e["ErrorCode"]) for e in answer["Errors"]] == [("nobody", "ResourceNotFound")]
    assert answer["UnprocessedIdentifiers"] == []


def test_a_soft_delete_keeps_the_event_time_and_marks_the_offline_store(kit: Kit) -> None:
    name = kit.group()
    kit.put(name, "a", NOON, text="here")
    ask = {"FeatureGroupName": name, "RecordIdentifierValueAsString": "a"}
    kit.runtime.delete_record(**ask, EventTime=str(NOON - 1))
    assert kit.get(name, "a") is not None
    kit.runtime.delete_record(**ask, EventTime=str(NOON + 10))
    assert kit.get(name, "a") is None
    kit.put(name, "a", NOON + 5, text="older than its deletion")
    assert kit.get(name, "a") is None
    kit.put(name, "a", NOON + 11, text="back")
    assert (kit.get(name, "a") or {})["text"] == "back"
    until(lambda: kit.count(name) == 5)
    assert kit.query(name, "SELECT count(*), count(text) FROM {table} WHERE is_deleted") == [("2", "0")]


def test_a_hard_delete_forgets_the_record_and_refuses_an_older_event_time(kit: Kit, shared: str) -> None:
    kit.put(shared, "hard", NOON, text="here")
    ask = {"FeatureGroupName": shared, "RecordIdentifierValueAsString": "hard", "DeletionMode": "HardDelete"}
    assert refused(kit.runtime.delete_record, **ask, EventTime=str(NOON))[0] == "ValidationError"
    assert kit.get(shared, "hard") is not None
    kit.runtime.delete_record(**ask, EventTime=str(NOON + 1))
    assert kit.get(shared, "hard") is None
    kit.put(shared, "hard", NOON - 100, text="anew")
    assert (kit.get(shared, "hard") or {})["text"] == "anew"


def test_a_record_lives_as_long_as_its_time_to_live(kit: Kit) -> None:
    config = {"EnableOnlineStore": True, "TtlDuration": {"Unit": "Weeks", "Value": 5000}}
    name = kit.group(OnlineStoreConfig=config, OfflineStoreConfig=None, RoleArn=None)
    kit.put(name, "long", NOON)
    kit.put(name, "short", NOON, options={"TtlDuration": {"Unit": "Hours", "Value": 1}})
    assert kit.get(name, "short") is None
    kit.put(name, "short", NOON - 10, text="what has expired is not in the way")
    assert kit.get(name, "short") is not None
    ask = {"FeatureGroupName": name, "RecordIdentifierValueAsString": "long"}
    answer = kit.runtime.get_record(**ask, ExpirationTimeResponse="Enabled")
    assert answer["ExpiresAt"] == "2119-09-12T22:13:20Z"
    assert "ExpiresAt" not in kit.runtime.get_record(**ask)
    update = {"TtlDuration": {"Unit": "Seconds", "Value": 1}}
    kit.sagemaker.update_feature_group(FeatureGroupName=name, OnlineStoreConfig=update)
    kit.put(name, "long", NOON + 1)
    assert kit.get(name, "long") is None


def test_records_go_to_the_stores_that_the_request_names(kit: Kit) -> None:
    name = kit.group()
    kit.put(name, "online", NOON, options={"TargetStores": ["OnlineStore"]})
    kit.put(name, "offline", NOON, options={"TargetStores": ["OfflineStore"]})
    assert kit.get(name, "online") is not None
    assert kit.get(name, "offline") is None
    until(lambda: kit.query(name, "SELECT id FROM {table}") == [("offline",)])
    bare = kit.group(OnlineStoreConfig=None)
    assert refused(kit.runtime.get_record, FeatureGroupName=bare, RecordIdentifierValueAsString="a")[0] == (
        "ValidationError"
    )
    code, _ = refused(
        kit.runtime.put_record, FeatureGroupName=bare, Record=record(id="a", at=NOON), TargetStores=["OnlineStore"]
    )
    assert code == "ValidationError"


def test_features_are_added_and_old_files_read_as_null(kit: Kit) -> None:
    name = kit.group()
    kit.put(name, "old", NOON)
    until(lambda: kit.count(name) == 1)
    added = [{"FeatureName": "Split", "FeatureType": "String"}]
    kit.sagemaker.update_feature_group(FeatureGroupName=name, FeatureAdditions=added)
    found = kit.describe(name)
    assert found["FeatureDefinitions"][-1] == added[0]
    assert found["LastUpdateStatus"] == {"Status": "Successful"}
    kit.put(name, "new", NOON, Split="train")
    until(lambda: kit.count(name) == 2)
    assert sorted(kit.query(name, "SELECT id, split FROM {table}")) == [("new", "train"), ("old", None)]
    assert refused(kit.sagemaker.update_feature_group, FeatureGroupName=name, FeatureAdditions=added)[0] == (
        "ValidationException"
    )


BAD_GROUPS: dict[str, dict[str, Any]] = {
    "no store": {"OnlineStoreConfig": None, "OfflineStoreConfig": None},
    "no role": {"RoleArn": None},
    "an identifier that is no feature": {"RecordIdentifierFeatureName": "nobody"},
    "an integral event time": {"EventTimeFeatureName": "count"},
    "a reserved name": {"FeatureDefinitions": [{"FeatureName": "is_deleted", "FeatureType": "String"}]},
    "a feature twice": {
        "FeatureDefinitions": [
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "String"},
            {"FeatureName": "ID", "FeatureType": "String"},
        ]
    },
}
UNLIKE_AWS: dict[str, dict[str, Any]] = {
    "Iceberg": {
        "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/x"}, "TableFormat": "Iceberg"},
    },
    "InMemory": {"OnlineStoreConfig": {"EnableOnlineStore": True, "StorageType": "InMemory"}},
    "Vector": {
        "FeatureDefinitions": [{"FeatureName": "v", "FeatureType": "Fractional", "CollectionType": "Vector"}],
    },
}


@pytest.mark.parametrize("case", BAD_GROUPS)
def test_a_bad_definition_is_refused(kit: Kit, case: str) -> None:
    request = kit.request(**BAD_GROUPS[case])
    assert refused(kit.sagemaker.create_feature_group, **request)[0] == "ValidationException"
    assert refused(kit.sagemaker.describe_feature_group, FeatureGroupName=request["FeatureGroupName"])


@pytest.mark.parametrize("case", UNLIKE_AWS)
def test_what_localaws_does_not_do_is_refused_by_name(kit: Kit, case: str) -> None:
    code, message = refused(kit.sagemaker.create_feature_group, **kit.request(**UNLIKE_AWS[case]))
    assert (code, case in message) == ("NotImplemented", True)


def test_a_group_whose_bucket_is_not_there_fails(kit: Kit) -> None:
    request = kit.request(OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://no-such-bucket-here/x"}})
    kit.sagemaker.create_feature_group(**request)
    found = kit.settled(request["FeatureGroupName"])
    assert found["FeatureGroupStatus"] == "CreateFailed"
    assert "no-such-bucket-here" in found["FailureReason"]
    code, message = refused(
        kit.runtime.put_record, FeatureGroupName=request["FeatureGroupName"], Record=record(id="a", at=NOON)
    )
    assert (code, "CreateFailed" in message) == ("ValidationError", True)


def test_without_a_glue_table_the_data_is_in_s3_all_the_same(kit: Kit) -> None:
    config = {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/bare"}, "DisableGlueTableCreation": True}
    name = kit.group(OfflineStoreConfig=config)
    assert "DataCatalogConfig" not in kit.describe(name)["OfflineStoreConfig"]
    kit.put(name, "a", NOON)
    until(lambda: len(kit.objects(name)) == 1)


def test_groups_are_listed_by_name_status_and_page(kit: Kit) -> None:
    names = [kit.group(FeatureGroupName=f"listed-{n}", OfflineStoreConfig=None, RoleArn=None) for n in "abc"]
    pages = kit.sagemaker.get_paginator("list_feature_groups").paginate(
        NameContains="listed-", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    assert [[each["FeatureGroupName"] for each in page["FeatureGroupSummaries"]] for page in pages] == [
        names[:2],
        names[2:],
    ]
    found = kit.sagemaker.list_feature_groups(NameContains="listed-", FeatureGroupStatusEquals="CreateFailed")
    assert found["FeatureGroupSummaries"] == []
    found = kit.sagemaker.list_feature_groups(NameContains="listed-", OfflineStoreStatusEquals="Disabled")
    assert len(found["FeatureGroupSummaries"]) == 3


def test_a_deleted_group_flushes_first_and_leaves_its_data(kit: Kit) -> None:
    name = kit.group()
    catalog = kit.describe(name)["OfflineStoreConfig"]["DataCatalogConfig"]
    uri = kit.describe(name)["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    kit.put(name, "a", NOON)
    kit.sagemaker.delete_feature_group(FeatureGroupName=name)
    until(lambda: not kit.sagemaker.list_feature_groups(NameContains=name)["FeatureGroupSummaries"])
    assert kit.glue.get_table(DatabaseName=catalog["Database"], Name=catalog["TableName"])
    prefix = uri.removeprefix(f"s3://{BUCKET}/")
    assert kit.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"] == 1
    assert kit.group(FeatureGroupName=name) == name
    assert kit.get(name, "a") is None


def test_feature_metadata_is_changed_and_described(kit: Kit, shared: str) -> None:
    which = {"FeatureGroupName": shared, "FeatureName": "text"}
    parameters = [{"Key": "source", "Value": "reviews"}, {"Key": "pii", "Value": "no"}]
    kit.sagemaker.update_feature_metadata(**which, Description="the review", ParameterAdditions=parameters)
    kit.sagemaker.update_feature_metadata(**which, ParameterRemovals=["pii"])
    found = kit.sagemaker.describe_feature_metadata(**which)
    assert (found["Description"], found["FeatureType"], found["Parameters"]) == (
        "the review",
        "String",
        parameters[:1],
    )
    assert found["LastModifiedTime"] > found["CreationTime"]
    unknown = {"FeatureGroupName": shared, "FeatureName": "colour"}
    assert refused(kit.sagemaker.describe_feature_metadata, **unknown)[0] == "ResourceNotFound"


def test_eight_readers_see_every_record_whole_while_it_is_written(kit: Kit, shared: str) -> None:
    def work(turn: int) -> bool:
        id = f"load-{turn % 5}"
        if turn % 4 == 0:
            kit.put(shared, id, NOON + turn, count=turn, text=str(turn))
        found = kit.get(shared, id)
        return found is None or found["count"] == found["text"]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert (kit.get(shared, "load-0") or {})["at"] == str(NOON + 180)


def test_a_store_that_cannot_be_written_is_blocked_and_goes_on_when_it_can(kit: Kit) -> None:
    kit.s3.create_bucket(Bucket="goes-away")
    name = kit.group(OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://goes-away/x"}})
    kit.s3.delete_bucket(Bucket="goes-away")
    kit.put(name, "a", NOON)
    until(lambda: kit.describe(name)["OfflineStoreStatus"]["Status"] == "Blocked")
    assert "NoSuchBucket" in kit.describe(name)["OfflineStoreStatus"]["BlockedReason"]
    assert kit.get(name, "a") is not None
    kit.sagemaker.delete_feature_group(FeatureGroupName=name)
    until(lambda: kit.describe(name)["FeatureGroupStatus"] == "DeleteFailed")
    kit.s3.create_bucket(Bucket="goes-away")
    kit.sagemaker.delete_feature_group(FeatureGroupName=name)
    until(lambda: not kit.sagemaker.list_feature_groups(NameContains=name)["FeatureGroupSummaries"])
    assert kit.s3.list_objects_v2(Bucket="goes-away")["KeyCount"] == 1


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(own_localaws: LocalAws) -> None:
    kit = Kit()
    name = kit.group()
    for turn in range(5):
        kit.put(name, f"flushed-{turn}", NOON)
    until(lambda: len(kit.objects(name)) > 0)
    before = kit.objects(name)
    location = kit.describe(name)["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
    # What a kill within a second of the flush does to an object.
    prefix = location.removeprefix(f"s3://{BUCKET}/")
    kit.s3.delete_object(Bucket=BUCKET, Key=f"{prefix}/{before[0]}")
    for turn in range(20):
        kit.put(name, f"queued-{turn}", NOON)
    own_localaws.kill()
    own_localaws.restart()
    assert all(kit.get(name, f"queued-{turn}") for turn in range(20))
    until(lambda: kit.count(name) >= 25)
    assert kit.query(name, "SELECT count(*), count(DISTINCT id) FROM {table}") == [("25", "25")]
    after = kit.objects(name)
    assert set(before) < set(after)
    kit.put(name, "last", NOON)
    own_localaws.stop()
    own_localaws.restart()
    assert kit.get(name, "last") is not None
    until(lambda: len(kit.objects(name)) == len(after) + 1)
