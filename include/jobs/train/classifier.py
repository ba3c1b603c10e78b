"""The model behind an endpoint, in PyTorch: texts in, sentiments out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import ngrams
import torch
from microbatch import MicroBatcher
from precision import gains_by_bf16
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

BATCH = 64

Prediction = dict[str, Any]


class Classifier:
    """The model behind a queue; texts -> predictions."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, beside: ngrams.Ngrams | None = None
    ) -> None:
        self.model, self.tokenizer, self.beside = model, tokenizer, beside
        self.longest = tokenizer.model_max_length
        #: what the model reads of a review; an archive that does not say has read bodies alone.
        self.text: str = getattr(model.config, "review_text", "body")
        # A GPU chooses kernels for each width that it meets for the first time: with RoBERTa-base 93 ms, and then 11.
        self.multiple = 8 if model.device.type == "cuda" else 1
        self.bf16 = False
        self.batched: MicroBatcher[str, Prediction] = MicroBatcher(self.classify, BATCH)

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the predictions for ``texts``, in order; may be called by several threads at once."""
        return self.batched(texts) if texts else []

    def allow_bf16(self) -> None:
        """
        Compute in bf16 where the device gains by it, as training does: for many reviews at once.

        An endpoint stays in fp32, so that a review gets the same answer alone and among others.
        """
        self.bf16 = gains_by_bf16(self.model.device)

    @torch.inference_mode()
    def classify(self, texts: list[str]) -> list[Prediction]:
        """Return the predictions, computed in batches of texts of like length."""
        # What lies beyond is beyond the longest input too: it need not be tokenised.
        ids = self.tokenizer([text[: self.longest * 100] for text in texts], truncation=True, max_length=self.longest)
        # With keys of text in JSON, which transformers reads as int.
        labels = cast(dict[int, str], self.model.config.id2label)
        order = sorted(range(len(texts)), key=lambda at: len(ids["input_ids"][at]))
        predictions: list[Prediction] = [{}] * len(texts)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            rows = [ids["input_ids"][at] for at in part]
            with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16):
                logits = self.model(**self.padded(rows)).logits.float()
            if self.beside:
                logits = self.beside.encoder * logits + torch.from_numpy(self.beside(rows)).to(logits.device)
            odds = logits.softmax(1)
            for at, row in zip(part, odds.tolist(), strict=True):
                label = row.index(max(row))
                predictions[at] = {
                    "predicted_label": int(labels[label]),
                    "probability": round(row[label], 6),
                    "odds": row,
                }
        return predictions

    def padded(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask`` [rows, width], on the model's device."""
        width, padding = -(-max(map(len, rows)) // self.multiple) * self.multiple, self.tokenizer.pad_token_id or 0
        width = min(width, self.longest)
        ids = torch.tensor([row + [padding] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return {"input_ids": ids.to(self.model.device), "attention_mask": mask.to(self.model.device)}


def load(folder: Path) -> Classifier:
    """Load the model, for the GPU where there is one."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Classifier(model.eval().to(device), AutoTokenizer.from_pretrained(folder), ngrams.load(folder))
