"""The statistics of an A/B test against published values and scipy, and what the job makes of answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.stats
from jobs_kit import files, load, run

sequential = load("ab_compare", "sequential")
intervals = load("ab_compare", "intervals")
proportions = load("ab_compare", "proportions")
latency = load("ab_compare", "latency")

EVEN = [0.2, 0.4, 0.6, 0.8, 1.0]


# -- boundaries


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        # Five even looks at a two-sided 5 %, by the spending functions of Lan and DeMets 1983.
        ("obrien_fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_boundaries_are_the_published_ones(spending: str, published: list[float]) -> None:
    assert sequential.boundaries(EVEN, 0.05, spending) == pytest.approx(published, abs=2e-4)


def test_one_look_is_the_ordinary_test() -> None:
    for spending in sequential.SPENDING:
        assert sequential.boundaries([1.0], 0.05, spending) == pytest.approx([1.959964], abs=1e-6)


def test_boundaries_hold_the_level_by_the_multivariate_normal() -> None:
    shares = np.array([0.3, 0.55, 1.0])
    bounds = np.array(sequential.boundaries(list(shares), 0.05, "pocock"))
    covariance = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    normal = scipy.stats.multivariate_normal(np.zeros(3), covariance)
    inside = normal.cdf(bounds, lower_limit=-bounds)
    assert 1 - inside == pytest.approx(0.05, abs=5e-4)


def test_power_is_that_of_the_multivariate_normal() -> None:
    shares = np.array([0.3, 0.55, 1.0])
    bounds = np.array(sequential.boundaries(list(shares), 0.05, "obrien_fleming"))
    covariance = np.sqrt(np.minimum.outer(shares, shares) / np.maximum.outer(shares, shares))
    normal = scipy.stats.multivariate_normal(2.8 * np.sqrt(shares), covariance)
    found = sequential.power(list(shares), list(bounds), 2.8)
    assert found == pytest.approx(1 - normal.cdf(bounds, lower_limit=-bounds), abs=5e-4)


@pytest.mark.parametrize(
    # Jennison and Turnbull, Group Sequential Methods, tables 2.4 and 2.2, are for constant Pocock and O'Brien-Fleming
    # boundaries: 1.017 and 1.166 for three looks. Spending functions are close to them.
    ("spending", "about"),
    [("obrien_fleming", 1.017), ("pocock", 1.166)],
)
def test_looking_costs_as_many_more_reviews_as_the_tables_say(spending: str, about: float) -> None:
    assert sequential.inflation(3, 0.05, 0.8, spending) == pytest.approx(about, abs=0.015)


@pytest.mark.parametrize("shares", [[], [0.5, 0.5], [0.0, 1.0], [0.5, 1.2], [0.8, 0.4]])
def test_looks_that_do_not_rise_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="rising shares"):
        sequential.boundaries(shares, 0.05, "pocock")


def test_nothing_is_found_where_nothing_is_spent_yet() -> None:
    assert sequential.boundaries([0.001, 1.0], 0.05, "obrien_fleming")[0] == sequential.FARTHEST


# -- proportions


def test_wilson_s_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(0, 10)[0] == 0.0


def test_interval_of_a_difference_is_the_published_one() -> None:
    # Newcombe 1998, table II, method 10: 56 of 70 against 48 of 80.
    assert proportions.newcombe((48, 80), (56, 70), 0.95) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_two_proportions_is_the_pooled_z_test() -> None:
    test = proportions.two_proportions((250, 400), (282, 400))
    mean = (250 + 282) / 800
    z = (282 - 250) / 400 / math.sqrt(mean * (1 - mean) * 2 / 400)
    assert (test.name, test.difference) == ("two proportions", pytest.approx(0.08))
    assert test.p_value == pytest.approx(2 * scipy.stats.norm.sf(z))
    assert test.z == pytest.approx(z)
    assert proportions.two_proportions((282, 400), (250, 400)).z == pytest.approx(-z)


def test_few_answers_get_fisher_s_exact_test() -> None:
    # The lady tasting tea.
    test = proportions.two_proportions((1, 4), (3, 4))
    assert (test.name, test.p_value) == ("Fisher's exact", pytest.approx(0.4857, abs=1e-4))


def test_equal_and_perfect_variants_do_not_differ() -> None:
    assert proportions.two_proportions((7, 7), (9, 9)).p_value == 1.0
    assert proportions.mcnemar(0, 0, 50).p_value == 1.0


def test_mcnemar_is_the_binomial_test_of_the_reviews_they_differ_on() -> None:
    test = proportions.mcnemar(15, 5, 200)
    assert test.p_value == pytest.approx(0.041389, abs=1e-6)
    assert test.difference == pytest.approx(0.05)
    low, high = proportions.bonett_price(15, 5, 200, 0.95)
    assert low < 0.05 < high
    # Bonett and Price 2012: (16 - 6) / 202 -+ 1.96 sqrt((22 / 202 - (10 / 202)^2) / 202).
    assert (low, high) == pytest.approx((0.0045, 0.0945), abs=1e-4)


def test_the_reviews_that_are_needed_are_the_published_ones() -> None:
    # Fleiss 1981, 3.14, without the continuity correction: 0.75 against 0.80, two-sided 5 %, power 80 %.
    assert proportions.requests_needed(0.75, 0.05, 0.05, 0.8) == 1094
    assert proportions.smallest_difference(1094, 0.75, 0.05, 0.8) == pytest.approx(0.05, abs=1e-3)
    needed = proportions.pairs_needed(0.1, 0.03, 0.05, 0.8)
    assert proportions.smallest_paired_difference(needed, 0.1, 0.05, 0.8) == pytest.approx(0.03, abs=1e-3)


def test_as_many_pairs_as_are_needed_reach_the_power() -> None:
    gained, lost = 0.09, 0.03
    pairs = proportions.pairs_needed(gained + lost, gained - lost, 0.05, 0.8)
    draws = np.random.default_rng(12).multinomial(pairs, [gained, lost, 1 - gained - lost], 2000)
    found = np.mean([proportions.mcnemar(up, down, pairs).p_value < 0.05 for up, down, _ in draws])
    # The exact test is a little conservative.
    assert 0.74 < found < 0.84


# -- latency


def test_bootstrap_intervals_cover_the_true_percentile() -> None:
    generator = np.random.default_rng(12)
    covered = 0
    for seed in range(100):
        found = latency.percentiles(generator.lognormal(2, 0.3, 200), seed=seed)["p50"]
        covered += found["low"] <= math.exp(2) <= found["high"]
    assert covered >= 89, "binomial: 95 of 100, and below 89 once in 200 times"


def test_speedup_is_the_share_of_the_median_that_is_saved() -> None:
    generator = np.random.default_rng(12)
    slow, fast = generator.lognormal(2, 0.2, 600), generator.lognormal(2, 0.2, 600) * 0.6
    found = latency.speedup(slow, fast, 0.98)
    assert found["low"] < 0.4 < found["high"]
    assert latency.speedup(fast, slow, 0.98)["high"] < 0
    assert latency.speedup(slow, slow, 0.98)["value"] == 0


# -- the job

REVIEWS = 400


def labels() -> dict[str, int]:
    return {f"r{number:04d}": number % 3 - 1 for number in range(REVIEWS)}


def write_split(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    truth = labels()
    table = pa.table({"review_id": list(truth), "review_body": ["x"] * REVIEWS, "sentiment": list(truth.values())})
    pq.write_table(table, folder / "part-0.parquet")


def answer(review: str, variant: str, right: bool, milliseconds: float, **other: Any) -> dict[str, Any]:
    label = labels()[review.split("#")[0]]
    said = label if right else (label + 2) % 3 - 1
    body = json.dumps({"predicted_label": said, "probability": 0.9})
    return {"id": review, "variant": variant, "latency_ms": milliseconds, "status": 200, "answer": body, **other}


def ask(
    folder: Path, champion: float, challenger: float, *, looks: int = 2, paired: bool = False, faster: float = 1.0
) -> None:
    """Answers of two variants with these accuracies, the first half of the reviews at the first look."""
    generator = np.random.default_rng(12)
    write_split(folder / "in" / "test")
    shares = {"champion": champion, "challenger": challenger}
    for look, reviews in enumerate(np.array_split(list(labels()), looks), 1):
        lines = []
        for review in map(str, reviews):
            chosen = list(shares) if paired else [str(generator.choice(list(shares)))]
            luck, milliseconds = generator.random(), float(generator.lognormal(2, 0.2))
            for name in chosen:
                took = milliseconds * (faster if name == "challenger" else 1)
                lines.append(answer(review, name, bool(luck < shares[name]), took))
        write_answers(folder, look, lines)


def write_answers(folder: Path, look: int, lines: list[dict[str, Any]]) -> None:
    target = folder / "in" / "answers" / f"look-{look}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def compare(folder: Path, look: int = 2, **arguments: Any) -> int:
    given = {"looks": 2, "reviews": REVIEWS, **{name.replace("_", "-"): value for name, value in arguments.items()}}
    return run(
        "ab_compare", input=folder / "in", output=folder / "out", reason=folder / "a/b/message", look=look, **given
    )


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "out/report/report.json").read_text()))


def test_a_clearly_better_challenger_wins_at_the_first_look(tmp_path: Path) -> None:
    ask(tmp_path, 0.5, 0.9)
    assert compare(tmp_path, look=1) == 0
    found = report(tmp_path)
    assert (found["decision"], found["difference_found"]) == ("challenger", True)
    assert found["test"]["interval"][0] > 0
    assert found["looks"]["z"][0] > found["looks"]["boundaries"][0]
    assert len(found["looks"]["z"]) == 1, "the answers of later looks do not count"


def test_a_clearly_worse_challenger_loses(tmp_path: Path) -> None:
    ask(tmp_path, 0.9, 0.5, faster=0.2)
    assert compare(tmp_path) == 0
    assert (report(tmp_path)["decision"], report(tmp_path)["difference_found"]) == ("champion", True)


def test_no_difference_goes_on_and_keeps_the_champion_at_the_end(tmp_path: Path) -> None:
    ask(tmp_path, 0.75, 0.75)
    assert compare(tmp_path, look=1) == 0
    assert report(tmp_path)["decision"] == "continue"
    assert compare(tmp_path, look=2) == 0
    found = report(tmp_path)
    assert (found["decision"], found["difference_found"]) == ("champion", False)
    assert "not surely by more than 5%" in found["because"]


def test_a_faster_challenger_wins_without_a_difference_in_accuracy(tmp_path: Path) -> None:
    ask(tmp_path, 0.75, 0.75, faster=0.5)
    assert compare(tmp_path, max_loss=0.2) == 0
    found = report(tmp_path)
    assert (found["decision"], found["difference_found"]) == ("challenger", False)
    assert found["speedup"]["low"] > 0.4
    assert compare(tmp_path, max_loss=0.02) == 0
    assert "its accuracy may be lower by up to" in report(tmp_path)["because"]
    assert report(tmp_path)["decision"] == "champion"


def test_the_same_reviews_are_compared_in_pairs(tmp_path: Path) -> None:
    ask(tmp_path, 0.7, 0.74, paired=True)
    assert compare(tmp_path, design="paired") == 0
    found = report(tmp_path)
    assert found["test"]["name"] == "McNemar"
    assert found["test"]["only_champion"] == 0
    gained = found["test"]["only_challenger"]
    assert found["test"]["p_value"] == pytest.approx(scipy.stats.binomtest(gained, gained).pvalue)
    assert found["decision"] == "challenger", "the same four points that two proportions would not find"
    assert found["reviews"] == REVIEWS


def test_a_repeated_review_counts_once_and_its_latencies_all(tmp_path: Path) -> None:
    write_split(tmp_path / "in" / "test")
    first = [answer(f"r{n:04d}", ("champion", "challenger")[n % 2], n % 4 < 2, 5.0 + n) for n in range(40)]
    again = [answer(f"r{n:04d}#{turn}", "champion", True, 9.0) for n in range(40) for turn in (1, 2)]
    write_answers(tmp_path, 1, first + again)
    assert compare(tmp_path, look=1) == 0
    found = report(tmp_path)
    assert found["reviews"] == 40
    assert found["variants"]["champion"]["reviews"] == 20
    assert found["variants"]["champion"]["requests"] == 100
    assert found["variants"]["champion"]["accuracy"] == 0.5


def test_requests_without_an_answer_are_not_right(tmp_path: Path) -> None:
    write_split(tmp_path / "in" / "test")
    lines = [answer(f"r{n:04d}", ("champion", "challenger")[n % 2], True, 5.0 + n) for n in range(60)]
    for line in lines[:20]:
        if line["variant"] == "challenger":
            line.update(status=500, answer="boom")
    lines.append(answer("r0070", "", False, 1.0, status=500))
    write_answers(tmp_path, 1, lines)
    assert compare(tmp_path, look=1) == 0
    found = report(tmp_path)
    assert found["variants"]["challenger"]["errors"] == 10
    assert found["variants"]["challenger"]["accuracy"] == pytest.approx(20 / 30)
    assert found["unattributed"] == 1


def test_report_and_charts_are_written_and_say_synthetic(tmp_path: Path) -> None:
    ask(tmp_path, 0.7, 0.8)
    assert compare(tmp_path, synthetic="True") == 0
    folder = tmp_path / "out" / "report"
    assert files(folder) == ["accuracy.png", "latency.png", "looks.png", "report.json", "report.md"]
    for chart in folder.glob("*.png"):
        assert chart.read_bytes().startswith(b"\x89PNG")
    text = (folder / "report.md").read_text()
    assert text.startswith("# SYNTHETIC: A/B test: ")
    assert "two proportions test" in text
    assert "| challenger | " in text
    assert (folder / "report.json").stat().st_size < 32 * 1024, "what a task may hand on"


@pytest.mark.parametrize(
    ("lines", "arguments", "reason"),
    [
        ([], {}, "there are no answers in"),
        ([{"id": "r0001"}], {}, "line 1 of answers.jsonl is not a labelled answer"),
        ([answer("r0001", "champion", True, 1.0) | {"id": "unknown"}], {}, "labelled answer (KeyError('unknown'))"),
        ([answer("r0001", "champion", True, 1.0)], {}, "the variant challenger was asked nothing"),
        ([answer("r0001", "champion", True, 1.0)], {"design": "paired"}, "no review went to both"),
        (
            [answer("r0001", "champion", True, 1.0), answer("r0002", "challenger", True, 1.0)],
            {},
            "has answered less than two requests",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path,
    lines: list[dict[str, Any]],
    arguments: dict[str, Any],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_split(tmp_path / "in" / "test")
    write_answers(tmp_path, 1, lines)
    assert compare(tmp_path, look=1, **arguments) == 2
    assert reason in capsys.readouterr().err
    assert files(tmp_path / "out") == []


def test_a_look_that_is_not_planned_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(tmp_path, 0.7, 0.8)
    assert compare(tmp_path, look=3) == 2
    assert "look 3 is not one of the 2 looks" in capsys.readouterr().err
