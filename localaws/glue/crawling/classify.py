"""Asks the custom classifiers, then the built-in ones, in Glue's order; the first that recognises the object wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from localaws.glue.crawling import csv_format, json_format, parquet_format
from localaws.glue.crawling.csv_format import CsvOptions
from localaws.glue.crawling.sampling import ObjectReader
from localaws.glue.crawling.schema import UNRECOGNISED, Found, Unrecognised

Classifier = Callable[[ObjectReader], Found]

BUILT_IN: tuple[Classifier, ...] = (parquet_format.classify, json_format.classify, csv_format.classify)


def custom(record: dict[str, Any]) -> Classifier:
    """Return the function that does what a stored classifier (GetClassifier's shape) says."""
    if "JsonClassifier" in record:
        return partial(json_format.classify, path=record["JsonClassifier"]["JsonPath"])
    settings = record["CsvClassifier"]
    options = CsvOptions(
        delimiter=settings.get("Delimiter"),
        quote=settings.get("QuoteSymbol"),
        contains_header=settings.get("ContainsHeader", "UNKNOWN"),
        header=tuple(settings.get("Header", ())),
        # AWS documents true as the default of DisableValueTrimming.
        trim=not settings.get("DisableValueTrimming", True),
        allow_single_column=settings.get("AllowSingleColumn", False),
        serde=settings.get("Serde", "None"),
    )
    return partial(csv_format.classify, options=options)


def classify(reader: ObjectReader, classifiers: Sequence[Classifier]) -> Found:
    """Return the first classifier's answer; ``UNKNOWN`` and all reasons where none recognises the object."""
    reasons = []
    for classifier in classifiers:
        try:
            return classifier(reader)
        except Unrecognised as reason:
            if str(reason) not in reasons:
                reasons.append(str(reason))
    return Found(UNRECOGNISED, notes=("; ".join(reasons),))
