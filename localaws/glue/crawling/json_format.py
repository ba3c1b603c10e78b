"""Recognises JSON: objects one after the other (a line each, mostly), or one array or object addressed by a path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from localaws.glue.crawling import types
from localaws.glue.crawling.sampling import LONGEST_SAMPLE_BYTES, ObjectReader, Sample
from localaws.glue.crawling.schema import OPENX_JSON, TEXT_INPUT, TEXT_OUTPUT, Format, Found, Unrecognised
from localaws.glue.crawling.types import Array, Column, HiveType

_BLANK = re.compile(r"[\s,]*")
_STEP = re.compile(r"""\.(?P<dot>[^.\[\]'"\s]+)|\['(?P<quoted>[^']+)'\]|\[(?P<index>\d+|\*)\]""")
#: the paths that a whole list of records is read by without decoding the rest of the document first.
_EVERY_ITEM = "$[*]"


def parse_path(path: str) -> list[str | int]:
    """
    Parse the steps of a JsonPath: names, indexes, and ``*`` for each item.

    Understands ``$``, ``.name``, ``['name']``, ``[*]``, ``.*`` and ``[0]``, as Glue's classifiers do.

    :raises ValueError: anything else.
    """
    if not path.startswith("$"):
        raise ValueError(f"JsonPath must start with $: {path}")
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise ValueError(f"JsonPath is not understood from character {position + 1}: {path}")
        index = match["index"]
        steps.append(int(index) if index and index.isdigit() else index or match["dot"] or match["quoted"])
        position = match.end()
    return steps


def classify(reader: ObjectReader, path: str = "$") -> Found:
    """
    Infer a schema from the records in the sample.

    Without a path, a top-level array becomes one column ``array``, as with Glue.

    :raises Unrecognised: not JSON, or no record at the path.
    """
    sample = reader.sample()
    _must_look_like_json(sample)
    if path not in ("$", _EVERY_ITEM):
        sample = reader.sample(LONGEST_SAMPLE_BYTES)
        if not sample.complete:
            raise Unrecognised(f"larger than {LONGEST_SAMPLE_BYTES >> 20} MiB, too large for the JsonPath {path}")
    records = _records(sample, path)
    while not records and sample.may_grow:
        sample = reader.sample(len(sample.data) * 8)
        records = _records(sample, path)
    if not records:
        raise Unrecognised(f"JSON with no record at {path}")
    array = path == "$" and sample.text().lstrip().startswith("[")
    return _found(records, sample, path, array=array)


def _must_look_like_json(sample: Sample) -> None:
    if not sample.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        raise Unrecognised("not JSON")


def _records(sample: Sample, path: str) -> list[Any]:
    """Return the records that the sample holds whole."""
    text = sample.text()
    start = text.index("[") + 1 if text.lstrip().startswith("[") else 0
    if path == _EVERY_ITEM and not start:
        raise Unrecognised(f"JSON, and no array at the top for {path}")
    if path in ("$", _EVERY_ITEM):
        return list(_values(text, start, sample.complete))
    steps = parse_path(path)
    documents = _values(text, 0, sample.complete)
    return [record for document in documents for record in _select(document, steps)]


def _values(text: str, position: int, complete: bool) -> Iterator[Any]:
    """
    JSON values one after the other, parted by blanks or commas; a last one that is cut off is left out.

    :param position: 0, or just behind the bracket of the array whose items are wanted.
    """
    decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
    in_array = position > 0
    while True:
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]  # matches the empty string too
        if position >= len(text):
            if in_array and complete:
                raise Unrecognised("not JSON: an array that does not end")
            return
        if in_array and text[position] == "]":
            return
        try:
            value, position = decode(text, position)
        except json.JSONDecodeError as error:
            if complete:
                raise Unrecognised(f"not JSON: {error}") from error
            return
        except RecursionError as error:
            raise Unrecognised("JSON that is nested too deeply") from error
        yield value


def _select(value: Any, steps: list[str | int]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    inside: dict[Any, Any] = {}
    if isinstance(value, dict):
        inside = value
    elif isinstance(value, list):
        inside = dict(enumerate(value))
    for item in inside.values() if step == "*" else [inside[step]] if step in inside else []:
        yield from _select(item, rest)


def _found(records: list[Any], sample: Sample, path: str, *, array: bool) -> Found:
    if array:
        columns = [Column("array", Array(types.merge_all(types.of_json(record) for record in records)))]
    elif all(isinstance(record, dict) for record in records):
        fields = types.merge_fields({name.lower(): kind} for record in records for name, kind in _fields(record))
        columns = [Column(name, kind) for name, kind in fields.items()]
    else:
        raise Unrecognised(f"JSON, and the values at {path} are not objects")
    if not columns:
        raise Unrecognised("JSON objects without any name")
    parameters = () if path == "$" else (("jsonPath", path),)
    encoding = Format("json", sample.compression, OPENX_JSON, (), parameters, TEXT_INPUT, TEXT_OUTPUT)
    return Found(encoding, tuple(columns), len(records), len(sample.data), sample.complete)


def _fields(record: dict[str, Any]) -> Iterator[tuple[str, HiveType]]:
    return ((name, types.of_json(value)) for name, value in record.items())
