"""
Processing job: what two variants answered about labelled reviews -> which of them wins.

Reads ``INPUT/answers/look-<number>/*.jsonl``, lines of ``{"id", "variant", "latency_ms", "status", "answer"}``, and the
features job's test split in ``INPUT/test/``. An id is that of a review; ``#`` and a number behind it repeat it. The
variants are called ``champion`` and ``challenger``. Writes::

    OUTPUT/report/report.json   {"decision": "continue" | "champion" | "challenger", "because", "difference_found",
                                 "look", "reviews", "variants": {name: {"requests", "errors", "reviews", "right",
                                 "accuracy", "accuracy_95", "latency_ms": {"p50": {"value", "low", "high"}, "p95",
                                 "p99"}}}, "test", "speedup", "looks", "power", "plan", "unattributed", "synthetic"}
    OUTPUT/report/report.md     the same, to read
    OUTPUT/report/accuracy.png  latency.png  looks.png

The experiment may end at each look: the level is spent over the looks (:mod:`sequential`), so that looking often makes
no winner of equal variants. At the last look without a difference in accuracy the champion stays, unless the
challenger is surely faster and surely not much less accurate (:mod:`deciding`).

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from counting import VARIANTS
from deciding import Plan, compare
from drawing import draw_accuracy, draw_latency, draw_looks
from job import BadInput, is_synthetic, processing_parser, run, share, write_files
from labelled import read_answers, read_labels
from markdown import as_markdown
from sequential import SPENDING


def work(source: Path, target: Path, look: int, plan: Plan, synthetic: bool) -> dict[str, Any]:
    """Compare and write everything below ``target``; the report."""
    if not 1 <= look <= plan.looks:
        raise BadInput(f"look {look} is not one of the {plan.looks} looks that are planned")
    asked = read_answers(source / "answers", read_labels(source / "test"), look)
    report = {**compare(asked, look, plan), "synthetic": synthetic}
    latencies = {
        name: np.array([one.latency_ms for one in asked if one.variant == name and one.answered]) for name in VARIANTS
    }
    files = {
        "report.json": (json.dumps(report, indent=2) + "\n").encode(),
        "report.md": as_markdown(report).encode(),
        "accuracy.png": draw_accuracy(report),
        "latency.png": draw_latency(report, latencies),
        "looks.png": draw_looks(report),
    }
    write_files(target / "report", files)
    return report


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the job's options."""
    parser = processing_parser("the answers of two variants -> which of them wins")
    default = Plan()
    parser.add_argument("--look", type=int, required=True, help="how many looks' answers there are")
    parser.add_argument("--looks", type=int, default=default.looks, help="how many there will be at most")
    parser.add_argument("--reviews", type=int, required=True, help="distinct reviews by the last look")
    parser.add_argument("--design", choices=("random", "paired"), default=default.design)
    parser.add_argument("--spending", choices=sorted(SPENDING), default=default.spending)
    parser.add_argument("--alpha", type=share, default=default.alpha)
    parser.add_argument("--power", type=share, default=default.power)
    parser.add_argument("--min-difference", type=share, default=default.min_difference)
    parser.add_argument("--max-loss", type=float, default=default.max_loss)
    parser.add_argument("--min-speedup", type=float, default=default.min_speedup)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = parse(arguments)

    def job() -> None:
        names = (
            "design",
            "reviews",
            "looks",
            "alpha",
            "power",
            "min_difference",
            "spending",
            "max_loss",
            "min_speedup",
        )
        plan = Plan(**{name: getattr(options, name) for name in names})
        print(as_markdown(work(options.input, options.output, options.look, plan, is_synthetic(options))))

    return run("ab_compare", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
