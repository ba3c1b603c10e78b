"""How to ask each kind of endpoint about reviews, and how to read what it answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from judging import SENTIMENTS, Answer
from review_body import as_in_the_table
from tokens import tokenise

_LABEL = "__label__"


@dataclass(frozen=True)
class Protocol:
    """
    One kind of endpoint.

    :param content_type: of request and answer.
    :param write: texts -> the request's body.
    :param read: the answer's body -> an answer a text. ValueError, KeyError, IndexError, TypeError or AttributeError
        for what this kind of endpoint does not say.
    """

    content_type: str
    write: Callable[[Sequence[str]], str]
    read: Callable[[str], list[Answer]]


def _write_blazingtext(texts: Sequence[str]) -> str:
    return json.dumps({"instances": [tokenise(text) for text in texts]})


def _read_blazingtext(body: str) -> list[Answer]:
    found = json.loads(body)
    return [_checked(one["label"][0].removeprefix(_LABEL), one["prob"][0]) for one in found]


def _write_csv(texts: Sequence[str]) -> str:
    body = io.StringIO()
    lines = csv.writer(body, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerows([as_in_the_table(text)] for text in texts)
    return body.getvalue()


def _read_csv(body: str) -> list[Answer]:
    return [_checked(label, probability) for label, probability in csv.reader(io.StringIO(body))]


def _write_jsonlines(texts: Sequence[str]) -> str:
    return "".join(json.dumps({"features": [text]}) + "\n" for text in texts)


def _read_jsonlines(body: str) -> list[Answer]:
    found = [json.loads(line) for line in body.splitlines() if line.strip()]
    return [_checked(one["predicted_label"], one["probability"]) for one in found]


def _checked(label: str | int, probability: str | float) -> Answer:
    sentiment, share = int(label), float(probability)
    # fastText's own rounding lets a probability be a little above 1.
    if sentiment not in SENTIMENTS or not 0 <= share < 1.001:
        raise ValueError(f"label {label} with probability {probability}")
    return sentiment, min(share, 1.0)


PROTOCOLS = {
    "blazingtext": Protocol("application/json", _write_blazingtext, _read_blazingtext),
    "csv": Protocol("text/csv", _write_csv, _read_csv),
    "jsonlines": Protocol("application/jsonlines", _write_jsonlines, _read_jsonlines),
}
