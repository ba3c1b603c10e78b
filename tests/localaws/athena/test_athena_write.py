"""CTAS, INSERT and UNLOAD write data files that others can read, all or nothing."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from athena_tools import Athena


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("write_tests")


def _manifest(athena: Athena, execution: dict[str, Any]) -> list[str]:
    body = athena.get(execution["Statistics"]["DataManifestLocation"]).decode()
    return body.split("\n") if body else []


def test_ctas_makes_a_table_of_parquet_files(athena: Athena) -> None:
    execution = athena.run("CREATE TABLE made AS SELECT 1 AS id, 'a' AS name, ARRAY[1.5] AS l, DATE '2020-01-01' AS d")
    identifier = execution["QueryExecutionId"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{athena.output}tables/{identifier}"
    answer = athena.results(execution)
    assert (answer["UpdateCount"], answer["ResultSet"]["Rows"]) == (1, [])
    (uri,) = _manifest(athena, execution)
    assert uri.startswith(f"{athena.output}tables/{identifier}/")
    table = pq.read_table(io.BytesIO(athena.get(uri)))
    assert table.to_pylist()[0]["name"] == "a"
    columns = athena.glue.get_table(DatabaseName=athena.database, Name="made")["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Type"] for column in columns] == ["int", "string", "array<double>", "date"]
    assert athena.rows("SELECT * FROM made") == [["1", "a", "[1.5]", "2020-01-01"]]


@pytest.mark.parametrize(
    ("properties", "suffix"),
    [
        ("format = 'PARQUET', write_compression = 'SNAPPY'", ""),
        ("format = 'PARQUET', parquet_compression = 'ZSTD'", ""),
        ("format = 'JSON'", ".gz"),
        ("format = 'TEXTFILE', field_delimiter = ',', write_compression = 'NONE'", ""),
        ("format = 'TEXTFILE'", ".gz"),
    ],
)
def test_ctas_writes_each_format_so_that_it_reads_back(athena: Athena, properties: str, suffix: str) -> None:
    name = "format_" + "".join(filter(str.isalnum, properties)).lower()
    location = f"s3://{athena.bucket}/{name}/"
    execution = athena.run(
        f"CREATE TABLE {name} WITH ({properties}, external_location = '{location}') AS"
        " SELECT * FROM (VALUES (1, 'a', CAST(1.5 AS double), TIMESTAMP '2020-01-01 10:00:00.5', true),"
        " (2, NULL, NULL, NULL, NULL)) AS v(id, name, x, t, b)"
    )
    (uri,) = _manifest(athena, execution)
    assert uri.startswith(location)
    assert uri.endswith(suffix)
    assert athena.rows(f"SELECT * FROM {name} ORDER BY id") == [
        ["1", "a", "1.5", "2020-01-01 10:00:00.500", "true"],
        ["2", None, None, None, None],
    ]
    athena.run(f"INSERT INTO {name} VALUES (3, 'c', 2.5, NULL, false)")
    assert athena.rows(f"SELECT count(*), max(id) FROM {name}") == [["3", "3"]]


def test_ctas_partitions_by_its_last_columns(athena: Athena) -> None:
    location = f"s3://{athena.bucket}/by_part/"
    execution = athena.run(
        f"CREATE TABLE by_part WITH (external_location = '{location}', partitioned_by = ARRAY['y', 'p']) AS"
        " SELECT * FROM (VALUES (1, 2020, 'a/b'), (2, 2021, NULL), (3, 2020, 'a/b')) AS v(id, y, p)"
    )
    folders = sorted({uri.rsplit("/", 1)[0] for uri in _manifest(athena, execution)})
    assert folders == [f"{location}y=2020/p=a%2Fb", f"{location}y=2021/p=__HIVE_DEFAULT_PARTITION__"]
    assert athena.rows("SELECT id, y, p FROM by_part ORDER BY id") == [
        ["1", "2020", "a/b"],
        ["2", "2021", None],
        ["3", "2020", "a/b"],
    ]
    assert athena.rows("SELECT count(*) FROM by_part WHERE p = 'a/b'") == [["2"]]
    athena.run("INSERT INTO by_part VALUES (4, 2022, 'new'), (5, 2020, 'a/b')")
    assert athena.lines("SHOW PARTITIONS by_part")[-1] == ["y=2022/p=new"]
    assert athena.rows("SELECT count(*) FROM by_part WHERE y = 2020") == [["3"]]


def test_what_ctas_cannot_do_is_said_before_anything_is_written(athena: Athena) -> None:
    athena.run("CREATE TABLE taken AS SELECT 1 AS x")
    athena.put("full/something", b"x")
    for sql, reason in {
        "CREATE TABLE taken AS SELECT 1 AS x": (
            "TABLE_ALREADY_EXISTS: line 1:1: Table 'awsdatacatalog.write_tests.taken' already exists"
        ),
        "CREATE TABLE c AS SELECT 1": "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1",
        "CREATE TABLE c AS SELECT 1 AS x, 2 AS X": "DUPLICATE_COLUMN_NAME: line 1:1: Column name 'x' specified",
        "CREATE TABLE c AS SELECT NULL AS x": "COLUMN_TYPE_UNKNOWN: line 1:1: Column type is unknown at position 1",
        "CREATE TABLE c AS SELECT now() AS x": "NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time zone",
        "CREATE TABLE c WITH (nope = 1) AS SELECT 1 AS x": (
            "INVALID_TABLE_PROPERTY: line 1:1: Catalog 'awsdatacatalog' table property 'nope' does not exist"
        ),
        "CREATE TABLE c WITH (format = 'ORC') AS SELECT 1 AS x": "NOT_SUPPORTED: line 1:1: Writing ORC",
        "CREATE TABLE c WITH (partitioned_by = ARRAY['x']) AS SELECT 1 AS x, 2 AS y": "HIVE_COLUMN_ORDER_MISMATCH",
        f"CREATE TABLE c WITH (external_location = 's3://{athena.bucket}/full/') AS SELECT 1 AS x": (
            "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'write_tests.c' already exists"
        ),
        "CREATE TABLE nope.c AS SELECT 1 AS x": "FAILED: SemanticException [Error 10072]: Database does not exist",
        "CREATE TABLE c WITH (partitioned_by = ARRAY['p']) AS SELECT 1 AS x, p FROM UNNEST(sequence(1, 101)) u(p)": (
            "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets"
        ),
    }.items():
        execution = athena.wait(athena.start(sql))
        assert execution["Status"].get("StateChangeReason", "").startswith(reason), sql
        assert athena.keys(f"results/tables/{execution['QueryExecutionId']}") == []
    athena.run("CREATE TABLE IF NOT EXISTS taken AS SELECT 2 AS x")
    assert athena.rows("SELECT * FROM taken") == [["1"]]


def test_ctas_without_data_and_of_no_rows(athena: Athena) -> None:
    athena.run("CREATE TABLE hollow AS SELECT 1 AS x WITH NO DATA")
    assert athena.lines("SELECT * FROM hollow") == [["x"]]
    execution = athena.run("CREATE TABLE nothing AS SELECT 1 AS x WHERE false")
    assert _manifest(athena, execution) == []
    assert athena.lines("SELECT * FROM nothing") == [["x"]]


def test_insert_matches_columns_by_name_and_type(athena: Athena) -> None:
    athena.run("CREATE TABLE target AS SELECT CAST(1 AS bigint) AS id, 'a' AS name, 1.5 AS x")
    execution = athena.run("INSERT INTO target (name, id) SELECT 'b', 2")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    assert execution["ResultConfiguration"]["OutputLocation"].endswith(execution["QueryExecutionId"])
    assert athena.results(execution)["UpdateCount"] == 1
    assert athena.rows("SELECT * FROM target ORDER BY id") == [["1", "a", "1.5"], ["2", "b", None]]
    assert athena.reason("INSERT INTO target SELECT 'x', 'y', 1.0") == (
        "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types:"
        " Table: [bigint, varchar, double], Query: [varchar(1), varchar(1), double]"
    )
    assert "mismatched column types" in athena.reason("INSERT INTO target VALUES (1)")
    assert "does not exist in target table: nope" in athena.reason("INSERT INTO target (nope) VALUES (1)")
    assert "TABLE_NOT_FOUND" in athena.reason("INSERT INTO absent VALUES (1)")
    athena.run("CREATE VIEW looked AS SELECT 1 AS x")
    assert "Inserting into views is not supported" in athena.reason("INSERT INTO looked VALUES (1)")


def test_insert_into_quoted_csv(athena: Athena) -> None:
    location = f"s3://{athena.bucket}/csv_target/"
    serde = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
    athena.run(f"CREATE EXTERNAL TABLE csv_target (id int, name string) {serde} LOCATION '{location}'")
    athena.run("""INSERT INTO csv_target VALUES (1, 'say "hi", you')""")
    assert athena.rows("SELECT * FROM csv_target") == [["1", 'say "hi", you']]


def test_unload_writes_where_it_is_told(athena: Athena) -> None:
    location = f"s3://{athena.bucket}/unloaded/"
    query = "SELECT * FROM (VALUES (1, 'a'), (2, 'it''s')) AS v(id, name)"
    execution = athena.run(f"UNLOAD ({query}) TO '{location}' WITH (format = 'JSON')")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "UNLOAD")
    (uri,) = _manifest(athena, execution)
    lines = gzip.decompress(athena.get(uri)).decode().splitlines()
    assert [json.loads(line) for line in lines] == [{"id": 1, "name": "a"}, {"id": 2, "name": "it's"}]
    assert athena.reason(f"UNLOAD ({query}) TO '{location}' WITH (format = 'JSON')").startswith(
        f"HIVE_PATH_ALREADY_EXISTS: Target directory already exists: {location}"
    )
    assert "Must specify format" in athena.reason(f"UNLOAD ({query}) TO 's3://{athena.bucket}/u2/'")
    assert "not in S3" in athena.reason(f"UNLOAD ({query}) TO '/tmp/u' WITH (format = 'JSON')")


def test_a_query_that_fails_on_its_way_writes_nothing(athena: Athena) -> None:
    location = f"s3://{athena.bucket}/failing/"
    sql = "SELECT 10 / (x - 500) AS y FROM UNNEST(sequence(1, 1000)) AS u(x)"
    reason = athena.reason(f"CREATE TABLE failing WITH (external_location = '{location}') AS {sql}")
    assert reason == "DIVISION_BY_ZERO: Division by zero"
    assert athena.keys("failing/") == []
    assert "TABLE_NOT_FOUND" in athena.reason("SELECT * FROM failing")


def test_an_upload_that_fails_takes_back_those_before_it(tmp_path: Path) -> None:
    from localaws.athena import write
    from localaws.athena.files import Writer
    from localaws.athena.job import Control, Job

    stored: dict[str, bytes] = {}

    class Bucket:
        def put_object(self, **given: Any) -> None:
            if len(stored) == 2:
                raise OSError("the disk is full")
            stored[given["Key"]] = given["Body"].read()

        def delete_object(self, **given: Any) -> None:
            stored.pop(given["Key"], None)

    planned: dict[str, list[str]] = {}
    local: dict[tuple[str, ...], Path] = {}
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"data")
        local[(name,)] = tmp_path / name
    job = Job("0123456789", "db", "s3://b/o/", None, Bucket(), None, Control(), tmp_path, planned.update)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="disk is full"):
        write._upload(local, ["p"], "s3://b/table/", Writer("PARQUET", "GZIP"), job)
    assert stored == {}
    assert len(planned["_planned"]) == 3
