"""What each DAG says that a run of it costs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException


def check(dag: Any, reviews: int = 22_626, **params: Any) -> dict[str, Any]:
    from include.tasks import costs

    return costs.check(dag, {**dag.params.dump(), **params}, reviews)


def test_every_dag_tells_its_cost_in_the_form_and_in_its_documentation(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        # What stops and deletes starts nothing.
        if "clean-up" in dag.tags:
            continue
        told = dag.params.get_param("max_cost")
        assert re.search(r"costs about \$\d+\.\d+ on AWS", told.description), dag.dag_id
        assert "2026" in told.description, "the date of the prices"
        assert told.description.partition("nothing. ")[2] in dag.doc_md
        assert told.schema["type"] == ["number", "null"]


def test_every_job_and_deployment_has_a_line(dagbag: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A kind of job that the estimate does not know would cost nothing in it."""
    from amazon_ml.operators.job import SageMakerJobOperator

    for dag in dagbag.dags.values():
        check(dag)
        printed = capsys.readouterr().out
        jobs = [each for each in dag.tasks if isinstance(each, SageMakerJobOperator)]
        for job in jobs:
            assert re.search(rf"^  {re.escape(job.task_id)} ", printed, re.MULTILINE), f"{dag.dag_id}: {job.task_id}"
        for deployment in (each for each in dag.tasks if each.task_id in {"deploy", "judge.deploy"}):
            assert re.search(rf"^  {re.escape(deployment.task_id)} .*\(hosting\)", printed, re.MULTILINE)


def test_the_estimate_follows_the_run_s_own_params_and_reviews(dagbag: Any) -> None:
    dag = dagbag.dags["train_sentiment"]
    usual = check(dag)["usd"]
    assert check(dag, epochs=12)["usd"] > usual
    assert check(dag, 2_300_000)["usd"] > 5 * usual
    tune = dagbag.dags["tune_sentiment"]
    # Four training jobs by default.
    assert check(tune, max_jobs=8)["usd"] - check(tune)["usd"] == pytest.approx(4 * 415.3 / 3600 * 0.461, rel=0.1)


def test_an_endpoint_that_stays_is_told_by_the_hour(dagbag: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dag = dagbag.dags["train_sentiment"]
    check(dag)
    assert "The endpoint that the run leaves costs $0.12 an hour ($2.76 a day)." in capsys.readouterr().out
    check(dag, keep_endpoint=False)
    assert "leaves" not in capsys.readouterr().out


def test_a_run_above_its_limit_starts_nothing(dagbag: Any) -> None:
    dag = dagbag.dags["tune_sentiment"]
    with pytest.raises(
        AirflowFailException, match=r"is expected to cost \$0\.\d\d, more than max_cost of \$0\.10 allow"
    ):
        check(dag, max_cost=0.1)
    assert check(dag, max_cost=5)["usd"] < 5


def test_an_unknown_instance_type_starts_nothing(dagbag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = dagbag.dags["train_sentiment"]
    train = dag.get_task("train")
    monkeypatch.setattr(train, "job", replace(train.job, instance_type="ml.m5.huge"))
    with pytest.raises(
        AirflowFailException, match=r"SageMaker has no instance type 'ml\.m5\.huge' for training: nothing"
    ):
        check(dag)


def test_an_instance_type_without_a_price_is_told_and_refused_where_there_is_a_limit(
    dagbag: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dag = dagbag.dags["train_sentiment"]
    train = dag.get_task("train")
    monkeypatch.setattr(train, "job", replace(train.job, instance_type="ml.m7i.xlarge"))
    check(dag)
    assert "has no price of ml.m7i.xlarge for training" in capsys.readouterr().out
    with pytest.raises(AirflowFailException, match="and what has no price"):
        check(dag, max_cost=100)


@pytest.mark.parametrize(("dag_id", "first"), [("ingest_reviews", "estimate_cost"), ("leader_board", "estimate_cost")])
def test_a_dag_that_does_not_look_for_reviews_first_has_a_task_for_it(dagbag: Any, dag_id: str, first: str) -> None:
    dag = dagbag.dags[dag_id]
    found = dag.get_task(first).python_callable(params=dag.params.dump(), dag=dag)
    assert found["usd"] > 0
    assert found["reviews"] == 23_486
    sample = dag.get_task(first).python_callable(params={**dag.params.dump(), "max_reviews": 600}, dag=dag)
    assert (sample["reviews"], sample["usd"] < found["usd"]) == (600, True)
    assert found["prices"].startswith("on-demand prices of us-east-1, 2")


def test_the_table_of_the_documentation_is_up_to_date(dagbag: Any) -> None:
    from include.cost import estimate

    text = (Path(__file__).parents[2] / "docs" / "aws.md").read_text()
    told = {name: float(usd) for name, usd in re.findall(r"^\| `(\w+)` \| (\d+\.\d\d) \|", text, re.MULTILINE)}
    reviews = estimate.assumed()["reviews"]
    found = {name: check(dag, reviews)["usd"] for name, dag in dagbag.dags.items() if "clean-up" not in dag.tags}
    assert told == pytest.approx(found, abs=0.0051)


def test_a_transform_job_and_shared_reviews_are_counted_by_their_instances() -> None:
    """By a DAG of which a param says how many instances there are."""
    from airflow.sdk import DAG

    from amazon_ml.operators.processing import ProcessingJobOperator
    from amazon_ml.operators.transform import TransformJobOperator
    from amazon_ml.specs.transform import TransformJobSpec
    from include.settings import settings
    from include.tasks import costs

    with DAG("many", params={"instances": 4}) as dag:
        transform = TransformJobSpec(bucket="b", instance_type="ml.m5.xlarge", instance_count="{{ params.instances }}")
        TransformJobOperator(task_id="score", job=transform, model_name="m", source="s3://b/in/")
        features = replace(settings.processing_job("features"), instance_count="{{ ti.xcom_pull('x') }}")
        ProcessingJobOperator(task_id="features", job=features)
    score, one = sorted(costs._Run(dag, dag.params.dump(), 2_000_000).lines(), key=lambda line: line.task != "score")
    assert score.what == f"{(180 + 10 * 2000 / 4) / 60:.1f} min of 4 x ml.m5.xlarge (transform)"
    assert one.what == f"{(180 + 0.06 * 2000) / 60:.1f} min of ml.m5.xlarge (processing)"
