"""Right answers of both variants, each review counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from intervals import Interval
from job import BadInput
from labelled import Asked
from proportions import HypothesisTest, bonett_price, mcnemar, newcombe, two_proportions

CHAMPION, CHALLENGER = "champion", "challenger"
VARIANTS = (CHAMPION, CHALLENGER)


@dataclass(frozen=True)
class Counts:
    """
    Right answers of both up to a look, and all of them, on different reviews or on the same ones.

    :param gained: where both were asked about the same reviews, those that only the challenger got right.
    :param lost: likewise, those that only the champion got right.
    """

    champion: tuple[int, int]
    challenger: tuple[int, int]
    gained: int | None = None
    lost: int | None = None

    @property
    def reviews(self) -> int:
        """Return how many distinct reviews count."""
        return self.champion[1] if self.paired else self.champion[1] + self.challenger[1]

    @property
    def paired(self) -> bool:
        """Return True if each review went to both variants."""
        return self.gained is not None

    def test(self) -> HypothesisTest:
        """Run the test of the design."""
        if self.gained is not None and self.lost is not None:
            return mcnemar(self.gained, self.lost, self.reviews)
        return two_proportions(self.champion, self.challenger)

    def interval(self, level: float) -> Interval:
        """Return the interval of the difference, in favour of the challenger."""
        if self.gained is not None and self.lost is not None:
            return bonett_price(self.gained, self.lost, self.reviews, level)
        return newcombe(self.champion, self.challenger, level)


def count(asked: Sequence[Asked], design: str) -> Counts:
    """
    Count right answers, each review once.

    A repeated review would be the same answer again, no further evidence: of several requests the first one counts.

    :raises BadInput: a variant was asked nothing, or no review went to both where the design is "paired".
    """
    if design == "paired":
        return _count_pairs(asked)
    seen: set[str] = set()
    totals = {name: [0, 0] for name in VARIANTS}
    for one in asked:
        if one.variant in VARIANTS and one.review not in seen:
            seen.add(one.review)
            totals[one.variant][0] += one.right
            totals[one.variant][1] += 1
    idle = [name for name, (_, total) in totals.items() if not total]
    if idle:
        raise BadInput(f"the variant {' and the variant '.join(idle)} was asked nothing: are both weights above 0?")
    (right_a, total_a), (right_b, total_b) = (totals[name] for name in VARIANTS)
    return Counts((right_a, total_a), (right_b, total_b))


def _count_pairs(asked: Sequence[Asked]) -> Counts:
    first: dict[tuple[str, str], bool] = {}
    for one in asked:
        first.setdefault((one.review, one.variant), one.right)
    both = [
        (first[review, CHAMPION], first[review, CHALLENGER])
        for review, variant in first
        if variant == CHAMPION and (review, CHALLENGER) in first
    ]
    if not both:
        raise BadInput("no review went to both variants: ask with target_variant=each for a paired test")
    pairs = np.array(both)
    gained, lost = int((~pairs[:, 0] & pairs[:, 1]).sum()), int((pairs[:, 0] & ~pairs[:, 1]).sum())
    right_a, right_b = (int(right) for right in pairs.sum(axis=0))
    return Counts((right_a, len(pairs)), (right_b, len(pairs)), gained, lost)
