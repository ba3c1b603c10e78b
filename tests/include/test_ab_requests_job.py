"""The labelled traffic of an A/B test: every review once before the last look, repeats marked, the same by seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_kit import files, run

REVIEWS = 70


def write(folder: Path, **arguments: Any) -> int:
    test = folder / "in" / "test"
    test.mkdir(parents=True, exist_ok=True)
    names = [f"r{number:02d}" for number in range(REVIEWS)]
    table = {"review_id": names, "review_body": [f'text "{name}"\n' for name in names], "sentiment": [1] * REVIEWS}
    pq.write_table(pa.table(table), test / "part-0.parquet")
    return run("ab_requests", input=folder / "in", output=folder / "out", reason=folder / "a/b/message", **arguments)


def requests(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"out/requests/{name}/requests.jsonl").read_text().splitlines()]


def test_every_review_is_asked_about_once_before_the_last_look_in_random_order(tmp_path: Path) -> None:
    assert write(tmp_path, looks=3) == 0
    parts = [[line["id"] for line in requests(tmp_path, f"look-{number}")] for number in (1, 2, 3)]
    assert [len(part) for part in parts] == [24, 23, 23]
    together = [name for part in parts for name in part]
    assert together != sorted(together)
    assert sorted(together) == [f"r{number:02d}" for number in range(REVIEWS)]
    first = requests(tmp_path, "look-1")[0]
    assert json.loads(first["body"]) == {"features": [f'text "{first["id"]}"\n']}


def test_health_and_load_repeat_reviews_under_ids_of_their_own(tmp_path: Path) -> None:
    assert write(tmp_path, health=60, load=120, steps=2) == 0
    for name, count in (("health-1", 60), ("health-2", 60), ("load", 120)):
        found = [line["id"] for line in requests(tmp_path, name)]
        assert len(set(found)) == len(found) == count
        assert {each.split("#")[0] for each in found} <= {f"r{number:02d}" for number in range(REVIEWS)}
    assert files(tmp_path / "out/requests") == sorted(
        f"{name}/requests.jsonl" for name in ("look-1", "look-2", "look-3", "health-1", "health-2", "load")
    )


def test_the_same_seed_makes_the_same_traffic_and_another_one_another(tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert write(tmp_path / name, seed=seed) == 0
        made.append([requests(tmp_path / name, part) for part in ("look-1", "load")])
    assert made[0] == made[1] != made[2]


def test_fewer_reviews_are_taken_where_fewer_are_asked_for(tmp_path: Path) -> None:
    assert write(tmp_path, reviews=50, looks=2, synthetic="True") == 0
    report = json.loads((tmp_path / "out/report/report.json").read_text())
    assert report == {"reviews": 50, "looks": [25, 25], "health": 50, "load": 500, "synthetic": True}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"reviews": 59}, "59 reviews are too few for 3 looks of a random design: it takes 60"),
        ({"reviews": 5, "design": "paired"}, "5 reviews are too few for 3 looks of a paired design: it takes 6"),
    ],
)
def test_too_few_reviews_are_refused(
    tmp_path: Path, arguments: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(tmp_path, **arguments) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_missing_test_split_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ab_requests", input=tmp_path, output=tmp_path / "out") == 2
    assert "there is no test split with reviews" in capsys.readouterr().err
