"""What a new model gains where the old one was not sure: the slice that people are asked about."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

#: of the standard normal distribution, for 95 %.
_Z = 1.959963984540054
REPORT = "low_confidence"


def compare(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]], threshold: float
) -> dict[str, Any]:
    """
    Compare two models on the test reviews for which the first gave a probability below ``threshold``.

    Returns ``{"threshold", "reviews", "before": {"accuracy", "interval"}, "after": {...}, "difference", "interval"}``.
    The slice is chosen by the first model's confidence, never by its errors, so it favours neither. The intervals are
    at 95 %: Wilson's of each accuracy, Bonett and Price's (2012) of the difference, which is paired.

    :param before: rows of the first model's ``predictions.csv``; ``after`` those of the other, of the same reviews.
    """
    later = {row["review_id"]: _is_right(row) for row in after}
    pairs = [(_is_right(row), later[row["review_id"]]) for row in before if float(row["probability"]) < threshold]
    count = len(pairs)
    right = [sum(pair[at] for pair in pairs) for at in (0, 1)]
    gained, lost = sum(new and not old for old, new in pairs), sum(old and not new for old, new in pairs)
    return {
        "threshold": threshold,
        "reviews": count,
        "before": {"accuracy": right[0] / count if count else None, "interval": wilson(right[0], count)},
        "after": {"accuracy": right[1] / count if count else None, "interval": wilson(right[1], count)},
        "difference": (gained - lost) / count if count else None,
        "interval": paired(gained, lost, count),
    }


def wilson(right: int, count: int) -> list[float] | None:
    """Return Wilson's 95 % interval of a share; None of nothing."""
    if not count:
        return None
    share, z2 = right / count, _Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z / (1 + z2 / count) * sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return [max(0.0, middle - half), min(1.0, middle + half)]


def paired(gained: int, lost: int, count: int) -> list[float] | None:
    """
    Return Bonett and Price's 95 % interval of the difference of two shares of the same cases; None of nothing.

    :param gained: cases that only the second got right; ``lost`` those that only the first did.
    """
    if not count:
        return None
    up, down = (gained + 1) / (count + 2), (lost + 1) / (count + 2)
    half = _Z * sqrt((up + down - (up - down) ** 2) / (count + 2))
    return [max(-1.0, up - down - half), min(1.0, up - down + half)]


def as_markdown(found: Mapping[str, Any], synthetic: bool) -> str:
    """Return the comparison to read."""
    lines = [
        f"# {'SYNTHETIC: ' if synthetic else ''}Where the champion is not sure",
        "",
        f"{found['reviews']} test reviews have a probability below {found['threshold']} by the champion.",
    ]
    if found["reviews"]:
        low, high = (f"{100 * value:+.1f}" for value in found["interval"])
        lines += [
            "",
            "| model | accuracy | 95 % interval |",
            "|:---|---:|:---:|",
            *(
                _row(title, found[key])
                for title, key in (("before: champion", "before"), ("after: challenger", "after"))
            ),
            "",
            f"Difference: {100 * found['difference']:+.1f} points, 95 % interval {low} to {high}.",
        ]
    return "\n".join(lines) + "\n"


def _row(title: str, found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"| {title} | {found['accuracy']:.1%} | {low:.1%} to {high:.1%} |"


def report(challenger: str, champion: str, threshold: float, synthetic: bool) -> dict[str, Any]:
    """
    Compare two evaluations, write ``low_confidence.md`` and ``.json`` beside the challenger's, and return the figures.

    :param challenger: S3 prefix of its evaluation's report; ``champion`` that of the champion's.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook()
    before, after = (
        list(csv.DictReader(io.StringIO(hook.read_key(f"{place}predictions.csv")))) for place in (champion, challenger)
    )
    found = compare(before, after, threshold)
    text = as_markdown(found, synthetic)
    hook.load_string(text, f"{challenger}{REPORT}.md", replace=True)
    hook.load_string(json.dumps(found, indent=2) + "\n", f"{challenger}{REPORT}.json", replace=True)
    for line in text.splitlines():
        print(line)
    return found


def _is_right(row: Mapping[str, str]) -> bool:
    return row["sentiment"] == row["predicted_label"]
