"""The channels: one text file each, checked line by line, whatever form the data have in S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localaws.images.blazingtext.errors import AlgorithmError

LABEL = "__label__"


def gather(folder: Path, channel: str, into: Path, *, supervised: bool, manifest: bool) -> int:
    """
    Write a channel's sentences, one a line, into one file; how many there are.

    :param folder: the channel's folder: all its files count, in the order of their names.
    :param supervised: each line must have a label, ``__label__x``, and a word.
    :param manifest: the files are augmented manifests: ``{"source": text, "label": label or [labels]}`` a line.
    :raises AlgorithmError: there is no line, or one that cannot be used: the message has its file and number.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise AlgorithmError(f"the channel {channel} has no file")
    written = 0
    with open(into, "w", encoding="utf-8", newline="\n") as target:
        for path in files:
            for number, line in _lines(path, channel):
                place = f"line {number} of {path.name} in the channel {channel}"
                sentence = _from_manifest(line, place, supervised) if manifest else line
                if supervised:
                    _check(sentence, place)
                target.write(f"{sentence}\n")
                written += 1
    if not written:
        raise AlgorithmError(f"the channel {channel} has no line of text")
    return written


def _lines(path: Path, channel: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise AlgorithmError(
                    f"line {number} of {path.name} in the channel {channel} is not UTF-8: {error.reason}"
                ) from error
            if line:
                yield number, line


def _check(sentence: str, place: str) -> None:
    tokens = sentence.split()
    labels = sum(token.startswith(LABEL) and token != LABEL for token in tokens)
    if not labels:
        raise AlgorithmError(f"{place} has no label, a token that begins with {LABEL}: {_short(sentence)!r}")
    if labels == len(tokens):
        raise AlgorithmError(f"{place} has no word beside its label: {_short(sentence)!r}")


def _from_manifest(line: str, place: str, supervised: bool) -> str:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise AlgorithmError(f"{place} is not JSON, as an augmented manifest's must be: {error}") from error
    source = record.get("source") if isinstance(record, dict) else None
    if not isinstance(source, str):
        raise AlgorithmError(f"{place} has no source, the sentence: {_short(line)!r}")
    # A line break or a label inside of the sentence would make another record of it.
    words = [word for word in source.split() if not word.startswith(LABEL)]
    if not supervised:
        return " ".join(words)
    return " ".join([*_labels(record.get("label"), place, line), *words])


def _labels(label: Any, place: str, line: str) -> list[str]:
    labels = label if isinstance(label, list) else [label]
    names = [f"{LABEL}{name}" for name in labels if isinstance(name, str | int) and str(name).split() == [str(name)]]
    if len(names) < len(labels) or not names:
        raise AlgorithmError(f"{place} has no label, a word or a number or a list of such: {_short(line)!r}")
    return names


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
