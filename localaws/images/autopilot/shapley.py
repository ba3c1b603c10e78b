"""Shapley values of a text's words: what each of them adds to the probability of each class."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: words beyond this are taken together, several a piece.
_MOST_PIECES = 24
_WORD = re.compile(r"\S+\s*")

Predict = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """
    One text's attributions.

    :param pieces: its parts, in order; together they are the text.
    :param values: of each piece for each class [pieces, classes]; with ``expected`` they add up to the prediction.
    :param expected: the prediction for no text at all [classes].
    """

    pieces: list[str]
    values: np.ndarray
    expected: np.ndarray


def explain(predict: Predict, text: str, *, permutations: int, seed: int) -> Explanation:
    """
    Estimate the Shapley values of a text's pieces from random orders in which they are added to nothing.

    :param predict: texts -> probabilities [texts, classes].
    :param permutations: orders; each is used in its reverse too.
    """
    pieces = _pieces(text)
    generator = np.random.default_rng(seed)
    orders = [order for _ in range(permutations) for order in _both(generator.permutation(len(pieces)))]
    asked = dict.fromkeys(frozenset(order[:size]) for order in orders for size in range(len(pieces) + 1))
    odds = predict(["".join(pieces[place] for place in sorted(some)) for some in asked])
    known = dict(zip(asked, odds, strict=True))
    values = np.zeros((len(pieces), odds.shape[1]))
    for order in orders:
        for size, place in enumerate(order):
            values[place] += known[frozenset(order[: size + 1])] - known[frozenset(order[:size])]
    return Explanation(pieces, values / len(orders), known[frozenset()])


def _both(order: np.ndarray) -> tuple[list[int], list[int]]:
    found = [int(place) for place in order]
    return found, found[::-1]


def _pieces(text: str) -> list[str]:
    words = _WORD.findall(text.strip()) or [text]
    a_piece = -(-len(words) // _MOST_PIECES)
    return ["".join(words[start : start + a_piece]) for start in range(0, len(words), a_piece)]
