"""Which split a review goes to: by a hash of its text, so that instances agree without talking."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from job import BadInput
from review_table import folded

HELD_OUT = ("validation", "test")
SPLITS = ("train", *HELD_OUT)
#: in place of a split: in a held-out share, and not needed there.
UNUSED = -1
FEWEST = 4
WHOLE = 1 << 64


@dataclass(frozen=True)
class Share:
    """
    The part of the texts that this instance takes: those whose hash leaves ``index`` when divided by ``of``.

    :param hosts: how many instances there are.
    :param sharded: whether it has files of its own, of which it takes all texts.
    """

    host: str = "algo-1"
    first: bool = True
    index: int = 0
    of: int = 1
    hosts: int = 1
    sharded: bool = False

    @property
    def report(self) -> str:
        """The name of this instance's report: ``report.json`` on the first."""
        return "report.json" if self.first else f"report-{self.host}.json"

    def holds(self, key: int) -> bool:
        """Say whether the text with this hash is for this instance."""
        return key % self.of == self.index


def this_share(config: Path, source: Path) -> Share:
    """Read which instance of how many this is from SageMaker's configuration files; one of one without them."""
    resources = config / "resourceconfig.json"
    if not resources.exists():
        return Share()
    known = json.loads(resources.read_text())
    host, hosts = known["current_host"], sorted(known["hosts"])
    first = host == hosts[0]
    if len(hosts) == 1:
        return Share(host, first)
    if _sharded(config / "processingjobconfig.json", source):
        return Share(host, first, hosts=len(hosts), sharded=True)
    return Share(host, first, hosts.index(host), len(hosts), len(hosts))


def _sharded(job: Path, source: Path) -> bool:
    """Say whether S3 keys, rather than copies of everything, were dealt out to the instances."""
    inputs = json.loads(job.read_text()).get("ProcessingInputs", []) if job.exists() else []
    return any(
        one.get("S3Input", {}).get("S3DataDistributionType") == "ShardedByS3Key"
        for one in inputs
        if one.get("S3Input", {}).get("LocalPath", "").rstrip("/").endswith("/" + source.name)
    )


@dataclass(frozen=True)
class Review:
    """A usable review with the hash that places it."""

    review_id: str
    text: str
    sentiment: int
    key: int


@dataclass(frozen=True)
class Plan:
    """
    Where each review goes.

    :param splits: int8, a review each: its split's place in ``SPLITS``, or ``UNUSED``.
    :param shares: of each class, by held-out split: those asked for, or wider ones.
    """

    splits: np.ndarray
    shares: dict[str, float]


