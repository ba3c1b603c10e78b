"""Token ids from the features job: reading a split, balancing an epoch, and batches of reviews of like length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from job import BadInput

CLASSES = 3
COLUMNS = ["input_ids", "label_id"]
#: rows that are read at a time where not all are wanted.
BATCH = 8192
#: what another value in a split's metadata means.
OTHER = {"vocabulary": "for another base model", "text": "of another text"}
BALANCES = ("undersample", "oversample", "class_weights", "none")

# Batches are cut from pools of this many, sorted by length: little padding, and still another order in each epoch.
BATCHES_A_POOL = 50


@dataclass(frozen=True)
class Batch:
    """Padded to its longest row: ``input_ids`` and ``attention_mask`` [rows, length], ``labels`` [rows]."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on ``device``."""
        return Batch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device))


class Examples:
    """Reviews as token ids: ``labels`` [n], ``lengths`` [n], and all ids in one array."""

    def __init__(self, ids: np.ndarray, offsets: np.ndarray, labels: np.ndarray, longest: int) -> None:
        self.ids, self.offsets, self.labels, self.longest = ids, offsets, labels, longest
        self.lengths = np.minimum(np.diff(offsets), longest)

    def __len__(self) -> int:
        return len(self.labels)

    def row(self, index: int) -> np.ndarray:
        """Return the ids of one review, cut to the longest allowed; the closing special token stays."""
        ids = self.ids[self.offsets[index] : self.offsets[index + 1]]
        return ids if len(ids) <= self.longest else np.append(ids[: self.longest - 1], ids[-1])

    def take(self, limit: int, seed: int) -> Examples:
        """Draw at most ``limit`` rows at random; 0 means all."""
        if not limit or limit >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:limit])
        ids = [self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
        return Examples(np.concatenate(ids), offsets, self.labels[rows], self.longest)

    def batch(self, rows: np.ndarray, padding: int, multiple: int = 1) -> Batch:
        """Return these rows as one batch, padded to the longest, or to the next ``multiple`` where that is allowed."""
        width = min(-(-int(self.lengths[rows].max()) // multiple) * multiple, self.longest)
        ids = np.full((len(rows), width), padding, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for at, row in enumerate(rows):
            tokens = self.row(int(row))
            ids[at, : len(tokens)], mask[at, : len(tokens)] = tokens, 1
        return Batch(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(self.labels[rows]))


def read_split(
    folder: Path, longest: int, vocabulary: str | None = None, text: str | None = None, *, limit: int = 0, seed: int = 0
) -> Examples:
    """
    Read the Parquet parts of a split: the features job's, or those that Athena unloads from the Feature Store.

    Memory is that of the rows that are returned, not of those that are there.

    :param longest: tokens a review at most.
    :param vocabulary: the hash of the base model's vocabulary, which the features must have been made with.
    :param text: what the model reads of a review, which the features must have been made of.
    :param limit: rows to draw at random, by ``seed``, at most; 0 means all.
    :raises BadInput: no part, a part that is no such file, or one made for another base model or of another text.
    """
    # What Athena unloads has names without an ending.
    parts = sorted(path for path in folder.glob("[!._]*") if path.is_file())
    if not parts:
        raise BadInput(f"channel {folder.name}: there is no Parquet file in {folder}")
    files = [_open_part(part, {"vocabulary": vocabulary, "text": text}) for part in parts]
    total = sum(file.metadata.num_rows for file in files)
    if limit and limit < total:
        tables = list(_drawn(files, np.sort(np.random.default_rng(seed).permutation(total)[:limit])))
    else:
        tables = [file.read(columns=COLUMNS) for file in files]
    table = pa.concat_tables(tables).combine_chunks()
    if not len(table):
        raise BadInput(f"channel {folder.name}: the files in {folder} have no rows")
    labels = table["label_id"].to_numpy().astype(np.int64)
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise BadInput(f"channel {folder.name}: label_id must be 0 to {CLASSES - 1}")
    column = table["input_ids"].combine_chunks()
    lists = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    offsets = lists.offsets.to_numpy()
    return Examples(lists.values.to_numpy(), offsets, labels, longest)


def _open_part(part: Path, expected: Mapping[str, str | None]) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(part)
        lacking = set(COLUMNS) - set(file.schema_arrow.names)
        if lacking:
            raise KeyError(f"it lacks {', '.join(sorted(lacking))}")
    except (pa.ArrowException, KeyError) as error:
        raise BadInput(f"{part} is not a file of the features job: {str(error).splitlines()[0]}") from error
    metadata = file.schema_arrow.metadata or {}
    for name, value in expected.items():
        made_with = metadata.get(name.encode(), b"").decode()
        if value and made_with and made_with != value:
            raise BadInput(f"{part.name} was made {OTHER[name]} ({name} {made_with}, not {value}): run features")
    return file


def _drawn(files: Sequence[pq.ParquetFile], rows: np.ndarray) -> Iterator[pa.Table]:
    """Yield these rows, counted through all files, in ascending order, from a batch at a time."""
    first = 0
    for file in files:
        for batch in file.iter_batches(BATCH, columns=COLUMNS):
            begin, end = np.searchsorted(rows, [first, first + len(batch)])
            yield pa.table(batch.take(pa.array(rows[begin:end] - first)))
            first += len(batch)


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Return n / (classes x n of the class), [classes]; 0 for a class that does not occur."""
    counts = np.bincount(labels, minlength=CLASSES)
    present = counts > 0
    return np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)


def class_shares(labels: np.ndarray) -> list[float]:
    """Return the share of each class in the reviews, before any balancing, [classes]."""
    return [round(float(share), 6) for share in np.bincount(labels, minlength=CLASSES) / len(labels)]


def learned_shares(labels: np.ndarray, balance: str) -> list[float]:
    """Return the share of each class that a model assumes, [classes]: alike, unless nothing balances them."""
    if balance == "none":
        return class_shares(labels)
    present = np.bincount(labels, minlength=CLASSES) > 0
    return [round(float(share), 6) for share in present / present.sum()]


def epoch_rows(labels: np.ndarray, balance: str, most: int, epoch: int, seed: int) -> np.ndarray:
    """
    Return the rows of one epoch, shuffled.

    ``undersample``: as many of each class as the smallest has. ``oversample``: as many of each as the largest has, but
    no more than ``most`` rows in all (0: no limit). A class with more than its part moves on through its rows from
    epoch to epoch; one with fewer repeats them. ``class_weights`` and ``none``: all rows.
    """
    random = np.random.default_rng([seed, epoch])
    if balance in ("class_weights", "none"):
        return random.permutation(len(labels))
    classes = [np.flatnonzero(labels == label) for label in range(CLASSES) if (labels == label).any()]
    sizes = [len(members) for members in classes]
    each = min(sizes) if balance == "undersample" else max(sizes)
    if balance == "oversample" and most:
        each = max(1, min(each, most // len(classes)))
    chosen = []
    for number, members in enumerate(classes):
        order = np.random.default_rng([seed, CLASSES + number]).permutation(members)
        chosen.append(np.take(order, np.arange(epoch * each, (epoch + 1) * each), mode="wrap"))
    return random.permutation(np.concatenate(chosen))


def bucketed(examples: Examples, rows: np.ndarray, size: int, seed: int) -> list[np.ndarray]:
    """Cut ``rows`` into batches of ``size`` rows of like length, in random order."""
    pool = size * BATCHES_A_POOL
    batches = []
    for start in range(0, len(rows), pool):
        part = rows[start : start + pool]
        part = part[np.argsort(examples.lengths[part], kind="stable")]
        batches += [part[at : at + size] for at in range(0, len(part), size)]
    order = np.random.default_rng(seed).permutation(len(batches))
    return [batches[at] for at in order]


def by_length(examples: Examples, size: int) -> Iterator[np.ndarray]:
    """Yield all rows, longest first, ``size`` at a time: for evaluation."""
    order = np.argsort(-examples.lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]
