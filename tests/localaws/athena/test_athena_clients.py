"""What clients of Athena rely on: parameters, result reuse, names in any case, comments, DDL that is shown and run."""

from __future__ import annotations

from typing import Any

import pytest
from athena_tools import Athena, Engine

from localaws.athena.errors import QueryError


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("client_tests")


def table(athena: Athena, name: str) -> dict[str, Any]:
    found: dict[str, Any] = athena.glue.get_table(DatabaseName=athena.database, Name=name)["Table"]
    return found


def create(athena: Athena, name: str, columns: str, rest: str = "") -> None:
    athena.run(f"CREATE EXTERNAL TABLE {name} ({columns}) {rest} LOCATION 's3://{athena.bucket}/{name}/'")


def test_execute_takes_execution_parameters(athena: Athena) -> None:
    text = "SELECT ? AS a, ? AS b"
    athena.athena.create_prepared_statement(StatementName="TwoOf", WorkGroup="primary", QueryStatement=text)
    execution = athena.run("EXECUTE TwoOf", ExecutionParameters=["1", "it is, it"])
    assert athena.results(execution)["ResultSet"]["Rows"][1]["Data"] == [
        {"VarCharValue": "1"},
        {"VarCharValue": "it is, it"},
    ]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["ExecutionParameters"] == ["1", "it is, it"]
    assert athena.rows("execute twoof USING 'x', DATE '2020-01-02'") == [["x", "2020-01-02"]]
    assert "expected 2 but found 1" in athena.reason("EXECUTE TwoOf", ExecutionParameters=["1"])
    assert "USING" in athena.refusal("EXECUTE TwoOf USING 1, 2", ExecutionParameters=["1", "2"])
    athena.run("DEALLOCATE PREPARE TWOOF")
    assert "was not found" in athena.refusal("EXECUTE TwoOf", ExecutionParameters=["1", "2"])


def test_written_out_numbers_are_inserted_into_floats_and_decimals(athena: Athena) -> None:
    create(athena, "numbers", "f float, d double, n decimal(10,2)")
    athena.run("INSERT INTO numbers VALUES (1.0, 1.0, 1.25), (-2.5, 3, NULL)")
    athena.run("INSERT INTO numbers SELECT 0.5 AS f, 1, (2.0)")
    athena.run("INSERT INTO numbers (f, n) VALUES (?, ?)", ExecutionParameters=["15.7563", "1.5"])
    assert athena.rows("SELECT * FROM numbers ORDER BY f") == [
        ["-2.5", "3.0", None],
        ["0.5", "1.0", "2.00"],
        ["1.0", "1.0", "1.25"],
        ["15.7563", None, "1.50"],
    ]
    for values in ("(1.234, 'x')", "(1e0, 1)", "(2.0 * 2, 1)"):
        assert "mismatched column types" in athena.reason(f"INSERT INTO numbers (n, d) VALUES {values}")


def test_literals_with_milliseconds_are_inserted_into_timestamps(athena: Athena) -> None:
    create(athena, "stamps", "at timestamp")
    athena.run("INSERT INTO stamps VALUES (TIMESTAMP '2020-01-02 03:04:05.678')")
    athena.run("INSERT INTO stamps SELECT CAST('2020-01-02 03:04:05' AS timestamp(3))")
    assert athena.rows("SELECT at FROM stamps ORDER BY 1 DESC") == [
        ["2020-01-02 03:04:05.678"],
        ["2020-01-02 03:04:05.000"],
    ]


def test_location_and_serde_are_kept_as_hive_keeps_them(athena: Athena) -> None:
    create(athena, "kept", "x int", "STORED AS PARQUET")
    descriptor = table(athena, "kept")["StorageDescriptor"]
    assert descriptor["Location"] == f"s3://{athena.bucket}/kept"
    assert descriptor["SerdeInfo"]["Parameters"] == {"serialization.format": "1"}


def test_names_have_no_case_anywhere(athena: Athena) -> None:
    athena.run("CREATE DATABASE UpperDb")
    context = {"Database": "UPPERDB", "Catalog": "AwsDataCatalog"}
    athena.run("CREATE TABLE Made AS SELECT 1 AS SomeId", QueryExecutionContext=context)
    for name in ("MADE", "UpperDB.made", "awsdatacatalog.upperdb.Made", '"UpperDb"."Made"'):
        assert athena.rows(f"SELECT SOMEID FROM {name}", QueryExecutionContext=context) == [["1"]]
    assert athena.lines("SHOW TABLES IN UPPERDB") == [["made"]]
    assert athena.lines("DESCRIBE `UpperDb`.`MADE`")[0][0].split() == ["someid", "int"]
    names = {"CatalogName": "AwsDataCatalog", "DatabaseName": "UpperDb"}
    assert athena.athena.get_table_metadata(**names, TableName="MADE")["TableMetadata"]["Name"] == "made"
    assert athena.athena.get_database(**names)["Database"]["Name"] == "upperdb"
    assert [t["Name"] for t in athena.athena.list_table_metadata(**names)["TableMetadataList"]] == ["made"]
    assert athena.glue.get_table(DatabaseName="UPPERDB", Name="Made")["Table"]["Name"] == "made"
    where = "WHERE table_schema = 'upperdb'"
    assert athena.rows(f"SELECT table_name FROM INFORMATION_SCHEMA.Tables {where}") == [["made"]]
    athena.run("DROP TABLE UpperDb.MADE")
    athena.run("DROP DATABASE UPPERDB")


def test_default_is_listed_and_used(athena: Athena) -> None:
    assert ["default"] in athena.lines("SHOW DATABASES")
    assert ["default"] in athena.rows("SELECT schema_name FROM information_schema.schemata")
    listed = athena.athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert "default" in [database["Name"] for database in listed]
    athena.run("CREATE TABLE default.in_default AS SELECT 1 AS x")
    assert athena.rows("SELECT x FROM in_default", QueryExecutionContext={}) == [["1"]]
    athena.run("DROP TABLE default.in_default")


