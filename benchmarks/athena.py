"""
The reference's five queries over the real reviews: Athena of localaws against DuckDB directly on the same file.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.athena [--rounds 7]     # prints Markdown
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import duckdb

from benchmarks.local import BUCKET, ROOT, raw_reviews, session

TABLE = f"""
CREATE EXTERNAL TABLE reviews (sentiment int, review_body string, product_category string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://{BUCKET}/reviews/'
TBLPROPERTIES ('skip.header.line.count' = '1')
"""
#: the queries of include/sql as one would write them for DuckDB.
DIRECT = {
    "sentiments": "SELECT sentiment, count(*) FROM reviews GROUP BY 1 ORDER BY 1",
    "categories": "SELECT product_category, count(*) c FROM reviews GROUP BY 1 ORDER BY c DESC, 1",
    "average_sentiment": "SELECT product_category, avg(sentiment) a FROM reviews GROUP BY 1 ORDER BY a DESC, 1",
    "split": (
        "SELECT product_category, sentiment, count(*), 100.0 * count(*) / sum(count(*)) OVER"
        " (PARTITION BY product_category) FROM reviews GROUP BY 1, 2 ORDER BY 1, 2"
    ),
    "words": "SELECT len(string_split(review_body, ' ')) w, count(*) FROM reviews GROUP BY 1 ORDER BY 1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, session(Path(folder) / "home") as aws:
        file = Path(folder) / "reviews.csv"
        source = raw_reviews(raw := Path(folder) / "raw")
        rows = prepare(raw / "reviews.csv", file)
        aws.client("s3").upload_file(str(file), BUCKET, "reviews/reviews.csv")
        athena = Athena(aws)
        athena.run(TABLE)
        queries = {name: (ROOT / "include" / "sql" / f"{name}.sql").read_text() for name in DIRECT}
        cold = athena.timed(queries["sentiments"])
        ours: dict[str, list[tuple[float, float]]] = {name: [] for name in DIRECT}
        theirs: dict[str, list[float]] = {name: [] for name in DIRECT}
        for _ in range(rounds):
            for name, sql in queries.items():
                wall, engine, answer = athena.timed(sql)
                seconds, direct = timed_direct(DIRECT[name], file)
                if [[float(v) if _number(v) else v for v in row] for row in answer] != direct:
                    raise RuntimeError(f"{name}: the answers differ")
                ours[name].append((wall, engine))
                theirs[name].append(seconds)
        report(rows, source, file.stat().st_size, cold[:2], ours, theirs)


def _number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).replace("E", "", 1).isdigit()


def prepare(raw: Path, target: Path) -> int:
    """The raw reviews as the transform job leaves them; how many."""
    with open(raw, encoding="utf-8", newline="") as lines:
        found = [
            (-1 if int(row["Rating"]) < 3 else int(int(row["Rating"]) > 3), row["Review Text"], row["Class Name"])
            for row in csv.DictReader(lines)
            if row["Review Text"].strip() and row["Class Name"].strip()
        ]
    sizes = Counter(category for _, _, category in found)
    kept = [row for row in found if sizes[row[2]] > 10]
    spaces = str.maketrans({",": " ", "\r": " ", "\n": " "})
    with open(target, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sentiment", "review_body", "product_category"))
        writer.writerows((sentiment, text.translate(spaces), category) for sentiment, text, category in kept)
    return len(kept)


class Athena:
    """boto3, waiting for results as a client does: by asking again and again."""

    def __init__(self, aws: boto3.Session) -> None:
        self.client: Any = aws.client("athena")

    def run(self, sql: str) -> str:
        identifier = self.client.start_query_execution(
            QueryString=sql, ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"}
        )["QueryExecutionId"]
        while True:
            execution = self.client.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return str(identifier)
            if state in ("FAILED", "CANCELLED"):
                raise RuntimeError(execution["Status"]["StateChangeReason"])
            time.sleep(0.005)

    def timed(self, sql: str) -> tuple[float, float, list[list[str]]]:
        """Seconds from start to rows in hand, seconds by Athena's own statistics, and the rows."""
        began = time.perf_counter()
        identifier = self.run(sql)
        rows = self.client.get_query_results(QueryExecutionId=identifier)["ResultSet"]["Rows"]
        wall = time.perf_counter() - began
        statistics_ = self.client.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]["Statistics"]
        texts = [[value["VarCharValue"] for value in row["Data"]] for row in rows[1:]]
        return wall, statistics_["EngineExecutionTimeInMillis"] / 1000, texts


def timed_direct(sql: str, file: Path) -> tuple[float, list[list[Any]]]:
    """Seconds that a DuckDB of its own takes over the file, connecting included, and the rows."""
    began = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW reviews AS SELECT * FROM read_csv('{file}', header=true)")
        answer = connection.execute(sql).fetchall()
    seconds = time.perf_counter() - began
    return seconds, [[float(v) if isinstance(v, int | float) else v for v in row] for row in answer]


def report(
    rows: int,
    source: str,
    size: int,
    cold: tuple[float, float],
    ours: dict[str, list[tuple[float, float]]],
    theirs: dict[str, list[float]],
) -> None:
    print("# Athena\n")
    rounds = len(theirs["split"])
    print(f"{rows:,} of {source}, one CSV file of {size / 1e6:.1f} MB (OpenCSVSerDe); medians of {rounds} rounds.")
    print(
        "Athena: from StartQueryExecution to GetQueryResults, the answer checked against DuckDB's; engine: by its own"
    )
    print("statistics. DuckDB: `read_csv` in a fresh connection.\n")
    print("| query | Athena | engine | DuckDB | Athena / DuckDB |\n|---|---|---|---|---|")
    for name, pairs in ours.items():
        wall, engine = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        direct = statistics.median(theirs[name])
        cells = (f"{seconds * 1000:.0f} ms" for seconds in (wall, engine, direct))
        print(f"| {name} | {' | '.join(cells)} | {wall / direct:.2f} |")
    total = sum(statistics.median(pair[0] for pair in pairs) for pairs in ours.values())
    direct = sum(statistics.median(seconds) for seconds in theirs.values())
    print(f"| all five | {total * 1000:.0f} ms | | {direct * 1000:.0f} ms | {total / direct:.2f} |")
    print(
        f"\nThe very first query took {cold[0] * 1000:.0f} ms: it imports the engine, fetches the object and parses it"
        " once into the cache, which the others read."
    )


if __name__ == "__main__":
    main()
