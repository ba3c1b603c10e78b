"""Several people's votes -> one label: by majority, or by Dawid and Skene's model of how reliable each of them is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

LABELS = (-1, 0, 1)
#: Dawid-Skene: rounds at most, change of a probability that ends them, and what each worker is thought to have
#: answered before (of each true label, each answer so often): a worker of three answers is not taken for sure.
_ROUNDS, _CHANGE, _BEFORE = 200, 1e-7, 0.1

#: worker -> label.
Votes = Mapping[str, int]
#: the label, and how sure it is.
Merged = tuple[int, float]


def majority(votes: Sequence[int]) -> Merged | None:
    """Return the label that most voted for, and their share; None where no label has more votes than all others."""
    counts = Counter(votes).most_common(2)
    if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
        return None
    label, count = counts[0]
    return label, count / len(votes)


def dawid_skene(items: Mapping[str, Votes]) -> dict[str, Merged | None]:
    """
    Return each item's label and its probability; None where two labels are equally probable.

    Expectation maximisation of Dawid and Skene (1979), from the shares of the votes: how often each label is the true
    one, and what each worker answers for it, are estimated from all items together.
    """
    names = [name for name, votes in items.items() if votes]
    workers = sorted({worker for votes in items.values() for worker in votes})
    votes = np.zeros((len(names), len(workers), len(LABELS)))
    for at, name in enumerate(names):
        for worker, label in items[name].items():
            votes[at, workers.index(worker), LABELS.index(label)] = 1.0
    beliefs = votes.sum(axis=1)
    beliefs /= beliefs.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        found = _estimate(votes, beliefs)
        change = np.abs(found - beliefs).max(initial=0.0)
        beliefs = found
        if change < _CHANGE:
            break
    return dict.fromkeys(items) | {name: _most_probable(beliefs[at]) for at, name in enumerate(names)}


def _estimate(votes: np.ndarray, beliefs: np.ndarray) -> np.ndarray:
    """Estimate shares of the labels and tables of the workers from the beliefs, and new beliefs from these."""
    shares = beliefs.sum(axis=0) + _BEFORE
    # worker x true label x answer
    tables = np.einsum("it,iwa->wta", beliefs, votes) + _BEFORE
    tables /= tables.sum(axis=2, keepdims=True)
    logs = np.log(shares / shares.sum()) + np.einsum("iwa,wta->it", votes, np.log(tables))
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _most_probable(belief: np.ndarray) -> Merged | None:
    second, first = np.sort(belief)[-2:]
    if first - second < 1e-6:
        return None
    return LABELS[int(belief.argmax())], float(first)


def merge(items: Mapping[str, Votes], method: str) -> dict[str, Merged | None]:
    """Return each item's label and how sure it is; None where there is none. ``method``: "majority", "dawid_skene"."""
    if method == "dawid_skene":
        return dawid_skene(items)
    return {name: majority(list(votes.values())) for name, votes in items.items()}
