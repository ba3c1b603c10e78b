"""
Plays ``serve`` of the image ``blazingtext``: labels for sentences, or vectors for words.

* ``application/json``: ``{"instances": [text, ...], "configuration": {"k": n}}`` -> a list of
  ``{"label": [...], "prob": [...]}``, the k most probable labels each;
* ``application/jsonlines``: ``{"source": text, "k": n}`` a line -> such an object a line.

Of word vectors it is ``{"word", "vector"}``, zeros for a word that is not known. As on AWS the answer is in the type of
the request, whatever is accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fasttext
from fasttext.FastText import model_name

from localaws.images import serving
from localaws.images.inference import Model
from localaws.images.inference_defaults import JSON, JSON_LINES, InferenceError, media_type


@dataclass(frozen=True)
class Instance:
    """A text to answer, and how many labels to give it."""

    text: str
    k: int = 1


def load(base: Path, image: str) -> Model:
    """
    Load the model in ``/opt/ml/model``, from a training job or any other fastText model.

    :raises InferenceError: there is none, or it is not fastText's.
    """
    functions: dict[str, Callable[..., Any]] = {
        "model_fn": lambda directory, context: _load(Path(directory)),
        "transform_fn": lambda model, body, content_type, accept, context: answer(model, body, content_type),
    }
    return Model(base / "model", functions, 500)


def _load(directory: Path) -> Any:
    path = next((directory / name for name in ("model.bin", "vectors.bin") if (directory / name).is_file()), None)
    if path is None:
        raise InferenceError("the model archive has neither model.bin nor vectors.bin at its top")
    try:
        return fasttext.load_model(str(path))
    except ValueError as error:
        raise InferenceError(f"{path.name} is not a model of fastText: {error}") from error


def answer(model: Any, body: str | bytes, content_type: str) -> tuple[str, str]:
    """
    Return the answer to a request and its content type.

    :raises InferenceError: the request is malformed (400) or of another type (415).
    """
    kind = media_type(content_type)
    text = body if isinstance(body, str) else _text(body)
    if kind == JSON:
        return json.dumps(_predict(model, _from_json(text))), JSON
    if kind == JSON_LINES:
        lines = _predict(model, _from_lines(text))
        return "".join(f"{json.dumps(line)}\n" for line in lines), JSON_LINES
    raise InferenceError(f"content type {content_type} is not supported: give {JSON} or {JSON_LINES}", status=415)


def _predict(model: Any, instances: list[Instance]) -> list[dict[str, Any]]:
    one = _label if model.f.getArgs().model == model_name.supervised else _vector
    return list(map(partial(one, model), instances))


def _label(model: Any, instance: Instance) -> dict[str, Any]:
    # A line break would end the sentence for fastText.
    labels, probabilities = model.predict(" ".join(instance.text.split()), k=instance.k)
    # Rounding takes fastText a little above 1.
    return {"label": list(labels), "prob": [min(1.0, float(value)) for value in probabilities]}


def _vector(model: Any, instance: Instance) -> dict[str, Any]:
    return {"word": instance.text, "vector": [float(value) for value in model.get_word_vector(instance.text)]}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InferenceError(f"the body is not UTF-8: {error}", status=400) from error


def _from_json(text: str) -> list[Instance]:
    document = _parse(text, "the body")
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list) or not all(isinstance(instance, str) for instance in instances):
        raise InferenceError('the body must be {"instances": [text, ...]}', status=400)
    configuration = document.get("configuration") or {}
    if not isinstance(configuration, dict):
        raise InferenceError("configuration is not a JSON object", status=400)
    k = _k(configuration.get("k", 1), "configuration.k")
    return [Instance(instance, k) for instance in instances]


def _from_lines(text: str) -> list[Instance]:
    instances = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        document = _parse(line, f"line {number}")
        source = document.get("source") if isinstance(document, dict) else None
        if not isinstance(source, str):
            raise InferenceError(f'line {number} must be {{"source": text}}', status=400)
        instances.append(Instance(source, _k(document.get("k", 1), f"k in line {number}")))
    return instances


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InferenceError(f"{place} is not JSON: {error}", status=400) from error


def _k(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InferenceError(f"{place} is {value!r}: it must be a positive integer", status=400)
    return value


if __name__ == "__main__":
    serving.run(load)
