"""TuningJobOperator against localaws: one task instance, one tuning job, one result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask
from test_job_requests import check

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.tuning import TuningJobOperator
from amazon_ml.tuning import MAX_TUNING_LENGTH, TuningJobSpec, best_first, categorical, continuous, integer, to_ranges

TRAIN = """
import argparse, os, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
parser.add_argument("--batch", type=int)
options = parser.parse_args()
if options.batch == 0:
    raise SystemExit("no batch is empty")
time.sleep(60 if options.batch == 999 else 0)
print(f"val_acc: {options.batch / 1000}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("model")
"""
REGEXES = {"validation:accuracy": "val_acc: ([0-9.]+)"}


def tune(source: Path, ti: FakeTask, *batches: int, **changes: Any) -> Callable[[], TuningJobOperator]:
    (source / "main.py").write_text(TRAIN)
    spec = TuningJobSpec(
        image_uri=IMAGE,
        role_arn=ROLE,
        bucket=BUCKET,
        source_dir=str(source),
        entry_point="main.py",
        instance_type="ml.m5.large",
        objective_metric="validation:accuracy",
        strategy="Grid",
        max_jobs=len(batches),
        tags={"project": "reviews"},
    )
    arguments = {"ranges": {"batch": categorical(*batches)}, "hyperparameters": {"rate": 0.1}}
    return lambda: TuningJobOperator(
        **{"task_id": ti.task_id, "job": spec, "metric_regexes": REGEXES, **arguments, **changes}
    )


def name(ti: FakeTask, attempt: int = 1) -> str:
    return job_name(ti.dag_id, ti.task_id, ti.map_index, ti.run_id, attempt, max_length=MAX_TUNING_LENGTH)


def jobs(aws: Any, ti: FakeTask) -> dict[str, str]:
    """Name -> status of all tuning jobs of this task instance."""
    answer = aws("sagemaker").list_hyper_parameter_tuning_jobs(NameContains=name(ti), MaxResults=100)
    found = answer["HyperParameterTuningJobSummaries"]
    return {job["HyperParameterTuningJobName"]: job["HyperParameterTuningJobStatus"] for job in found}


def test_ranges_are_texts_of_awss_own_form_and_others_are_refused() -> None:
    found = to_ranges(
        {
            "rate": continuous(1e-5, 5e-5, "Linear"),
            "layers": integer("2", 6),
            "batch": categorical(64, 128),
            "optimiser": categorical("adam", "sgd"),
        }
    )
    assert found == {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "1e-05", "MaxValue": "5e-05", "ScalingType": "Linear"}
        ],
        "IntegerParameterRanges": [{"Name": "layers", "MinValue": "2", "MaxValue": "6", "ScalingType": "Auto"}],
        "CategoricalParameterRanges": [
            {"Name": "batch", "Values": ["64", "128"]},
            {"Name": "optimiser", "Values": ["adam", "sgd"]},
        ],
    }
    with pytest.raises(ValueError, match="the range of rate has the type Normal"):
        to_ranges({"rate": {"Type": "Normal"}})
    entries = [{"name": "a", "value": None}, {"name": "b", "value": 1.0}, {"name": "c", "value": 2.0}]
    assert [entry["name"] for entry in best_first(entries, "Maximize")] == ["c", "b", "a"]
    assert [entry["name"] for entry in best_first(entries, "Minimize")] == ["b", "c", "a"]


def test_the_request_is_one_that_aws_takes_and_its_description_has_the_same_fingerprint(source: Path) -> None:
    spec = tune(source, FakeTask(), 1, 2)().job
    request = spec.to_tuning_request(
        name="n",
        dag_id="d",
        code_uri="s3://b/sourcedir.tar.gz",
        region="us-east-1",
        channels={"train": "s3://b/train/"},
        ranges={"rate": continuous(0, 1)},
        hyperparameters={"epochs": 3},
        metric_regexes=REGEXES,
    )
    check("CreateHyperParameterTuningJob", request)
    definition = request["TrainingJobDefinition"]
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert definition["OutputDataConfig"] == {"S3OutputPath": f"s3://{BUCKET}/jobs/d"}
    static = {**definition["StaticHyperParameters"], "_tuning_objective_metric": "validation:accuracy"}
    described = {**request, "TrainingJobDefinition": {**definition, "StaticHyperParameters": static}}
    ranges = {**request["HyperParameterTuningJobConfig"]["ParameterRanges"], "IntegerParameterRanges": []}
    described["HyperParameterTuningJobConfig"] = {**request["HyperParameterTuningJobConfig"], "ParameterRanges": ranges}
    assert spec.fingerprint(described) == spec.fingerprint(request)


def test_the_best_training_job_goes_on_and_the_tuning_is_done_once(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    make = tune(source, ti, 250, 750)
    xcom = airflow.run(make, ti)

    best, other = xcom["training_jobs"]
    assert xcom["name"] == name(ti)
    assert xcom["arn"] == f"arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/{name(ti)}"
    assert (xcom["status"], xcom["metric"], xcom["best"]) == ("Completed", "validation:accuracy", best)
    assert (best["hyperparameters"], best["value"]) == ({"batch": "750"}, pytest.approx(0.75))
    assert (other["hyperparameters"], other["value"]) == ({"batch": "250"}, pytest.approx(0.25))
    assert xcom["model_data"] == f"s3://{BUCKET}/jobs/{ti.dag_id}/{best['name']}/output/model.tar.gz"
    assert ti.pushed == {"best": best, "model_data": xcom["model_data"]}
    assert len(airflow.deferrals) == 1
    assert {"Key": "project", "Value": "reviews"} in aws("sagemaker").list_tags(ResourceArn=xcom["arn"])["Tags"]

    assert airflow.run(make, ti.next_try()) == xcom
    assert jobs(aws, ti) == {name(ti): "Completed"}


def test_a_failed_job_tells_why_with_the_last_lines_of_a_training_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    with pytest.raises(JobFailed, match=r"(?s)No training job succeeded after 1 attempts.*no batch is empty"):
        airflow.run(tune(source, ti, 0), ti)
    assert jobs(aws, ti) == {name(ti): "Failed"}


def test_a_try_attaches_to_the_job_of_the_try_before_it_and_a_kill_stops_it(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path, task_states: dict[str, Any]
) -> None:
    airflow.start(tune(source, ti, 999), ti)
    deferred = airflow.start(tune(source, ti, 999), ti.next_try())
    assert jobs(aws, ti) == {name(ti): "InProgress"}

    task_states["state"] = "failed"
    airflow.kill_trigger(deferred, ti)
    assert jobs(aws, ti)[name(ti)] in ("Stopping", "Stopped")


def test_a_strategy_that_is_not_there_is_refused_at_once(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    make = tune(source, ti, 1, ranges={"rate": continuous(0, 1)}, hyperparameters={})
    with pytest.raises(RequestRefused, match="categorical hyperparameters only"):
        airflow.run(make, ti)
    assert jobs(aws, ti) == {}
