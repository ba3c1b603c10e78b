"""
Token ids of many reviews.

A tokenizer spends its time on the same words again and again: the reviews have far more words than different ones.
BERT's cuts a text at every space before it does anything else, so what becomes of a word does not depend on its
neighbours: each different word goes through the tokenizer once, and is looked up from then on. Tokenizers of other
kinds (RoBERTa's takes the space into the word after it) get whole texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from transformers import PreTrainedTokenizerBase

#: different words to remember at most: bounds the memory, whatever the number of reviews.
MOST_WORDS = 200_000


def token_ids(tokenizer: PreTrainedTokenizerBase, length: int) -> WholeTexts | Words:
    """
    The quickest way to this tokenizer's ids, as many as ``length`` a text, special tokens among them.

    The tokenizer below transformers' wrapper does it: the same ids, without offsets, masks and dicts that nobody needs.
    """
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    bert = (backend.normalizer, backend.pre_tokenizer)
    if tuple(type(part).__name__ for part in bert) == ("BertNormalizer", "BertPreTokenizer"):
        return Words(backend, length)
    return WholeTexts(backend, length)


class WholeTexts:
    """Every text through the tokenizer, a batch at a time."""

    def __init__(self, backend: Any, length: int) -> None:
        self._backend = backend
        backend.enable_truncation(length)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [encoding.ids for encoding in self._backend.encode_batch_fast(list(texts))]


class Words:
    """Every different word through the tokenizer, once."""

    def __init__(self, backend: Any, length: int) -> None:
        backend.no_truncation()
        self._backend = backend
        self._first, self._last = backend.encode("").ids
        self._room = length - 2
        self._known: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        split = [text.split(" ") for text in texts]
        self._learn(set().union(*split))
        look_up = self._known.__getitem__
        bodies = (list(chain.from_iterable(map(look_up, words)))[: self._room] for words in split)
        return [[self._first, *body, self._last] for body in bodies]

    def _learn(self, words: set[str]) -> None:
        new = words - self._known.keys()
        if len(self._known) + len(new) > MOST_WORDS:
            self._known.clear()
            new = words
        found = list(new)
        encodings = self._backend.encode_batch_fast(found, add_special_tokens=False)
        self._known.update((word, encoding.ids) for word, encoding in zip(found, encodings, strict=True))
