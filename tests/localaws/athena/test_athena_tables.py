"""Files in S3 are read as each SerDe reads them, and no more of them than the query asks for."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from athena_tools import Athena

from localaws.athena.tables import text

CSV_SERDE = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"
JSON_SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("table_tests")


def _table(athena: Athena, name: str, columns: str, clauses: str = "", properties: str = "") -> str:
    """An external table over the folder of its name; its name."""
    location = f"LOCATION 's3://{athena.bucket}/{name}/'"
    given = f"TBLPROPERTIES ({properties})" if properties else ""
    athena.run(f"CREATE EXTERNAL TABLE {name} ({columns}) {clauses} {location} {given}")
    return name


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_quoted_csv_is_read_with_quotes_escapes_and_headers(athena: Athena) -> None:
    athena.put(
        "quoted/a.csv",
        'id,name,note\r\n1,"Smith, ""J""",plain\r\n2,"back\\"slash",\r\n3,é€,"ends"\r\n4,dropped\\x\r\n5,a,b,extra\r\n',
    )
    properties = "'skip.header.line.count'='1'"
    _table(athena, "quoted", "id int, name string, note string", CSV_SERDE, properties)
    assert athena.rows("SELECT * FROM quoted ORDER BY id") == [
        ["1", 'Smith, "J"', "plain"],
        ["2", 'back"slash', ""],
        ["3", "é€", "ends"],
        ["4", "droppedx", None],
        ["5", "a", "b"],
    ]


def test_a_line_break_inside_quotes_ends_the_row_as_on_athena(athena: Athena) -> None:
    athena.put("breaks/a.csv", '1,"first\nsecond"\n2,ok\n')
    _table(athena, "breaks", "id string, name string", CSV_SERDE)
    assert athena.rows("SELECT * FROM breaks") == [["1", "first"], ["second", None], ["2", "ok"]]


def test_other_separators_quotes_and_escapes(athena: Athena) -> None:
    athena.put("others/a.txt", "1|'a|b'|'it^'s'\n")
    clause = f"{CSV_SERDE} WITH SERDEPROPERTIES ('separatorChar'='|', 'quoteChar'='\\'', 'escapeChar'='^')"
    _table(athena, "others", "id int, a string, b string", clause)
    assert athena.rows("SELECT * FROM others") == [["1", "a|b", "it's"]]


def test_a_csv_value_that_its_type_cannot_hold_fails_when_it_is_read(athena: Athena) -> None:
    athena.put("strict/a.csv", "1,x\n,y\nz,z\n")
    _table(athena, "strict", "n int, s string", CSV_SERDE)
    assert athena.rows("SELECT s FROM strict") == [["x"], ["y"], ["z"]]
    assert athena.rows("SELECT count(*) FROM strict") == [["3"]]
    assert athena.reason("SELECT n FROM strict WHERE s = 'y'") == (
        "HIVE_BAD_DATA: Error parsing field value '' for field 0: For input string: \"\""
    )
    execution = athena.wait(athena.start("SELECT sum(n) FROM strict"))
    assert "HIVE_BAD_DATA: Error parsing field value" in execution["Status"]["StateChangeReason"]


def test_csv_types_are_epochs_or_text(athena: Athena) -> None:
    athena.put("typed/a.csv", "1,2.5,TRUE,18262,1577836800000,2020-01-01\n")
    _table(athena, "typed", "a bigint, b double, c boolean, d date, e timestamp, f date", CSV_SERDE)
    assert athena.rows("SELECT * FROM typed") == [
        ["1", "2.5", "true", "2020-01-01", "2020-01-01 00:00:00.000", "2020-01-01"]
    ]


def test_null_for_invalid_data_can_be_asked_for(athena: Athena) -> None:
    athena.put("lenient/a.csv", "x,1\n2,\n")
    _table(athena, "lenient", "a int, b int", CSV_SERDE, "'use.null.for.invalid.data'='true'")
    assert athena.rows("SELECT * FROM lenient") == [[None, "1"], ["2", None]]