def test_comments_are_kept_and_shown(athena: Athena) -> None:
    clauses = "COMMENT 'it''s noted' PARTITIONED BY (p int COMMENT 'of p')"
    create(athena, "noted", "a int COMMENT 'of a', b string", clauses)
    found = table(athena, "noted")
    assert found["Parameters"]["comment"] == "it's noted"
    assert found["StorageDescriptor"]["Columns"][0]["Comment"] == "of a"
    assert found["PartitionKeys"][0]["Comment"] == "of p"
    names = {"CatalogName": "AwsDataCatalog", "DatabaseName": athena.database, "TableName": "noted"}
    metadata = athena.athena.get_table_metadata(**names)["TableMetadata"]
    assert (metadata["Parameters"]["comment"], metadata["Columns"][0]["Comment"]) == ("it's noted", "of a")
    athena.run("CREATE TABLE noted_too COMMENT 'by a query' AS SELECT 1 AS a")
    assert table(athena, "noted_too")["Parameters"]["comment"] == "by a query"


def test_shown_ddl_makes_the_same_table(athena: Athena) -> None:
    create(
        athena,
        "shown",
        "id int COMMENT 'it''s \\\\ back', s struct<a:int,b:array<string>>",
        "COMMENT 'shown' PARTITIONED BY (p string) CLUSTERED BY (id) INTO 4 BUCKETS ROW FORMAT DELIMITED"
        " FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n'",
    )
    lines = [line[0] or "" for line in athena.lines("SHOW CREATE TABLE shown")]
    assert lines[0] == "CREATE EXTERNAL TABLE `client_tests.shown`("
    assert lines[lines.index("CLUSTERED BY ( ") : lines.index("ROW FORMAT SERDE ")] == [
        "CLUSTERED BY ( ",
        "  id) ",
        "INTO 4 BUCKETS",
    ]
    before = table(athena, "shown")
    athena.run("DROP TABLE shown")
    athena.run("\n".join(lines))
    after = table(athena, "shown")
    for member in ("PartitionKeys", "TableType", "Parameters", "StorageDescriptor"):
        assert before[member] == after[member]


def test_result_is_reused_where_nothing_but_the_data_has_changed(athena: Athena) -> None:
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}}
    create(athena, "reused", "x int", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','")
    athena.put("reused/a.csv", "1\n")
    sql = "SELECT x FROM reused"
    first = athena.run(sql, **reuse)
    assert first["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert first["ResultReuseConfiguration"] == reuse["ResultReuseConfiguration"]
    athena.put("reused/a.csv", "2\n")
    again = athena.run(sql, **reuse)
    assert again["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": True}
    assert again["Statistics"]["DataScannedInBytes"] == 0
    assert again["QueryExecutionId"] != first["QueryExecutionId"]
    assert again["ResultConfiguration"]["OutputLocation"] == first["ResultConfiguration"]["OutputLocation"]
    assert athena.results(again)["ResultSet"] == athena.results(first)["ResultSet"]
    # Another text, database or place of results, no wish to reuse, too old, the file gone: each is run.
    other = {"QueryExecutionContext": {"Database": "default"}}
    place = {"ResultConfiguration": {"OutputLocation": f"{athena.output}another/"}}
    none = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 0}}}
    assert athena.rows("select x FROM reused", **reuse) == [["2"]]
    assert athena.rows("SELECT x FROM client_tests.reused", **other, **reuse) == [["2"]]
    assert athena.rows(sql, **place, **reuse) == [["2"]]
    assert athena.rows(sql) == [["2"]]
    assert athena.rows(sql, **none) == [["2"]]
    athena.put("reused/a.csv", "3\n")
    for key in athena.keys("results/"):
        athena.s3.delete_object(Bucket=athena.bucket, Key=key)
    assert athena.rows(sql, **reuse) == [["3"]]
    athena.run("DROP TABLE reused")


def test_only_queries_reuse_results(athena: Athena) -> None:
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True}}}
    create(athena, "grows", "x int")
    for _ in range(2):
        execution = athena.run("INSERT INTO grows VALUES (1)", **reuse)
        assert execution["Statistics"]["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert execution["ResultReuseConfiguration"]["ResultReuseByAgeConfiguration"]["MaxAgeInMinutes"] == 60
    assert athena.rows("SELECT count(*) FROM grows") == [["2"]]


def test_random_stays_within_its_bounds() -> None:
    import duckdb

    connection = duckdb.connect()
    rows = "FROM (VALUES 1, 2, 3, 4, 5, 6, 7, 8) AS a(i), (VALUES 1, 2, 3, 4, 5, 6, 7, 8) AS b(i)"
    found, kinds = Engine().query(f"SELECT random(3), rand(-2, 1), random(BIGINT '5000000000') {rows}", connection)
    assert kinds == ["integer", "integer", "bigint"]
    assert {row[0] for row in found} == {"0", "1", "2"}
    assert {row[1] for row in found} == {"-2", "-1", "0"}
    assert all(0 <= int(row[2] or -1) < 5_000_000_000 for row in found)
    for call, reason in {
        "random(0)": "bound must be positive",
        "rand(-1)": "bound must be positive",
        "random(2, 2)": "start value must be less than stop value",
    }.items():
        with pytest.raises(QueryError, match=f"INVALID_FUNCTION_ARGUMENT: {reason}"):
            Engine().query(f"SELECT {call}", connection)
    with pytest.raises(QueryError, match="FUNCTION_NOT_FOUND"):
        Engine().query("SELECT random(1.5)", connection)
