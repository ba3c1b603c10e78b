"""The five questions of the reference workflow, asked of the real reviews, have the answers that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from athena_tools import Athena

from benchmarks.athena import prepare
from include.reviews.source import fetch

SQL = Path(__file__).parents[3] / "include" / "sql"
pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module", params=["OpenCSVSerde", "lazy.LazySimpleSerDe"])
def athena(request: pytest.FixtureRequest, localaws: Any, reviews_file: Path, tmp_path_factory: Any) -> Athena:
    """The table ``reviews`` over the transformed file, by each SerDe that may read it."""
    lake = Athena(f"reviews_{request.param.split('.')[0].lower()}")
    folder = tmp_path_factory.mktemp("reviews")
    raw, file = folder / "raw.csv", folder / "reviews.csv"
    fetch(str(reviews_file), raw)
    assert prepare(raw, file) == 22_626
    body = file.read_bytes()
    serde = f"ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.{request.param}'"
    if "Lazy" in request.param:
        # It knows no quotes: they would be part of the text, and a comma inside them would end it.
        body = body.replace(b'"', b"")
        serde += " WITH SERDEPROPERTIES ('field.delim' = ',')"
    lake.put("reviews/reviews.csv", body)
    columns = "sentiment int, review_body string, product_category string"
    lake.run(
        f"CREATE EXTERNAL TABLE reviews ({columns}) {serde} LOCATION 's3://{lake.bucket}/reviews/'"
        " TBLPROPERTIES ('skip.header.line.count' = '1')"
    )
    return lake


def _ask(athena: Athena, name: str) -> list[list[str | None]]:
    return athena.rows((SQL / f"{name}.sql").read_text())


def test_reviews_by_sentiment(athena: Athena) -> None:
    assert _ask(athena, "sentiments") == [["-1", "2370"], ["0", "2823"], ["1", "17433"]]


def test_reviews_by_category(athena: Athena) -> None:
    assert _ask(athena, "categories")[:3] == [["Dresses", "6145"], ["Knits", "4626"], ["Blouses", "2983"]]


def test_average_sentiment_is_that_of_the_split(athena: Athena) -> None:
    averages = {category: float(mean or "nan") for category, mean in _ask(athena, "average_sentiment")}
    totals: dict[str | None, list[int]] = {}
    percentages: dict[str | None, float] = {}
    for category, sentiment, reviews, percentage in _ask(athena, "split"):
        pair = totals.setdefault(category, [0, 0])
        pair[0] += int(sentiment or 0) * int(reviews or 0)
        pair[1] += int(reviews or 0)
        percentages[category] = percentages.get(category, 0) + float(percentage or 0)
    assert averages == {category: pytest.approx(total / count) for category, (total, count) in totals.items()}
    assert all(total == pytest.approx(100) for total in percentages.values())
    assert sum(count for _, count in totals.values()) == 22_626


def test_words_per_review(athena: Athena) -> None:
    rows = [(int(words or 0), int(reviews or 0)) for words, reviews in _ask(athena, "words")]
    assert sum(reviews for _, reviews in rows) == 22_626
    assert rows == sorted(rows)
    sql = "SELECT approx_percentile(cardinality(split(review_body, ' ')), ARRAY[0.1, 0.5, 0.9]) AS d FROM reviews"
    ordered = [words for words, reviews in rows for _ in range(reviews)]
    deciles = [ordered[round(len(ordered) * share)] for share in (0.1, 0.5, 0.9)]
    assert athena.rows(sql) == [[str(deciles)]]
