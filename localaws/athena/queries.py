# ruff: noqa: S608 - this writes SQL: every name in it is quoted, every literal escaped, by localaws.athena.types.
"""SELECT and EXPLAIN: compiled, its tables loaded, run, and written as Athena's CSV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from localaws.athena import engine
from localaws.athena.errors import QueryError
from localaws.athena.job import Job, Outcome, Written
from localaws.athena.sql import selects
from localaws.athena.sql.parse import parse_query
from localaws.athena.sql.render import as_text
from localaws.athena.sql.scope import Analysis, Relation
from localaws.athena.tables.load import Loader
from localaws.athena.types import ColumnInfo, column_info


@dataclass
class Running:
    """A compiled query with its tables in place."""

    connection: duckdb.DuckDBPyConnection
    relation: Relation
    scanned: int
    planning_seconds: float


def compile_text(sql: str, job: Job, database: str | None = None) -> tuple[Relation, Analysis]:
    """Compile a query to DuckDB's SQL and return it with what the query reads."""
    analysis = Analysis(sql, job.catalog, database or job.database)
    return selects.compile_query(parse_query(sql), analysis, {}), analysis


def names_of(relation: Relation) -> list[str]:
    """Return the result's column names; a column without a name is ``_col`` and its number."""
    return [name or f"_col{index}" for index, name in enumerate(relation.names)]


def columns_of(relation: Relation) -> list[ColumnInfo]:
    """Return the result's columns as GetQueryResults describes them."""
    return [column_info(name, kind) for name, kind in zip(names_of(relation), relation.types, strict=True)]


@contextmanager
def running(sql: str, job: Job) -> Iterator[Running]:
    """Prepare a query in a DuckDB that can reach nothing but the query's own tables."""
    started = time.monotonic()
    relation, analysis = compile_text(sql, job)
    with job.cache.session() as session, job.connect() as connection:
        loader = Loader(connection, job.catalog, job.s3, session, job.scanned)
        for use in analysis.tables:
            loader.load(use)
        engine.lock(connection, loader.files)
        yield Running(connection, relation, loader.scanned, time.monotonic() - started)


def run(sql: str, job: Job) -> Outcome:
    """Run a SELECT and write its rows to a CSV file."""
    with running(sql, job) as query:
        columns = columns_of(query.relation)
        path = job.folder / "result.csv"
        rows = write_csv(query, [column.name for column in columns], path, job)
        outcome = Outcome(columns, file=path, update_count=0, scanned=query.scanned)
        outcome.planning_seconds = query.planning_seconds
        outcome.written = Written(rows, path.stat().st_size)
        return outcome


def write_csv(query: Running, names: list[str], path: Path, job: Job) -> int:
    """
    Write values in quotes, inner quotes doubled and NULL empty, lines ended by LF, and return the count of rows.
    """
    kinds = query.relation.types
    texts = ", ".join(f"{as_text(f'c{index}', kind)} AS t{index}" for index, kind in enumerate(kinds))
    fields = " || ',' || ".join(f"""coalesce('"' || replace(t{i}, '"', '""') || '"', '')""" for i in range(len(kinds)))
    sql = f"SELECT {fields} AS line FROM (SELECT {texts} FROM ({query.relation.sql}))"
    rows = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n")
        for batch in query.connection.sql(engine.define(query.connection, sql)).to_arrow_reader(50_000):
            job.control.check()
            if batch.num_rows:
                file.write("\n".join(batch.column(0).to_pylist()) + "\n")
                rows += batch.num_rows
    return rows


def explain(sql: str, job: Job, *, analyze: bool, validate: bool) -> Outcome:
    """
    Return the query's plan, which is DuckDB's. With ``validate``, only check the query.

    As on Athena, the first line is the column's name and an empty line ends it.
    """
    if validate:
        compile_text(sql, job)
        return Outcome([ColumnInfo("Valid", "boolean", None, None, False)], lines=["Valid", "true", ""])
    with running(sql, job) as query:
        word = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
        try:
            answer = query.connection.execute(
                engine.define(query.connection, f"{word} {query.relation.sql}")
            ).fetchall()
        except duckdb.NotImplementedException as error:
            raise QueryError("NOT_SUPPORTED", str(error)) from error
        plan = "\n".join(row[1] for row in answer)
        column = ColumnInfo("Query Plan", "varchar", len(plan), 0, True)
        return Outcome([column], lines=["Query Plan", *plan.split("\n"), ""], scanned=query.scanned)