def test_delimited_text_knows_no_quotes_and_makes_null_of_what_does_not_fit(athena: Athena) -> None:
    athena.put("delimited/a.txt", '1,"a,b"\nx,\\N\n3\n\n4,c,extra\n')
    _table(athena, "delimited", "n int, s string", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','")
    assert athena.rows("SELECT * FROM delimited") == [
        ["1", '"a'],
        [None, None],
        ["3", None],
        [None, None],
        ["4", "c"],
    ]


def test_delimited_text_with_escapes_tabs_and_its_own_null(athena: Athena) -> None:
    athena.put("escaped/a.tsv", "a\\\tb\tNIL\nc\t7\n")
    clause = "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' NULL DEFINED AS 'NIL'"
    _table(athena, "escaped", "s string, n int", clause)
    assert athena.rows("SELECT * FROM escaped") == [["a\tb", None], ["c", "7"]]


def test_delimited_text_holds_arrays_maps_and_structs(athena: Athena) -> None:
    athena.put("nested/a.txt", "1\x01x\x02y\x01a\x031\x02b\x032\x01Rome\x02100\n2\x01\x01\x01\n")
    _table(athena, "nested", "id int, tags array<string>, m map<string,int>, s struct<city:string,zip:int>")
    rows = athena.rows("SELECT id, tags, m, s.city, s.zip FROM nested ORDER BY id")
    assert rows[0] == ["1", "[x, y]", "{a=1, b=2}", "Rome", "100"]
    assert rows[1][:2] == ["2", "[]"]


def test_json_lines_match_names_without_case(athena: Athena) -> None:
    athena.put(
        "documents/a.json",
        '{"ID": 1, "Name": "ann", "tags": ["x", "y"], "m": {"K": 1}, "s": {"City": "Rome", "zip": 5}, "ok": true}\n'
        '{"id": "2", "other": 1, "name": null, "s": {}}\n\n'
        '{"id": 3, "name": {"a": [1]}, "tags": []}\n',
    )
    columns = "id bigint, name string, tags array<string>, m map<string,int>, s struct<city:string,zip:int>, ok boolean"
    _table(athena, "documents", columns, JSON_SERDE)
    assert athena.rows("SELECT * FROM documents ORDER BY id") == [
        ["1", "ann", "[x, y]", "{K=1}", "{city=Rome, zip=5}", "true"],
        ["2", None, None, None, "{city=null, zip=null}", None],
        ["3", '{"a":[1]}', "[]", None, None, None],
    ]
    assert athena.rows("SELECT s.city FROM documents WHERE id = 1") == [["Rome"]]


def test_malformed_json_fails_or_is_left_out(athena: Athena) -> None:
    athena.put("malformed/a.json", '{"a": 1}\nnot json\n{"a": 2}\n')
    _table(athena, "malformed", "a int", JSON_SERDE)
    assert athena.reason("SELECT * FROM malformed").startswith("HIVE_CURSOR_ERROR: Row is not a valid JSON Object")
    clause = f"{JSON_SERDE} WITH SERDEPROPERTIES ('ignore.malformed.json'='true')"
    athena.run(f"CREATE EXTERNAL TABLE forgiving (a int) {clause} LOCATION 's3://{athena.bucket}/malformed/'")
    assert athena.rows("SELECT * FROM forgiving") == [["1"], ["2"]]


def test_json_of_a_wrong_type_fails_when_it_is_read(athena: Athena) -> None:
    athena.put("mistyped/a.json", '{"a": "x", "b": 1}\n')
    _table(athena, "mistyped", "a int, b int", JSON_SERDE)
    assert athena.rows("SELECT b FROM mistyped") == [["1"]]
    reason = athena.reason("SELECT a FROM mistyped")
    assert reason == "HIVE_BAD_DATA: Error parsing field value 'x' for field 0: For input string: \"x\""


def test_parquet_is_read_by_name_whatever_columns_a_file_has(athena: Athena) -> None:
    first = pa.table({"Id": [1, 2], "name": ["a", None], "l": [[1], []], "s": [{"x": 1}, None]})
    athena.put("columnar/a.parquet", _parquet(first))
    athena.put("columnar/b.parquet", _parquet(pa.table({"extra": [1.5], "id": [3]})))
    _table(athena, "columnar", "id bigint, name string, l array<bigint>, s struct<x:bigint>", "STORED AS PARQUET")
    assert athena.rows("SELECT * FROM columnar ORDER BY id") == [
        ["1", "a", "[1]", "{x=1}"],
        ["2", None, "[]", None],
        ["3", None, None, None],
    ]


def test_parquet_of_another_type_is_refused(athena: Athena) -> None:
    athena.put("clash/a.parquet", _parquet(pa.table({"n": ["x"]})))
    _table(athena, "clash", "n int", "STORED AS PARQUET")
    assert athena.reason("SELECT n FROM clash") == (
        f"HIVE_BAD_DATA: Field n's type BINARY in parquet file s3://{athena.bucket}/clash/a.parquet is incompatible"
        " with type integer defined in table schema"
    )


def test_a_file_that_is_no_parquet_is_named(athena: Athena) -> None:
    athena.put("broken/a.parquet", b"not parquet at all")
    _table(athena, "broken", "n int", "STORED AS PARQUET")
    reason = athena.reason("SELECT n FROM broken")
    assert reason.startswith(f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split s3://{athena.bucket}/broken/a.parquet")


def test_hidden_empty_and_neighbouring_objects_are_not_read(athena: Athena) -> None:
    for key in ("folder/a.csv", "folder/deeper/b.csv"):
        athena.put(key, "x\n")
    for key in ("folder/_SUCCESS", "folder/.hidden", "folder/_temporary/c.csv", "folder2/d.csv"):
        athena.put(key, "hidden\n")
    athena.put("folder/empty/", b"")
    _table(athena, "folder", "s string")
    assert athena.rows('SELECT s, "$path" FROM folder ORDER BY 2') == [
        ["x", f"s3://{athena.bucket}/folder/a.csv"],
        ["x", f"s3://{athena.bucket}/folder/deeper/b.csv"],
    ]


def test_compressed_text_is_unpacked(athena: Athena) -> None:
    athena.put("packed/a.gz", gzip.compress(b"head\n1\n2\n"))
    athena.put("packed/b.bz2", bz2.compress(b"head\n3"))
    _table(athena, "packed", "n int", "", "'skip.header.line.count'='1'")
    assert athena.rows("SELECT n FROM packed ORDER BY n") == [["1"], ["2"], ["3"]]


def test_only_the_partitions_that_the_where_leaves_are_read(athena: Athena) -> None:
    for year in (2019, 2020, 2021):
        for kind in ("a", "b"):
            athena.put(f"parts/year={year}/kind={kind}/x.csv", f"{year}{kind}\n")
    _table(athena, "parts", "s string", "PARTITIONED BY (year int, kind string)")
    assert athena.rows("SELECT * FROM parts") == []
    athena.run("MSCK REPAIR TABLE parts")
    everything = athena.run("SELECT * FROM parts")
    assert everything["Statistics"]["DataScannedInBytes"] == 6 * 6
    for condition, count in {
        "year = 2020": 2,
        "year > 2019 AND kind = 'a'": 2,
        "year IN (2019, 2021) AND kind LIKE 'b%'": 2,
        "year = 2020 AND s <> 'zzz'": 2,
        "year + 1 = 2022": 2,
        "(year = 2019 OR kind = 'b')": 4,
        "CAST(year AS varchar) || kind = '2020a'": 1,
    }.items():
        execution = athena.run(f"SELECT * FROM parts p WHERE {condition}")
        assert execution["Statistics"]["DataScannedInBytes"] == count * 6, condition
        assert len(athena.results(execution)["ResultSet"]["Rows"]) == count + 1
    assert athena.rows("SELECT year, kind, count(*) FROM parts GROUP BY 1, 2 ORDER BY 1, 2")[0] == ["2019", "a", "1"]
    assert athena.rows('SELECT * FROM "parts$partitions" ORDER BY 1, 2')[0] == ["2019", "a"]
    outer = "SELECT a.year, b.year FROM parts a LEFT JOIN parts b ON a.year = b.year + 1 WHERE b.year IS NULL"
    assert athena.rows(outer) == [["2019", None], ["2019", None]]


def test_a_partition_may_lie_elsewhere_and_be_null(athena: Athena) -> None:
    athena.put("moved/x.csv", "far\n")
    athena.put("placed/p=__HIVE_DEFAULT_PARTITION__/x.csv", "none\n")
    _table(athena, "placed", "s string", "PARTITIONED BY (p string)")
    athena.run(f"ALTER TABLE placed ADD PARTITION (p='far away') LOCATION 's3://{athena.bucket}/moved/'")
    athena.run("MSCK REPAIR TABLE placed")
    assert athena.rows("SELECT s, p FROM placed ORDER BY s") == [["far", "far away"], ["none", None]]
    assert athena.rows("SELECT s FROM placed WHERE p IS NULL") == [["none"]]


def test_projected_partitions_need_no_catalog(athena: Athena) -> None:
    for day in ("2024-01-30", "2024-01-31", "2024-02-01"):
        for number in ("01", "02"):
            athena.put(f"projected/d={day}/n={number}/x.csv", f"{day}/{number}\n")
    properties = (
        "'projection.enabled'='true', 'projection.d.type'='date', 'projection.d.range'='2024-01-30,2024-02-05',"
        " 'projection.d.format'='yyyy-MM-dd', 'projection.n.type'='integer', 'projection.n.range'='1,3',"
        " 'projection.n.digits'='2'"
    )
    _table(athena, "projected", "s string", "PARTITIONED BY (d string, n string)", properties)
    assert athena.rows("SELECT count(*) FROM projected") == [["6"]]
    execution = athena.run("SELECT s FROM projected WHERE d >= '2024-01-31' AND n = '02'")
    assert execution["Statistics"]["DataScannedInBytes"] == 2 * len("2024-01-31/02\n")
    template = f"'storage.location.template'='s3://{athena.bucket}/projected/d=${{d}}/n=${{n}}/'"
    given = (
        "'projection.enabled'='true', 'projection.d.type'='injected', 'projection.n.type'='enum',"
        f" 'projection.n.values'='01,02', {template}"
    )
    athena.run(
        "CREATE EXTERNAL TABLE injected (s string) PARTITIONED BY (d string, n string)"
        f" LOCATION 's3://{athena.bucket}/nowhere/' TBLPROPERTIES ({given})"
    )
    assert athena.rows("SELECT s FROM injected WHERE d = '2024-01-30' ORDER BY s") == [
        ["2024-01-30/01"],
        ["2024-01-30/02"],
    ]
    assert athena.reason("SELECT s FROM injected").startswith("CONSTRAINT_VIOLATION: For the injected")


def test_a_table_follows_its_objects(athena: Athena) -> None:
    athena.put("changing/a.csv", "1\n")
    _table(athena, "changing", "n int")
    assert athena.rows("SELECT sum(n) FROM changing") == [["1"]]
    athena.put("changing/a.csv", "5\n")
    athena.put("changing/b.csv", "7\n")
    assert athena.rows("SELECT sum(n) FROM changing") == [["12"]]
    athena.s3.delete_object(Bucket=athena.bucket, Key="changing/a.csv")
    assert athena.rows("SELECT sum(n) FROM changing") == [["7"]]


def test_a_location_that_cannot_be_read_is_named(athena: Athena) -> None:
    athena.run("CREATE EXTERNAL TABLE nowhere (n int) LOCATION 's3://no-such-bucket-at-all/x/'")
    assert athena.reason("SELECT * FROM nowhere").startswith(
        "HIVE_FILESYSTEM_ERROR: Failed to list directory: s3://no-such-bucket-at-all/x:"
    )


def test_a_serde_that_is_not_read_is_refused_by_name(athena: Athena) -> None:
    _table(athena, "orcs", "n int", "STORED AS ORC")
    assert athena.reason("SELECT * FROM orcs") == (
        "NOT_SUPPORTED: SerDe org.apache.hadoop.hive.ql.io.orc.OrcSerde is not supported by localaws"
    )


def test_a_megabyte_an_emoji_right_to_left_text_and_a_nul_survive(athena: Athena) -> None:
    values = ["x" * (1 << 20), "🙂👩‍👩‍👧", "שלום", "nul\x00inside"]
    athena.put("odd/a.csv", "".join(f'"{value}"\n' for value in values).encode())
    _table(athena, "odd", "s string", CSV_SERDE)
    assert athena.rows("SELECT s FROM odd") == [[value] for value in values]
    assert athena.rows("SELECT length(s) FROM odd") == [["1048576"], ["6"], ["4"], ["10"]]


def test_bytes_that_are_not_utf8_are_replaced(athena: Athena) -> None:
    athena.put("latin/a.csv", "caf\xe9\n".encode("latin-1"))
    _table(athena, "latin", "s string")
    assert athena.rows("SELECT s FROM latin") == [["caf�"]]


def test_the_fast_way_to_read_csv_gives_what_the_exact_one_gives() -> None:
    choose = random.Random(7)
    schema = pa.schema([(f"f{index}", pa.string()) for index in range(2)])
    for _ in range(1500):
        alphabet = choose.choice(["ab ", 'ab",', 'ab",\\é', "a\\"])
        lines = []
        for _ in range(choose.randint(1, 4)):
            fields = ["".join(choose.choices(alphabet, k=choose.randint(0, 4))) for _ in range(choose.randint(1, 3))]
            quoted = ['"' + field.replace('"', '""') + '"' if choose.random() < 0.5 else field for field in fields]
            lines.append(",".join(quoted))
        reader = text.OpenCsv({}, 2)
        block = ("\n".join(lines) + "\n").encode()
        exact = [[*reader.split(line), None, None][:2] for line in lines]
        read = reader._table(block, schema)
        assert [list(row.values()) for row in read.to_pylist()] == exact, block


def test_the_cache_stays_within_its_limit_and_keeps_what_is_in_use(tmp_path: Path) -> None:
    from localaws.athena.tables.cache import Cache, S3Object

    class Bucket:
        def get_object(self, **_: Any) -> dict[str, Any]:
            return {"ETag": '"e"', "Body": self}

        def iter_chunks(self, _size: int) -> list[bytes]:
            return [b"x" * 1000]

    cache = Cache(tmp_path / "cache", Bucket(), limit=2500)
    items = [S3Object("b", f"k{index}", '"e"', 1000) for index in range(5)]
    with cache.session() as session:
        paths = [session.file(item, "v", None) for item in items]
        assert all(path.exists() for path in paths)
    assert sum(path.exists() for path in paths) == 2
    assert paths[4].exists()
    leftover = tmp_path / "cache" / "x.parquet.part"
    leftover.write_bytes(b"half")
    cache.sweep()
    assert not leftover.exists()
