"""``analysis_config.json``: what is to be analysed, and what of it can be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.images.clarify.errors import AnalysisError

CSV, JSON_LINES, PARQUET = "text/csv", "application/jsonlines", "application/x-parquet"
DATASET_TYPES = (CSV, JSON_LINES, PARQUET)
METRICS = ("CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD")

_KNOWN = {
    "version",
    "dataset_type",
    "headers",
    "label",
    "label_values_or_threshold",
    "facet",
    "group_variable",
    "features",
    "methods",
}
_METHODS = {"pre_training_bias", "report"}

Column = str | int


@dataclass(frozen=True)
class Facet:
    """
    A sensitive attribute.

    :param column: its name or place in the data set.
    :param values: those that make the sensitive group together, or one threshold of a continuous attribute; none: each
        value by itself against all others.
    """

    column: Column
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class ReportOptions:
    """The ``report`` section: the files' name without suffix, and the title."""

    name: str = "report"
    title: str = "SageMaker Analysis Report"


@dataclass(frozen=True)
class AnalysisConfig:
    """
    A configuration that can be carried out.

    :param headers: the columns' names, where the data set itself has none.
    :param label: the label's column; of JSON Lines with ``features``, a JMESPath.
    :param positive: the label's values that are the positive outcome, or one threshold above which it is.
    :param group: the column for CDDL, if there is one.
    :param features: JMESPath of the features in a line of JSON Lines.
    :param metrics: names of metrics, or just "all".
    :param report: ``None`` where no report is asked for.
    """

    dataset_type: str
    headers: tuple[str, ...]
    label: Column
    positive: tuple[Any, ...]
    facets: tuple[Facet, ...]
    group: Column | None
    features: str | None
    metrics: tuple[str, ...]
    report: ReportOptions | None

    @classmethod
    def read(cls, folder: Path) -> AnalysisConfig:
        """
        Read ``analysis_config.json``.

        :raises AnalysisError: it is not there, is not JSON, or asks for what cannot be done.
        """
        path = folder / "analysis_config.json"
        if not path.is_file():
            present = ", ".join(sorted(entry.name for entry in folder.glob("*"))) or "nothing"
            raise AnalysisError(f"there is no analysis_config.json in the input analysis_config; there is {present}")
        try:
            document = json.loads(path.read_bytes(), parse_constant=_no_constant)
        except ValueError as error:
            raise AnalysisError(f"analysis_config.json is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise AnalysisError("analysis_config.json is not a JSON object")
        return cls.parse(document)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> AnalysisConfig:
        """
        Parse the configuration in a document.

        :raises AnalysisError: a member is missing, of the wrong kind, or stands for something not implemented.
        """
        methods = _methods(document)
        unknown = sorted(set(document) - _KNOWN)
        if unknown:
            raise AnalysisError(f"{', '.join(unknown)} in analysis_config.json: not implemented by localaws")
        if (version := document.get("version", "1.0")) != "1.0":
            raise AnalysisError(f"version {version!r} of analysis_config.json is not supported: 1.0 is")
        dataset_type = document.get("dataset_type")
        if dataset_type not in DATASET_TYPES:
            raise AnalysisError(f"dataset_type {dataset_type!r} is not implemented: {', '.join(DATASET_TYPES)} are")
        group = document.get("group_variable")
        return cls(
            dataset_type,
            _headers(document),
            _column(document.get("label"), "label"),
            _values(document.get("label_values_or_threshold"), "label_values_or_threshold"),
            _facets(document),
            None if group is None else _column(group, "group_variable"),
            _features(document, dataset_type),
            _metrics(methods["pre_training_bias"], group),
            _report(methods),
        )


def _methods(document: Mapping[str, Any]) -> Mapping[str, Any]:
    methods = document.get("methods")
    if not isinstance(methods, dict) or not methods:
        raise AnalysisError("methods is missing in analysis_config.json: give pre_training_bias")
    # Asked for first: a reader of "predictor: not implemented" would not know that it is the method that is meant.
    refused = sorted(set(methods) - _METHODS)
    if refused:
        raise AnalysisError(f"{', '.join(refused)}: not implemented by localaws, which has pre_training_bias")
    if "pre_training_bias" not in methods:
        raise AnalysisError("methods has nothing to compute: give pre_training_bias")
    for name, section in methods.items():
        if not isinstance(section, dict):
            raise AnalysisError(f"methods.{name} is not a JSON object")
    return methods


def _headers(document: Mapping[str, Any]) -> tuple[str, ...]:
    headers = document.get("headers") or []
    if not isinstance(headers, list) or not all(isinstance(name, str) for name in headers):
        raise AnalysisError("headers is not a list of column names")
    twice = sorted({name for name in headers if headers.count(name) > 1})
    if twice:
        raise AnalysisError(f"headers has the column {twice[0]!r} more than once")
    return tuple(headers)


def _column(value: Any, member: str) -> Column:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise AnalysisError(f"{member} is missing, or neither the name nor the place of a column: {value!r}")
    return value


def _values(values: Any, member: str) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise AnalysisError(f"{member} is missing, or not a list of values or of one threshold: {values!r}")
    for value in values:
        if not isinstance(value, str | int | float | bool):
            raise AnalysisError(f"{member} has {value!r}, which cannot be the value of a column")
    return tuple(values)


def _facets(document: Mapping[str, Any]) -> tuple[Facet, ...]:
    entries = document.get("facet")
    # The SDK writes a list; the container takes one facet by itself as well.
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list) or not entries:
        raise AnalysisError("facet is missing: give a list of {name_or_index, value_or_threshold}")
    facets = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise AnalysisError(f"facet has {entry!r}, which is not {{name_or_index, value_or_threshold}}")
        if unknown := sorted(set(entry) - {"name_or_index", "value_or_threshold"}):
            raise AnalysisError(f"facet has the unknown member {unknown[0]!r}")
        values = entry.get("value_or_threshold")
        facets.append(
            Facet(
                _column(entry.get("name_or_index"), "facet.name_or_index"),
                () if values is None else _values(values, "facet.value_or_threshold"),
            )
        )
    return tuple(facets)


def _features(document: Mapping[str, Any], dataset_type: str) -> str | None:
    features = document.get("features")
    if features is None:
        return None
    if dataset_type != JSON_LINES or not isinstance(features, str):
        raise AnalysisError(f"features is a JMESPath, for {JSON_LINES} only: {features!r}")
    return features


def _metrics(section: Mapping[str, Any], group: Any) -> tuple[str, ...]:
    names = section.get("methods", "all")
    if names in ("all", ["all"]):
        return ("all",)
    if not isinstance(names, list) or not names:
        raise AnalysisError(f'pre_training_bias.methods is neither "all" nor a list of metrics: {names!r}')
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise AnalysisError(f"pre_training_bias.methods has {unknown[0]!r}: there are {', '.join(METRICS)}")
    if "CDDL" in names and group is None:
        raise AnalysisError("CDDL needs a group_variable, and none is given")
    return tuple(dict.fromkeys(names))


def _report(methods: Mapping[str, Any]) -> ReportOptions | None:
    section = methods.get("report")
    if section is None:
        return None
    options = ReportOptions(**{key: section[key] for key in ("name", "title") if key in section})
    if not isinstance(options.name, str) or Path(options.name).name != options.name or not options.name:
        raise AnalysisError(f"report.name is not the name of a file: {options.name!r}")
    if not isinstance(options.title, str):
        raise AnalysisError(f"report.title is not text: {options.title!r}")
    return options


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
