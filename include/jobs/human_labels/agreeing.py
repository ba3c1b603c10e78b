"""How far people agree: with the model, and with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from intervals import wilson
from merging import LABELS, Votes


def with_model(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Compare labels with predictions.

    Returns ``{"reviews", "agree", "accuracy", "interval", "confusion": rows people, columns model, -1 0 1}``.

    :param rows: ``label`` and ``predicted_label`` of each review.
    """
    confusion = [[0] * len(LABELS) for _ in LABELS]
    for row in rows:
        confusion[LABELS.index(row["label"])][LABELS.index(row["predicted_label"])] += 1
    count = sum(map(sum, confusion))
    agree = sum(confusion[at][at] for at in range(len(LABELS)))
    accuracy = round(agree / count, 4) if count else None
    interval = [round(bound, 4) for bound in wilson(agree, count)] if count else None
    return {"reviews": count, "agree": agree, "accuracy": accuracy, "interval": interval, "confusion": confusion}


def between_workers(items: Iterable[Votes]) -> dict[str, Any]:
    """
    Return ``{"reviews", "agreement", "kappa"}`` over the reviews with two votes or more; None where there are none.

    The agreement is the mean share of pairs of votes that are the same; kappa is Fleiss', for any number of votes a
    review, and None where all votes are of one label.
    """
    voted = [list(votes.values()) for votes in items if len(votes) > 1]
    if not voted:
        return {"reviews": 0, "agreement": None, "kappa": None}
    agreement = sum(map(_same, voted)) / len(voted)
    votes = [label for labels in voted for label in labels]
    chance = sum((votes.count(label) / len(votes)) ** 2 for label in LABELS)
    kappa = None if chance > 1 - 1e-9 else round((agreement - chance) / (1 - chance), 4)
    return {"reviews": len(voted), "agreement": round(agreement, 4), "kappa": kappa}


def _same(labels: Sequence[int]) -> float:
    pairs = list(combinations(labels, 2))
    return sum(one == other for one, other in pairs) / len(pairs)


def of_each_worker(items: Mapping[str, Votes], labels: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return worker -> ``{"answers", "agree", "agreement"}``: how often the label became what this one said."""
    found: dict[str, dict[str, Any]] = {}
    for name, votes in items.items():
        for worker, label in votes.items():
            own = found.setdefault(worker, {"answers": 0, "judged": 0, "agree": 0})
            own["answers"] += 1
            own["judged"] += name in labels
            own["agree"] += labels.get(name) == label
    for own in found.values():
        own["agreement"] = round(own["agree"] / own["judged"], 4) if own["judged"] else None
    return dict(sorted(found.items()))
