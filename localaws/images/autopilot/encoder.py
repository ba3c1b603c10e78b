"""The model of all candidates: an encoder, the mean of its token vectors, a linear layer. And batches for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from localaws.images.autopilot.errors import AutopilotError

#: what Linux calls the instructions for bf16: x86 with AVX-512 or AMX, and Arm.
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
#: the masks of this dropout cost a fifth of a training step on a CPU; the hidden layers keep theirs.
_ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
#: batches in a pool, which is sorted by length before training batches are cut from it.
_BATCHES_A_POOL = 50

Ids = Sequence[Sequence[int]]


class Classifier(torch.nn.Module):
    """
    Token ids [rows, length] -> logits [rows, classes].

    :param encoder: of Transformers: its ``last_hidden_state`` is what is averaged.
    """

    #: whether the encoder computes in bf16. Scoring and serving do not: a text's neighbours in its batch, whose length
    #: decides the padding, must not change its answer.
    bf16 = False

    def __init__(self, encoder: Any, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(encoder.config.hidden_size, classes)

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the mean of the token vectors [rows, hidden], in fp32."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).float()
        mean: torch.Tensor = (hidden.float() * mask).sum(1) / mask.sum(1)
        return mean

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits, in fp32."""
        logits: torch.Tensor = self.head(self.dropout(self.embed(input_ids, attention_mask)))
        return logits


def load_encoder(source: str | Path) -> Any:
    """
    Load a BERT-like encoder for the CPU.

    :param source: a name on the hub, or a folder in Hugging Face layout.
    :raises AutopilotError: it cannot be loaded.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(source)
        for name in _ATTENTION_DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.0)
        # Eager attention is the faster one on a CPU for texts of this length.
        return AutoModel.from_pretrained(source, config=config, attn_implementation="eager").float().eval()
    except (OSError, ValueError) as error:
        raise AutopilotError(
            f"the base model {str(source)!r} cannot be loaded: {str(error).splitlines()[0]}"
        ) from error


def gains_by_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return True if the processor has instructions for bf16, which is faster then."""
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return not _BF16_FLAGS.isdisjoint(flags)


def padded(rows: Ids, padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``input_ids`` and ``attention_mask``, both [rows, length of the longest]."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def by_length(ids: Ids, size: int) -> Iterator[list[int]]:
    """Return all rows, the longest first, ``size`` at a time: hardly any padding."""
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def training_batches(ids: Ids, rows: np.ndarray, size: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Shuffle these rows into batches of similar length, in random order."""
    generator = np.random.default_rng(list(seed))
    rows = generator.permutation(rows)
    lengths = np.array([len(ids[row]) for row in rows])
    batches = []
    for start in range(0, len(rows), size * _BATCHES_A_POOL):
        part = slice(start, start + size * _BATCHES_A_POOL)
        pool = rows[part][np.argsort(lengths[part], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [batches[at] for at in generator.permutation(len(batches))]


@torch.inference_mode()
def probabilities(model: Classifier, ids: Ids, padding: int, size: int = 64) -> np.ndarray:
    """Of each class for each text [rows, classes], in float64."""
    found = np.zeros((len(ids), model.head.out_features))
    for rows in by_length(ids, size):
        logits = model(*padded([ids[row] for row in rows], padding))
        found[rows] = logits.double().softmax(1).numpy()
    return found


@torch.inference_mode()
def embeddings(model: Classifier, ids: Ids, padding: int, size: int = 64) -> np.ndarray:
    """Return the pooled vector of each text [rows, hidden]."""
    found = np.zeros((len(ids), model.head.in_features), dtype=np.float32)
    for rows in by_length(ids, size):
        found[rows] = model.embed(*padded([ids[row] for row in rows], padding)).numpy()
    return found
