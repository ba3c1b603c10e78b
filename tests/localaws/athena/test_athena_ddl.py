"""DDL changes the Glue catalog, and SHOW and DESCRIBE answer what Athena answers, to the last blank."""

from __future__ import annotations

from typing import Any

import pytest
from athena_tools import Athena
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("ddl_tests")


def _glue(athena: Athena, name: str) -> dict[str, Any]:
    return athena.glue.get_table(DatabaseName=athena.database, Name=name)["Table"]


def test_databases_come_and_go(athena: Athena) -> None:
    execution = athena.run("CREATE DATABASE made COMMENT 'for a test' LOCATION 's3://somewhere/made/'")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_DATABASE")
    assert athena.results(execution)["ResultSet"]["Rows"] == []
    database = athena.glue.get_database(Name="made")["Database"]
    assert (database["Description"], database["LocationUri"]) == ("for a test", "s3://somewhere/made/")
    assert athena.reason("CREATE DATABASE made").endswith("Database made already exists")
    athena.run("CREATE SCHEMA IF NOT EXISTS made")
    assert ["made"] in athena.lines("SHOW DATABASES")
    assert athena.lines("SHOW SCHEMAS LIKE 'ma.*'") == [["made"]]
    athena.run("CREATE EXTERNAL TABLE made.t (x int) LOCATION 's3://somewhere/t/'")
    assert "Database made is not empty" in athena.reason("DROP DATABASE made")
    athena.run("DROP DATABASE made CASCADE")
    assert athena.reason("DROP DATABASE made") == (
        "FAILED: SemanticException [Error 10072]: Database does not exist: made"
    )
    athena.run("DROP DATABASE IF EXISTS made")


def test_create_external_table_says_all_that_hive_can_say(athena: Athena) -> None:
    execution = athena.run(
        """
        -- a table
        CREATE EXTERNAL TABLE IF NOT EXISTS `Everything` (
          `a-b` int COMMENT 'it''s',
          s struct<x:int, y:array<string>>,
          d decimal(10, 2) /* money */
        )
        COMMENT 'all of it'
        PARTITIONED BY (p string COMMENT 'part', q int)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
        WITH SERDEPROPERTIES ('separatorChar' = ';', "quoteChar" = "\\"", 'escapeChar' = '\\\\')
        STORED AS TEXTFILE
        LOCATION 's3://somewhere/everything/'
        TBLPROPERTIES ('skip.header.line.count' = '1', "note" = 'x');
        """
    )
    assert execution["SubstatementType"] == "CREATE_TABLE"
    table = _glue(athena, "everything")
    descriptor = table["StorageDescriptor"]
    assert descriptor["Columns"] == [
        {"Name": "a-b", "Type": "int", "Comment": "it's"},
        {"Name": "s", "Type": "struct<x:int,y:array<string>>"},
        {"Name": "d", "Type": "decimal(10,2)"},
    ]
    assert table["PartitionKeys"] == [{"Name": "p", "Type": "string", "Comment": "part"}, {"Name": "q", "Type": "int"}]
    assert descriptor["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"serialization.format": "1", "separatorChar": ";", "quoteChar": '"', "escapeChar": "\\"},
    }
    assert descriptor["Location"] == "s3://somewhere/everything"
    assert (table["TableType"], table["Description"]) == ("EXTERNAL_TABLE", "all of it")
    assert table["Parameters"]["skip.header.line.count"] == "1"
    assert athena.reason("CREATE EXTERNAL TABLE everything (x int) LOCATION 's3://somewhere/e/'") == (
        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
        " AlreadyExistsException(message:Table everything already exist)"
    )


def test_a_table_needs_a_location_in_s3(athena: Athena) -> None:
    assert athena.refusal("CREATE EXTERNAL TABLE t (x int)") == (
        "No location was specified for table. An S3 location must be specified"
    )
    assert "not in S3" in athena.refusal("CREATE EXTERNAL TABLE t (x int) LOCATION '/etc/'")
    assert "not in S3" in athena.refusal("CREATE EXTERNAL TABLE t (x int) LOCATION 'file:///etc/'")


