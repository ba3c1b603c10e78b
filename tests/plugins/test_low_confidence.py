"""What a new model gains where the old one was not sure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operator_kit import BUCKET

from include.retraining import low_confidence


def rows(right: list[bool], probabilities: list[float]) -> list[dict[str, str]]:
    return [
        {
            "review_id": f"r{at}",
            "sentiment": "1",
            "predicted_label": "1" if each else "0",
            "probability": str(probability),
        }
        for at, (each, probability) in enumerate(zip(right, probabilities, strict=True))
    ]


def test_only_reviews_below_the_threshold_by_the_champion_count() -> None:
    before = rows([True, False, False, True], [0.95, 0.6, 0.7, 0.9])
    # The challenger's own probabilities choose nothing.
    after = rows([False, True, False, False], [0.1, 0.99, 0.99, 0.1])
    found = low_confidence.compare(before, after, 0.9)
    assert found["reviews"] == 2
    assert (found["before"]["accuracy"], found["after"]["accuracy"], found["difference"]) == (0.0, 0.5, 0.5)


def test_intervals_are_wilson_s_and_bonett_and_price_s() -> None:
    # Wilson for 1 of 2; and of 8 gained and 2 lost of 30: 6/32 -+ 1.96 sqrt((12/32 - (6/32)^2) / 32).
    assert low_confidence.wilson(1, 2) == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert low_confidence.paired(8, 2, 30) == pytest.approx([-0.0145, 0.3895], abs=1e-4)
    assert low_confidence.wilson(0, 0) is None and low_confidence.paired(0, 0, 0) is None


def test_a_champion_that_is_sure_of_all_has_no_slice() -> None:
    found = low_confidence.compare(rows([True], [0.99]), rows([True], [0.5]), 0.9)
    assert (found["reviews"], found["difference"], found["interval"]) == (0, None, None)
    assert "0 test reviews" in low_confidence.as_markdown(found, synthetic=False)


def test_the_report_is_beside_the_challenger_s_evaluation(aws: Any, capsys: pytest.CaptureFixture[str]) -> None:
    s3 = aws("s3")
    for name, right in (("before", [False] * 8 + [True] * 4), ("after", [True] * 10 + [False] * 2)):
        lines = [",".join(row.values()) for row in rows(right, [0.5] * 12)]
        body = "\n".join(["review_id,sentiment,predicted_label,probability", *lines])
        s3.put_object(Bucket=BUCKET, Key=f"slice/{name}/predictions.csv", Body=body.encode())
    after, before = (f"s3://{BUCKET}/slice/{name}/" for name in ("after", "before"))
    found = low_confidence.report(after, before, 0.9, synthetic=True)
    written = {
        name: s3.get_object(Bucket=BUCKET, Key=f"slice/after/low_confidence.{name}")["Body"].read().decode()
        for name in ("json", "md")
    }
    assert json.loads(written["json"]) == found
    assert written["md"].startswith("# SYNTHETIC: Where the champion is not sure")
    assert "| before: champion | 33.3% |" in written["md"] and "| after: challenger | 83.3% |" in written["md"]
    assert "Difference: +50.0 points" in capsys.readouterr().out
