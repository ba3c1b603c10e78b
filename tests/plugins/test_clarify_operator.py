"""ClarifyBiasOperator: its request, and one task instance, one analysis, one result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from operator_kit import ROLE, Airflow, FakeTask
from test_job_requests import check
from waiting_kit import until

from amazon_ml.exceptions import BadResult, JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.clarify import ClarifyBiasOperator
from amazon_ml.specs.clarify import BiasConfig, ClarifyJobSpec, Facet, metrics_by_facet

IMAGE = "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0"
BUCKET = "clarify-operator"
SPEC = ClarifyJobSpec(
    image_uri=IMAGE, role_arn=ROLE, bucket=BUCKET, instance_type="ml.m5.large", tags={"project": "reviews"}
)
BIAS = BiasConfig(
    label="outcome",
    positive=[1],
    facets=[Facet("product")],
    headers=["outcome", "product"],
    metrics=["CI", "DPL"],
    report_title=None,
)
DATA = "".join(f"{outcome},{product}\n" for product in ("shirt", "shoe", "hat") for outcome in (0, 1, 1))


@pytest.fixture
def dataset(aws: Any) -> str:
    """S3 URI of 9 rows in which each of three products has the same share of positive outcomes."""
    aws("s3").create_bucket(Bucket=BUCKET)
    aws("s3").put_object(Bucket=BUCKET, Key="data/rows.csv", Body=DATA)
    return f"s3://{BUCKET}/data/"


def bias(ti: FakeTask, dataset: str, **changes: Any) -> Callable[[], ClarifyBiasOperator]:
    settings = {"task_id": ti.task_id, "job": SPEC, "config": BIAS, "dataset": dataset, **changes}
    return lambda: ClarifyBiasOperator(**settings)


def jobs(aws: Any, ti: FakeTask) -> dict[str, str]:
    """Name -> status of all jobs of this task instance."""
    prefix = job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id)
    found = aws("sagemaker").list_processing_jobs(NameContains=prefix, MaxResults=100)["ProcessingJobSummaries"]
    return {job["ProcessingJobName"]: job["ProcessingJobStatus"] for job in found}


# -- configuration and request


def test_the_configuration_is_what_the_sdk_writes() -> None:
    config = BiasConfig(
        label="sentiment",
        positive=[1],
        facets=[Facet("product_category"), Facet("age", [40])],
        headers=["sentiment", "product_category", "age"],
        group_variable="age",
        metrics=["CI"],
        report_title="Bias",
    )
    assert config.document() == {
        "version": "1.0",
        "dataset_type": "text/csv",
        "headers": ["sentiment", "product_category", "age"],
        "label": "sentiment",
        "label_values_or_threshold": [1],
        "facet": [
            {"name_or_index": "product_category"},
            {"name_or_index": "age", "value_or_threshold": [40]},
        ],
        "group_variable": "age",
        "methods": {"pre_training_bias": {"methods": ["CI"]}, "report": {"name": "report", "title": "Bias"}},
    }


def test_what_is_not_set_is_left_out() -> None:
    document = BiasConfig(label=0, positive=["yes"], facets=[Facet(1)], report_title=None).document()
    assert set(document) == {"version", "dataset_type", "label", "label_values_or_threshold", "facet", "methods"}
    assert document["methods"] == {"pre_training_bias": {"methods": "all"}}


def request(spec: ClarifyJobSpec = SPEC, output: str | None = None) -> dict[str, Any]:
    config = spec.code_uri(spec.source())
    return spec.to_clarify_request(
        name="a-job", dag_id="a_dag", config_uri=config, dataset="s3://data/x/", output=output
    )


def test_the_request_is_one_that_sagemaker_s_model_accepts_with_the_container_s_paths() -> None:
    made = request()
    check("CreateProcessingJob", made)
    assert made["AppSpecification"] == {"ImageUri": IMAGE}
    places = {entry["InputName"]: entry["S3Input"]["LocalPath"] for entry in made["ProcessingInputs"]}
    assert places == {
        "analysis_config": "/opt/ml/processing/input/config",
        "dataset": "/opt/ml/processing/input/data",
    }
    (output,) = made["ProcessingOutputConfig"]["Outputs"]
    assert output["OutputName"] == "analysis_result"
    assert output["S3Output"]["LocalPath"] == "/opt/ml/processing/output"
    assert output["S3Output"]["S3Uri"] == f"s3://{BUCKET}/jobs/a_dag/a-job/analysis/"
    elsewhere = request(output="s3://other/place/")["ProcessingOutputConfig"]["Outputs"][0]
    assert elsewhere["S3Output"]["S3Uri"] == "s3://other/place/"


def test_another_configuration_is_another_computation_another_place_is_not() -> None:
    operator = ClarifyBiasOperator(task_id="bias", job=SPEC, config=BIAS, dataset="s3://data/x/")
    spec = operator.job
    changed = ClarifyBiasOperator(
        task_id="bias", job=SPEC, config=BiasConfig(label=0, positive=[1], facets=[Facet(1)]), dataset="s3://data/x/"
    ).job
    assert spec.fingerprint(request(spec)) == spec.fingerprint(request(spec, "s3://other/place/"))
    assert spec.fingerprint(request(spec)) != spec.fingerprint(request(changed))
    (content,) = spec.uploads(spec.source()).values()
    assert json.loads(content) == BIAS.document()


def test_every_template_field_is_an_attribute_and_later_tasks_depend_on_it() -> None:
    operator = ClarifyBiasOperator(task_id="bias", job=SPEC, config=BIAS, dataset="s3://data/x/")
    assert all(hasattr(operator, name) for name in operator.template_fields)
    assert (operator.analysis.key, operator.metrics.key) == ("analysis", "metrics")  # type: ignore[attr-defined]
    assert operator.analysis.operator is operator  # type: ignore[attr-defined]


def test_metrics_by_facet_keeps_a_metric_without_a_value_and_refuses_what_is_no_analysis() -> None:
    metrics = [{"name": "CDDL", "value": None, "error": "no group"}, {"name": "CI", "value": 0.5}]
    facets = {"product": [{"value_or_threshold": "hat", "metrics": metrics}]}
    found = metrics_by_facet({"pre_training_bias_metrics": {"label": "x", "facets": facets}})
    assert found == {"product": {"hat": {"CDDL": None, "CI": 0.5}}}
    others: list[Any] = [{}, {"pre_training_bias_metrics": {}}, {"pre_training_bias_metrics": {"facets": []}}]
    for other in others:
        with pytest.raises(ValueError, match="no analysis of pre-training bias"):
            metrics_by_facet(other)


# -- jobs


def test_an_analysis_gives_the_metrics_of_each_facet_value_and_runs_once(
    aws: Any, airflow: Airflow, ti: FakeTask, dataset: str
) -> None:
    xcom = airflow.run(bias(ti, dataset), ti)
    (name,) = jobs(aws, ti)
    even = {"CI": pytest.approx(1 / 3), "DPL": pytest.approx(0, abs=1e-12)}
    assert xcom == {
        "name": name,
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{name}",
        "status": "Completed",
        "analysis": f"s3://{BUCKET}/jobs/{ti.dag_id}/{name}/analysis/",
        "metrics": {"product": {"shirt": even, "shoe": even, "hat": even}},
        "seconds": xcom["seconds"],
    }
    assert len(airflow.deferrals) == 1
    assert ti.pushed == {"analysis": xcom["analysis"], "metrics": xcom["metrics"]}
    tags = aws("sagemaker").list_tags(ResourceArn=xcom["arn"])["Tags"]
    assert {"Key": "project", "Value": "reviews"} in tags

    # Cleared: the same job, the same result.
    assert airflow.run(bias(ti, dataset), ti.next_try()) == xcom
    # Cleared after somebody has tampered with it.
    key = f"{xcom['analysis'].removeprefix(f's3://{BUCKET}/')}analysis.json"
    entries = [{"value_or_threshold": f"value {n}", "metrics": [{"name": "CI", "value": n / 7}]} for n in range(2000)]
    large = {"pre_training_bias_metrics": {"facets": {"product": entries}}}
    for content, reason in ((json.dumps(large), "XCom takes 32768"), ("{", "analysis.json: "), ("{}", "no analysis")):
        aws("s3").put_object(Bucket=BUCKET, Key=key, Body=content)
        with pytest.raises(BadResult, match=reason):
            airflow.run(bias(ti, dataset), ti.next_try())
    aws("s3").delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(BadResult, match=r"wrote no s3://.*analysis\.json"):
        airflow.run(bias(ti, dataset), ti.next_try())
    assert jobs(aws, ti) == {name: "Completed"}


def test_a_retry_attaches_to_what_a_dead_worker_started_and_a_changed_configuration_is_computed_again(
    aws: Any, airflow: Airflow, ti: FakeTask, dataset: str
) -> None:
    airflow.start(bias(ti, dataset), ti)
    # That try is gone, with its trigger; the job is not.
    first = airflow.run(bias(ti, dataset), ti.next_try())
    assert jobs(aws, ti) == {first["name"]: "Completed"}
    changed = BiasConfig(**{**BIAS.__dict__, "metrics": ["KL"]})
    again = airflow.run(bias(ti, dataset, config=changed), ti.next_try())
    assert list(again["metrics"]["product"]["hat"]) == ["KL"]
    assert jobs(aws, ti) == {first["name"]: "Completed", f"{first['name']}-2": "Completed"}


def test_an_analysis_that_cannot_be_done_fails_with_clarify_s_reason_and_is_retried(
    aws: Any, airflow: Airflow, ti: FakeTask, dataset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = BiasConfig(**{**BIAS.__dict__, "label": "stars"})
    with pytest.raises(JobFailed, match="the label column 'stars' is not in the data set"):
        airflow.run(bias(ti, dataset, config=wrong), ti)
    assert "the label column 'stars'" in capsys.readouterr().out
    xcom = airflow.run(bias(ti, dataset), ti.next_try())
    assert sorted(jobs(aws, ti).values()) == ["Completed", "Failed"]
    assert xcom["name"].endswith("-2")


def test_a_kill_by_a_user_stops_the_job(
    aws: Any, airflow: Airflow, ti: FakeTask, dataset: str, task_states: dict[str, Any]
) -> None:
    deferred = airflow.start(bias(ti, dataset), ti)
    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    statuses = until(
        lambda: set(jobs(aws, ti).values()), lambda seen: seen != {"InProgress"} and "Stopping" not in seen, every=0.1
    )
    # One that had ended before the kill is not stopped.
    assert statuses <= {"Stopped", "Completed"}


def test_aws_s_refusal_fails_at_once(aws: Any, airflow: Airflow, ti: FakeTask, dataset: str) -> None:
    spec = ClarifyJobSpec(image_uri=IMAGE, role_arn="nobody", bucket=BUCKET, instance_type="ml.m5.large")
    with pytest.raises(RequestRefused, match="RoleArn"):
        airflow.run(bias(ti, dataset, job=spec), ti)
    assert jobs(aws, ti) == {}
