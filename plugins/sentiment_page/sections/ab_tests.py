"""The A/B tests: what each decided, and on which figures."""

from __future__ import annotations

from typing import Any

from amazon_ml.parallel import mapped
from include import paths
from sentiment_page.aws import THREADS, Aws, NothingYet, newest
from sentiment_page.charts import Axis, Dots, dots

#: tests that are shown.
MOST = 5
VARIANTS = ("champion", "challenger")


def read(aws: Aws) -> dict[str, Any]:
    """Return the last look of each of the newest tests."""
    runs = newest(aws.folders(paths.AB_REPORTS), MOST)
    found = [test for test in mapped(lambda run: _test(aws, run), runs, THREADS) if test]
    if not found:
        raise NothingYet("There is no A/B test yet: run ab_test, after train_sentiment.")
    wide = max([0.1, *(abs(end) for test in found for end in test["interval"])])
    rows = [_row(test) for test in found]
    said = "; ".join(
        f"{test['run']} {test['difference']:+.1%} ({test['interval'][0]:+.1%} to {test['interval'][1]:+.1%})"
        for test in found
    )
    ticks = [(-wide, f"{-wide:+.0%}"), (0.0, "0"), (wide, f"{wide:+.0%}")]
    chart = dots("Accuracy of the challenger less that of the champion", said, rows, Axis(-wide, wide, ticks, marked=0))
    return {"tests": found, "chart": chart}


def _row(test: dict[str, Any]) -> Dots:
    ahead = "challenger" if test["difference"] > 0 else "champion"
    text = f"{test['difference']:+.1%}"
    return Dots(test["run"], text, [(ahead, test["difference"])], (ahead, *test["interval"]))


def _test(aws: Aws, run: str) -> dict[str, Any] | None:
    """Return the report of a run's last look; None where there is none yet."""
    looks = [name for name in aws.folders(f"{paths.AB_REPORTS}/{run}") if name.startswith("look-")]
    for look in sorted(looks, reverse=True):
        report = aws.json(f"{paths.AB_REPORTS}/{run}/{look}/report.json")
        if report is not None:
            return {
                "run": run,
                "look": report["look"],
                "looks": report["plan"]["looks"],
                "decision": report["decision"],
                "because": report["because"],
                "difference": report["test"]["difference"],
                "interval": report["test"]["interval"],
                "variants": {name: report["variants"][name] for name in VARIANTS},
                "synthetic": report["synthetic"],
            }
    return None
