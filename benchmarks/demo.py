"""The figures of the last ``make demo``: accuracy, time, and what orchestration costs beside the jobs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def main() -> int:
    path = Path(os.environ.get("STACK_HOME", ROOT / ".local")) / "demo" / "summary.json"
    if not path.exists():
        print("run make demo first: there is no .local/demo/summary.json", file=sys.stderr)
        return 1
    summary = json.loads(path.read_text())
    allowed = 1.25 * summary["seconds_in_jobs"] + 60
    tested = sum(map(sum, summary["confusion_matrix"]))
    print("# `make demo`\n")
    if summary["synthetic"]:
        print("**SYNTHETIC reviews: these figures say nothing about real ones.**\n")
    print("| figure | goal | measured |\n|---|---:|---:|")
    print(f"| reviews | | {summary['reviews']['rows']:,} |")
    print(f"| time from trigger to prediction | 720 s | {summary['makespan_s']:.0f} s |")
    print(f"| of this in jobs | | {summary['seconds_in_jobs']:.0f} s |")
    print(f"| allowed: 1.25 x jobs + 60 s | {allowed:.0f} s | {summary['makespan_s']:.0f} s |")
    print(f"| test accuracy, {tested} balanced reviews | 0.75 | {summary['test_accuracy']:.4f} |")
    print(f"| macro F1 | | {summary['macro_f1']:.4f} |")
    for name, found in natural_mixes(summary.get("natural_mix") or {}):
        print(f"| natural mix, {name} | 0.87 | {found['accuracy']:.3f} ± {found['standard_error']:.3f} |")
    return 0


def natural_mixes(found: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """What the evaluation says of the natural mix: as the endpoint answers, and with odds corrected for the mix."""
    named = [("as answered", found), ("prior-corrected", found.get("prior_corrected"))]
    return [(name, figures) for name, figures in named if figures]


if __name__ == "__main__":
    sys.exit(main())