def text_key(text: str, seed: int) -> int:
    """Return 64 bits of a hash of the text, letter case and spacing aside."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{folded(text)}".encode(), digest_size=8).digest(), "big")


def plan_splits(keys: np.ndarray, sentiments: np.ndarray, shares: dict[str, float]) -> Plan:
    """
    Share out the reviews: in the held-out splits as many of each class, and no text twice.

    Where a class has less than ``FEWEST`` reviews in a held-out share, the shares are widened until it has that number.

    :param keys: the texts' hashes (uint64), a review each.
    :param sentiments: the reviews' classes (int8).
    :param shares: what to hold out of each class: ``{"test": 0.1, "validation": 0.05}``.
    :raises BadInput: there are no reviews, or of one class only, or too few of one to hold any out.
    """
    totals = _totals(keys, sentiments)
    candidates = _candidates(keys, sentiments, shares)
    if min(map(len, candidates.values())) < FEWEST:
        shares = _widened({value: np.unique(keys[sentiments == value]) for value in totals}, totals)
        candidates = _candidates(keys, sentiments, shares)
    splits = _pools(keys, shares)
    splits[splits != SPLITS.index("train")] = UNUSED
    for (pool, _), rows in candidates.items():
        smallest = min(len(candidates[pool, sentiment]) for sentiment in totals)
        splits[rows[:smallest]] = SPLITS.index(pool)
    return Plan(splits, shares)


def plan_reference(keys: np.ndarray, sentiments: np.ndarray) -> Plan:
    """
    Share out the reviews as the reference workflow does: as many of each class, 90 % of them to train.

    What is left is halved, by the reference's arithmetic: 19,662 reviews make 5,537, 307 and 309. Unlike there no text
    of a held-out split is in another one.

    :raises BadInput: as :func:`plan_splits`.
    """
    totals = _totals(keys, sentiments)
    each = min(totals.values())
    held = math.ceil(len(totals) * each * (1 - 0.9))
    test = math.ceil(held * (0.05 / (1 - 0.9)))
    _, of_row, occurrences = np.unique(keys, return_inverse=True, return_counts=True)
    lone = occurrences[of_row] == 1
    splits = np.full(len(keys), UNUSED, np.int8)
    for at, sentiment in enumerate(totals):
        rows = np.flatnonzero(sentiments == sentiment)
        rows = rows[np.argsort(keys[rows], kind="stable")][:each]
        splits[rows] = SPLITS.index("train")
        # Of a number that is no multiple of the classes, the first classes have one more.
        ends = [(size + len(totals) - 1 - at) // len(totals) for size in (test, held - test)]
        candidates = rows[lone[rows]]
        if not all(ends) or len(candidates) <= sum(ends):
            raise BadInput(f"too few reviews to hold any out for validation and test: {totals} by sentiment")
        splits[candidates[: ends[0]]] = SPLITS.index("test")
        splits[candidates[ends[0] : sum(ends)]] = SPLITS.index("validation")
    return Plan(splits, {"test": test / len(keys), "validation": (held - test) / len(keys)})


def _totals(keys: np.ndarray, sentiments: np.ndarray) -> dict[int, int]:
    """Count the reviews of each class. :raises BadInput: fewer than two classes have any."""
    totals = {int(value): int(count) for value, count in zip(*np.unique(sentiments, return_counts=True), strict=True)}
    if len(totals) < 2:
        classes = f"all {len(keys)} usable reviews are of one class ({', '.join(map(str, totals))}, column sentiment)"
        raise BadInput(f"{classes if totals else 'no usable review'}: there is nothing to train on")
    return totals


def balanced(plan: Plan, keys: np.ndarray, sentiments: np.ndarray) -> np.ndarray:
    """
    Choose placed reviews, as many of each class in every split; those with the least hashes.

    :param keys: the texts' hashes, and ``sentiments`` the classes, as for :func:`plan_splits`.
    """
    kept = np.zeros(len(keys), bool)
    for number in range(len(SPLITS)):
        rows = [np.flatnonzero((plan.splits == number) & (sentiments == value)) for value in np.unique(sentiments)]
        smallest = min(map(len, rows))
        for own in rows:
            kept[own[np.argsort(keys[own], kind="stable")[:smallest]]] = True
    return kept


def _pools(keys: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Return the split whose share of the hashes each key falls into, by its place in ``SPLITS``."""
    position = keys / WHOLE
    ends = [position < shares["test"], position < shares["test"] + shares["validation"]]
    return np.select(ends, [SPLITS.index("test"), SPLITS.index("validation")], SPLITS.index("train")).astype(np.int8)


def _candidates(
    keys: np.ndarray, sentiments: np.ndarray, shares: dict[str, float]
) -> dict[tuple[str, int], np.ndarray]:
    """Find, for each held-out split and class, the first review of each text that falls into its share, by the hash."""
    pools = _pools(keys, shares)
    found = {}
    for pool in HELD_OUT:
        for sentiment in np.unique(sentiments).tolist():
            rows = np.flatnonzero((pools == SPLITS.index(pool)) & (sentiments == sentiment))
            found[pool, sentiment] = rows[np.unique(keys[rows], return_index=True)[1]]
    return found


def _widened(unique: dict[int, np.ndarray], totals: dict[int, int]) -> dict[str, float]:
    """Widen the shares of few reviews to ``FEWEST`` texts of each class, or a quarter of the smallest."""
    fewest = min(FEWEST, min(map(len, unique.values())) // 4)
    too_few = BadInput(f"too few reviews to hold any out for validation and test: {totals} by sentiment")
    if not fewest:
        raise too_few
    test_end = max(members[fewest - 1] for members in unique.values())
    after = {sentiment: members[members > test_end] for sentiment, members in unique.items()}
    if min(map(len, after.values())) <= fewest:
        raise too_few
    validation_end = max(members[fewest - 1] for members in after.values())
    if min(members[-1] for members in after.values()) <= validation_end:
        raise too_few
    test, both = (float(np.nextafter(int(end) / WHOLE, 1)) for end in (test_end, validation_end))
    return {"test": test, "validation": both - test}
