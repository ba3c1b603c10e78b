"""
Serves the model: JSON Lines in, JSON Lines out, as SageMaker's inference toolkits call it.

A request line ``{"features": ["I love this product!"]}`` or ``{"features": ["the title", "the body"]}`` is answered by
a line ``{"predicted_label": 1, "probability": 0.96}``: the sentiment (-1, 0, 1) and how sure the model is of it. A lone
text is taken as it is; of title and body the model reads what it was trained on. Also taken:
``application/json`` (one such object, a list of them, or ``{"instances": [...]}``) and ``text/csv`` (a text, or title
and body, a row); answered in the form that Accept asks for, else in that of the request. JSON Lines are answered by
JSON Lines.

The model itself is in ``classifier.py`` beside this module: PyTorch's in an archive of the train job, ONNX Runtime's in
one of the compile job.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier import Classifier, Prediction, load
from model_input import model_input

JSON_LINES, JSON, CSV = "application/jsonlines", "application/json", "text/csv"
ALIASES = {"application/jsonl": JSON_LINES, "application/x-jsonlines": JSON_LINES, "text/plain": CSV}
#: what a caller gets of a prediction. It has the odds of all sentiments too, for the job that evaluates the model.
ANSWERED = ("predicted_label", "probability")
FORMS = '{"features": ["text"]} or {"features": ["title", "body"]}'

#: title, empty where there is none, and body.
Review = tuple[str, str]


@dataclass
class Request:
    """The reviews of one request, (title, body) each, and the form they came in."""

    reviews: list[Review]
    content_type: str


def model_fn(model_dir: str) -> Classifier:
    """Load the model."""
    return load(Path(model_dir))


def input_fn(body: bytes | str, content_type: str = JSON_LINES) -> Request:
    """Return the reviews in a request. :raises ValueError: names the line that has none."""
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
    """Return the predictions, and the form of the request."""
    return model([model_input(*review, model.text) for review in data.reviews]), data.content_type


def output_fn(prediction: tuple[list[Prediction], str], accept: str = "") -> str:
    """Return the answer in the form that ``accept`` names, else in that of the request."""
    found, asked_in = prediction
    predictions = [{name: one[name] for name in ANSWERED} for one in found]
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


def _from_lines(text: str) -> list[Review]:
    reviews = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
            reviews.append(_review(record, f"line {number}"))
    return reviews


def _from_json(text: str) -> list[Review]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    if isinstance(record, dict) and "instances" in record:
        record = record["instances"]
    records = record if isinstance(record, list) else [record]
    return [_review(one, f"item {number}") for number, one in enumerate(records, start=1)]


def _from_csv(text: str) -> list[Review]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"the request is not CSV: {error}") from error
    return [_review(row, f"row {number}") for number, row in enumerate(rows, start=1) if row]


def _review(record: Any, place: str) -> Review:
    """Read title and body of ``{"features": ["text"]}``, ``{"features": ["title", "body"]}``, ``"text"``, or a row."""
    features = record.get("features") if isinstance(record, dict) else record
    texts: list[Any] = features if isinstance(features, list) else [features]
    if len(texts) not in (1, 2) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{place} has no text: it must look like {FORMS}")
    return ("", texts[0]) if len(texts) == 1 else (texts[0], texts[1])


if __name__ == "__main__":
    # By hand: python inference.py MODEL_DIR < reviews.jsonl
    import sys

    answer = predict_fn(input_fn(sys.stdin.read()), model_fn(str(Path(sys.argv[1]))))
    print(output_fn(answer), end="")
