"""A query execution from its start to its results, through boto3 alone."""

from __future__ import annotations

import time
import uuid
from typing import Any

import boto3
import pytest
from athena_tools import Athena
from botocore.exceptions import ClientError
from waiting_kit import until

from localaws.core.store import Store

#: takes minutes if it is let: a trillion pairs.
ENDLESS = """
SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)
CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z) WHERE (x * y + z) % 7 = 3
"""


@pytest.fixture(scope="module")
def athena(localaws: Any) -> Athena:
    return Athena("query_tests")


def _error(call: Any, **parameters: Any) -> tuple[str, str, str | None]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error.get("AthenaErrorCode")


def test_a_query_succeeds_and_says_what_it_did(athena: Athena) -> None:
    execution = athena.run("SELECT 1 AS x")
    identifier = execution["QueryExecutionId"]
    assert execution["Query"] == "SELECT 1 AS x"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{athena.output}{identifier}.csv"
    assert execution["QueryExecutionContext"] == {"Database": "query_tests"}
    assert execution["WorkGroup"] == "primary"
    status = execution["Status"]
    assert status["CompletionDateTime"] >= status["SubmissionDateTime"]
    assert "StateChangeReason" not in status
    statistics = execution["Statistics"]
    assert statistics["DataScannedInBytes"] == 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"]


def test_a_result_file_is_athenas_to_the_byte(athena: Athena) -> None:
    execution = athena.run(
        "SELECT 1 AS i, 'it''s' AS s, 'a\"b' AS q, CAST(NULL AS varchar) AS n, '' AS empty, ARRAY[1, 2] AS a,"
        " X'0102' AS vb, 'two\nlines' AS l"
    )
    body = athena.get(execution["ResultConfiguration"]["OutputLocation"]).decode()
    assert body == ('"i","s","q","n","empty","a","vb","l"\n' + '"1","it\'s","a""b",,"","[1, 2]","01 02","two\nlines"\n')
    rows = athena.results(execution)["ResultSet"]["Rows"]
    assert [value.get("VarCharValue") for value in rows[1]["Data"]] == [
        "1",
        "it's",
        'a"b',
        None,
        "",
        "[1, 2]",
        "01 02",
        "two\nlines",
    ]


def test_a_query_without_rows_has_its_header(athena: Athena) -> None:
    execution = athena.run("SELECT 1 AS x WHERE false")
    assert athena.get(execution["ResultConfiguration"]["OutputLocation"]) == b'"x"\n'
    assert len(athena.results(execution)["ResultSet"]["Rows"]) == 1


