"""How far people agree beyond chance: Cohen's kappa for two, Fleiss' for more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """
    The agreement of several people on labels.

    :param measure: ``Cohen's kappa`` or ``Fleiss' kappa``.
    :param kappa: 1 for full agreement, 0 for that of chance; ``None`` where all gave one label to all items, for
        which kappa is not defined.
    :param items: how many items two people or more have labelled.
    :param agreed: the share of pairs of answers to one item that are the same.
    """

    measure: str
    kappa: float | None
    items: int
    agreed: float


def of(answers: Iterable[tuple[str, str, str]]) -> Agreement | None:
    """
    Measure the agreement of answers.

    Cohen's kappa is for two people who both labelled each item. As soon as a third one took part, it is Fleiss', in
    which an item's weight is its number of pairs of answers, so that two and three answers to an item go together.

    :param answers: item, person and label; of several answers by one person to an item, the last one counts.
    :returns: ``None`` where no item has answers of two people.
    """
    by_item: dict[str, dict[str, str]] = defaultdict(dict)
    for item, person, label in answers:
        by_item[item][person] = label
    items = [labels for labels in by_item.values() if len(labels) > 1]
    if not items:
        return None
    people = sorted({person for labels in items for person in labels})
    if len(people) == 2:
        return _cohen([(labels[people[0]], labels[people[1]]) for labels in items])
    return _fleiss([list(labels.values()) for labels in items])


def _cohen(pairs: list[tuple[str, str]]) -> Agreement:
    total = len(pairs)
    agreed = sum(one == other for one, other in pairs) / total
    firsts, seconds = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(firsts[label] * seconds[label] for label in firsts) / total**2
    return Agreement("Cohen's kappa", _beyond(agreed, by_chance), total, agreed)


def _fleiss(items: list[list[str]]) -> Agreement:
    same = sum(count * (count - 1) for labels in items for count in Counter(labels).values())
    pairs = sum(len(labels) * (len(labels) - 1) for labels in items)
    labels = Counter(label for labels in items for label in labels)
    by_chance = sum((count / labels.total()) ** 2 for count in labels.values())
    return Agreement("Fleiss' kappa", _beyond(same / pairs, by_chance), len(items), same / pairs)


def _beyond(agreed: float, by_chance: float) -> float | None:
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
