"""
How often the A/B test declares a winner of two equal variants, and how often it finds one that is better.

    python -m benchmarks.ab_test     # prints Markdown; some minutes

Simulated runs of the job ``ab_compare`` as the DAG ``ab_test`` has it: three looks, O'Brien-Fleming spending. No
endpoint is asked: answers are drawn with known probabilities, latencies from a lognormal distribution.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.job_code import bundle

RUNS, SEED = 200, 12
#: runs for a closer estimate, of which nothing but the accuracies is drawn.
MANY = 5000
#: the balanced test split of the real reviews, and about what the models reach on it.
REVIEWS, ACCURACY = 726, 0.75
#: share of the reviews that two models of a kind differ on.
DIFFERING = 0.10
#: the difference that a planned run is to find.
BETTER = 0.08


def main() -> None:
    sys.path.insert(0, str(bundle("ab_compare")))
    from counting import CHALLENGER
    from deciding import Plan

    random, paired = Plan(reviews=REVIEWS), Plan(reviews=REVIEWS, design="paired")
    needed = 2 * reviews_needed(Plan(min_difference=BETTER))
    pairs = reviews_needed(Plan(min_difference=BETTER / 2, design="paired"))
    found, right = "difference_found", {"decision": CHALLENGER, "difference_found": True}
    rows = [
        ("A/A, different reviews", random, 0.0, 1.0, lambda report: report[found] or report["decision"] == CHALLENGER),
        ("A/A, the same reviews", paired, 0.0, 1.0, lambda report: report[found] or report["decision"] == CHALLENGER),
        (
            f"A/B, {BETTER:.0%} better, different reviews",
            replace(random, reviews=needed),
            BETTER,
            1.0,
            lambda report: right.items() <= report.items(),
        ),
        (
            f"A/B, {BETTER / 2:.0%} better, the same reviews",
            replace(paired, reviews=pairs),
            BETTER / 2,
            1.0,
            lambda report: right.items() <= report.items(),
        ),
        ("A/B, equal, 40 % faster", paired, 0.0, 0.6, lambda report: report["decision"] == CHALLENGER),
    ]
    print("# A/B test: false winners and power\n")
    print("| simulated runs | reviews | winners | share | 95 % interval | by plain looks at 0.05 | mean look |")
    print("|:---|---:|---:|---:|:---:|---:|---:|")
    for name, plan, better, speed, wins in rows:
        print(row(name, plan, list(simulate(plan, better, speed)), wins), flush=True)
    low, high, share = accuracy_alone(random)
    print(
        f"\nOf {MANY:,} A/A runs with different reviews {share:.1%} had a winner by accuracy "
        f"({low:.1%} to {high:.1%}); the plan spends {random.accuracy_alpha:.0%} on it."
    )
    print(
        f"\n{RUNS} runs each, seed {SEED}, {random.looks} looks. A winner of an A/A test is false: a difference in "
        f"accuracy either way, or a challenger that is called faster. `plain looks` are the runs in which the p-value "
        f"was below 0.05 at some look. The A/B runs have as many reviews as the report's own power analysis asks for, "
        f"for a power of {random.power:.0%}; in pairs the models differ on {DIFFERING:.0%} of the reviews."
    )


def reviews_needed(plan: Any) -> int:
    """For each variant, by the formulas of the report."""
    from proportions import pairs_needed, requests_needed
    from sequential import inflation

    alpha, power = plan.accuracy_alpha, plan.power
    if plan.design == "paired":
        needed = pairs_needed(DIFFERING, plan.min_difference, alpha, power)
    else:
        needed = requests_needed(ACCURACY, plan.min_difference, alpha, power)
    rounded: int = math.ceil(needed * inflation(plan.looks, alpha, power, plan.spending))
    return rounded


def simulate(plan: Any, better: float, speed: float) -> Iterator[tuple[dict[str, Any], bool]]:
    """The last report of each run, and whether any look's p-value was below 0.05."""
    from deciding import CONTINUE, compare

    generator = np.random.default_rng(SEED)
    for _ in range(RUNS):
        asked = draw(plan, better, speed, generator)
        reports = []
        for look in range(1, plan.looks + 1):
            reports.append(compare([one for one in asked if one.look <= look], look, plan))
        ended = next(report for report in reports if report["decision"] != CONTINUE)
        yield ended, any(report["test"]["p_value"] < 0.05 for report in reports)


def draw(plan: Any, better: float, speed: float, generator: np.random.Generator) -> list[Any]:
    """All answers of a run: each variant right with its probability, the same reviews correlated as real models are."""
    from counting import CHALLENGER, CHAMPION, VARIANTS
    from labelled import Asked

    # Where they differ the challenger is right more often, by ``better`` of all reviews.
    gained, lost = (DIFFERING + better) / 2, (DIFFERING - better) / 2
    outcomes = [(True, True), (False, True), (True, False), (False, False)]
    shares = [ACCURACY - lost, gained, lost, 1 - ACCURACY - gained]
    asked = []
    for number, at in enumerate(generator.choice(4, plan.reviews, p=shares)):
        look = 1 + number * plan.looks // plan.reviews
        right = dict(zip(VARIANTS, outcomes[at], strict=True))
        names = VARIANTS if plan.design == "paired" else [VARIANTS[generator.integers(2)]]
        for name in names:
            took = float(generator.lognormal(math.log(10), 0.3)) * (speed if name == CHALLENGER else 1)
            asked.append(Asked(look, f"r{number}", name, True, right[name], took))
    assert {one.variant for one in asked} == {CHAMPION, CHALLENGER}
    return asked


def accuracy_alone(plan: Any) -> tuple[float, float, float]:
    """How often one of many A/A runs crosses a boundary, by counts alone: Wilson's interval, and the share."""
    from intervals import wilson
    from proportions import two_proportions
    from sequential import boundaries

    generator = np.random.default_rng(SEED)
    shares = [(look + 1) / plan.looks for look in range(plan.looks)]
    bounds = boundaries(shares, plan.accuracy_alpha, plan.spending)
    part = plan.reviews // plan.looks
    won = 0
    for _ in range(MANY):
        totals = np.cumsum(generator.binomial(part, 0.5, plan.looks))
        totals = np.stack([totals, part * np.arange(1, plan.looks + 1) - totals])
        steps = np.diff(totals, prepend=0)
        right = np.cumsum(generator.binomial(steps, ACCURACY), axis=1)
        tests = [two_proportions((a, n), (b, m)) for (a, b), (n, m) in zip(right.T, totals.T, strict=True)]
        won += any(abs(test.z) >= bound for test, bound in zip(tests, bounds, strict=True))
    return (*wilson(won, MANY), won / MANY)


def row(name: str, plan: Any, runs: list[tuple[dict[str, Any], bool]], wins: Callable[[dict[str, Any]], bool]) -> str:
    from intervals import wilson

    won = sum(wins(report) for report, _ in runs)
    low, high = wilson(won, len(runs))
    plain = sum(seen for _, seen in runs) / len(runs)
    look = np.mean([report["look"] for report, _ in runs])
    return (
        f"| {name} | {plan.reviews:,} | {won} of {len(runs)} | {won / len(runs):.1%} | {low:.1%} to {high:.1%} | "
        f"{plain:.1%} | {look:.2f} |"
    )


if __name__ == "__main__":
    main()
