"""awswrangler, unmodified, reads and writes the lake through localaws."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import awswrangler as wr
import boto3
import pandas as pd
import pytest

DATABASE = "wrangled"
BUCKET = "wrangled-lake"
OUTPUT = f"s3://{BUCKET}/athena/"


@pytest.fixture(scope="module")
def lake(localaws: Any) -> Iterator[str]:
    """A bucket and a database; awswrangler's own session, polling fast."""
    before = boto3.DEFAULT_SESSION
    boto3.setup_default_session()
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    wr.config.athena_query_wait_polling_delay = 0.05
    wr.catalog.create_database(DATABASE, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield f"s3://{BUCKET}"
    boto3.DEFAULT_SESSION = before


@pytest.fixture(scope="module")
def reviews(lake: str) -> str:
    """A CSV file that create_csv_table made a table of."""
    body = 'sentiment,review_body,product_category\n1,great dress,Dresses\n-1,"bad, really",Knits\n0,ok,Knits\n'
    boto3.client("s3").put_object(Bucket=BUCKET, Key="reviews/reviews.csv", Body=body.encode())
    wr.catalog.create_csv_table(
        database=DATABASE,
        table="reviews",
        path=f"{lake}/reviews/",
        columns_types={"sentiment": "int", "review_body": "string", "product_category": "string"},
        mode="overwrite",
        skip_header_line_count=1,
        sep=",",
        serde_library="org.apache.hadoop.hive.serde2.OpenCSVSerde",
        serde_parameters={"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"},
    )
    return "reviews"


def _read(sql: str, **parameters: Any) -> pd.DataFrame:
    return wr.athena.read_sql_query(sql, database=DATABASE, **{"s3_output": OUTPUT, **parameters})


@pytest.mark.parametrize(
    "approach",
    [
        {"ctas_approach": True},
        {"ctas_approach": False},
        # Of this one awswrangler says itself that its output path must be empty.
        {"ctas_approach": False, "unload_approach": True, "s3_output": f"s3://{BUCKET}/unload-approach/"},
    ],
)
def test_read_sql_query_by_each_approach(reviews: str, approach: dict[str, Any]) -> None:
    frame = _read(f"SELECT * FROM {reviews} ORDER BY sentiment", **approach)
    assert frame["sentiment"].tolist() == [-1, 0, 1]
    assert frame["review_body"].tolist() == ["bad, really", "ok", "great dress"]
    assert str(frame["sentiment"].dtype) == "Int32"


def test_an_aggregate_has_its_types(reviews: str) -> None:
    sql = f"SELECT product_category, count(*) AS n, avg(sentiment) AS mean FROM {reviews} GROUP BY 1 ORDER BY 1"
    frame = _read(sql, ctas_approach=False)
    assert frame.to_dict("list") == {"product_category": ["Dresses", "Knits"], "n": [1, 2], "mean": [1.0, -0.5]}


def test_no_rows_are_an_empty_frame(reviews: str) -> None:
    frame = _read(f"SELECT * FROM {reviews} WHERE sentiment > 5")
    assert list(frame.columns) == ["sentiment", "review_body", "product_category"]
    assert frame.empty


def test_the_temporary_table_of_a_ctas_is_gone_afterwards(reviews: str) -> None:
    _read(f"SELECT * FROM {reviews}")
    names = [table["Name"] for table in wr.catalog.get_tables(database=DATABASE)]
    assert not [name for name in names if name.startswith("temp_table")]


def test_parameters_named_and_by_place(reviews: str) -> None:
    named = _read(f"SELECT * FROM {reviews} WHERE sentiment = :s", params={"s": 1}, ctas_approach=False)
    placed = _read(
        f"SELECT * FROM {reviews} WHERE product_category = ?",
        params=["Knits"],
        paramstyle="qmark",
        ctas_approach=False,
    )
    assert (len(named), len(placed)) == (1, 2)


def test_chunks(lake: str) -> None:
    chunks = _read("SELECT x FROM UNNEST(sequence(1, 2500)) AS u(x)", ctas_approach=False, chunksize=1000)
    assert [len(chunk) for chunk in chunks] == [1000, 1000, 500]


def test_a_bad_query_raises_with_athenas_reason(reviews: str) -> None:
    with pytest.raises(wr.exceptions.QueryFailed, match="COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"):
        _read(f"SELECT nope FROM {reviews}", ctas_approach=False)


def test_to_parquet_writes_appends_and_overwrites_a_partitioned_dataset(lake: str) -> None:
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "name": ["a", None, "c"],
            "value": [1.5, 2.5, None],
            "day": pd.to_datetime(["2020-01-01", "2021-01-01", None]),
            "ok": [True, False, None],
            "list": [[1], [2, 3], None],
            "part": ["x", "y", "x"],
        }
    )
    target: dict[str, Any] = {
        "path": f"{lake}/dataset/",
        "dataset": True,
        "database": DATABASE,
        "table": "dataset",
        "partition_cols": ["part"],
    }
    wr.s3.to_parquet(frame, mode="overwrite", **target)
    back = _read("SELECT * FROM dataset ORDER BY id")
    assert back["name"].tolist()[0] == "a"
    assert back["value"].tolist()[:2] == [1.5, 2.5]
    assert back["day"].tolist()[0] == pd.Timestamp("2020-01-01")
    assert [list(value) for value in back["list"][:2]] == [[1], [2, 3]]
    assert back["part"].tolist() == ["x", "y", "x"]

    wr.s3.to_parquet(frame.assign(part="z"), mode="append", **target)
    count = "SELECT part, count(*) AS n, sum(value) AS total FROM dataset GROUP BY part ORDER BY part"
    assert _read(count, ctas_approach=False).to_dict("list") == {
        "part": ["x", "y", "z"],
        "n": [2, 1, 3],
        "total": [1.5, 2.5, 4.0],
    }

    wr.s3.to_parquet(frame.head(1), mode="overwrite_partitions", **target)
    assert _read(count, ctas_approach=False)["n"].tolist() == [1, 1, 3]

    wr.s3.to_parquet(frame.head(2), mode="overwrite", **target)
    assert _read(count, ctas_approach=False)["n"].tolist() == [1, 1]


