"""
Feature Store of localaws: ingestion, reads and writes, and how soon Athena sees them. Runs where Airflow is
installed; localaws by JOBS_PYTHON, else by the jobs environment's.

    python -m benchmarks.feature_store     # prints Markdown
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.crowd import CLIENTS, crowded, timed
from benchmarks.local import BUCKET, ROLE, ROOT, session

sys.path.insert(0, str(ROOT / "plugins"))
GROUP = "reviews"
FEATURES = ("review_id", "date", "sentiment", "label_id", "input_ids", "review_body", "split_type")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=6153)
    parser.add_argument("--calls", type=int, default=400)
    chosen = parser.parse_args()
    # Airflow logs to standard output, which is for the results.
    with contextlib.redirect_stdout(sys.stderr):
        lines = measured(chosen.records, chosen.calls)
    print("### Feature Store\n")
    print(f"{chosen.records:,} made-up records (SYNTHETIC) of {len(FEATURES)} String features.\n")
    print("| what | measured | wanted |\n|---|---|---|")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def measured(records: int, calls: int) -> list[tuple[str, str, str]]:
    """What, its figure, and the figure that is wanted."""
    with tempfile.TemporaryDirectory() as folder, localaws(Path(folder)) as aws:
        aws.client("s3").put_object(Bucket=BUCKET, Key="features/train.csv", Body=rows(records))
        runtime = aws.client("sagemaker-featurestore-runtime", config=pooled())
        seconds, visible = ingested(aws, records)
        lines = [
            ("FeatureIngestOperator, 8 threads", f"{seconds:.1f} s ({records / seconds:.0f}/s)", "< 30 s"),
            ("then, until Athena counts them all", f"{visible:.1f} s", ""),
        ]
        for name, call in (("GetRecord", get), ("PutRecord", put)):
            call(runtime, 0)
            times = [timed(partial(call, runtime), turn % records) for turn in range(calls)]
            lines.append((f"{name}, one client", spread(times), "p50 < 5 ms"))
        times, errors, wall = crowded(lambda n: get(runtime, n), [turn % records for turn in range(calls * 4)])
        figures = f"{spread(times)}, {len(times) / wall:.0f}/s, {errors} errors"
        return [*lines, (f"GetRecord, {CLIENTS} clients", figures, "0 errors")]


def spread(times: list[float]) -> str:
    return f"p50 {statistics.median(times):.2f} ms, p99 {statistics.quantiles(times, n=100)[98]:.2f} ms"


def pooled() -> Any:
    from botocore.config import Config

    return Config(max_pool_connections=CLIENTS)


@contextmanager
def localaws(home: Path) -> Iterator[Any]:
    """A session whose clients, and Airflow's operators, talk to a localaws of its own."""
    python = os.environ.get("JOBS_PYTHON", str(ROOT / ".local" / "venv-jobs" / "bin" / "python"))
    os.environ |= {"AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW_CONN_AWS_DEFAULT": "aws://"}
    with session(home, python) as made:
        yield made


def rows(count: int) -> bytes:
    """Reviews as long as the real ones are on average, with 128 token ids each."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(name for name in FEATURES if name not in ("date", "split_type"))
    for number in range(count):
        label = number % 3
        ids = " ".join(str((number * 31 + place * 7) % 30000) for place in range(128))
        writer.writerow((f"review-{number}", label - 1, label, ids, f"made-up review {number} " * 15))
    return target.getvalue().encode()


def ingested(aws: Any, count: int) -> tuple[float, float]:
    """Seconds that the operator takes, and seconds from its end until Athena counts all."""
    from airflow.sdk.bases.operator import ExecutorSafeguard

    from amazon_ml.operators.feature_group import FeatureGroupOperator, FeatureIngestOperator

    ExecutorSafeguard.test_mode = True
    task = SimpleNamespace(dag_id="bench", task_id="bench", map_index=-1, run_id="bench", start_date=datetime.now(UTC))
    context: Any = {"ti": task, "dag_run": SimpleNamespace(logical_date=datetime.now(UTC))}
    made = FeatureGroupOperator(
        task_id="group",
        name=GROUP,
        features=dict.fromkeys(FEATURES, "String"),
        identifier="review_id",
        event_time="date",
        role_arn=ROLE,
        offline_s3_uri=f"s3://{BUCKET}/store",
        deferrable=False,
    ).execute(context)
    began = time.perf_counter()
    operator = FeatureIngestOperator(
        task_id="ingest",
        feature_group=GROUP,
        source=f"s3://{BUCKET}/features/train.csv",
        constants={"split_type": "train"},
    )
    if operator.execute(context)["records"] != count:
        raise SystemExit("not all records were put")
    ended = time.perf_counter()
    athena = aws.client("athena")
    while counted(athena, made) < count:
        time.sleep(0.1)
    return ended - began, time.perf_counter() - ended


def counted(athena: Any, made: dict[str, Any]) -> int:
    query = athena.start_query_execution(
        QueryString=f'SELECT count(*) FROM "{made["database"]}"."{made["table"]}"',
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )["QueryExecutionId"]
    while (status := athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        time.sleep(0.02)
    if status["State"] != "SUCCEEDED":
        raise SystemExit(status["StateChangeReason"])
    return int(athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"])


def get(runtime: Any, number: int) -> None:
    answer = runtime.get_record(FeatureGroupName=GROUP, RecordIdentifierValueAsString=f"review-{number}")
    if len(answer["Record"]) != len(FEATURES):
        raise RuntimeError(f"review-{number} is not whole")


def put(runtime: Any, number: int) -> None:
    body = dict.fromkeys(FEATURES, "text " * 20) | {"review_id": f"review-{number}", "date": "2020-01-01T00:00:00Z"}
    record = [{"FeatureName": name, "ValueAsString": text} for name, text in body.items()]
    runtime.put_record(FeatureGroupName=GROUP, Record=record)


if __name__ == "__main__":
    main()
