"""Which split a review goes to: by a hash of its text, so that instances agree without talking."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from job import BadInput

HELD_OUT = ("validation", "test")
SPLITS = ("train", *HELD_OUT)
FEWEST = 4
WHOLE = 1 << 64


@dataclass(frozen=True)
class Share:
    """The part of the texts that this instance takes: those whose hash leaves ``index`` when divided by ``of``."""

    host: str = "algo-1"
    first: bool = True
    index: int = 0
    of: int = 1

    @property
    def report(self) -> str:
        """The name of this instance's report: ``report.json`` on the first."""
        return "report.json" if self.first else f"report-{self.host}.json"

    def holds(self, key: int) -> bool:
        """True when the text with this hash is for this instance."""
        return key % self.of == self.index


def this_share(config: Path, source: Path) -> Share:
    """This instance among its siblings, by SageMaker's configuration files; alone where there are none."""
    resources = config / "resourceconfig.json"
    if not resources.exists():
        return Share()
    known = json.loads(resources.read_text())
    host, hosts = known["current_host"], sorted(known["hosts"])
    first = host == hosts[0]
    if len(hosts) == 1 or _sharded(config / "processingjobconfig.json", source):
        return Share(host, first)
    return Share(host, first, hosts.index(host), len(hosts))


def _sharded(job: Path, source: Path) -> bool:
    """True when S3 keys, rather than copies of everything, were dealt out to the instances."""
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


@dataclass
class Plan:
    """Which reviews are held out: for each split and class, the hashes up to a limit."""

    test_share: float
    validation_share: float
    limits: dict[tuple[str, int], int] = field(default_factory=dict)

    def pool(self, key: int) -> str:
        """The split whose share of the hashes ``key`` falls into."""
        position = key / WHOLE
        if position < self.test_share:
            return "test"
        return "validation" if position < self.test_share + self.validation_share else "train"

    def split(self, review: Review, taken: set[tuple[int, int]]) -> str | None:
        """Where ``review`` goes; None when it is in a held-out share and not needed there."""
        pool = self.pool(review.key)
        if pool == "train":
            return pool
        mark = (review.key, review.sentiment)
        if review.key > self.limits[pool, review.sentiment] or mark in taken:
            return None
        taken.add(mark)
        return pool


def text_key(text: str, seed: int) -> int:
    """64 bits of a hash of the text, letter case and spacing aside."""
    plain = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{plain}".encode(), digest_size=8).digest(), "big")


def plan_splits(read: Callable[[], Iterator[Review]], test_share: float, validation_share: float) -> Plan:
    """
    Go through all reviews and set the limits that make the held-out splits balanced.

    Where a class has less than ``FEWEST`` reviews in a held-out share, the shares are widened until it has so many.

    :param read: starts a pass over the reviews.
    :raises BadInput: there are no reviews, or of one class only, or too few of one to hold any out.
    """
    plan, held_out = Plan(test_share, validation_share), defaultdict(lambda: array("Q"))
    totals: Counter[int] = Counter()
    for review in read():
        totals[review.sentiment] += 1
        if (pool := plan.pool(review.key)) != "train":
            held_out[pool, review.sentiment].append(review.key)
    if len(totals) < 2:
        what = f"all {totals.total()} usable reviews are of one class ({next(iter(totals))})" if totals else "no review"
        raise BadInput(f"{what}: there is nothing to train on (column Rating)")
    unique = {(pool, sentiment): np.unique(held_out[pool, sentiment]) for pool in HELD_OUT for sentiment in totals}
    if min(map(len, unique.values())) < FEWEST:
        plan, unique = _widened(read(), totals)
    for pool in HELD_OUT:
        smallest = min(len(unique[pool, sentiment]) for sentiment in totals)
        for sentiment in totals:
            plan.limits[pool, sentiment] = int(unique[pool, sentiment][smallest - 1])
    return plan


def _widened(found: Iterator[Review], totals: Counter[int]) -> tuple[Plan, dict[tuple[str, int], np.ndarray]]:
    """For few reviews: shares that hold ``FEWEST`` of each class, or a quarter of the smallest; and their hashes."""
    keys = {sentiment: array("Q") for sentiment in totals}
    for review in found:
        keys[review.sentiment].append(review.key)
    unique = {sentiment: np.unique(members) for sentiment, members in keys.items()}
    fewest = min(FEWEST, min(map(len, unique.values())) // 4)
    too_few = BadInput(f"too few reviews to hold any out for validation and test: {dict(totals)} by sentiment")
    if not fewest:
        raise too_few
    test_end = max(members[fewest - 1] for members in unique.values())
    after = {sentiment: members[members > test_end] for sentiment, members in unique.items()}
    if min(map(len, after.values())) <= fewest:
        raise too_few
    validation_end = max(members[fewest - 1] for members in after.values())
    if min(members[-1] for members in after.values()) <= validation_end:
        raise too_few
    test_share, both = (float(np.nextafter(int(end) / WHOLE, 1)) for end in (test_end, validation_end))
    held_out = {("test", sentiment): members[members <= test_end] for sentiment, members in unique.items()}
    held_out |= {("validation", s): members[members <= validation_end] for s, members in after.items()}
    return Plan(test_share, both - test_share), held_out
