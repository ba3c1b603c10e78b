"""What workers answer: its shape, its size, and the categories that a template leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Bytes of an answer.
MOST = 1024**2


class Unfit(Exception):
    """The answer is not valid; the text says why."""


def check(categories: Mapping[str, Sequence[str]], answer: Any) -> str:
    """
    Return an answer as JSON.

    :param categories: The only labels of a template's classifiers, by their names.
    :raises Unfit: It is not an object, too large, or has another label.
    """
    if not isinstance(answer, dict):
        raise Unfit("The answer must be a JSON object.")
    try:
        text = json.dumps(answer, ensure_ascii=False, sort_keys=True, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit(f"The answer is not JSON: {error}.") from error
    if size > MOST:
        raise Unfit(f"The answer has {size:,} bytes; {MOST:,} are the most.")
    for name, allowed in categories.items():
        _check_labels(name, allowed, _chosen(name, answer))
    return text


def _chosen(name: str, answer: Mapping[str, Any]) -> list[Any] | None:
    """
    Return the labels that were chosen in a classifier; ``None`` where it has no answer.

    None at all is an answer of crowd-classifier-multi-select: that of its exclusion category. A form with
    ``answer-format="flatten-objects"`` has ``name.label`` and ``name.labels``.
    """
    value = answer.get(name)
    if not isinstance(value, Mapping):
        value = {key: answer[f"{name}.{key}"] for key in ("label", "labels") if f"{name}.{key}" in answer}
    if isinstance(value.get("labels"), list):
        return list(value["labels"])
    return [value["label"]] if value.get("label") is not None else None


def _check_labels(name: str, allowed: Sequence[str], labels: list[Any] | None) -> None:
    if labels is None:
        raise Unfit(f"Choose one of the categories of {name}: {', '.join(allowed)}.")
    for label in labels:
        if label not in allowed:
            raise Unfit(f"{label!r} is not one of the categories of {name}: {', '.join(allowed)}.")


def label(answer: Mapping[str, Any]) -> str | None:
    """Return the label, or the labels, of the first classifier in an answer."""
    for value in answer.values():
        if isinstance(value, Mapping) and isinstance(value.get("label"), str):
            return str(value["label"])
        if isinstance(value, Mapping) and isinstance(value.get("labels"), list):
            return ", ".join(sorted(str(each) for each in value["labels"]))
    return None
