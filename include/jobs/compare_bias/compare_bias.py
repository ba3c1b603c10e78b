"""
Processing job: Clarify's analyses of the reviews before and after balancing -> what balancing did.

Reads ``INPUT/before/analysis.json`` and ``INPUT/after/analysis.json``. Writes::

    OUTPUT/report/comparison.json   {"categories": [{"category", "ci_before", "ci_after", "dpl_before", "dpl_after"}],
                                     "left_out": [categories only before], "expected_ci", "equal_ci", "zero_dpl",
                                     "balanced", "synthetic"}
    OUTPUT/report/comparison.csv    the same rows
    OUTPUT/report/comparison.md     the same rows, to read
    OUTPUT/report/comparison.png    a bar a category for CI and for DPL, before and after

Balanced means: every category has the class imbalance (k - 2) / k of one of k equal ones, and no difference in the
proportion of positive labels. The job says whether it is so; to act on it is the caller's.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from drawing import draw
from job import BadInput, is_synthetic, processing_parser, run, write_files

COLUMNS = ("category", "ci_before", "ci_after", "dpl_before", "dpl_after")
#: what the sum of a few thousand floats may be off.
TOLERANCE = 1e-9


def read_analysis(folder: Path, facet: str) -> dict[str, dict[str, float]]:
    """
    Read facet value -> metric -> its value from an analysis.json.

    :raises BadInput: it is not there, is something else, or lacks CI or DPL of some value.
    """
    path = folder / "analysis.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        entries = document["pre_training_bias_metrics"]["facets"][facet]
        found = {
            str(entry["value_or_threshold"]): {metric["name"]: metric["value"] for metric in entry["metrics"]}
            for entry in entries
        }
    except FileNotFoundError as error:
        raise BadInput(f"there is no analysis.json in {folder}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not an analysis of the facet {facet!r}: {error!r}") from error
    for value, metrics in found.items():
        for name in ("CI", "DPL"):
            if not isinstance(metrics.get(name), int | float):
                raise BadInput(f"{path} has no {name} for {value!r}")
    return found


def compare(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> dict[str, Any]:
    """
    Compare the two side by side, and say whether the second is balanced.

    :raises BadInput: they have no category in common.
    """
    unknown = sorted(set(after) - set(before))
    if unknown or not after:
        raise BadInput(f"the balanced set has categories that the other lacks: {', '.join(unknown) or 'none at all'}")
    rows: list[dict[str, Any]] = [
        {
            "category": value,
            "ci_before": before[value]["CI"],
            "ci_after": after[value]["CI"],
            "dpl_before": before[value]["DPL"],
            "dpl_after": after[value]["DPL"],
        }
        for value in sorted(after, key=lambda value: before[value]["CI"])
    ]
    expected = (len(after) - 2) / len(after)
    equal = all(abs(row["ci_after"] - expected) <= TOLERANCE for row in rows)
    zero = all(abs(row["dpl_after"]) <= TOLERANCE for row in rows)
    return {
        "categories": rows,
        "left_out": sorted(set(before) - set(after)),
        "expected_ci": expected,
        "equal_ci": equal,
        "zero_dpl": zero,
        "balanced": equal and zero,
    }


def as_csv(report: dict[str, Any]) -> str:
    """Return the table as CSV, for programs."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(report["categories"])
    return text.getvalue()


def as_markdown(report: dict[str, Any]) -> str:
    """Return the table in Markdown, for people."""
    mark = "SYNTHETIC: " if report["synthetic"] else ""
    verdict = "balanced" if report["balanced"] else "NOT balanced"
    lines = [
        f"# {mark}Bias before and after balancing",
        "",
        f"After balancing the reviews are **{verdict}**. Class imbalance (CI) is {report['expected_ci']:.4f} in each "
        f"of {len(report['categories'])} categories: {_yes(report['equal_ci'])}. The difference in positive "
        f"proportions (DPL) is zero: {_yes(report['zero_dpl'])}.",
        "",
        "| category | CI before | CI after | DPL before | DPL after |",
        "|:---|---:|---:|---:|---:|",
    ]
    for row in report["categories"]:
        # Adding zero turns -0.0000 into 0.0000.
        figures = " | ".join(f"{round(row[name], 4) + 0.0:.4f}" for name in COLUMNS[1:])
        lines.append(f"| {row['category'].replace('|', chr(92) + '|')} | {figures} |")
    if report["left_out"]:
        lines += ["", f"Left out for want of some sentiment: {', '.join(report['left_out'])}."]
    return "\n".join(lines) + "\n"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def work(source: Path, target: Path, facet: str, synthetic: bool) -> dict[str, Any]:
    """Compare and write everything below ``target``; the report."""
    before, after = (read_analysis(source / name, facet) for name in ("before", "after"))
    report = {**compare(before, after), "synthetic": synthetic}
    files = {
        "comparison.json": (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode(),
        "comparison.csv": as_csv(report).encode(),
        "comparison.md": as_markdown(report).encode(),
        "comparison.png": draw(report),
    }
    write_files(target / "report", files)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    parser = processing_parser("two analyses of Clarify -> what balancing did")
    parser.add_argument("--facet", default="product_category")
    options = parser.parse_args(arguments)

    def job() -> None:
        print(as_markdown(work(options.input, options.output, options.facet, is_synthetic(options))))

    return run("compare_bias", job, options.reason)


if __name__ == "__main__":
    sys.exit(main())
