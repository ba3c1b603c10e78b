"""Pre-training bias: the columns checked, handed to smclarify, and what came of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from smclarify.bias.report import FacetColumn, LabelColumn, StageType, bias_report

from localaws.images.clarify.config import AnalysisConfig, Facet
from localaws.images.clarify.dataset import column
from localaws.images.clarify.errors import AnalysisError

#: smclarify takes a column of numbers for continuous from this share of distinct values on...
_CONTINUOUS_SHARE = 0.05
#: ...which would make an outcome of 0 and 1 continuous in a sample of 40 rows: so few values are categories anyhow.
_FEW = 10


@dataclass(frozen=True)
class Group:
    """
    The rows that a column's values, or its threshold, pick out.

    :param name: the column.
    :param series: the column as smclarify is to see it.
    :param values: what is asked for, in the column's own type.
    :param label: how these are written in the answer: ``1``, ``Dresses,Knits`` or ``(0.5, 1.0]``.
    :param mask: whether a row is in.
    """

    name: str
    series: pd.Series[Any]
    values: list[Any]
    label: str
    mask: pd.Series[bool]

    @property
    def continuous(self) -> bool:
        """Return True if there is a threshold rather than values."""
        return not isinstance(self.series.dtype, pd.CategoricalDtype)


@dataclass(frozen=True)
class FacetValue:
    """
    The metrics of one sensitive group against all other rows.

    :param value: value or threshold, as in ``analysis.json``.
    :param metrics: ``{"name", "description", "value"}`` each, and ``"error"`` where there is no value.
    :param rows: how many are in the group, and how many of these have the positive outcome.
    """

    value: str
    metrics: list[dict[str, Any]]
    rows: int
    positives: int


@dataclass(frozen=True)
class Analysis:
    """
    All findings.

    :param label: the label's column, and how its positive outcome is written.
    :param outcomes: the label's column itself.
    :param facets: the sensitive groups of each facet.
    """

    label: str
    positive: str
    outcomes: pd.Series[Any]
    rows: int
    positives: int
    facets: dict[str, list[FacetValue]]
    group: str | None

    def document(self) -> dict[str, Any]:
        """``analysis.json``."""
        return {
            "version": "1.0",
            "pre_training_bias_metrics": {
                "label": self.label,
                "facets": {
                    name: [{"value_or_threshold": entry.value, "metrics": entry.metrics} for entry in values]
                    for name, values in self.facets.items()
                },
                "label_value_or_threshold": self.positive,
            },
        }


def analyse(table: pd.DataFrame, config: AnalysisConfig) -> Analysis:
    """
    Compute the metrics.

    :raises AnalysisError: a column is not there or has blanks, a value never occurs, or a group is all rows or none.
    """
    # Without a group variable CDDL fails for each facet value, and smclarify logs a traceback for each of them.
    logging.getLogger("smclarify").setLevel(logging.CRITICAL)
    label_name = column(table, _label_column(config), "label")
    label = pick(_checked(table, label_name, "label"), list(config.positive), "label")
    if label.mask.all():
        raise AnalysisError(f"all {len(table)} rows have the positive outcome {label.label} of the label {label_name}")
    group = None
    if config.group is not None:
        name = column(table, config.group, "group_variable")
        group = _checked(table, name, "group_variable").astype(str).astype(object)
    facets = {}
    for facet in config.facets:
        name = column(table, facet.column, "facet")
        if name in facets:
            raise AnalysisError(f"the facet column {name!r} is given twice")
        facets[name] = _facet(_checked(table, name, "facet"), facet, label, group, config.metrics)
    return Analysis(
        label_name,
        label.label,
        table[label_name],
        len(table),
        int(label.mask.sum()),
        facets,
        None if group is None else str(group.name),
    )


def pick(series: pd.Series[Any], wanted: list[Any], role: str) -> Group:
    """
    Return the rows that have one of the wanted values, or are above the one threshold.

    :raises AnalysisError: a value never occurs, or no row lies above the threshold.
    """
    name = str(series.name)
    distinct = list(series.unique())
    found = [_find(distinct, value) for value in wanted]
    if _is_categorical(series, len(distinct), len(wanted), None not in found):
        for value, match in zip(wanted, found, strict=True):
            if match is None:
                raise AnalysisError(
                    f"the value {value!r} of the {role} column {name!r} never occurs: it has {_listed(distinct)}"
                )
        values = [distinct[place] for place in found if place is not None]
        series = series.astype("category")
        return Group(name, series, values, ",".join(map(str, values)), series.isin(values))
    try:
        threshold = float(wanted[0])
    except ValueError as error:
        raise AnalysisError(
            f"{wanted[0]!r} is not a threshold for the {role} column {name!r}, which is continuous"
        ) from error
    numbers = series.astype(float)
    top = numbers.max()
    if not top > threshold:
        raise AnalysisError(f"no row of the {role} column {name!r} is above the threshold {threshold:g}")
    return Group(name, numbers, [threshold], f"({threshold}, {top}]", numbers > threshold)


def _facet(
    series: pd.Series[Any], facet: Facet, label: Group, group: pd.Series[Any] | None, metrics: Sequence[str]
) -> list[FacetValue]:
    name = str(series.name)
    distinct = list(series.unique())
    if len(distinct) == 1:
        raise AnalysisError(f"the facet column {name!r} has one value only, {distinct[0]!r}: nothing to compare with")
    if facet.values:
        picked = pick(series, list(facet.values), "facet")
        if picked.mask.all():
            raise AnalysisError(f"the values {picked.label} of the facet column {name!r} are all that there are")
        series, sensitive = picked.series, picked.values
        masks = {picked.label: picked.mask}
    elif _is_categorical(series, len(distinct), 0, True):
        series, sensitive = series.astype("category"), []
        masks = {str(value): series == value for value in distinct}
    else:
        raise AnalysisError(f"the facet column {name!r} is continuous: give its threshold in value_or_threshold")
    found = bias_report(
        pd.DataFrame({name: series}),
        FacetColumn(name, sensitive or None),
        LabelColumn(label.name, label.series, list(label.values)),
        StageType.PRE_TRAINING,
        metrics=list(metrics),
        group_variable=group,
    )
    return [
        # smclarify goes through the values in the order in which they occur, as unique() does.
        FacetValue(
            entry["value_or_threshold"],
            [_metric(metric) for metric in entry["metrics"]],
            int(mask.sum()),
            int((mask & label.mask).sum()),
        )
        for entry, mask in zip(found, masks.values(), strict=True)
    ]


def _metric(metric: dict[str, Any]) -> dict[str, Any]:
    """Return a metric in plain types; one that is not finite becomes None, since JSON has no word for it."""
    value = metric["value"]
    if value is None or isinstance(value, str):
        return metric
    number = float(value)
    return {**metric, "value": number if math.isfinite(number) else None}


def _label_column(config: AnalysisConfig) -> str | int:
    # With features, label is a JMESPath; the column that it fills has the last name.
    return config.headers[-1] if config.features and config.headers else config.label


def _checked(table: pd.DataFrame, name: str, role: str) -> pd.Series[Any]:
    series = table[name]
    blank = series.isna()
    if pd.api.types.is_float_dtype(series.dtype):
        blank |= series.abs() == math.inf
    if blank.any():
        raise AnalysisError(
            f"the {role} column {name!r} has no value (NaN) in {int(blank.sum())} of {len(series)} rows, "
            f"first in row {int(blank.to_numpy().argmax()) + 1}"
        )
    if series.dtype == object:
        odd = next((value for value in series if not isinstance(value, str | int | float)), None)
        if odd is not None:
            raise AnalysisError(f"the {role} column {name!r} holds {odd!r}, which is neither text nor a number")
        if series.map(type).nunique() > 1:
            return series.astype(str).astype(object)
    return series


def _is_categorical(series: pd.Series[Any], distinct: int, wanted: int, all_occur: bool) -> bool:
    """Return True if the column's values are categories, as text and booleans always are."""
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        return True
    few = distinct <= _FEW or distinct / len(series) < _CONTINUOUS_SHARE
    if pd.api.types.is_integer_dtype(series.dtype):
        return few or wanted > 1
    return (few or wanted > 1) and all_occur


def _find(distinct: list[Any], value: Any) -> int | None:
    """Return where a value of the configuration is among a column's: 1 is also found as 1.0, "1" and True."""
    for place, candidate in enumerate(distinct):
        if candidate == value or str(candidate) == str(value):
            return place
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    for place, candidate in enumerate(distinct):
        try:
            if float(candidate) == number:
                return place
        except (TypeError, ValueError):
            continue
    return None


def _listed(values: list[Any], most: int = 12) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(map(str, values[:most])) + more
