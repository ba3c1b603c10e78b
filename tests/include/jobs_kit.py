"""For the tests of the job scripts: loading a job's code as its container would, and tiny base models."""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.job_code import JOBS, write

NAMES = {path.stem for path in JOBS.glob("*/*.py")}
_BUNDLES = tempfile.TemporaryDirectory(prefix="job-code-")
HEADER = ["", "Title", "Review Text", "Rating", "Division Name", "Class Name"]


@functools.cache
def bundle(job: str) -> Path:
    """The folder with all that a job ships, as its container has it."""
    return write(job, Path(_BUNDLES.name) / job).parent


@contextlib.contextmanager
def job_folder(folder: Path) -> Iterator[None]:
    """Inside, ``folder`` is what plain imports see; modules that it brought are forgotten afterwards."""
    before = {name: sys.modules.pop(name) for name in NAMES & sys.modules.keys()}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    path = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in NAMES & sys.modules.keys():
            del sys.modules[name]
        sys.modules.update(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def load(job: str, module: str | None = None) -> ModuleType:
    """A module of a job's folder; by default the script itself."""
    with job_folder(bundle(job)):
        return importlib.import_module(module or job)


def run(job: str, **arguments: Any) -> int:
    """Run a job's script in this process; ``max_rows=3`` becomes ``--max_rows 3``. The exit status."""
    script = load(job)
    words = [str(word) for name, value in arguments.items() for word in (f"--{name}", value)]
    with job_folder(bundle(job)):
        return int(script.main(words))


def write_csv(path: Path, rows: Iterable[Iterable[Any]], header: Iterable[str] = HEADER) -> Path:
    """A raw review file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return path


def review(text: str, rating: Any = 5, category: str = "Dresses", title: str = "A title", index: int = 0) -> list[Any]:
    """One raw row."""
    return [index, title, text, rating, "General", category]


def plain_reviews(each: int = 20, category: str = "Dresses") -> list[list[Any]]:
    """``each`` reviews of every sentiment, all different."""
    return [
        review(f"text number {n} of {rating} stars", rating, category, index=n)
        for rating in (1, 3, 5)
        for n in range(each)
    ]


def write_table(path: Path, rows: Iterable[Iterable[Any]], **columns: Any) -> Path:
    """Write a file of the cleaned table: sentiment, body and category a row; ``columns`` replaces whole columns."""
    sentiments, bodies, categories = zip(*rows, strict=True) if (rows := [*rows]) else ((), (), ())
    given = {
        "review_id": [f"{path.stem}-{number}" for number in range(len(rows))],
        "title": [""] * len(rows),
        "body": bodies,
        "rating": [3 + 2 * sentiment for sentiment in sentiments],
        "sentiment": sentiments,
        "category": categories,
        **columns,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(given, schema=load("transform", "review_table").SCHEMA), path)
    return path


def cleaned(raw: Path, target: Path, **arguments: Any) -> Path:
    """Run the transform job; the folder of the cleaned table."""
    assert run("transform", input=raw, output=target, **arguments) == 0
    return target / "table"


def files(folder: Path) -> list[str]:
    """What is in a folder, hidden files and all."""
    return (
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
    )


def split(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a split that the features job wrote."""
    return [row for part in sorted((folder / name).glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
