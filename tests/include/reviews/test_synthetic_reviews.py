"""The made-up reviews: seeded, shaped like the real ones, and learnable."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from include.reviews import synthetic


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    path = tmp_path_factory.mktemp("synthetic") / "reviews.csv"
    synthetic.write(path, rows=9000)
    with open(path, encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthetic.write(tmp_path / name, rows=50, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_columns_and_categories_are_the_real_ones(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == synthetic.COLUMNS
    assert {row["Class Name"] for row in rows} == {*synthetic.CLASSES, *synthetic.RARE}


def test_blanks_line_breaks_and_proportions_are_like_the_real_ones(rows: list[dict[str, str]]) -> None:
    ratings = Counter(row["Rating"] for row in rows)
    assert set(ratings) == {"1", "2", "3", "4", "5"}
    assert 0.7 < (ratings["4"] + ratings["5"]) / len(rows) < 0.85
    assert 0.1 < sum(not row["Title"] for row in rows) / len(rows) < 0.25
    assert any(not row["Review Text"] for row in rows)
    assert any("\r\n" in row["Review Text"] for row in rows) and any("," in row["Review Text"] for row in rows)


def test_sentiment_can_be_learned_but_not_perfectly(rows: list[dict[str, str]]) -> None:
    usable = [row for row in rows if row["Review Text"]]
    texts = [row["Review Text"] for row in usable]
    labels = [(int(row["Rating"]) > 3) - (int(row["Rating"]) < 3) for row in usable]
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2).fit_transform(texts)
    half = len(texts) // 2
    model = LogisticRegression(class_weight="balanced", max_iter=300).fit(vectors[:half], labels[:half])
    assert 0.75 < model.score(vectors[half:], labels[half:]) < 0.98