def test_iceberg_is_refused_by_name(athena: Athena) -> None:
    reason = "NOT_SUPPORTED: Iceberg tables are not supported by localaws: ddl_tests.ice"
    clause = "LOCATION 's3://somewhere/ice/' TBLPROPERTIES ('table_type'='ICEBERG')"
    assert athena.reason(f"CREATE TABLE ice (x int) {clause}") == reason
    assert athena.reason("CREATE TABLE ice WITH (table_type = 'ICEBERG') AS SELECT 1 AS x") == (
        "NOT_SUPPORTED: Table type ICEBERG is not supported by localaws"
    )
    athena.glue.create_table(
        DatabaseName=athena.database,
        TableInput={
            "Name": "ice",
            "Parameters": {"table_type": "ICEBERG"},
            "StorageDescriptor": {"Columns": [], "Location": "s3://somewhere/"},
        },
    )
    assert athena.reason("SELECT * FROM ice").startswith("NOT_SUPPORTED: line 1:15: Iceberg tables are not supported")


def test_drop_table(athena: Athena) -> None:
    athena.run("CREATE EXTERNAL TABLE gone (x int) LOCATION 's3://somewhere/gone/'")
    execution = athena.run("DROP TABLE `ddl_tests`.`gone`")
    assert execution["SubstatementType"] == "DROP_TABLE"
    with pytest.raises(ClientError):
        _glue(athena, "gone")
    assert athena.reason("DROP TABLE gone") == "FAILED: SemanticException [Error 10001]: Table not found gone"
    athena.run("DROP TABLE IF EXISTS gone")


def test_a_failed_ddl_statement_leaves_its_reason_in_the_result(athena: Athena) -> None:
    execution = athena.wait(athena.start("DROP TABLE never_there"))
    body = athena.get(execution["ResultConfiguration"]["OutputLocation"]).decode()
    assert body == execution["Status"]["StateChangeReason"]
    assert body.startswith("FAILED: ")


def test_partitions_are_added_moved_renamed_and_dropped(athena: Athena) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE parted (x int) PARTITIONED BY (y int, p string) LOCATION 's3://somewhere/parted/'"
    )
    athena.run(
        "ALTER TABLE parted ADD PARTITION (y=2020, p='a/b') PARTITION (y=2021, p='c') LOCATION 's3://elsewhere/c/'"
    )
    assert athena.lines("SHOW PARTITIONS parted") == [["y=2020/p=a/b"], ["y=2021/p=c"]]
    found = athena.glue.get_partitions(DatabaseName=athena.database, TableName="parted")["Partitions"]
    assert [partition["StorageDescriptor"]["Location"] for partition in found] == [
        "s3://somewhere/parted/y=2020/p=a%2Fb/",
        "s3://elsewhere/c/",
    ]
    assert "already exists" in athena.reason("ALTER TABLE parted ADD PARTITION (y=2021, p='c')")
    athena.run("ALTER TABLE parted ADD IF NOT EXISTS PARTITION (y=2021, p='c')")
    assert "non-partition columns" in athena.reason("ALTER TABLE parted ADD PARTITION (nope=1)")
    athena.run("ALTER TABLE parted PARTITION (y=2021, p='c') SET LOCATION 's3://elsewhere/d/'")
    athena.run("ALTER TABLE parted PARTITION (y=2021, p='c') RENAME TO PARTITION (y=2022, p='d')")
    assert athena.lines("SHOW PARTITIONS parted") == [["y=2020/p=a/b"], ["y=2022/p=d"]]
    athena.run("ALTER TABLE parted DROP PARTITION (y < 2021)")
    assert athena.lines("SHOW PARTITIONS parted") == [["y=2022/p=d"]]
    assert "Partition not found" in athena.reason("ALTER TABLE parted DROP PARTITION (y = 1999)")
    athena.run("ALTER TABLE parted DROP IF EXISTS PARTITION (y = 1999)")
    athena.run("CREATE EXTERNAL TABLE flat (x int) LOCATION 's3://somewhere/flat/'")
    assert athena.reason("ALTER TABLE flat ADD PARTITION (p='1')") == (
        "FAILED: SemanticException table is not partitioned but partition spec exists: {p=1}"
    )
    assert "is not a partitioned table" in athena.reason("SHOW PARTITIONS flat")


def test_msck_repair_finds_the_folders_of_partitions(athena: Athena) -> None:
    for folder in ("y=2020/p=a%2Fb", "y=2021/p=c", "y=2021", "stray", "y=2021/q=wrong"):
        athena.put(f"repair/{folder}/x.csv", "1\n")
    location = f"s3://{athena.bucket}/repair/"
    athena.run(f"CREATE EXTERNAL TABLE repair (x int) PARTITIONED BY (y int, p string) LOCATION '{location}'")
    execution = athena.run("MSCK REPAIR TABLE repair")
    assert execution["SubstatementType"] == "MSCK_REPAIR"
    lines = [row["Data"][0]["VarCharValue"] for row in athena.results(execution)["ResultSet"]["Rows"]]
    assert lines == [
        "Partitions not in metastore:\trepair:y=2020/p=a%2Fb\trepair:y=2021/p=c",
        "Repair: Added partition to metastore repair:y=2020/p=a%2Fb",
        "Repair: Added partition to metastore repair:y=2021/p=c",
    ]
    assert athena.rows("SELECT p, y FROM repair ORDER BY y") == [["a/b", "2020"], ["c", "2021"]]
    assert athena.lines("MSCK REPAIR TABLE repair") == []


