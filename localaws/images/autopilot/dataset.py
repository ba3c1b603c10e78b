"""The data set of an AutoML job: its files, its text column and target, its classes, and the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from localaws.images.autopilot.errors import AutopilotError
from localaws.images.autopilot.objectives import BINARY, MULTICLASS

CSV, PARQUET = "csv", "parquet"
#: rows that each class needs: some to fit, some to choose by, some to validate.
LEAST_ROWS = 5
#: a numeric target with more distinct values than this is a quantity and no label.
MOST_NUMERIC_CLASSES = 50
_MOST_FRACTIONAL_CLASSES = 10
_MISSING = {"", "nan", "null", "<na>"}


@dataclass(frozen=True)
class Columns:
    """
    What the columns are for.

    :param ignored: those that are neither text nor target.
    """

    all: tuple[str, ...]
    target: str
    text: str

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that nothing is made of."""
        return tuple(column for column in self.all if column not in (self.target, self.text))


def read(folder: Path, form: str, gzipped: bool, channel: str) -> pd.DataFrame:
    """
    Return all files of a channel as one table of strings; a missing value is an empty one.

    :param form: ``csv``, each file with a header, or ``parquet``.
    :raises AutopilotError: there is no file, one cannot be read, or they have not the same columns.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
    if not files:
        raise AutopilotError(f"the {channel} channel has no file")
    tables = [(path, _read_file(path, form, gzipped, channel)) for path in files]
    columns = list(tables[0][1].columns)
    for path, table in tables:
        if sorted(table.columns) != sorted(columns):
            raise AutopilotError(
                f"{path.name} in the {channel} channel has the columns {_list(table.columns)}, and {files[0].name} has "
                f"{_list(columns)}"
            )
    table = pd.concat([table[columns] for _, table in tables], ignore_index=True)
    if not len(table):
        raise AutopilotError(f"the {channel} channel has no row")
    return table


def _read_file(path: Path, form: str, gzipped: bool, channel: str) -> pd.DataFrame:
    try:
        if form == PARQUET:
            table = pd.read_parquet(path)
            return pd.DataFrame({str(column): _as_text(table[column]) for column in table.columns})
        table = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            compression="gzip" if gzipped else None,
            on_bad_lines="error",
        )
    except (ValueError, OSError, EOFError) as error:
        # pandas' and pyarrow's own errors of a malformed file are ValueErrors.
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise AutopilotError(f"{path.name} in the {channel} channel cannot be read as {form}: {reason}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise AutopilotError(f"{path.name} in the {channel} channel has rows with more fields than its header")
    return table.fillna("")


def _as_text(values: pd.Series) -> pd.Series:
    """Return values of any type as strings: whole numbers without a point, missing ones empty."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string").fillna("").astype(object)


def find_columns(table: pd.DataFrame, target: str, text: str | None) -> Columns:
    """
    Find the columns by name. Without a named text column, choose the one with the longest texts.

    :raises AutopilotError: a named column is missing, or no column has text.
    """
    names = tuple(map(str, table.columns))
    for column in (target, text):
        if column is not None and column not in names:
            what = "target column" if column == target else "content column"
            raise AutopilotError(f"the {what} {column!r} is not in the data set, which has {_list(names)}")
    if text == target:
        raise AutopilotError(f"the column {target!r} cannot be both target and content")
    return Columns(names, target, text or _longest_text(table, target))


def _longest_text(table: pd.DataFrame, target: str) -> str:
    lengths = {}
    for column in table.columns:
        values = table[column].str.strip()
        values = values[values != ""]
        words = values.str.split().str.len().mean() if len(values) else 0.0
        if column != target and words >= 2 and not _numbers(values):
            lengths[str(column)] = float(values.str.len().mean())
    if not lengths:
        others = [str(column) for column in table.columns if column != target]
        raise AutopilotError(
            f"no column beside the target {target!r} has text, two words or more on average: {_list(others) or 'none'}."
            " localaws does text classification only"
        )
    return max(lengths, key=lambda column: lengths[column])


def labelled(table: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, dict[str, int]]:
    """
    Return the rows with text and label as columns ``text`` and ``label``, and how many were dropped for which reason.
    """
    text = table[columns.text].str.strip()
    label = table[columns.target].str.strip()
    no_label = label.str.lower().isin(_MISSING)
    no_text = text.str.lower().isin(_MISSING) & ~no_label
    kept = pd.DataFrame({"text": text, "label": label})[~no_label & ~no_text].reset_index(drop=True)
    if _numbers(kept["label"]) and (pd.to_numeric(kept["label"]) % 1 == 0).all():
        # 1 and 1.0, which one tool or another writes, are the same class.
        kept["label"] = pd.to_numeric(kept["label"]).astype("int64").astype(str)
    return kept, {"blank target": int(no_label.sum()), "blank text": int(no_text.sum())}


def classes_of(labels: pd.Series) -> list[str]:
    """Return the classes, sorted as numbers if all are, else alphabetically."""
    found = sorted(labels.unique())
    return sorted(found, key=float) if _numbers(labels) else found


def problem_type(labels: pd.Series, given: str | None, target: str) -> str:
    """
    Return the problem type of these labels, checked against the one that the request names.

    :raises AutopilotError: it is not a classification, or not the type that was named.
    """
    classes = classes_of(labels)
    if given is None and _is_quantity(labels):
        raise AutopilotError(
            f"the target {target!r} has {len(classes)} distinct numbers, which makes the problem type Regression: "
            "localaws does text classification only"
        )
    if len(classes) < 2:
        raise AutopilotError(f"the target {target!r} has {_list(classes) or 'no value'} alone: two classes are needed")
    if given == BINARY and len(classes) > 2:
        raise AutopilotError(f"the problem type is {BINARY}, and the target {target!r} has {len(classes)} classes")
    return given or (BINARY if len(classes) == 2 else MULTICLASS)


def check_rows(labels: pd.Series, target: str) -> None:
    """
    Check that each class has :data:`LEAST_ROWS` rows or more.

    :raises AutopilotError: a class has fewer; the message names the rarest.
    """
    counts = labels.value_counts()
    if counts.min() < LEAST_ROWS:
        rare = counts[counts < LEAST_ROWS]
        named = ", ".join(f"{label!r} ({count})" for label, count in rare.head(5).items())
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        raise AutopilotError(f"each class of the target {target!r} needs {LEAST_ROWS} rows or more: {named}{more}")


def split(labels: Sequence[str], fraction: float, seed: int) -> np.ndarray:
    """Return the rows for validation: of each class the same share, drawn by ``seed``, at least one, never all."""
    chosen = np.zeros(len(labels), dtype=bool)
    values = np.asarray(labels)
    generator = np.random.default_rng(seed)
    for label in np.unique(values):
        rows = np.flatnonzero(values == label)
        size = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        chosen[generator.permutation(rows)[:size]] = True
    return chosen


def _is_quantity(labels: pd.Series) -> bool:
    if not _numbers(labels):
        return False
    numbers = pd.to_numeric(labels)
    whole = bool((numbers % 1 == 0).all())
    return int(numbers.nunique()) > (MOST_NUMERIC_CLASSES if whole else _MOST_FRACTIONAL_CLASSES)


def _numbers(values: pd.Series) -> bool:
    return len(values) > 0 and bool(np.isfinite(pd.to_numeric(values, errors="coerce")).all())


def _list(names: Sequence[str] | pd.Index) -> str:
    shown = [str(name) for name in list(names)[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
