"""TuningJobOperator against localaws: one task instance, one tuning job, one result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from operator_kit import BUCKET, IMAGE, ROLE, Airflow, FakeTask
from test_job_requests import check

from amazon_ml.exceptions import BadResult, JobFailed, RequestRefused
from amazon_ml.naming import job_name
from amazon_ml.operators.tuning import TuningJobOperator
from amazon_ml.specs.tuning import (
    MAX_TUNING_LENGTH,
    TuningJobSpec,
    best_first,
    categorical,
    categorical_of,
    continuous,
    integer,
    to_ranges,
)

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
    spec = replace(spec, **changes.pop("spec", {}))
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
    assert to_ranges({"batch": categorical_of("[16, 32]")}) == to_ranges({"batch": categorical(16, 32)})
    entries: list[dict[str, Any]] = [
        {"name": "a", "value": None},
        {"name": "b", "value": 1.0},
        {"name": "c", "value": 2.0},
    ]
    assert [entry["name"] for entry in best_first(entries, "Maximize")] == ["c", "b", "a"]
    assert [entry["name"] for entry in best_first(entries, "Minimize")] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"Type": "Normal"}, "the range of rate has the type Normal"),
        (continuous("5e-5", "1e-5"), "rate has a minimum above its maximum: 5e-5 to 1e-5"),
        (integer(3, 2), "rate has a minimum above its maximum: 3 to 2"),
        (continuous("nan", 1), "rate has a minimum above its maximum: nan to 1"),
        (integer(1, cast(int, 2.5)), "the range of rate is not of numbers: 1 to 2.5"),
        (categorical(), "the range of rate needs a list of one value or more"),
        (categorical_of("16, 32"), "the values of rate are not a JSON list: 16, 32"),
        (categorical_of("16"), "the range of rate needs a list of one value or more: 16"),
    ],
)
def test_a_range_that_holds_nothing_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        to_ranges({"rate": given})


def request(spec: TuningJobSpec, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "name": "n",
        "dag_id": "d",
        "code_uri": "s3://b/sourcedir.tar.gz",
        "region": "us-east-1",
        "channels": {"train": "s3://b/train/"},
        "ranges": {"rate": continuous(0, 1)},
        "hyperparameters": {"epochs": 3},
        "metric_regexes": REGEXES,
    }
    return spec.to_tuning_request(**{**arguments, **changes})


def test_strategy_criteria_and_warm_start_are_awss_members_and_what_is_not_given_is_left_out(source: Path) -> None:
    spec = tune(source, FakeTask(), 1, 2)().job
    # As templates give them.
    given: dict[str, Any] = {"strategy": "Hyperband", "min_resource": "1", "max_resource": "9", "target": "0.9"}
    given |= {"max_jobs_not_improving": "5", "complete_on_convergence": "True", "seed": "7"}
    whole = request(replace(spec, **given, warm_start_from="first, second", warm_start_type="TransferLearning"))
    check("CreateHyperParameterTuningJob", whole)
    config = whole["HyperParameterTuningJobConfig"]
    assert config["StrategyConfig"] == {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}
    assert config["RandomSeed"] == 7
    assert config["TuningJobCompletionCriteria"] == {
        "TargetObjectiveMetricValue": 0.9,
        "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5},
        "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
    }
    assert whole["WarmStartConfig"] == {
        "WarmStartType": "TransferLearning",
        "ParentHyperParameterTuningJobs": [
            {"HyperParameterTuningJobName": "first"},
            {"HyperParameterTuningJobName": "second"},
        ],
    }
    nothing: dict[str, Any] = dict.fromkeys(
        ("min_resource", "max_resource", "target", "max_jobs_not_improving", "seed"), ""
    )
    bare = request(replace(spec, **nothing, warm_start_from=" ", complete_on_convergence="False"))
    assert bare == request(spec)
    assert spec.fingerprint(whole) != spec.fingerprint(bare)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective_metric": "f1"}, "objective f1 is not among the metrics that have a regex: validation:accuracy"),
        ({"min_resource": 1}, "min_resource and max_resource are Hyperband's, and the strategy is Grid"),
        (
            {"strategy": "Hyperband", "min_resource": 9, "max_resource": 3},
            "min_resource 9 is greater than max_resource",
        ),
    ],
)
def test_members_that_contradict_one_another_are_refused(source: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        request(replace(tune(source, FakeTask(), 1)().job, **changes))


def test_each_of_several_definitions_has_its_own_ranges_and_hyperparameters(source: Path) -> None:
    spec = tune(source, FakeTask(), 1)().job
    definitions = {"small": {"hyperparameters": {"layers": 2}}, "large": {"ranges": {"layers": integer(4, 6)}}}
    whole = request(replace(spec, strategy="Random"), definitions=definitions)
    check("CreateHyperParameterTuningJob", whole)
    assert whole["HyperParameterTuningJobConfig"].keys().isdisjoint({"ParameterRanges"})
    small, large = whole["TrainingJobDefinitions"]
    assert (small["DefinitionName"], small["StaticHyperParameters"]["layers"]) == ("small", "2")
    assert large["HyperParameterRanges"].keys() == {"ContinuousParameterRanges", "IntegerParameterRanges"}
    assert small["HyperParameterRanges"].keys() == {"ContinuousParameterRanges"}
    described = [
        {**each, "StaticHyperParameters": {**each["StaticHyperParameters"], "_tuning_objective_metric": "a"}}
        for each in whole["TrainingJobDefinitions"]
    ]
    assert spec.fingerprint({**whole, "TrainingJobDefinitions": described}) == spec.fingerprint(whole)
    assert spec.fingerprint({**whole, "TrainingJobDefinitions": described[:1]}) != spec.fingerprint(whole)


def test_the_request_is_one_that_aws_takes_and_its_description_has_the_same_fingerprint(source: Path) -> None:
    spec = tune(source, FakeTask(), 1, 2)().job
    sent = request(spec)
    check("CreateHyperParameterTuningJob", sent)
    definition = sent["TrainingJobDefinition"]
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert definition["OutputDataConfig"] == {"S3OutputPath": f"s3://{BUCKET}/jobs/d"}
    static = {**definition["StaticHyperParameters"], "_tuning_objective_metric": "validation:accuracy"}
    described = {**sent, "TrainingJobDefinition": {**definition, "StaticHyperParameters": static}}
    ranges = {**sent["HyperParameterTuningJobConfig"]["ParameterRanges"], "IntegerParameterRanges": []}
    described["HyperParameterTuningJobConfig"] = {**sent["HyperParameterTuningJobConfig"], "ParameterRanges": ranges}
    assert spec.fingerprint(described) == spec.fingerprint(sent)


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


def test_an_objective_that_no_log_has_is_named_with_its_regex_and_is_not_tried_again(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    make = tune(source, ti, 1, 2, metric_regexes={"validation:accuracy": "val_f1: ([0-9.]+)"})
    with pytest.raises(BadResult) as caught:
        airflow.run(make, ti)
    for part in ("validation:accuracy", r"'val_f1: ([0-9.]+)'", f"/aws/sagemaker/TrainingJobs {name(ti)}-*"):
        assert part in str(caught.value)


def test_a_target_ends_the_tuning_before_its_last_training_job(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    spec = {"max_parallel": 1, "target": "0.5"}
    xcom = airflow.run(tune(source, ti, 100, 600, 700, spec=spec), ti)
    assert [trial["value"] for trial in xcom["training_jobs"]] == [pytest.approx(0.6), pytest.approx(0.1)]


def test_a_warm_start_knows_what_its_parent_found_and_needs_one_that_exists(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    spec = {"strategy": "Random", "max_jobs": 2, "seed": 1}
    first = airflow.run(tune(source, ti, 200, 400, 600, 800, spec=spec), ti)
    later = FakeTask(run_id=f"{ti.run_id}-later")
    spec["warm_start_from"] = first["name"]
    second = airflow.run(tune(source, later, 200, 400, 600, 800, spec=spec), later)
    tried, known = ({trial["hyperparameters"]["batch"] for trial in each["training_jobs"]} for each in (second, first))
    assert tried.isdisjoint(known)

    lost = FakeTask(run_id=f"{ti.run_id}-lost")
    spec["warm_start_from"] = "nobody"
    with pytest.raises(RequestRefused, match="cannot start from nobody: there is no such tuning job"):
        airflow.run(tune(source, lost, 200, 400, spec=spec), lost)
    assert jobs(aws, lost) == {}


def test_several_definitions_take_part_and_the_best_says_which_it_is_of(
    aws: Any, airflow: Airflow, ti: FakeTask, source: Path
) -> None:
    definitions = {"low": {"ranges": {"batch": integer(1, 9)}}, "high": {"ranges": {"batch": integer(500, 900)}}}
    spec = {"strategy": "Random", "max_jobs": 2}
    make = tune(source, ti, spec=spec, ranges={}, definitions=definitions)
    xcom = airflow.run(make, ti)
    assert [trial["definition"] for trial in xcom["training_jobs"]] == ["high", "low"]
    assert xcom["best"]["definition"] == "high" and xcom["metric"] == "validation:accuracy"
    assert airflow.run(make, ti.next_try()) == xcom
    assert jobs(aws, ti) == {name(ti): "Completed"}
