"""
Serves the model: JSON Lines in, JSON Lines out, as SageMaker's inference toolkits call it.

A request line ``{"features": ["I love this product!"]}`` is answered by a line
``{"predicted_label": 1, "probability": 0.96}``: the sentiment (-1, 0, 1) and how sure the model is of it. Also taken:
``application/json`` (one such object, a list of them, or ``{"instances": [...]}``) and ``text/csv`` (a text a row);
answered in the form that Accept asks for, else in that of the request. JSON Lines are answered by JSON Lines.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from microbatch import MicroBatcher
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

JSON_LINES, JSON, CSV = "application/jsonlines", "application/json", "text/csv"
ALIASES = {"application/jsonl": JSON_LINES, "application/x-jsonlines": JSON_LINES, "text/plain": CSV}
BATCH = 64

Prediction = dict[str, Any]


@dataclass
class Request:
    """The texts of one request, and the form they came in."""

    texts: list[str]
    content_type: str


class Classifier:
    """The model behind a queue; texts -> predictions."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.longest = tokenizer.model_max_length
        # A GPU chooses its kernels anew for each width that it has not seen: with RoBERTa-base 93 ms, and then 11.
        self.multiple = 8 if model.device.type == "cuda" else 1
        self.batched: MicroBatcher[str, Prediction] = MicroBatcher(self.classify, BATCH)

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        """The predictions for ``texts``, in order; may be called by several threads at once."""
        return self.batched(texts) if texts else []

    @torch.inference_mode()
    def classify(self, texts: list[str]) -> list[Prediction]:
        """The predictions, computed in batches of texts of like length."""
        # What lies beyond is beyond the longest input too: it need not be tokenised.
        ids = self.tokenizer([text[: self.longest * 100] for text in texts], truncation=True, max_length=self.longest)
        order = sorted(range(len(texts)), key=lambda at: len(ids["input_ids"][at]))
        predictions: list[Prediction] = [{}] * len(texts)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            odds = self.model(**self.padded([ids["input_ids"][at] for at in part])).logits.float().softmax(1)
            best = odds.max(1)
            for at, label, probability in zip(part, best.indices.tolist(), best.values.tolist(), strict=True):
                predictions[at] = {
                    "predicted_label": int(self.model.config.id2label[label]),
                    "probability": round(probability, 6),
                }
        return predictions

    def padded(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``attention_mask`` [rows, width], on the model's device."""
        width, padding = -(-max(map(len, rows)) // self.multiple) * self.multiple, self.tokenizer.pad_token_id or 0
        width = min(width, self.longest)
        ids = torch.tensor([row + [padding] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return {"input_ids": ids.to(self.model.device), "attention_mask": mask.to(self.model.device)}


def model_fn(model_dir: str) -> Classifier:
    """Load the model, for the GPU where there is one."""
    model = AutoModelForSequenceClassification.from_pretrained(model_dir)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Classifier(model.eval().to(device), AutoTokenizer.from_pretrained(model_dir))


def input_fn(body: bytes | str, content_type: str = JSON_LINES) -> Request:
    """The texts in a request. :raises ValueError: names the line that has none."""
    kind = _kind(content_type)
    try:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8: byte {error.start}") from error
    readers = {JSON_LINES: _from_lines, JSON: _from_json, CSV: _from_csv}
    if kind not in readers:
        raise ValueError(f"content type {content_type!r} is not one of {', '.join(readers)}")
    return Request(readers[kind](text), kind)


def predict_fn(data: Request, model: Classifier) -> tuple[list[Prediction], str]:
    """The predictions, and the form of the request."""
    return model(data.texts), data.content_type


def output_fn(prediction: tuple[list[Prediction], str], accept: str = "") -> str:
    """The answer in the form that ``accept`` names, else in that of the request."""
    predictions, asked_in = prediction
    wanted = [_kind(one) for one in accept.split(",")]
    kind = next((one for one in wanted if one in (JSON_LINES, JSON, CSV)), asked_in)
    if kind == JSON and asked_in == JSON_LINES:
        # The toolkits say application/json for a caller who named nothing: lines are answered by lines.
        kind = JSON_LINES
    if kind == JSON:
        return json.dumps(predictions)
    if kind == CSV:
        return "".join(f"{one['predicted_label']},{one['probability']}\n" for one in predictions)
    return "".join(json.dumps(one) + "\n" for one in predictions)


def _kind(content_type: str) -> str:
    kind = content_type.split(";")[0].strip().lower()
    return ALIASES.get(kind, kind)


def _from_lines(text: str) -> list[str]:
    texts = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
            texts.append(_text(record, f"line {number}"))
    return texts


def _from_json(text: str) -> list[str]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    if isinstance(record, dict) and "instances" in record:
        record = record["instances"]
    records = record if isinstance(record, list) else [record]
    return [_text(one, f"item {number}") for number, one in enumerate(records, start=1)]


def _from_csv(text: str) -> list[str]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"the request is not CSV: {error}") from error
    return [row[0] for row in rows if row]


def _text(record: Any, place: str) -> str:
    """The one text in a record: ``{"features": ["text"]}``, ``{"features": "text"}`` or ``"text"``."""
    features = record.get("features") if isinstance(record, dict) else record
    if isinstance(features, list) and len(features) == 1:
        features = features[0]
    if not isinstance(features, str):
        raise ValueError(f'{place} has no text: it must look like {{"features": ["text"]}}')
    return features


if __name__ == "__main__":
    # By hand: python inference.py MODEL_DIR < reviews.jsonl
    import sys

    answer = predict_fn(input_fn(sys.stdin.read()), model_fn(str(Path(sys.argv[1]))))
    print(output_fn(answer), end="")
