"""
The first processing job: what is in the data, and what is to be learnt from it.

Inputs ``training`` and, where the request has it, ``validation``; outputs ``split`` (``train.parquet`` and
``validation.parquet`` with ``text`` and ``label``), ``analysis`` (``analysis.json``), ``validations`` (what was checked
of the data) and ``notebooks``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

from localaws.images.autopilot import dataset, notebooks, objectives
from localaws.images.autopilot.errors import AutopilotError
from localaws.images.autopilot.kinds import KINDS, SEED

_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def analyse(options: argparse.Namespace, folder: Path) -> None:
    """
    Read, check, split and describe the data.

    :param folder: ``/opt/ml/processing``.
    :raises AutopilotError: it cannot be learnt from, and why.
    """
    began = time.monotonic()
    training = _read(folder, "training", options.training_form)
    columns = dataset.find_columns(training, options.target, options.text)
    _say(began, f"{len(training)} rows, text from {columns.text!r}, target {columns.target!r}")
    if columns.ignored:
        _say(began, f"columns that are ignored: {', '.join(columns.ignored)}")
    rows, dropped = dataset.labelled(training, columns)
    _say(began, f"rows dropped: {', '.join(f'{count} for a {why}' for why, count in dropped.items())}")
    if not len(rows):
        raise AutopilotError(f"no row has both text in {columns.text!r} and a value of the target {columns.target!r}")
    kind = dataset.problem_type(rows["label"], options.problem_type, columns.target)
    objective = _objective(kind, options.objective)
    dataset.check_rows(rows["label"], columns.target)
    train, validation = _parts(options, folder, rows, columns)
    classes = dataset.classes_of(rows["label"])
    analysis = {
        "job": options.job,
        "columns": list(columns.all),
        "target_column": columns.target,
        "text_column": columns.text,
        "ignored_columns": list(columns.ignored),
        "rows": len(training),
        "dropped": dropped,
        "problem_type": kind,
        "objective": objective,
        "classes": [_class(label, train, validation) for label in classes],
        "words": _words(rows["text"]),
        "training_rows": len(train),
        "validation_rows": len(validation),
        "seed": SEED,
        "base_model": options.base_model,
        "candidates": [candidate.name for candidate in KINDS[: options.max_candidates]],
    }
    _say(began, f"{kind}, objective {objective}, {len(train)} rows to train on and {len(validation)} to validate")
    _write(folder / "output", analysis, train, validation, options.output)
    _say(began, "wrote the split, analysis.json and two notebooks")


def _read(folder: Path, channel: str, form: str) -> pd.DataFrame:
    kind, _, compression = form.partition("+")
    return dataset.read(folder / "input" / channel, kind, compression == "gzip", channel)


def _objective(kind: str, given: str | None) -> str:
    if given is not None and given not in objectives.OBJECTIVES[kind]:
        known = ", ".join(objectives.OBJECTIVES[kind])
        raise AutopilotError(f"the objective {given} does not suit the problem type {kind}, which has {known}")
    return given or objectives.default(kind)


def _parts(
    options: argparse.Namespace, folder: Path, rows: pd.DataFrame, columns: dataset.Columns
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train on and those to validate on, which are a channel or a part of the training data."""
    if options.validation_form is None:
        chosen = dataset.split(list(rows["label"]), options.validation_fraction, SEED)
        return rows[~chosen], rows[chosen]
    table = _read(folder, "validation", options.validation_form)
    for column in (columns.target, columns.text):
        if column not in table.columns:
            raise AutopilotError(f"the validation channel has no column {column!r}: {', '.join(table.columns)}")
    validation, _ = dataset.labelled(table, columns)
    if not len(validation):
        raise AutopilotError("the validation channel has no row with text and label")
    if unknown := sorted(set(validation["label"]) - set(rows["label"])):
        raise AutopilotError(f"the validation channel has the class {unknown[0]!r}, which the training channel has not")
    return rows, validation


def _class(label: str, train: pd.DataFrame, validation: pd.DataFrame) -> dict[str, Any]:
    parts = {"training": train, "validation": validation}
    return {"label": label, **{name: int((part["label"] == label).sum()) for name, part in parts.items()}}


def _words(texts: pd.Series) -> dict[str, Any]:
    counts = texts.str.split().str.len()
    return {
        "mean": round(float(counts.mean()), 2),
        "quantiles": {str(q): float(counts.quantile(q)) for q in _QUANTILES},
    }


def _write(
    output: Path, analysis: dict[str, Any], train: pd.DataFrame, validation: pd.DataFrame, location: str
) -> None:
    for name in ("split", "analysis", "notebooks"):
        (output / name).mkdir(parents=True, exist_ok=True)
    train.to_parquet(output / "split" / "train.parquet", index=False)
    validation.to_parquet(output / "split" / "validation.parquet", index=False)
    checked = ("rows", "dropped", "ignored_columns", "classes", "training_rows", "validation_rows")
    (output / "validations").mkdir(parents=True, exist_ok=True)
    found = {name: analysis[name] for name in checked}
    (output / "validations" / "validations.json").write_text(json.dumps(found, indent=2))
    (output / "analysis" / "analysis.json").write_text(json.dumps(analysis, indent=2))
    for name, text in notebooks.both(analysis, location).items():
        (output / "notebooks" / name).write_text(text)


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:.1f} s: {text}", flush=True)
