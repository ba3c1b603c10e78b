"""Bucketed tables: where CTAS puts a row, and which files a query with a condition on the bucket column reads."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pyarrow as pa
import pytest
from athena_tools import Athena

from localaws.athena import types
from localaws.athena.tables.buckets import Buckets

#: 200 rows of every type that a table may be bucketed by.
ROWS = """
SELECT CAST(i AS integer) AS id, CAST(i AS bigint) * 5000000011 - 400000000000 AS big,
  CASE WHEN i % 17 = 0 THEN NULL ELSE 'näme-' || CAST(i % 40 AS varchar) END AS name,
  DATE '2020-01-01' + i * INTERVAL '1' DAY AS day, i % 2 = 0 AS even, CAST(i % 100 - 50 AS tinyint) AS tiny
FROM UNNEST(sequence(1, 200)) AS t(i)
"""


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("bucket_tests")


def bucketed(athena: Athena, columns: str, count: int = 8, *, source: str = ROWS, more: str = "") -> str:
    """Make a bucketed table; its name."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    where = f"s3://{athena.bucket}/{name}/"
    options = f"external_location = '{where}', bucketed_by = ARRAY[{columns}], bucket_count = {count}{more}"
    athena.run(f"CREATE TABLE {name} WITH ({options}) AS {source}")
    return name


def read(athena: Athena, sql: str) -> tuple[list[list[str | None]], int]:
    """Rows and bytes scanned."""
    execution = athena.run(sql)
    rows = athena.results(execution)["ResultSet"]["Rows"][1:]
    found = [[value.get("VarCharValue") for value in row["Data"]] for row in rows]
    return found, execution["Statistics"]["DataScannedInBytes"]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        # Java: "abc".hashCode() is 96354, "".hashCode() 0; the bytes of UTF-8 are signed.
        (types.VARCHAR, ["abc", "", None, "zzzzzzz", "é"], [96354, 0, 0, 215481018, -61 * 31 - 87]),
        (types.INTEGER, [0, 7, -7, None, 2**31 - 1], [0, 7, -7, 0, 2**31 - 1]),
        (types.BIGINT, [7, -7, 2**40 + 3, None], [7, 6, 256 + 3, 0]),
        (types.BOOLEAN, [True, False, None], [1, 0, 0]),
        (types.DATE, [datetime.date(1970, 1, 11), datetime.date(1969, 12, 31)], [10, -1]),
    ],
)
def test_rows_are_hashed_as_hive_hashes_them(kind: types.Type, values: list[Any], expected: list[int]) -> None:
    arrow = {"varchar": pa.string(), "integer": pa.int32(), "bigint": pa.int64()}.get(kind.base)
    array = pa.array([None, *values], arrow).slice(1)
    wanted = [(value & 0x7FFFFFFF) % 1009 for value in expected]
    assert Buckets((("c", kind),), 1009).numbers([array]).tolist() == wanted


def test_several_columns_are_hashed_together() -> None:
    pair = Buckets((("a", types.INTEGER), ("b", types.VARCHAR)), 1009)
    assert pair.numbers([pa.array([5], pa.int32()), pa.array(["abc"])]).tolist() == [(5 * 31 + 96354) % 1009]


@pytest.mark.parametrize(
    ("column", "condition"),
    [
        ("id", "id = 57"),
        ("big", "big = BIGINT '-114999999373'"),
        ("name", "'näme-3' = name"),
        ("day", "day IN (DATE '2020-02-01', DATE '2020-02-02')"),
        ("tiny", "(tiny = TINYINT '-20') AND id > 0"),
    ],
)
def test_condition_on_the_bucket_column_reads_its_buckets_alone(athena: Athena, column: str, condition: str) -> None:
    name = bucketed(athena, f"'{column}'")
    whole, all_bytes = read(athena, f"SELECT * FROM {name} WHERE NOT (NOT ({condition}))")
    found, some_bytes = read(athena, f"SELECT * FROM {name} WHERE {condition}")
    assert (sorted(map(str, found)), len(found) > 0) == (sorted(map(str, whole)), True)
    assert some_bytes < all_bytes / 2
    assert athena.rows(f"SELECT count(*) FROM {name}") == [["200"]]


def test_bucketed_table_is_described_and_its_files_are_named_by_bucket(athena: Athena) -> None:
    name = bucketed(athena, "'id', 'name'", 4)
    descriptor = athena.glue.get_table(DatabaseName=athena.database, Name=name)["Table"]["StorageDescriptor"]
    assert (descriptor["BucketColumns"], descriptor["NumberOfBuckets"]) == (["id", "name"], 4)
    files = sorted(athena.keys(f"{name}/"))
    assert [file.rsplit("_", 1)[1] for file in files] == [f"bucket-0000{number}" for number in range(4)]
    _, all_bytes = read(athena, f"SELECT * FROM {name}")
    assert read(athena, f"SELECT * FROM {name} WHERE id = 5")[1] == all_bytes, "one of two columns tells nothing"
    both = f"SELECT id FROM {name} WHERE name = 'näme-5' AND id = 5"
    assert (athena.rows(both), read(athena, both.replace("id FROM", "* FROM"))[1] < all_bytes / 2) == ([["5"]], True)
    assert "not supported" in athena.reason(f"INSERT INTO {name} SELECT * FROM {name}")