def test_a_table_is_altered(athena: Athena) -> None:
    athena.run("CREATE EXTERNAL TABLE altered (x int) LOCATION 's3://somewhere/old/' TBLPROPERTIES ('a'='1')")
    athena.run("ALTER TABLE altered SET TBLPROPERTIES ('a'='2', 'b'='3')")
    athena.run("ALTER TABLE altered SET LOCATION 's3://somewhere/new/'")
    athena.run("ALTER TABLE altered ADD COLUMNS (y string COMMENT 'new')")
    table = _glue(athena, "altered")
    assert (table["Parameters"]["a"], table["Parameters"]["b"]) == ("2", "3")
    assert table["StorageDescriptor"]["Location"] == "s3://somewhere/new/"
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["x", "y"]
    athena.run("ALTER TABLE altered REPLACE COLUMNS (z bigint)")
    assert [column["Name"] for column in _glue(athena, "altered")["StorageDescriptor"]["Columns"]] == ["z"]
    assert athena.lines("SHOW TBLPROPERTIES altered ('b')") == [["3"]]
    assert ["a\t2"] in athena.lines("SHOW TBLPROPERTIES altered")


def test_describe_pads_as_hive_does(athena: Athena) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE described (n int, c21_aaaaaaaaaaaaaaaaa float COMMENT 'abc')"
        " PARTITIONED BY (p string COMMENT 'pc') LOCATION 's3://somewhere/described/'"
    )
    execution = athena.run("DESCRIBE described")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("UTILITY", "DESCRIBE_TABLE")
    heading = "# col_name            \tdata_type           \tcomment             "
    partition = "p                   \tstring              \tpc                  "
    lines = [
        "n                   \tint                 \t                    ",
        "c21_aaaaaaaaaaaaaaaaa\tfloat               \tabc                 ",
        partition,
        "\t \t ",
        "# Partition Information\t \t ",
        heading,
        "\t \t ",
        partition,
    ]
    assert athena.get(execution["ResultConfiguration"]["OutputLocation"]).decode() == "\n".join(lines)
    answer = athena.results(execution)["ResultSet"]
    assert [row["Data"] for row in answer["Rows"]] == [[{"VarCharValue": line}] for line in lines]
    assert [column["Name"] for column in answer["ResultSetMetadata"]["ColumnInfo"]] == [
        "col_name",
        "data_type",
        "comment",
    ]
    assert athena.lines("SHOW COLUMNS IN described")[0] == ["n                   "]
    detailed = [line[0] or "" for line in athena.lines("DESCRIBE FORMATTED described")]
    assert any(line.startswith("Location:") and "s3://somewhere/described" in line for line in detailed)


def test_show_create_table_can_be_run_again(athena: Athena) -> None:
    athena.run(
        "CREATE EXTERNAL TABLE shown (`a` int COMMENT 'it''s', b array<string>) PARTITIONED BY (p string)"
        " ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('escapeChar'='\\\\')"
        " LOCATION 's3://somewhere/shown/' TBLPROPERTIES ('x'='y')"
    )
    lines = [line[0] or "" for line in athena.lines("SHOW CREATE TABLE shown")]
    assert lines[0] == "CREATE EXTERNAL TABLE `ddl_tests.shown`("
    before = _glue(athena, "shown")
    athena.run("DROP TABLE shown")
    athena.run("\n".join(lines).replace("`ddl_tests.shown`", "shown"))
    after = _glue(athena, "shown")
    for member in ("PartitionKeys", "TableType"):
        assert before[member] == after[member]
    assert before["StorageDescriptor"]["Columns"] == after["StorageDescriptor"]["Columns"]
    assert before["StorageDescriptor"]["SerdeInfo"] == after["StorageDescriptor"]["SerdeInfo"]


