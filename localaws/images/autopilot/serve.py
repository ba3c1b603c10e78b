"""
Plays ``serve`` of the image ``sagemaker-autopilot``: classes for texts.

* ``text/csv`` without a header: a row a text, or all columns of the training data, with or without the target -> a row
  each, of the columns that ``SAGEMAKER_INFERENCE_OUTPUT`` names;
* ``application/json``: ``{"instances": [text, ...]}`` -> ``{"predictions": [{...}, ...]}`` with the same keys.

The columns are ``predicted_label`` (the default), ``probability`` (that of the predicted label), ``probabilities`` and
``labels`` (lists, all classes in the same order). The answer is in the type of the request, whatever is accepted.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws.images import serving
from localaws.images.autopilot import package
from localaws.images.autopilot.errors import AutopilotError
from localaws.images.autopilot.output import OUTPUT, SUPPORTED
from localaws.images.inference import Model
from localaws.images.inference_defaults import CSV, JSON, InferenceError, media_type

#: a review is seldom longer than this many characters; csv's own limit is 131,072.
_LONGEST_FIELD = 2**31 - 1


def load(base: Path, image: str) -> Model:
    """
    Load the model in ``/opt/ml/model``.

    :raises InferenceError: there is none, or the output that the environment asks for is unknown.
    """
    columns = wanted(os.environ.get(OUTPUT, "predicted_label"))
    functions: dict[str, Callable[..., Any]] = {
        "model_fn": lambda directory, context: _load(Path(directory)),
        "transform_fn": lambda model, body, content_type, accept, context: answer(model, body, content_type, columns),
    }
    return Model(base / "model", functions, 500)


def _load(directory: Path) -> package.TextClassifier:
    try:
        return package.load(directory)
    except (OSError, AutopilotError) as error:
        raise InferenceError(f"the model archive is not one of an AutoML job's candidates: {error}") from error


def wanted(text: str) -> list[str]:
    """
    Return the columns of the answer.

    :raises InferenceError: a column is unknown.
    """
    columns = [column.strip() for column in text.split(",") if column.strip()]
    if unknown := [column for column in columns if column not in SUPPORTED]:
        raise InferenceError(f"{OUTPUT} has {unknown[0]!r}: it takes {', '.join(SUPPORTED)}")
    return columns or ["predicted_label"]


def answer(model: package.TextClassifier, body: str | bytes, content_type: str, columns: list[str]) -> tuple[str, str]:
    """
    Return the answer to a request and its content type.

    :raises InferenceError: the request is malformed (400) or of another type (415).
    """
    kind = media_type(content_type)
    if kind not in (CSV, JSON):
        raise InferenceError(f"content type {content_type} is not supported: give {CSV} or {JSON}", status=415)
    text = body if isinstance(body, str) else _text(body)
    texts = _from_csv(text, model.dataset) if kind == CSV else _from_json(text)
    rows = _rows(model, texts, columns)
    if kind == JSON:
        return json.dumps({"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}), JSON
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue(), CSV


def _rows(model: package.TextClassifier, texts: list[str], columns: list[str]) -> list[list[Any]]:
    rows = []
    for odds in model(texts):
        best = int(odds.argmax())
        values = {
            "predicted_label": model.classes[best],
            "probability": round(float(odds[best]), 6),
            "probabilities": [round(float(value), 6) for value in odds],
            "labels": model.classes,
        }
        rows.append([values[column] for column in columns])
    return rows


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InferenceError(f"the body is not UTF-8: {error}", status=400) from error


def _from_csv(text: str, dataset: dict[str, Any]) -> list[str]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise InferenceError(f"the body is not CSV: {error}", status=400) from error
    if not rows:
        raise InferenceError("the body has no row", status=400)
    return [_field(row, number, dataset) for number, row in enumerate(rows, start=1)]


def _field(row: list[str], number: int, dataset: dict[str, Any]) -> str:
    """Return the text of a row, which is its only field or the one in the text column's place."""
    columns = dataset["columns"]
    features = [column for column in columns if column != dataset["target_column"]]
    if len(row) == 1:
        return row[0]
    for known in (features, columns):
        if len(row) == len(known):
            return row[known.index(dataset["text_column"])]
    raise InferenceError(
        f"row {number} has {len(row)} fields: give the text alone, quoted where it has a comma, or the columns "
        f"{', '.join(features)}",
        status=400,
    )


def _from_json(text: str) -> list[str]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InferenceError(f"the body is not JSON: {error}", status=400) from error
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list) or not instances or not all(isinstance(entry, str) for entry in instances):
        raise InferenceError('the body must be {"instances": [text, ...]}', status=400)
    return instances


if __name__ == "__main__":
    serving.run(load)
