"""Near-duplicates among texts: how many of their word pairs two texts share."""

from __future__ import annotations

import re
from itertools import pairwise

Pairs = frozenset[tuple[str, ...]]


def word_pairs(text: str) -> Pairs:
    """Return the pairs of neighbouring words, letter case and punctuation aside; the words of a text of one."""
    words = re.findall(r"\w+", text.casefold())
    return frozenset(pairwise(words)) or frozenset((word,) for word in words)


def likeness(one: Pairs, other: Pairs) -> float:
    """Return the Jaccard similarity: pairs that both have among those that either has, 0 to 1."""
    either = len(one | other)
    return len(one & other) / either if either else 1.0


class Distinct:
    """
    Texts of which no two are near-duplicates.

    :param most: likeness from which a text counts as a near-duplicate.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self.kept: list[Pairs] = []

    def add(self, text: str) -> bool:
        """Keep a text; False where one that is like it was kept before."""
        pairs = word_pairs(text)
        if any(likeness(pairs, other) >= self.most for other in self.kept):
            return False
        self.kept.append(pairs)
        return True