def test_columns_are_described_as_athena_does(athena: Athena) -> None:
    execution = athena.run(
        "SELECT 1 AS i, CAST(1 AS bigint) AS b, 1.5 AS d, CAST(1 AS real) AS r, DECIMAL '1.50' AS c, 'ab' AS v,"
        " CAST('x' AS varchar) AS u, true AS t, DATE '2020-01-01' AS day, now() AS z, ARRAY[1] AS a"
    )
    described = athena.results(execution)["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    shown = [(c["Name"], c["Type"], c["Precision"], c["Scale"], c["CaseSensitive"]) for c in described]
    assert shown == [
        ("i", "integer", 10, 0, False),
        ("b", "bigint", 19, 0, False),
        ("d", "double", 17, 0, False),
        ("r", "float", 17, 0, False),
        ("c", "decimal", 3, 2, False),
        ("v", "varchar", 2, 0, True),
        ("u", "varchar", 2147483647, 0, True),
        ("t", "boolean", 0, 0, False),
        ("day", "date", 0, 0, False),
        ("z", "timestamp with time zone", 3, 0, False),
        ("a", "array", 0, 0, False),
    ]
    assert all(c["CatalogName"] == "hive" and c["Nullable"] == "UNKNOWN" for c in described)


def test_the_metadata_file_is_the_protobuf_that_drivers_read(athena: Athena) -> None:
    execution = athena.run("SELECT ARRAY[1] AS ary")
    body = athena.get(execution["ResultConfiguration"]["OutputLocation"] + ".metadata")
    identifier = execution["QueryExecutionId"].encode()
    column = b"\x0a\x04hive\x22\x03ary\x2a\x03ary\x32\x05array\x48\x03"
    assert body == b"\x0a\x24" + identifier + b"\x22" + bytes([len(column)]) + column


def test_unnamed_columns_are_numbered(athena: Athena) -> None:
    assert athena.lines("SELECT 1, 2 AS x, upper('a')")[0] == ["_col0", "x", "_col2"]


def test_results_come_in_pages_of_at_most_a_thousand_rows(athena: Athena) -> None:
    execution = athena.run("SELECT x, 'é\n\"' || CAST(x AS varchar) AS t FROM UNNEST(sequence(1, 2500)) AS u(x)")
    identifier = execution["QueryExecutionId"]
    pages = list(athena.athena.get_paginator("get_query_results").paginate(QueryExecutionId=identifier))
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    rows = [[v["VarCharValue"] for v in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]]
    assert rows[0] == ["x", "t"]
    assert rows[1:] == [[str(x), f'é\n"{x}'] for x in range(1, 2501)]
    assert all(page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"] for page in pages)


def test_a_page_that_ends_with_the_result_has_no_token(athena: Athena) -> None:
    execution = athena.run("SELECT x FROM UNNEST(sequence(1, 3)) AS u(x)")
    assert "NextToken" not in athena.results(execution, MaxResults=4)
    first = athena.results(execution, MaxResults=3)
    assert "NextToken" in first
    second = athena.results(execution, MaxResults=3, NextToken=first["NextToken"])
    assert [row["Data"][0]["VarCharValue"] for row in second["ResultSet"]["Rows"]] == ["3"]


def test_a_foreign_token_is_refused(athena: Athena) -> None:
    execution = athena.run("SELECT 1")
    answer = _error(athena.results, execution=execution, NextToken="bm9wZQ==")
    assert answer == ("InvalidRequestException", "Malformed nextPageToken bm9wZQ==", "INVALID_INPUT")


def test_the_same_token_starts_one_query(athena: Athena) -> None:
    token = uuid.uuid4().hex
    first = athena.start("SELECT 1", ClientRequestToken=token)
    assert athena.start("SELECT 1", ClientRequestToken=token) == first
    athena.wait(first)
    assert athena.start("SELECT 1", ClientRequestToken=token) == first
    answer = _error(athena.start, sql="SELECT 2", ClientRequestToken=token)
    assert answer == (
        "InvalidRequestException",
        "Idempotent parameters do not match",
        "IDEMPOTENT_PARAMETER_MISMATCH",
    )


def test_a_syntax_error_is_refused_at_the_start(athena: Athena) -> None:
    code, message, athena_code = _error(athena.start, sql="SELEC 1")
    assert (code, athena_code) == ("InvalidRequestException", "MALFORMED_QUERY")
    assert message.startswith("line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER', 'ANALYZE'")


def test_a_semantic_error_fails_the_execution(athena: Athena) -> None:
    execution = athena.wait(athena.start("SELECT * FROM nope"))
    reason = "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.query_tests.nope' does not exist"
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == reason
    assert execution["Status"]["AthenaError"] == {
        "ErrorCategory": 2,
        "ErrorType": 1301,
        "Retryable": False,
        "ErrorMessage": reason,
    }
    assert athena.keys(f"results/{execution['QueryExecutionId']}") == []
    answer = _error(athena.results, execution=execution)
    assert answer == (
        "InvalidRequestException",
        "Query did not finish successfully. Final query state: FAILED",
        "INVALID_QUERY_EXECUTION_STATE",
    )


def test_an_output_location_is_required_and_must_be_in_s3(athena: Athena) -> None:
    start = athena.athena.start_query_execution
    code, message, _ = _error(start, QueryString="SELECT 1")
    assert code == "InvalidRequestException"
    assert message.startswith("No output location provided.")
    for location in ("/tmp/results", "file:///tmp/results", "https://example.com/", "s3://"):
        answer = _error(athena.start, sql="SELECT 1", ResultConfiguration={"OutputLocation": location})
        assert answer[1] == "outputLocation is not a valid S3 path."
    answer = _error(athena.start, sql="SELECT 1", ResultConfiguration={"OutputLocation": "s3://no-such-bucket/x"})
    assert answer[1] == "Unable to verify/create output bucket no-such-bucket"


def test_an_unknown_execution_is_not_found(athena: Athena) -> None:
    identifier = str(uuid.uuid4())
    for call in (
        athena.athena.get_query_execution,
        athena.athena.get_query_results,
        athena.athena.stop_query_execution,
    ):
        assert _error(call, QueryExecutionId=identifier)[1:] == (
            f"QueryExecution {identifier} was not found",
            "QUERY_EXECUTION_NOT_FOUND",
        )


def test_parameters_take_the_places_of_question_marks(athena: Athena) -> None:
    sql = "SELECT ? AS a, ? AS b, ? AS c, '?' AS d"
    values = ["1 + 1", "it's", "DATE '2020-01-01'"]
    execution = athena.run(sql, ExecutionParameters=values)
    assert execution["Query"] == sql
    assert execution["ExecutionParameters"] == values
    rows = athena.results(execution)["ResultSet"]["Rows"]
    assert [v["VarCharValue"] for v in rows[1]["Data"]] == ["2", "it's", "2020-01-01", "?"]


def test_a_parameter_may_be_a_limit(athena: Athena) -> None:
    sql = "SELECT x FROM UNNEST(sequence(1, 9)) AS u(x) WHERE x > ? ORDER BY x LIMIT ?"
    assert athena.rows(sql, ExecutionParameters=["3", "2"]) == [["4"], ["5"]]


def test_a_parameter_cannot_become_more_than_a_value(athena: Athena) -> None:
    for value in ("x", "1) FROM t WHERE (1", "(SELECT 1), 2", "1 AS y", "1; DROP TABLE t", "1 -- c"):
        assert athena.rows("SELECT ? AS v", ExecutionParameters=[value]) == [[value]]


def test_the_wrong_number_of_parameters_fails(athena: Athena) -> None:
    reason = athena.reason("SELECT ?, ?", ExecutionParameters=["1"])
    assert reason == "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected 2 but found 1"


def test_executions_are_listed_newest_first(athena: Athena) -> None:
    identifiers = [athena.run(f"SELECT {n}")["QueryExecutionId"] for n in range(3)]
    listed = athena.athena.list_query_executions(MaxResults=2)
    assert listed["QueryExecutionIds"] == identifiers[:0:-1]
    following = athena.athena.list_query_executions(MaxResults=2, NextToken=listed["NextToken"])
    assert following["QueryExecutionIds"][0] == identifiers[0]


def test_a_batch_names_what_it_does_not_have(athena: Athena) -> None:
    identifier, missing = athena.run("SELECT 1")["QueryExecutionId"], str(uuid.uuid4())
    answer = athena.athena.batch_get_query_execution(QueryExecutionIds=[identifier, missing])
    assert [execution["QueryExecutionId"] for execution in answer["QueryExecutions"]] == [identifier]
    assert [entry["QueryExecutionId"] for entry in answer["UnprocessedQueryExecutionIds"]] == [missing]


def test_runtime_statistics_count_the_rows(athena: Athena) -> None:
    identifier = athena.run("SELECT x FROM UNNEST(sequence(1, 5)) AS u(x)")["QueryExecutionId"]
    answer = athena.athena.get_query_runtime_statistics(QueryExecutionId=identifier)["QueryRuntimeStatistics"]
    assert answer["Rows"]["OutputRows"] == 5
    assert answer["Timeline"]["TotalExecutionTimeInMillis"] >= 0


def test_a_running_query_can_be_stopped(athena: Athena) -> None:
    identifier = athena.start(ENDLESS)
    _until(athena, identifier, "RUNNING")
    answer = _error(athena.athena.get_query_results, QueryExecutionId=identifier)
    assert answer[1:] == (
        "Query has not yet finished. Current state: RUNNING",
        "INVALID_QUERY_EXECUTION_STATE",
    )
    athena.athena.stop_query_execution(QueryExecutionId=identifier)
    execution = athena.execution(identifier)
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Query cancelled by user"
    assert _error(athena.athena.get_query_results, QueryExecutionId=identifier)[1] == "Could not find results"
    athena.athena.stop_query_execution(QueryExecutionId=identifier)
    # Its thread is free again: the next query runs.
    assert athena.rows("SELECT 1") == [["1"]]
    assert athena.keys(f"results/{identifier}") == []


def _until(athena: Athena, identifier: str, state: str) -> None:
    until(lambda: athena.execution(identifier)["Status"]["State"], lambda seen: seen == state, every=0.02)


def test_what_is_too_much_at_once_waits_and_can_be_stopped_waiting(athena: Athena) -> None:
    identifiers = [athena.start(ENDLESS) for _ in range(5)]
    try:
        for identifier in identifiers[:4]:
            _until(athena, identifier, "RUNNING")
        assert athena.execution(identifiers[4])["Status"]["State"] == "QUEUED"
        athena.athena.stop_query_execution(QueryExecutionId=identifiers[4])
        assert athena.execution(identifiers[4])["Status"]["State"] == "CANCELLED"
    finally:
        for identifier in identifiers:
            athena.athena.stop_query_execution(QueryExecutionId=identifier)


def test_a_killed_server_leaves_no_query_running_for_ever_and_no_half_written_data(own_localaws: Any) -> None:
    athena = Athena("killed")
    done = athena.run("SELECT 42 AS x")["QueryExecutionId"]
    interrupted = athena.run("CREATE TABLE half AS SELECT 1 AS x")["QueryExecutionId"]
    athena.put("half/uploaded", b"x")
    running = [athena.start(ENDLESS) for _ in range(4)]
    for identifier in running:
        _until(athena, identifier, "RUNNING")
    queued = athena.start("SELECT 'later' AS x")
    # What moto keeps of the bucket is written within a second.
    time.sleep(1.5)
    own_localaws.kill()
    # As a server leaves it that is killed between an upload and the end of the statement.
    store = Store(own_localaws.home / "localaws" / "state.db")

    def interrupt(record: dict[str, Any]) -> None:
        record["Status"]["State"] = "RUNNING"
        record["_planned"] = [f"s3://{athena.bucket}/half/uploaded", f"s3://{athena.bucket}/half/never-uploaded"]
        record["_created"] = [athena.database, "half"]

    store.update("query-execution", interrupted, interrupt)
    store.close()
    own_localaws.restart()
    for identifier in [*running, interrupted]:
        execution = athena.wait(identifier)
        assert execution["Status"]["State"] == "FAILED"
        assert "localaws stopped while it ran" in execution["Status"]["StateChangeReason"]
        assert execution["Status"]["AthenaError"]["Retryable"] is True
    assert athena.keys("half/") == []
    assert athena.lines("SHOW TABLES") == []
    rows = athena.results(athena.wait(queued))["ResultSet"]["Rows"]
    assert rows[1]["Data"] == [{"VarCharValue": "later"}]
    assert athena.results(athena.execution(done))["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "42"}]


def test_a_prepared_statement_is_executed_with_its_parameters(athena: Athena) -> None:
    client = athena.athena
    statement = "SELECT ? AS a, ? AS b"
    client.create_prepared_statement(StatementName="both", WorkGroup="primary", QueryStatement=statement)
    assert athena.rows("EXECUTE both USING 1, 'x, y'") == [["1", "x, y"]]
    client.update_prepared_statement(StatementName="both", WorkGroup="primary", QueryStatement="SELECT 7 AS c")
    assert athena.rows("EXECUTE both") == [["7"]]
    described = client.get_prepared_statement(StatementName="both", WorkGroup="primary")["PreparedStatement"]
    assert described["QueryStatement"] == "SELECT 7 AS c"
    names = client.list_prepared_statements(WorkGroup="primary")["PreparedStatements"]
    assert [entry["StatementName"] for entry in names] == ["both"]
    client.delete_prepared_statement(StatementName="both", WorkGroup="primary")
    assert "was not found" in athena.refusal("EXECUTE both")
    athena.run("PREPARE made FROM SELECT ? + 1 AS n")
    assert athena.rows("EXECUTE made USING 41") == [["42"]]
    athena.run("DEALLOCATE PREPARE made")
    assert _error(client.get_prepared_statement, StatementName="made", WorkGroup="primary")[0] == (
        "ResourceNotFoundException"
    )


def test_named_queries_are_kept(athena: Athena) -> None:
    client = athena.athena
    identifier = client.create_named_query(Name="one", Database="query_tests", QueryString="SELECT 1")["NamedQueryId"]
    assert client.get_named_query(NamedQueryId=identifier)["NamedQuery"]["QueryString"] == "SELECT 1"
    assert identifier in client.list_named_queries()["NamedQueryIds"]
    client.update_named_query(NamedQueryId=identifier, Name="two", QueryString="SELECT 2")
    answer = client.batch_get_named_query(NamedQueryIds=[identifier, str(uuid.uuid4())])
    assert [query["Name"] for query in answer["NamedQueries"]] == ["two"]
    assert len(answer["UnprocessedNamedQueryIds"]) == 1
    client.delete_named_query(NamedQueryId=identifier)
    assert _error(client.get_named_query, NamedQueryId=identifier)[0] == "InvalidRequestException"


def test_explain_shows_a_plan_and_validates(athena: Athena) -> None:
    execution = athena.run("EXPLAIN SELECT 1 AS x")
    assert execution["SubstatementType"] == "EXPLAIN"
    rows = athena.results(execution)["ResultSet"]["Rows"]
    assert rows[0]["Data"] == [{"VarCharValue": "Query Plan"}]
    assert len(rows) > 3
    assert athena.lines("EXPLAIN (TYPE VALIDATE) SELECT 1") == [["Valid"], ["true"], [""]]
    assert "COLUMN_NOT_FOUND" in athena.reason("EXPLAIN (TYPE VALIDATE) SELECT nope FROM (SELECT 1 AS x)")


def test_the_work_group_gives_and_enforces_the_output_location(athena: Athena) -> None:
    client = athena.athena
    place = f"s3://{athena.bucket}/group/"
    settings = {"ResultConfiguration": {"OutputLocation": place}}
    client.create_work_group(Name="strict", Configuration=settings, Description="enforced")
    group = client.get_work_group(WorkGroup="strict")["WorkGroup"]
    assert group["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert athena.run("SELECT 1", WorkGroup="strict")["ResultConfiguration"]["OutputLocation"].startswith(place)
    client.update_work_group(WorkGroup="strict", ConfigurationUpdates={"EnforceWorkGroupConfiguration": False})
    execution = athena.run("SELECT 1", WorkGroup="strict")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(athena.output)
    started = client.start_query_execution(QueryString="SELECT 1", WorkGroup="strict")["QueryExecutionId"]
    assert athena.wait(started)["ResultConfiguration"]["OutputLocation"] == f"{place}{started}.csv"
    assert started in client.list_query_executions(WorkGroup="strict")["QueryExecutionIds"]
    assert started not in client.list_query_executions()["QueryExecutionIds"]
    assert _error(client.create_work_group, Name="strict")[1] == "WorkGroup is already created"
    assert _error(client.delete_work_group, WorkGroup="strict")[1] == "WorkGroup strict is not empty"
    client.update_work_group(WorkGroup="strict", State="DISABLED")
    assert athena.refusal("SELECT 1", WorkGroup="strict") == "WorkGroup strict is disabled."
    client.delete_work_group(WorkGroup="strict", RecursiveDeleteOption=True)
    assert _error(client.get_work_group, WorkGroup="strict")[1] == "WorkGroup is not found."
    assert athena.refusal("SELECT 1", WorkGroup="strict") == "WorkGroup is not found."


def test_the_work_groups_are_listed_and_primary_stays(athena: Athena) -> None:
    client = athena.athena
    client.create_work_group(Name="another", Tags=[{"Key": "team", "Value": "ml"}])
    assert [group["Name"] for group in client.list_work_groups()["WorkGroups"]] == ["another", "primary"]
    arn = "arn:aws:athena:us-east-1:123456789012:workgroup/another"
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]
    client.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
    client.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    client.delete_work_group(WorkGroup="another")
    assert _error(client.delete_work_group, WorkGroup="primary")[0] == "InvalidRequestException"
    engine = client.get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]["EngineVersion"]
    assert engine["EffectiveEngineVersion"] == "Athena engine version 3"


def test_the_scan_limit_of_a_work_group_cancels(athena: Athena) -> None:
    client = athena.athena
    athena.put("big/a.csv", b"x\n" * (6 << 20))
    athena.run(f"CREATE EXTERNAL TABLE big (x string) LOCATION 's3://{athena.bucket}/big/'")
    client.create_work_group(Name="small", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    execution = athena.wait(athena.start("SELECT count(*) FROM big", WorkGroup="small"))
    assert execution["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in execution["Status"]["StateChangeReason"]
    client.delete_work_group(WorkGroup="small", RecursiveDeleteOption=True)


def test_what_is_not_done_here_is_said_so(athena: Athena) -> None:
    client = boto3.client("athena")
    with pytest.raises(ClientError) as caught:
        client.create_data_catalog(Name="x", Type="LAMBDA")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    settings = {
        "OutputLocation": athena.output,
        "EncryptionConfiguration": {"EncryptionOption": "CSE_KMS", "KmsKey": "k"},
    }
    with pytest.raises(ClientError) as caught:
        athena.start("SELECT 1", ResultConfiguration=settings)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
