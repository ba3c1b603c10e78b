"""BatchWriteRecord: many records in one request, each accepted or refused by itself."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from feature_kit import Kit, record
from localaws_kit import LocalAws
from waiting_kit import until

NOON = 1_700_000_000


def test_a_batch_is_on_disk_before_its_answer(own_localaws: LocalAws) -> None:
    kit = Kit()
    first, second = kit.group(), kit.group()
    entries = [
        {"FeatureGroupName": name, "Record": record(id=f"r{number}", at=NOON, count=number)}
        for name in (first, second)
        for number in range(12)
    ]
    answer = kit.runtime.batch_write_record(Entries=entries)
    own_localaws.kill()
    own_localaws.restart()
    assert (answer["Errors"], answer["UnprocessedEntries"]) == ([], [])
    found = [kit.get(name, f"r{number}") for name in (first, second) for number in range(12)]
    assert [(each or {}).get("count") for each in found] == [str(number) for number in (*range(12), *range(12))]
    until(lambda: kit.count(first) >= 12)
    assert kit.query(first, "SELECT count(*), count(DISTINCT id) FROM {table}") == [("12", "12")]


def test_a_bad_entry_is_named_and_the_others_are_written(localaws: LocalAws) -> None:
    kit = Kit()
    name = kit.group()
    good = {"FeatureGroupName": kit.describe(name)["FeatureGroupArn"], "Record": record(id="good", at=NOON, count=1)}
    bad = {"FeatureGroupName": name, "Record": record(id="bad", at=NOON, count="many")}
    lost = {"FeatureGroupName": "no-such-group", "Record": record(id="lost", at=NOON)}
    errors = kit.runtime.batch_write_record(Entries=[bad, good, lost])["Errors"]
    assert [error["Entry"] for error in errors] == [bad, lost]
    assert [error["ErrorCode"] for error in errors] == ["ValidationError", "ResourceNotFound"]
    assert "count" in errors[0]["ErrorMessage"]
    assert kit.get(name, "good") is not None
    assert kit.get(name, "bad") is None


def test_an_entry_has_its_own_stores_and_time_to_live(localaws: LocalAws) -> None:
    kit = Kit()
    name = kit.group()
    hours, seconds = {"Unit": "Hours", "Value": 1}, {"Unit": "Seconds", "Value": 1}
    late = 4_000_000_000
    entries = [
        {"FeatureGroupName": name, "Record": record(id="own", at=NOON), "TtlDuration": seconds},
        {"FeatureGroupName": name, "Record": record(id="shared", at=late)},
        {"FeatureGroupName": name, "Record": record(id="offline", at=late), "TargetStores": ["OfflineStore"]},
    ]
    kit.runtime.batch_write_record(Entries=entries, TtlDuration=hours)
    assert kit.get(name, "own") is None
    assert kit.get(name, "offline") is None
    found = kit.runtime.get_record(
        FeatureGroupName=name, RecordIdentifierValueAsString="shared", ExpirationTimeResponse="Enabled"
    )
    assert found["ExpiresAt"] == "2096-10-02T08:06:40Z"


def test_a_batch_of_more_than_25_records_is_refused_whole(localaws: LocalAws) -> None:
    kit = Kit()
    name = kit.group()
    entries = [{"FeatureGroupName": name, "Record": record(id=str(number), at=NOON)} for number in range(26)]
    with pytest.raises(ClientError, match="25"):
        boto3.client("sagemaker-featurestore-runtime").batch_write_record(Entries=entries)
    assert kit.get(name, "0") is None