def test_tables_are_shown_by_pattern(athena: Athena) -> None:
    for name in ("pattern_one", "pattern_two"):
        athena.run(f"CREATE EXTERNAL TABLE {name} (x int) LOCATION 's3://somewhere/{name}/'")
    assert athena.lines("SHOW TABLES IN ddl_tests 'pattern_*'") == [["pattern_one"], ["pattern_two"]]
    assert athena.lines("SHOW TABLES LIKE '*_two'") == [["pattern_two"]]
    assert "Database does not exist: nope" in athena.reason("SHOW TABLES IN nope")


def test_views_are_kept_as_athena_keeps_them(athena: Athena) -> None:
    sql = "SELECT x AS id, upper(name) AS loud FROM (VALUES (1, 'a'), (2, 'b')) AS v(x, name)"
    execution = athena.run(f"CREATE VIEW seen AS {sql}")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_VIEW")
    table = _glue(athena, "seen")
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["ViewOriginalText"].startswith("/* Presto View: ")
    assert table["ViewExpandedText"] == "/* Presto View */"
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "id", "Type": "int"}, {"Name": "loud", "Type": "string"}]
    assert athena.rows("SELECT loud FROM seen WHERE id = 2") == [["B"]]
    assert athena.rows("SELECT s.id FROM ddl_tests.seen AS s ORDER BY 1 DESC") == [["2"], ["1"]]
    assert athena.lines("SHOW CREATE VIEW seen") == [["CREATE VIEW ddl_tests.seen AS"], [sql]]
    assert athena.lines("DESCRIBE seen") == [["id\tinteger"], ["loud\tvarchar"]]
    assert ["seen"] in athena.lines("SHOW VIEWS")
    assert athena.reason("CREATE VIEW seen AS SELECT 1 AS x") == (
        "TABLE_ALREADY_EXISTS: line 1:1: View already exists: 'awsdatacatalog.ddl_tests.seen'"
    )
    athena.run("CREATE OR REPLACE VIEW seen AS SELECT 9 AS id")
    assert athena.rows("SELECT * FROM seen") == [["9"]]
    athena.run("CREATE VIEW over_it AS SELECT id + 1 AS more FROM seen")
    assert athena.rows("SELECT more FROM over_it") == [["10"]]
    assert athena.reason("CREATE VIEW bad AS SELECT 1") == (
        "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1"
    )
    assert "Cannot drop a view" in athena.reason("DROP TABLE seen")
    athena.run("DROP VIEW seen")
    assert "INVALID_VIEW" in athena.reason("SELECT * FROM over_it")
    athena.run("DROP VIEW IF EXISTS seen")


def test_information_schema_tells_of_tables_and_columns(athena: Athena) -> None:
    athena.run("CREATE EXTERNAL TABLE told (x int, y array<string>) LOCATION 's3://somewhere/told/'")
    where = "WHERE table_schema = 'ddl_tests' AND table_name = 'told'"
    assert athena.rows(f"SELECT table_type FROM information_schema.tables {where}") == [["BASE TABLE"]]
    columns = f"SELECT column_name, data_type FROM information_schema.columns {where} ORDER BY ordinal_position"
    assert athena.rows(columns) == [["x", "integer"], ["y", "array(varchar)"]]


def test_athenas_catalog_operations_look_into_glue(athena: Athena) -> None:
    athena.run("CREATE EXTERNAL TABLE looked_up (x int) PARTITIONED BY (p string) LOCATION 's3://somewhere/looked/'")
    client = athena.athena
    assert [c["CatalogName"] for c in client.list_data_catalogs()["DataCatalogsSummary"]] == ["AwsDataCatalog"]
    assert client.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]["Type"] == "GLUE"
    databases = client.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert "ddl_tests" in [database["Name"] for database in databases]
    assert (
        client.get_database(CatalogName="AwsDataCatalog", DatabaseName="ddl_tests")["Database"]["Name"] == "ddl_tests"
    )
    place = {"CatalogName": "AwsDataCatalog", "DatabaseName": "ddl_tests"}
    table = client.get_table_metadata(TableName="looked_up", **place)["TableMetadata"]
    assert table["Columns"] == [{"Name": "x", "Type": "int"}]
    assert table["PartitionKeys"] == [{"Name": "p", "Type": "string"}]
    assert table["Parameters"]["location"] == "s3://somewhere/looked"
    listed = client.list_table_metadata(Expression="looked.*", **place)["TableMetadataList"]
    assert [entry["Name"] for entry in listed] == ["looked_up"]
    for call, parameters in (
        (client.get_table_metadata, {"TableName": "nope", **place}),
        (client.get_database, {"CatalogName": "AwsDataCatalog", "DatabaseName": "nope"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        assert caught.value.response["Error"]["Code"] == "MetadataException"
