"""
The reference's five queries over the real reviews: Athena of localaws against DuckDB directly on the same file.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.athena [--rounds 7]     # prints Markdown
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import boto3
import duckdb

ROOT = Path(__file__).parent.parent
BUCKET = "bench"
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
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        file = Path(folder) / "reviews.csv"
        rows = prepare(Path(os.environ["REVIEWS_SOURCE"]), file)
        athena = running.enter_context(localaws(Path(folder) / "home", file))
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
        report(rows, file.stat().st_size, cold[:2], ours, theirs)


def _number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).replace("E", "", 1).isdigit()


def prepare(source: Path, target: Path) -> int:
    """The reviews as the transform job leaves them; how many."""
    with contextlib.ExitStack() as stack:
        if source.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(source))
            name = next(n for n in archive.namelist() if n.endswith(".csv") and not n.startswith("__"))
            lines: TextIO = io.TextIOWrapper(stack.enter_context(archive.open(name)), "utf-8", newline="")
        else:
            lines = stack.enter_context(open(source, encoding="utf-8", newline=""))
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

    def __init__(self, session: Any, url: str) -> None:
        self.client = session.client("athena", endpoint_url=url)

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
    size: int,
    cold: tuple[float, float],
    ours: dict[str, list[tuple[float, float]]],
    theirs: dict[str, list[float]],
) -> None:
    print("### Athena\n")
    rounds = len(theirs["split"])
    print(f"{rows:,} reviews, one CSV file of {size / 1e6:.1f} MB (OpenCSVSerDe); medians of {rounds} rounds.")
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


@contextlib.contextmanager
def localaws(home: Path, file: Path) -> Iterator[Athena]:
    """A localaws of its own with the table made."""
    command = [sys.executable, "-m", "localaws", "serve", "--home", str(home), "--port", "0"]
    with open(os.devnull, "w") as nowhere:
        server = subprocess.Popen(command, cwd=ROOT, stdout=nowhere, stderr=nowhere)
    try:
        ready = home / "localaws" / "server.json"
        wait_for(ready.exists)
        lines = (home / "credentials").read_text().splitlines()
        keys = dict(line.split(" = ", 1) for line in lines if " = " in line)
        session, url = boto3.session.Session(region_name="us-east-1", **keys), json.loads(ready.read_text())["url"]
        s3 = session.client("s3", endpoint_url=url)
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(file), BUCKET, "reviews/reviews.csv")
        athena = Athena(session, url)
        athena.run(TABLE)
        yield athena
    finally:
        server.terminate()
        server.wait(30)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
