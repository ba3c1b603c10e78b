"""What the instances of the features job say that they took: checked to be the whole table, each review once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from include.reviews.parts import digest

Manifest = Mapping[str, Any]


class NotCovered(AirflowFailException):
    """The instances have not taken every review exactly once. A retry would find the same."""


def check(manifests: Sequence[Manifest], sha256: str, rows: int) -> None:
    """
    Check that the instances of one features job read the whole table and took each of its rows exactly once.

    :param manifests: of all instances, see ``include/jobs/features/manifest.py``.
    :param sha256: the digest of the table, of one part or several; "" where it is not known.
    :param rows: that it has.
    :raises NotCovered: says what is missing or there twice.
    """
    hosts = Counter(manifest["host"] for manifest in manifests)
    expected = max((manifest["hosts"] for manifest in manifests), default=1)
    if len(hosts) != expected or hosts.total() != expected:
        raise NotCovered(f"{expected} instances ran, and there are manifests of {', '.join(sorted(hosts)) or 'none'}")
    parts = _sharded(manifests) if any(manifest["sharded"] for manifest in manifests) else _replicated(manifests)
    taken, there = (sum(each["rows"] for each in found) for found in (manifests, parts))
    if taken != there:
        raise NotCovered(f"the instances took {taken} reviews of {len(parts)} parts, which have {there}")
    if there != rows or (sha256 and digest(parts) != sha256):
        names = ", ".join(str(part["name"]) for part in parts[:5])
        raise NotCovered(
            f"the instances read {there} reviews in {len(parts)} parts ({names}...): these are not the table, which "
            f"has {rows} and the digest {sha256[:12]}...: run ingest_reviews"
        )


def _sharded(manifests: Sequence[Manifest]) -> list[Mapping[str, Any]]:
    """Return the parts of instances that have read parts of their own."""
    readers: dict[str, list[str]] = {}
    for manifest in manifests:
        for part in manifest["inputs"]:
            readers.setdefault(part["name"], []).append(manifest["host"])
    for name, hosts in readers.items():
        if len(hosts) > 1:
            raise NotCovered(f"{' and '.join(hosts)} have both read {name}")
    return [part for manifest in manifests for part in manifest["inputs"]]


def _replicated(manifests: Sequence[Manifest]) -> list[Mapping[str, Any]]:
    """Return the parts of instances that have all read all of them."""
    shares = sorted(manifest["share"]["index"] for manifest in manifests)
    if shares != list(range(len(manifests))) or any(m["share"]["of"] != len(manifests) for m in manifests):
        raise NotCovered(f"{len(manifests)} instances took the shares {shares} of the reviews")
    parts: list[Mapping[str, Any]] = manifests[0]["inputs"]
    for manifest in manifests[1:]:
        if manifest["inputs"] != parts:
            raise NotCovered(f"{manifests[0]['host']} and {manifest['host']} have not read the same parts")
    return parts


def merged(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the report of a features job by those of its instances, the first one's first.

    Counts are added up; what is alike in all, and ``shares``, is that of the first.
    """
    if len(reports) == 1:
        return dict(reports[0])
    found = {**reports[0]}
    for count in ("rows", "held_out_unused", "tokens"):
        found[count] = sum(report.get(count, 0) for report in reports)
    for split in found["splits"]:
        found["splits"] = {**found["splits"], split: _added(report["splits"][split] for report in reports)}
    found["feature_store"] = _added(report["feature_store"] for report in reports)
    given = max(report["human_labels"]["given"] for report in reports)
    found["human_labels"] = {**_added(report["human_labels"] for report in reports), "given": given}
    return found


def _added(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
