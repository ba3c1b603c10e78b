"""Which of the scored reviews people are asked about: a random control share, and those that the model knows least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from likeness import Distinct

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """
    How to choose.

    :param threshold: a prediction of a lower probability is one that people are asked about.
    :param budget: reviews at most, the control share with them.
    :param control_share: part of the budget that is drawn at random from all reviews, sure predictions too.
    :param likeness: from which two texts count as near-duplicates.
    """

    threshold: float
    budget: int
    control_share: float
    likeness: float
    seed: int

    @property
    def control(self) -> int:
        """How many reviews are drawn at random."""
        return round(self.budget * self.control_share)


def choose(rows: Sequence[Row], plan: Plan) -> tuple[list[Row], dict[str, int]]:
    """
    Return the chosen reviews, each with its ``share``, and what the report counts.

    The control share is drawn first, without a look at anything: it is a simple random sample, and what people say of
    it is an unbiased measure of the model. The rest goes to the lowest probabilities below the threshold.
    """
    generator = np.random.default_rng(plan.seed)
    drawn = generator.permutation(len(rows))[: plan.control]
    distinct = Distinct(plan.likeness)
    chosen = [{**rows[at], "share": "control"} for at in drawn]
    for row in chosen:
        distinct.add(row["text"])
    rest = [rows[at] for at in sorted(set(range(len(rows))) - set(drawn.tolist()))]
    unsure = [row for row in rest if row["probability"] < plan.threshold]
    # Of equals the first by name: the same choice whatever order they came in.
    unsure.sort(key=lambda row: (row["probability"], row["review_id"]))
    counts = {"below_threshold": sum(row["probability"] < plan.threshold for row in rows)}
    counts |= {"control": len(chosen), "uncertain": 0, "near_duplicates": 0}
    for row in unsure:
        if len(chosen) >= plan.budget:
            break
        if distinct.add(row["text"]):
            chosen.append({**row, "share": "uncertain"})
            counts["uncertain"] += 1
        else:
            counts["near_duplicates"] += 1
    # Not the surest last: whoever labels must not learn from the order what the model thinks.
    return [chosen[at] for at in generator.permutation(len(chosen))], counts