def test_partitions_have_buckets_of_their_own(athena: Athena) -> None:
    source = f"SELECT id, name, even FROM ({ROWS})"
    name = bucketed(athena, "'id'", 4, source=source, more=", partitioned_by = ARRAY['even'], format = 'JSON'")
    assert len(athena.keys(f"{name}/even=true/")) == 2, "even ids have even buckets"
    _, all_bytes = read(athena, f"SELECT * FROM {name} WHERE even")
    found, some_bytes = read(athena, f"SELECT id, even FROM {name} WHERE id = 6 AND even")
    assert (found, some_bytes < all_bytes) == ([["6", "true"]], True)


def test_files_that_do_not_say_their_bucket_are_all_read(athena: Athena) -> None:
    name = bucketed(athena, "'id'", 4)
    athena.put(f"{name}/more.parquet", athena.get(f"s3://{athena.bucket}/{athena.keys(f'{name}/')[1]}"))
    found, some_bytes = read(athena, f"SELECT id FROM {name} WHERE id = 57")
    assert some_bytes == read(athena, f"SELECT id FROM {name}")[1]
    assert found in ([["57"]], [["57"], ["57"]])


@pytest.mark.parametrize("parameters", [{"bucketing_format": "spark"}, {"bucketing_version": "2"}])
def test_buckets_of_another_hash_are_all_read(athena: Athena, parameters: dict[str, str]) -> None:
    name = bucketed(athena, "'id'", 4)
    listed = ", ".join(f"'{key}' = '{value}'" for key, value in parameters.items())
    athena.run(f"ALTER TABLE {name} SET TBLPROPERTIES ({listed})")
    assert read(athena, f"SELECT id FROM {name} WHERE id = 57")[1] == read(athena, f"SELECT id FROM {name}")[1]


def test_conditions_that_decide_nothing_lose_no_row(athena: Athena) -> None:
    name = bucketed(athena, "'id'", 8, source="SELECT CAST(i AS integer) AS id FROM UNNEST(sequence(1, 50)) AS t(i)")
    for condition, count in {
        "id = 7 OR id = 8": 2,
        "id = 7e0": 1,
        "id = 7 + 1": 1,
        "id = 5000000000": 0,
        "id IN (SELECT id FROM (VALUES 3, 4) AS v(id))": 2,
        "id IN (3, NULL)": 1,
        "NOT id = 7": 49,
        "id = 7 AND id = 8": 0,
    }.items():
        assert athena.rows(f"SELECT count(*) FROM {name} WHERE {condition}") == [[str(count)]], condition
    joined = f"SELECT count(*) FROM {name} AS a LEFT JOIN {name} AS b ON a.id = b.id + 1 WHERE b.id = 9"
    assert athena.rows(joined) == [["1"]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("bucketed_by = ARRAY['id']", "bucketed_by and bucket_count must be specified together"),
        ("bucket_count = 3", "bucketed_by and bucket_count must be specified together"),
        ("bucketed_by = ARRAY['nobody'], bucket_count = 3", "Bucketing columns ['nobody'] not present in schema"),
        ("bucketed_by = ARRAY['d'], bucket_count = 3", "Bucketing by the column d of type double is not supported"),
    ],
)
def test_buckets_that_cannot_be_are_refused(athena: Athena, options: str, reason: str) -> None:
    assert reason in athena.reason(f"CREATE TABLE never WITH ({options}) AS SELECT 1 AS id, 1e0 AS d")


def test_buckets_of_awswrangler_are_pruned(athena: Athena) -> None:
    import awswrangler
    import boto3
    import pandas

    frame = pandas.DataFrame({"key": [f"k{number}" for number in range(60)], "n": range(60)})
    awswrangler.s3.to_parquet(
        frame,
        path=f"s3://{athena.bucket}/wrangled/",
        dataset=True,
        database=athena.database,
        table="wrangled",
        bucketing_info=(["key"], 6),
        boto3_session=boto3.session.Session(),
    )
    found, some_bytes = read(athena, "SELECT key, n FROM wrangled WHERE key = 'k41'")
    assert (found, some_bytes < read(athena, "SELECT key, n FROM wrangled")[1] / 2) == ([["k41", "41"]], True)
