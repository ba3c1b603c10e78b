"""What the Athena tests share: a client that waits, and an engine without a server for single expressions."""

from __future__ import annotations

from typing import Any

import boto3
import duckdb
from botocore.exceptions import ClientError
from waiting_kit import until

FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")


class Athena:
    """boto3's clients, pointed at one database and one bucket for results."""

    def __init__(self, database: str) -> None:
        # A session of its own: boto3's default one keeps the credentials of the server it met first.
        session = boto3.session.Session()
        self.athena, self.s3, self.glue = (session.client(name) for name in ("athena", "s3", "glue"))
        self.database = database
        self.bucket = f"athena-{database.replace('_', '-')}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.output = f"s3://{self.bucket}/results/"
        self.glue.create_database(DatabaseInput={"Name": database})

    def start(self, sql: str, **parameters: Any) -> str:
        """Start a query; its id."""
        parameters.setdefault("ResultConfiguration", {"OutputLocation": self.output})
        parameters.setdefault("QueryExecutionContext", {"Database": self.database})
        return self.athena.start_query_execution(QueryString=sql, **parameters)["QueryExecutionId"]

    def execution(self, identifier: str) -> dict[str, Any]:
        """GetQueryExecution."""
        return self.athena.get_query_execution(QueryExecutionId=identifier)["QueryExecution"]

    def wait(self, identifier: str) -> dict[str, Any]:
        """The execution once it has ended."""
        return until(
            lambda: self.execution(identifier), lambda execution: execution["Status"]["State"] in FINAL, every=0.02
        )

    def run(self, sql: str, **parameters: Any) -> dict[str, Any]:
        """Run a statement that must succeed; its execution."""
        execution = self.wait(self.start(sql, **parameters))
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"].get("StateChangeReason")
        return execution

    def results(self, execution: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        """GetQueryResults."""
        identifier = execution["QueryExecutionId"]
        return self.athena.get_query_results(QueryExecutionId=identifier, **parameters)

    def lines(self, sql: str, **parameters: Any) -> list[list[str | None]]:
        """All rows that GetQueryResults has for a statement, a query's header among them."""
        rows = self.results(self.run(sql, **parameters))["ResultSet"]["Rows"]
        return [[value.get("VarCharValue") for value in row["Data"]] for row in rows]

    def rows(self, sql: str, **parameters: Any) -> list[list[str | None]]:
        """The rows of a query."""
        return self.lines(sql, **parameters)[1:]

    def reason(self, sql: str, **parameters: Any) -> str:
        """Why a query fails."""
        execution = self.wait(self.start(sql, **parameters))
        assert execution["Status"]["State"] == "FAILED", execution["Status"]
        return execution["Status"]["StateChangeReason"]

    def refusal(self, sql: str, **parameters: Any) -> str:
        """Why a query is not even started."""
        try:
            self.start(sql, **parameters)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidRequestException", error
            return error.response["Error"]["Message"]
        raise AssertionError("it was started")

    def put(self, key: str, body: bytes | str) -> None:
        """An object in the bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body.encode() if isinstance(body, str) else body)

    def get(self, uri: str) -> bytes:
        """An object by its URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        """The keys under a prefix of the bucket."""
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", ())]


class Engine:
    """The compiler and DuckDB without server, S3 or Glue: for expressions, and one table ``t``."""

    def __init__(self, table: dict[str, Any] | None = None, values: str = "") -> None:
        self._table, self._values = table, values

    # What the compiler asks of a catalog.
    def table(self, database: str, name: str) -> dict[str, Any] | None:
        return self._table if (database, name) == ("default", "t") else None

    def has_database(self, name: str) -> bool:
        return name == "default"

    def query(self, sql: str, connection: duckdb.DuckDBPyConnection) -> tuple[list[tuple[str | None, ...]], list[str]]:
        """The rows as Athena's text, and the columns' types."""
        from localaws.athena import engine
        from localaws.athena.sql import selects
        from localaws.athena.sql.parse import parse_query
        from localaws.athena.sql.render import as_text
        from localaws.athena.sql.scope import Analysis

        analysis = Analysis(sql, self, None)  # type: ignore[arg-type]
        relation = selects.compile_query(parse_query(sql), analysis, {})
        for use in analysis.tables:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {use.identifier} AS SELECT * FROM ({self._values})")
        texts = ", ".join(as_text(f"c{index}", kind) for index, kind in enumerate(relation.types))
        try:
            text = engine.define(connection, f"SELECT {texts} FROM ({relation.sql})")
            return connection.execute(text).fetchall(), [str(kind) for kind in relation.types]
        except duckdb.Error as error:
            raise engine.translate(error) from error
