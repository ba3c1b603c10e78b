"""A query that cannot be done fails in Athena's words, at the place that Athena names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from athena_tools import Engine

from localaws.athena import engine
from localaws.athena.ddl.parser import parse
from localaws.athena.errors import MalformedQuery, QueryError

TABLE = {
    "Name": "t",
    "DatabaseName": "default",
    "StorageDescriptor": {
        "Columns": [
            {"Name": "id", "Type": "int"},
            {"Name": "name", "Type": "string"},
            {"Name": "day", "Type": "date"},
            {"Name": "tags", "Type": "array<string>"},
        ]
    },
}
VALUES = "SELECT 1 AS id, 'ann' AS name, DATE '2020-01-01' AS day, ['x'] AS tags"
NOT_AUTHORISED = "cannot be resolved or requester is not authorized to access requested resources"

#: a query over the table above -> StateChangeReason.
FAILURES = {
    "SELECT nope FROM t": f"COLUMN_NOT_FOUND: line 1:8: Column 'nope' {NOT_AUTHORISED}",
    "SELECT id\nFROM t\nWHERE nope = 1": f"COLUMN_NOT_FOUND: line 3:7: Column 'nope' {NOT_AUTHORISED}",
    "SELECT x.id FROM t": f"COLUMN_NOT_FOUND: line 1:8: Column 'x.id' {NOT_AUTHORISED}",
    "SELECT id AS a FROM t WHERE a = 1": f"COLUMN_NOT_FOUND: line 1:29: Column 'a' {NOT_AUTHORISED}",
    "SELECT * FROM nope": "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.nope' does not exist",
    "SELECT * FROM nope.t": "SCHEMA_NOT_FOUND: line 1:15: Schema 'nope' does not exist",
    "SELECT * FROM other.default.t": "CATALOG_NOT_FOUND: line 1:15: Catalog 'other' does not exist",
    "SELECT nope(1)": "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered",
    "SELECT upper(1)": (
        "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (integer) for function upper. Expected: upper(varchar)"
    ),
    "SELECT date_parse(day, '%Y') FROM t": (
        "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (date, varchar) for function date_parse."
        " Expected: date_parse(varchar(x), varchar(y))"
    ),
    "SELECT id FROM t WHERE id = '1'": "TYPE_MISMATCH: line 1:27: Cannot apply operator: integer = varchar(1)",
    "SELECT id FROM t WHERE day > '2020-01-01'": "TYPE_MISMATCH: line 1:28: Cannot apply operator: date > varchar(10)",
    "SELECT id + name FROM t": "TYPE_MISMATCH: line 1:11: Cannot apply operator: integer + varchar",
    "SELECT id FROM t WHERE id": "TYPE_MISMATCH: line 1:24: WHERE clause must evaluate to a boolean (actual: integer)",
    "SELECT CAST(day AS integer) FROM t": "TYPE_MISMATCH: line 1:13: Cannot cast date to integer",
    "SELECT CAST(1 AS string)": "TYPE_NOT_FOUND: line 1:13: Unknown type: string",
    "SELECT id UNION SELECT 'a'": f"COLUMN_NOT_FOUND: line 1:8: Column 'id' {NOT_AUTHORISED}",
    "SELECT 1 UNION SELECT 'a'": (
        "TYPE_MISMATCH: line 1:23: column 1 in UNION query has incompatible types: integer, varchar(1)"
    ),
    "SELECT 1 UNION SELECT 1, 2": "TYPE_MISMATCH: line 1:23: UNION query has different number of fields: 1, 2",
    "SELECT id, count(*) FROM t": (
        "EXPRESSION_NOT_AGGREGATE: line 1:8: 'id' must be an aggregate expression or appear in GROUP BY clause"
    ),
    "SELECT name, id FROM t GROUP BY name": (
        "EXPRESSION_NOT_AGGREGATE: line 1:14: 'id' must be an aggregate expression or appear in GROUP BY clause"
    ),
    "SELECT id FROM t GROUP BY 2": "INVALID_COLUMN_REFERENCE: line 1:27: GROUP BY position 2 is not in select list",
    "SELECT id FROM t ORDER BY 2": "INVALID_COLUMN_REFERENCE: line 1:27: ORDER BY position 2 is not in select list",
    "SELECT a.id FROM t a JOIN t b ON a.id = b.id WHERE id = 1": "AMBIGUOUS_NAME: line 1:52: Column 'id' is ambiguous",
    "SELECT id FROM t WHERE count(*) > 1": (
        "EXPRESSION_NOT_SCALAR: line 1:24: WHERE clause cannot contain aggregations, window functions or grouping"
        " operations: [count]"
    ),
    "SELECT sum(count(*)) FROM t": (
        "NESTED_AGGREGATION: line 1:12: Cannot nest aggregations inside aggregation 'sum': [count]"
    ),
    "SELECT rank() FROM t": "MISSING_OVER: line 1:8: Window function rank requires an OVER clause",
    "SELECT name.x FROM t": "TYPE_MISMATCH: line 1:8: Expression name.x is not of type ROW",
    "SELECT id FROM t NATURAL JOIN t b": "NOT_SUPPORTED: line 1:31: Natural join not supported",
    "SELECT u.x FROM t CROSS JOIN UNNEST(id) AS u(x)": "TYPE_MISMATCH: line 1:37: Cannot unnest type: integer",
    "SELECT * FROM (VALUES (1, 2)) AS v(a)": (
        "MISMATCHED_COLUMN_ALIASES: line 1:24: Column alias list has 1 entries but 'v' has 2 columns available"
    ),
    "SELECT date_format(day, '%U') FROM t": (
        "INVALID_FUNCTION_ARGUMENT: line 1:8: %U not supported in date format string"
    ),
    "SELECT (SELECT 1, 2)": (
        "NOT_SUPPORTED: line 1:16: Multiple columns returned by subquery are not yet supported. Found 2"
    ),
    "SELECT ?": "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 1 but found 0",
    # found while the query runs
    "SELECT 1 / 0": "DIVISION_BY_ZERO: Division by zero",
    "SELECT 1 % (id - 1) FROM t": "DIVISION_BY_ZERO: Division by zero",
    "SELECT CAST('x' AS integer)": "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT",
    "SELECT CAST('1.5' AS bigint)": "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to BIGINT",
    "SELECT CAST(name AS double) FROM t": "INVALID_CAST_ARGUMENT: Cannot cast 'ann' to DOUBLE",
    "SELECT CAST(name AS date) FROM t": "INVALID_CAST_ARGUMENT: Value cannot be cast to date: ann",
    "SELECT ARRAY[1, 2][3]": (
        "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 3 > 2"
    ),
    "SELECT MAP(ARRAY['a'], ARRAY[1])['b']": "INVALID_FUNCTION_ARGUMENT: Key not present in map: b",
    "SELECT MAP(ARRAY['a', 'a'], ARRAY[1, 2])": "INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed",
    "SELECT (SELECT x FROM (VALUES 1, 2) AS v(x))": (
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows"
    ),
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect(Path(tmp_path_factory.mktemp("spill"))) as connected:
        yield connected


@pytest.mark.parametrize("sql", FAILURES)
def test_a_bad_query_fails_with_athenas_reason(sql: str, connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError) as caught:
        Engine(TABLE, VALUES).query(sql, connection)
    assert caught.value.reason == FAILURES[sql]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER'"),
        ("SELECT FROM t", "line 1:8: mismatched input 'FROM'. Expecting: '*', 'ALL', 'DISTINCT', <expression>"),
        ("SELECT a b c FROM t", "line 1:12: mismatched input 'c'"),
        ("SELECT * FROM", "line 1:14: mismatched input '<EOF>'"),
        ("SELECT CAST(1 AS nope)", "line 1:18: Unknown type: nope"),
        ("SELECT 'a", "line 1:8: token recognition error at: ''a'"),
        ("SELECT a FROM t LIMIT 1 OFFSET 1", "line 1:25: mismatched input 'OFFSET'. Expecting: <EOF>"),
        ("SELECT a FROM t GROUP BY", "mismatched input '<EOF>'"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed. Got: SELECT 1; SELECT 2"),
        ("", "mismatched input '<EOF>'"),
        ("SELECT * FROM read_csv('/etc/passwd')", "line 1:15: mismatched input '('"),
        ("SELECT * FROM '/etc/passwd'", "line 1:15: mismatched input"),
        ("DELETE FROM t", "Queries of this type are not supported"),
        ("DROP TABLE", "line 1:11: mismatched input '<EOF>'. Expecting: <identifier>"),
        (
            "CREATE EXTERNAL TABLE t (a nope) LOCATION 's3://b/'",
            "line 1:28: mismatched input 'nope'. Expecting: a type",
        ),
        ("CREATE EXTERNAL TABLE t (a int, a int) LOCATION 's3://b/'", "Duplicate column name: a"),
        ("SHOW NOPE", "line 1:6: mismatched input 'NOPE'"),
        ("CREATE TABLE t AS SELECT FROM", "mismatched input"),
        ("UNLOAD (SELECT 1 TO 's3://b/'", "mismatched input"),
    ],
)
def test_what_cannot_be_parsed_says_where(sql: str, reason: str) -> None:
    with pytest.raises(MalformedQuery) as caught:
        parse(sql)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT getenv('HOME')",
        "SELECT read_text('/etc/passwd')",
        "SELECT current_setting('memory_limit')",
        "SELECT * FROM duckdb_settings",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pg_catalog.pg_class",
        'SELECT * FROM "/etc/passwd"',
        "SELECT t_double(1)",
        "SELECT error('x')",
    ],
)
def test_nothing_of_duckdb_shows_through(sql: str, connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="NOT_FOUND"):
        Engine(TABLE, VALUES).query(sql, connection)


def test_a_locked_connection_reads_only_the_files_it_was_given(tmp_path: Path) -> None:
    secret, given = tmp_path / "secret.parquet", tmp_path / "given.parquet"
    for path in (secret, given):
        duckdb.connect().execute(f"COPY (SELECT 42 AS x) TO '{path}'")
    with engine.connect(tmp_path / "spill") as connection:
        engine.lock(connection, [given])
        assert connection.execute(f"SELECT x FROM read_parquet('{given}')").fetchall() == [(42,)]
        for escape in (
            f"SELECT * FROM read_parquet('{secret}')",
            "SELECT * FROM read_text('/etc/passwd')",
            f"SELECT * FROM glob('{tmp_path}/*')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/other.db'",
            "SET enable_external_access = true",
            "SET allowed_paths = ['/etc/passwd']",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(escape)
    assert not (tmp_path / "out.csv").exists()
