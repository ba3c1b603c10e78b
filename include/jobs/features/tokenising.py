"""
Token ids of many reviews.

A tokenizer spends its time on the same words again and again: the reviews have far more words than different ones.
BERT's cuts a text at every space before it does anything else, so what becomes of a word does not depend on its
neighbours: each different word goes through the tokenizer once, and is looked up from then on. Tokenizers of other
kinds (RoBERTa's takes the space into the word after it) get whole texts. For MiniLM this takes a fifth of the processor
time of the batched fast tokenizer (``benchmarks/results/tokenising.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from transformers import PreTrainedTokenizerBase

#: different words to remember at most: bounds the memory, whatever the number of reviews.
MOST_WORDS = 200_000


def token_ids(tokenizer: PreTrainedTokenizerBase, length: int) -> WholeTexts | Words:
    """
    Return the quickest way to this tokenizer's ids, at most ``length`` a text, special tokens among them.

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

    def __call__(self, texts: Sequence[str]) -> pa.ListArray:
        """Return the ids of each text, list<int32>."""
        encodings = self._backend.encode_batch_fast(list(texts))
        return pa.array([encoding.ids for encoding in encodings], type=pa.list_(pa.int32()))


class Words:
    """Every different word through the tokenizer, once; what words become lies end to end in one array."""

    #: word n is _ids[_ends[n]:_ends[n + 1]]
    _ends: np.ndarray
    _ids: np.ndarray

    def __init__(self, backend: Any, length: int) -> None:
        backend.no_truncation()
        self._backend = backend
        self._first, self._last = backend.encode("").ids
        self._room = length - 2
        self._forget()

    def __call__(self, texts: Sequence[str]) -> pa.ListArray:
        """Return the ids of each text, list<int32>."""
        # Arrow splits the texts and finds the different words; Python sees each of those once a batch.
        split = pc.split_pattern(pa.array(texts, pa.large_string()), " ")
        words = split.flatten().dictionary_encode()
        different = words.dictionary.to_pylist()
        self._learn(different)
        numbers = np.fromiter(map(self._numbers.__getitem__, different), np.int64, len(different))[words.indices]
        counts = np.diff(split.offsets)
        sizes = self._ends[numbers + 1] - self._ends[numbers]
        values = self._ids[ragged(self._ends[numbers], sizes)]
        return self._in_brackets(values, np.add.reduceat(sizes, np.cumsum(counts) - counts))

    def _in_brackets(self, values: np.ndarray, sizes: np.ndarray) -> pa.ListArray:
        """Return the texts' ids, ``sizes`` of them each, cut to the room there is, between the two special ones."""
        kept = np.minimum(sizes, self._room)
        offsets = np.concatenate([[0], np.cumsum(kept + 2)])
        ids = np.empty(offsets[-1], np.int32)
        ids[offsets[:-1]], ids[offsets[1:] - 1] = self._first, self._last
        ids[ragged(offsets[:-1] + 1, kept)] = values[ragged(np.cumsum(sizes) - sizes, kept)]
        return pa.ListArray.from_arrays(offsets.astype(np.int32), ids)

    def _learn(self, words: list[str]) -> None:
        new = [word for word in words if word not in self._numbers]
        if len(self._numbers) + len(new) > MOST_WORDS:
            self._forget()
            new = words
        ids = [encoding.ids for encoding in self._backend.encode_batch_fast(new, add_special_tokens=False)]
        self._numbers.update(zip(new, range(len(self._numbers), len(self._numbers) + len(new)), strict=True))
        ends = self._ends[-1] + np.cumsum([len(one) for one in ids], dtype=np.int64)
        self._ends = np.concatenate([self._ends, ends])
        self._ids = np.concatenate([self._ids, np.fromiter(chain.from_iterable(ids), np.int32)])

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ends, self._ids = np.zeros(1, np.int64), np.empty(0, np.int32)


def ragged(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return ``starts[0]``, ``starts[0] + 1``, ... as many as ``sizes[0]``; then the same of the next."""
    before = np.cumsum(sizes) - sizes
    places: np.ndarray = np.arange(sizes.sum()) + np.repeat(starts - before, sizes)
    return places
