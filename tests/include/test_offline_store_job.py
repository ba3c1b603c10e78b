"""The offline_store job: records as Feature Store keeps them offline, in bulk."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import files, load, run

FEATURES = "review_id:String,date:String,label_id:Integral,weight:Fractional,input_ids:String"


def records(path: Path, rows: int, dates: tuple[str, ...] = ("2026-11-30T05:10:00Z",)) -> Path:
    columns = {
        "review_id": [f"r{row}" for row in range(rows)],
        "label_id": pa.array([row % 3 for row in range(rows)], pa.int8()),
        "weight": pa.array([None if row == 1 else row / 2 for row in range(rows)], pa.float32()),
        "input_ids": pa.array([[row, 7] for row in range(rows)], pa.list_(pa.int32())),
        "date": [dates[row % len(dates)] for row in range(rows)],
        "not a feature": ["x"] * rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path.parent


def ingest(source: Path, target: Path, **arguments: Any) -> int:
    given = {"features": FEATURES, "event-time": "date", **arguments}
    return run("offline_store", input=source, output=target, **given)


def test_records_go_into_a_folder_for_each_hour_of_event_time(tmp_path: Path) -> None:
    dates = ("2026-11-30T05:10:00Z", "2026-11-30T05:59:59.999Z", "2026-12-01T23:00:00Z")
    source = records(tmp_path / "in" / "part.parquet", 9, dates)
    assert ingest(source, tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report" / "report-algo-1.json").read_text())
    assert report["rows"] == 9 and report["partitions"] == {"2026/11/30/05": 6, "2026/12/01/23": 3}
    one, two = sorted(name for name in files(tmp_path / "out") if name.startswith("offline/"))
    assert one.startswith("offline/year=2026/month=11/day=30/hour=05/20261130T055959Z_") and one.endswith(".parquet")
    assert two.startswith("offline/year=2026/month=12/day=01/hour=23/20261201T230000Z_")
    table = pq.ParquetFile(tmp_path / "out" / one).read()
    assert table.schema.names == [each.split(":")[0] for each in FEATURES.split(",")] + [
        "write_time",
        "api_invocation_time",
        "is_deleted",
    ]
    first, second, *_ = table.to_pylist()
    added = {name: first.pop(name) for name in ("write_time", "api_invocation_time", "is_deleted")}
    assert first == {"review_id": "r0", "date": dates[0], "label_id": 0, "weight": 0.0, "input_ids": "0 7"}
    assert second["weight"] is None
    assert added["is_deleted"] is False and added["write_time"] == added["api_invocation_time"]
    assert abs((added["write_time"] - datetime.now(UTC).replace(tzinfo=None)).total_seconds()) < 60
    assert str(table.schema.field("write_time").type) == "timestamp[ms]"


def test_a_second_run_writes_over_the_first_and_other_records_do_not(tmp_path: Path) -> None:
    source = records(tmp_path / "in" / "part.parquet", 5)
    assert ingest(source, tmp_path / "out") == ingest(source, tmp_path / "again") == 0
    assert files(tmp_path / "out" / "offline") == files(tmp_path / "again" / "offline")
    other = records(tmp_path / "other" / "part.parquet", 6)
    assert ingest(other, tmp_path / "more") == 0
    assert files(tmp_path / "out" / "offline") != files(tmp_path / "more" / "offline")


def test_more_hours_than_files_may_be_open_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load("offline_store")
    monkeypatch.setattr(script, "OPEN", 3)
    monkeypatch.setattr(script, "BATCH", 8)
    source = records(tmp_path / "in" / "part.parquet", 64, tuple(f"2026-11-30T{hour:02}:00:00Z" for hour in range(8)))
    words = ["--input", str(source), "--output", str(tmp_path / "out"), "--features", FEATURES, "--event-time", "date"]
    assert script.main(words) == 0
    found = [
        row
        for path in (tmp_path / "out" / "offline").rglob("*.parquet")
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    assert sorted(row["review_id"] for row in found) == sorted(f"r{row}" for row in range(64))


def test_unix_seconds_are_event_times_too(tmp_path: Path) -> None:
    path = tmp_path / "in" / "part.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"id": ["a"], "at": [1796033954.5]}), path)
    assert ingest(path.parent, tmp_path / "out", features="id:String,at:Fractional", **{"event-time": "at"}) == 0
    (name,) = files(tmp_path / "out" / "offline")
    assert name.startswith("year=2026/month=11/day=30/hour=10/20261130T101914Z_")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"features": "review_id:String,other:String,date:String"}, "part.parquet lacks the features other"),
        ({"event-time": "when"}, "the event time when is no feature"),
    ],
)
def test_records_that_do_not_fit_the_group_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: dict[str, str], said: str
) -> None:
    assert ingest(records(tmp_path / "in" / "part.parquet", 3), tmp_path / "out", **arguments) == 2
    assert said in capsys.readouterr().err


def test_no_records_and_times_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest(tmp_path / "nothing", tmp_path / "out") == 2
    assert "there is no .parquet file" in capsys.readouterr().err
    assert ingest(records(tmp_path / "in" / "part.parquet", 3, ("yesterday",)), tmp_path / "out") == 2
    assert "an event time is not in ISO 8601" in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_memory_stays_flat_when_the_records_grow_tenfold(tmp_path: Path) -> None:
    peaks = []
    script = load("offline_store")
    for rows in (20_000, 200_000):
        source = records(tmp_path / str(rows) / "part.parquet", rows)
        words = ["--input", str(source), "--output", str(tmp_path / f"out-{rows}"), "--features", FEATURES]
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        tracemalloc.start()
        assert script.main([*words, "--event-time", "date"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert pool.bytes_allocated() - before < 10 << 20
    assert peaks[1] < 1.5 * peaks[0]