def test_repair_table_finds_partitions_that_were_only_copied(lake: str) -> None:
    frame = pd.DataFrame({"id": [1], "part": ["a"]})
    wr.s3.to_parquet(
        frame,
        path=f"{lake}/repaired/",
        dataset=True,
        database=DATABASE,
        table="repaired",
        partition_cols=["part"],
        mode="overwrite",
    )
    wr.s3.to_parquet(pd.DataFrame({"id": [2]}), path=f"{lake}/repaired/part=b/x.parquet", index=False)
    assert _read("SELECT count(*) AS n FROM repaired", ctas_approach=False)["n"].tolist() == [1]
    assert wr.athena.repair_table("repaired", database=DATABASE, s3_output=OUTPUT) == "SUCCEEDED"
    assert _read("SELECT count(*) AS n FROM repaired", ctas_approach=False)["n"].tolist() == [2]


def test_describe_and_show_create_table(reviews: str) -> None:
    described = wr.athena.describe_table(reviews, DATABASE, s3_output=OUTPUT)
    assert described["Column Name"].tolist() == ["sentiment", "review_body", "product_category"]
    shown = wr.athena.show_create_table(reviews, DATABASE, s3_output=OUTPUT)
    assert shown.startswith(f"CREATE EXTERNAL TABLE `{DATABASE}.{reviews}`(")
    catalogued = wr.catalog.table(database=DATABASE, table=reviews)
    assert catalogued["Type"].tolist() == ["int", "string", "string"]


def test_create_ctas_table_and_read_sql_table(reviews: str) -> None:
    made = wr.athena.create_ctas_table(
        f"SELECT * FROM {reviews}", database=DATABASE, ctas_table="copied", wait=True, s3_output=OUTPUT
    )
    assert made["ctas_table"] == "copied"
    assert len(wr.athena.read_sql_table("copied", database=DATABASE, s3_output=OUTPUT)) == 3


def test_unload_to_a_place_of_ones_own(reviews: str, lake: str) -> None:
    wr.athena.unload(f"SELECT * FROM {reviews}", path=f"{lake}/unload/", database=DATABASE, file_format="PARQUET")
    assert (
        len(
            wr.s3.read_parquet(
                f"{lake}/unload/", dataset=False, path_suffix=None, path_ignore_suffix=[".metadata", ".csv"]
            )
        )
        == 3
    )


def test_csv_datasets(lake: str) -> None:
    frame = pd.DataFrame({"id": [1, 2], "name": ["a", "b"]})
    wr.s3.to_csv(
        frame, path=f"{lake}/csv/", dataset=True, database=DATABASE, table="csvs", mode="overwrite", index=False
    )
    assert _read("SELECT * FROM csvs ORDER BY id", ctas_approach=False).to_dict("list") == {
        "id": [1, 2],
        "name": ["a", "b"],
    }


def test_start_wait_and_fetch(lake: str) -> None:
    started = wr.athena.start_query_execution("SELECT 1 AS x", database=DATABASE, s3_output=OUTPUT, wait=True)
    assert wr.athena.get_query_results(started["QueryExecutionId"])["x"].tolist() == [1]


def test_iceberg_is_refused_by_name(lake: str) -> None:
    with pytest.raises(wr.exceptions.QueryFailed, match="Iceberg tables are not supported by localaws"):
        wr.athena.to_iceberg(
            pd.DataFrame({"id": [1]}),
            database=DATABASE,
            table="ice",
            temp_path=f"{lake}/temporary/",
            table_location=f"{lake}/ice/",
            s3_output=OUTPUT,
        )
