"""Tables that the crawler made, read by Athena: the two must mean the same by a table."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from crawler_kit import Lake
from pyarrow import parquet
from waiting_kit import until


@pytest.fixture
def lake(localaws: Any) -> Lake:
    return Lake()


def ask(lake: Lake, query: str) -> list[list[str | None]]:
    """The rows of an Athena query, as text, without the header."""
    athena = boto3.Session().client("athena")
    started = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Database": lake.name},
        ResultConfiguration={"OutputLocation": lake.uri("answers/")},
    )["QueryExecutionId"]
    status = until(
        lambda: athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"],
        lambda seen: seen["State"] not in ("QUEUED", "RUNNING"),
    )
    assert status["State"] == "SUCCEEDED", status
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=started)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    return [[cell.get("VarCharValue") for cell in row] for row in rows[1:]]


def test_csv_with_types_and_header(lake: Lake) -> None:
    lake.put("sales/a.csv", "id,price,fresh,name\n1,2.5,true,apple\n2,,false,pear\n")
    lake.crawl("sales/")
    assert ask(lake, "SELECT * FROM sales ORDER BY id") == [["1", "2.5", "true", "apple"], ["2", None, "false", "pear"]]
    assert ask(lake, "SELECT sum(id), sum(price) FROM sales WHERE fresh") == [["1", "2.5"]]


def test_csv_without_header_and_with_semicolons(lake: Lake) -> None:
    lake.put("plain/a.csv", "a;x\nb;y\n")
    lake.crawl("plain/")
    assert ask(lake, "SELECT col1, col0 FROM plain ORDER BY col0") == [["x", "a"], ["y", "b"]]


def test_quoted_csv_by_a_classifier(lake: Lake) -> None:
    lake.put("reviews/a.csv", 'sentiment,body\n1,"good, ""very"" good"\n-1,bad\n0,"👗 שלום"\n')
    csv = {"Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}
    lake.glue.create_classifier(CsvClassifier={"Name": lake.name, **csv})
    lake.crawl("reviews/", Classifiers=[lake.name])
    assert ask(lake, "SELECT sentiment, body FROM reviews ORDER BY sentiment") == [
        ["-1", "bad"],
        ["0", "👗 שלום"],
        ["1", 'good, "very" good'],
    ]
    assert ask(lake, "SELECT sum(sentiment) FROM reviews") == [["0"]]


def test_gzip_csv_in_partitions(lake: Lake) -> None:
    for day in (1, 2, 3):
        lake.put(f"days/day={day}/a.csv.gz", gzip.compress(f"id,amount\n{day},1.5\n".encode()))
    lake.crawl("days/")
    assert ask(lake, "SELECT day, sum(amount) FROM days WHERE day >= '2' GROUP BY day ORDER BY day") == [
        ["2", "1.5"],
        ["3", "1.5"],
    ]


def test_plain_folders_as_partitions(lake: Lake) -> None:
    lake.put("all/north/a.csv", "id,amount\n1,1.5\n")
    lake.put("all/south/a.csv", "id,amount\n2,2.5\n")
    lake.crawl("all/")
    assert ask(lake, 'SELECT partition_0, id FROM "all" ORDER BY id') == [["north", "1"], ["south", "2"]]


def test_json_lines_with_nested_values(lake: Lake) -> None:
    rows = [
        {"Id": 1, "geo": {"lat": 1.5}, "tags": ["a", "b"], "big": 2**40},
        {"Id": 2, "geo": {"lat": 2.5}, "tags": [], "big": None},
    ]
    lake.put("events/a.json", "\n".join(json.dumps(row) for row in rows))
    lake.crawl("events/")
    query = "SELECT id, geo.lat, cardinality(tags), big FROM events ORDER BY id"
    assert ask(lake, query) == [["1", "1.5", "2", str(2**40)], ["2", "2.5", "0", None]]


def test_parquet_in_partitions_whose_schema_grew(lake: Lake) -> None:
    for year, table in {
        2025: pa.table({"id": [1], "name": ["a"]}),
        2026: pa.table({"id": [2], "name": ["b"], "more": [1.5]}),
    }.items():
        buffer = io.BytesIO()
        parquet.write_table(table, buffer)
        lake.put(f"points/year={year}/part-0.parquet", buffer.getvalue())
    lake.crawl("points/")
    assert ask(lake, "SELECT id, name, more, year FROM points ORDER BY id") == [
        ["1", "a", None, "2025"],
        ["2", "b", "1.5", "2026"],
    ]


@pytest.mark.real_data
def test_raw_reviews_of_the_real_file_are_counted_right(lake: Lake, reviews_file: Path) -> None:
    if reviews_file.suffix == ".zip":
        with zipfile.ZipFile(reviews_file) as archive:
            (member,) = [name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name]
            data = archive.read(member)
    else:
        data = reviews_file.read_bytes()
    lake.put("raw/reviews.csv", data)
    csv = {"Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}
    lake.glue.create_classifier(CsvClassifier={"Name": lake.name, **csv})
    table = lake.crawl("raw/", Classifiers=[lake.name])["raw"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns == {
        "col0": "bigint",
        "clothing id": "bigint",
        "age": "bigint",
        "title": "string",
        "review text": "string",
        "rating": "bigint",
        "recommended ind": "bigint",
        "positive feedback count": "bigint",
        "division name": "string",
        "department name": "string",
        "class name": "string",
    }
    # The count is estimated from the first megabyte of text.
    assert abs(int(table["Parameters"]["recordCount"]) - 23_486) < 23_486 * 0.05
