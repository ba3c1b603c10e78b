"""The data set: all files of the input ``dataset``, as one table with named columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import pandas as pd
from jmespath.exceptions import JMESPathError

from localaws.images.clarify.config import CSV, JSON_LINES, AnalysisConfig, Column
from localaws.images.clarify.errors import AnalysisError

# pandas's own list would also swallow categories that are called "None" or "NA".
_BLANK = ["", "NaN", "nan"]


def load(folder: Path, config: AnalysisConfig) -> pd.DataFrame:
    """
    Return the rows of all files, in the order of their names, with a range index.

    :raises AnalysisError: there are no files or no rows, a file is not of the type, or the files' columns differ.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise AnalysisError("the input dataset has no file")
    tables = [_load_file(path, config) for path in files]
    for path, table in zip(files, tables, strict=True):
        if list(table.columns) != list(tables[0].columns):
            raise AnalysisError(f"{path.name} has other columns than {files[0].name}: {', '.join(map(str, table))}")
    whole = pd.concat(tables, ignore_index=True)
    if whole.empty:
        raise AnalysisError("the data set has no row")
    # smclarify 0.5 knows text only as object: drop this once it takes pandas 3's own dtype for text.
    return whole.astype({name: object for name, dtype in whole.dtypes.items() if isinstance(dtype, pd.StringDtype)})


def column(table: pd.DataFrame, wanted: Column, role: str) -> str:
    """
    Return the name of a column that is given by its name or its position.

    :param role: what the column is for, such as "label".
    :raises AnalysisError: there is no such column.
    """
    names = [str(name) for name in table.columns]
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return names[wanted]
    if wanted in names:
        return str(wanted)
    raise AnalysisError(f"the {role} column {wanted!r} is not in the data set, which has {', '.join(names)}")


def _load_file(path: Path, config: AnalysisConfig) -> pd.DataFrame:
    try:
        if config.dataset_type == CSV:
            return _load_csv(path, config)
        if config.dataset_type == JSON_LINES:
            return _load_json_lines(path, config)
        return _named(pd.read_parquet(path), config, path)
    except AnalysisError:
        raise
    except (ValueError, OSError) as error:
        # pandas's ParserError and EmptyDataError, pyarrow's ArrowInvalid and UnicodeDecodeError are ValueErrors.
        raise AnalysisError(f"{path.name} is not {config.dataset_type}: {str(error).strip()}") from error


def _load_csv(path: Path, config: AnalysisConfig) -> pd.DataFrame:
    with open(path, encoding="utf-8-sig", newline="") as text:
        first = [name.strip() for name in next(csv.reader(text), [])]
    options: dict[str, Any] = {"keep_default_na": False, "na_values": _BLANK, "encoding": "utf-8-sig"}
    if not config.headers:
        twice = sorted({name for name in first if first.count(name) > 1})
        if twice:
            raise AnalysisError(f"{path.name} has the column {twice[0]!r} more than once")
        return pd.read_csv(path, skipinitialspace=True, **options)
    if first and len(first) != len(config.headers):
        raise AnalysisError(f"{path.name} has {len(first)} columns, and headers names {len(config.headers)}")
    # As in the container: names that are given may stand in the file as well.
    skip = 1 if first == list(config.headers) else 0
    return pd.read_csv(path, header=None, names=list(config.headers), skiprows=skip, index_col=False, **options)


def _load_json_lines(path: Path, config: AnalysisConfig) -> pd.DataFrame:
    rows = []
    for number, line in _lines(path):
        row = _row(line, config, f"{path.name}, line {number}")
        rows.append(row)
    return _named(pd.DataFrame(rows), config, path)


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise AnalysisError(f"{path.name}, line {number}, is not JSON: {error}") from error


def _row(document: Any, config: AnalysisConfig, place: str) -> dict[str, Any]:
    """Return a line's columns: the object itself, or the features and the label that JMESPaths find in it."""
    if config.features is None:
        if not isinstance(document, dict):
            raise AnalysisError(f"{place}, is not a JSON object: give features, a JMESPath")
        return document
    try:
        found = jmespath.search(config.features, document)
        label = jmespath.search(str(config.label), document)
    except JMESPathError as error:
        raise AnalysisError(f"features or label is not a JMESPath: {error}") from error
    features = found if isinstance(found, list) else [found]
    # AWS's rule: the label's name is the last of the headers.
    names = list(config.headers) or [str(place) for place in range(len(features))] + [str(config.label)]
    if found is None or len(features) + 1 != len(names):
        raise AnalysisError(f"{place}, has {len(features)} features and a label, and headers names {len(names)}")
    return dict(zip(names, [*features, label], strict=True))


def _named(table: pd.DataFrame, config: AnalysisConfig, path: Path) -> pd.DataFrame:
    if config.headers and len(config.headers) != len(table.columns):
        raise AnalysisError(f"{path.name} has {len(table.columns)} columns, and headers names {len(config.headers)}")
    # A table that names its columns keeps those names where headers only puts them into another order.
    if config.headers and set(config.headers) != set(map(str, table.columns)):
        return table.set_axis(list(config.headers), axis=1)
    return table.rename(columns=str)
