"""AthenaQueryOperator: one task instance, one query, whatever the retries; a failed one is asked again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from operator_kit import Airflow, FakeTask

from amazon_ml.operators.athena import AthenaQueryOperator

BUCKET = "athena-operator"


def query(ti: FakeTask, sql: str = "SELECT 1 AS one", **settings: Any) -> Callable[[], AthenaQueryOperator]:
    where = {"output_location": f"s3://{BUCKET}/{ti.run_id}/"}
    return lambda: AthenaQueryOperator(task_id=ti.task_id, query=sql, deferrable=False, **{**where, **settings})


def asked(aws: Any, ti: FakeTask) -> list[str]:
    """The ids of this run's queries, by their output location."""
    athena = aws("athena")
    ids = athena.list_query_executions()["QueryExecutionIds"]
    found = athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]
    return [q["QueryExecutionId"] for q in found if ti.run_id in q["ResultConfiguration"]["OutputLocation"]]


@pytest.fixture(autouse=True)
def bucket(aws: Any) -> None:
    aws("s3").create_bucket(Bucket=BUCKET)


def test_it_returns_the_query_whose_answer_is_in_s3(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    found = airflow.run(query(ti), ti)
    body = aws("s3").get_object(Bucket=BUCKET, Key=f"{ti.run_id}/{found}.csv")["Body"].read()
    assert body == b'"one"\n"1"\n'


def test_a_retry_finds_the_query_of_the_try_before(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    first = airflow.run(query(ti), ti)
    again = airflow.run(query(ti), ti.next_try())
    assert again == first
    assert asked(aws, ti) == [first]


def test_a_failed_query_is_asked_again_once_a_try(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    wrong = query(ti, "SELECT no_such_column FROM (SELECT 1 AS one)")
    with pytest.raises(AirflowException, match="no_such_column"):
        airflow.run(wrong, ti)
    assert len(asked(aws, ti)) == 1
    retry = ti.next_try()
    retry.start_date = datetime.now(UTC)
    with pytest.raises(AirflowException, match="no_such_column"):
        airflow.run(wrong, retry)
    assert len(asked(aws, ti)) == 2


def test_another_run_asks_a_query_of_its_own(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    other = FakeTask(run_id="another_run")
    assert airflow.run(query(ti), ti) != airflow.run(query(other), other)


def test_lineage_names_the_region_that_the_environment_sets(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    glue = aws("glue")
    glue.create_database(DatabaseInput={"Name": "lineage"})
    descriptor = {
        "Columns": [{"Name": "x", "Type": "string"}],
        "Location": f"s3://{BUCKET}/read/",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    glue.create_table(DatabaseName="lineage", TableInput={"Name": "read", "StorageDescriptor": descriptor})
    operator = query(ti, "SELECT x FROM read", database="lineage")()
    airflow.run(lambda: operator, ti)
    (dataset,) = operator.get_openlineage_facets_on_complete(None).inputs
    region = operator.hook.get_conn().meta.region_name
    assert dataset.name == "AwsDataCatalog.lineage.read"
    assert dataset.namespace == f"awsathena://athena.{region}.amazonaws.com"
    assert region
