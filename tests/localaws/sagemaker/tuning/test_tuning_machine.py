"""What follows in a tuning job when training jobs end; the values that they get; and when one does too badly."""

from __future__ import annotations

import math
import statistics
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.errors import ValidationException
from localaws.core.store import Store
from localaws.sagemaker.training import api as training
from localaws.sagemaker.tuning import bayesian, machine, ranges, stopping, trials
from localaws.sagemaker.tuning.search import KIND

RATES = {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]}


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A server's surroundings in which training jobs are records that end when a test says so."""

    def begin(request: dict[str, Any], ctx: Context, **members: Any) -> dict[str, Any]:
        name = request["TrainingJobName"]
        record = {**request, **members, "TrainingJobArn": f"arn:{name}", "TrainingJobStatus": "InProgress"}
        record["CreationTime"] = ctx.now()
        assert ctx.store.insert(training.KIND, name, record), f"{name} is started twice"
        return record

    monkeypatch.setattr(training, "begin", begin)
    monkeypatch.setattr("localaws.sagemaker.jobs.resource.control.sync", lambda ctx, job: None)
    monkeypatch.setattr(
        "localaws.sagemaker.jobs.resource.control.stop", lambda ctx, kind, name: end(ctx, name, "Stopped")
    )
    return Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))


def tune(ctx: Context, jobs: int = 6, parallel: int = 2, age: float = 0, **config: Any) -> None:
    """A tuning job in the store, that has not started any training job."""
    limits = {"MaxParallelTrainingJobs": parallel, **config.pop("limits", {})}
    record = {
        "HyperParameterTuningJobName": "job",
        "HyperParameterTuningJobArn": "arn:job",
        "HyperParameterTuningJobStatus": "InProgress",
        "HyperParameterTuningJobConfig": {"Strategy": "Random", "ResourceLimits": limits, **config},
        "TrainingJobDefinition": {"AlgorithmSpecification": {}, "StaticHyperParameters": {"epochs": "3"}},
        "CreationTime": ctx.now() - timedelta(seconds=age),
        "_Definition": {"Metric": "m", "Direction": "Maximize", "Ranges": RATES, "Jobs": jobs, "Seed": "7"},
        "_Trials": [],
    }
    ctx.store.insert(KIND, "job", record)


def step(ctx: Context) -> dict[str, Any]:
    """One step; the record after it."""
    machine.advance(stored(ctx), ctx)
    return stored(ctx)


def stored(ctx: Context) -> dict[str, Any]:
    return ctx.store.get(KIND, "job") or {}


def end(ctx: Context, name: str, status: str = "Completed", value: float | None = None) -> None:
    """A training job ends."""
    metrics = [] if value is None else [{"MetricName": "m", "Value": value}]
    members = {"TrainingJobStatus": status, "FinalMetricDataList": metrics, "FailureReason": "it broke"}
    ctx.store.update(training.KIND, name, lambda job: job.update(members))


def end_all(ctx: Context, *values: float | None, status: str = "Completed") -> dict[str, Any]:
    """Those that run end with these values, one after the other; the record after the step that follows."""
    record = stored(ctx)
    for value in values:
        running = [trial["TrainingJobName"] for trial in record["_Trials"] if not trials.ended(trial)]
        end(ctx, running[0], status, value)
        record = step(ctx)
    return record


def test_as_many_run_at_once_as_may_and_the_best_is_kept(ctx: Context) -> None:
    tune(ctx, jobs=3)
    assert step(ctx)["TrainingJobStatusCounters"]["InProgress"] == 2
    assert len(step(ctx)["_Trials"]) == 2
    record = end_all(ctx, 0.3, 0.9)
    assert (
        record["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
        len(record["_Trials"]),
    ) == (0.9, 3)
    record = end_all(ctx, 0.5)
    assert record["HyperParameterTuningJobStatus"] == "Completed"
    assert record["BestTrainingJob"]["TrainingJobName"].startswith("job-002-")
    assert record["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}


def test_a_training_job_that_was_started_before_a_crash_is_taken_up(ctx: Context) -> None:
    tune(ctx, parallel=1)
    record = stored(ctx)
    before = trials.start(record, 1, ctx)
    # The server was killed before it wrote that down.
    (taken,) = step(ctx)["_Trials"]

    assert taken == before
    assert len(ctx.store.all(training.KIND)) == 1


def test_each_training_job_has_the_static_values_and_checkpoints_of_its_own(ctx: Context) -> None:
    tune(ctx)
    checkpoints = {"S3Uri": "s3://b/checkpoints/", "LocalPath": "/opt/ml/checkpoints"}
    ctx.store.update(KIND, "job", lambda job: job["TrainingJobDefinition"].update(CheckpointConfig=checkpoints))
    step(ctx)
    first, second = ctx.store.all(training.KIND)

    assert first["HyperParameters"]["epochs"] == second["HyperParameters"]["epochs"] == "3"
    assert first["HyperParameters"]["rate"] != second["HyperParameters"]["rate"]
    for job in (first, second):
        own = f"s3://b/checkpoints/{job['TrainingJobName']}"
        assert job["CheckpointConfig"] == {"S3Uri": own, "LocalPath": "/opt/ml/checkpoints"}


def test_five_failures_and_no_success_fail_the_job_in_awss_words(ctx: Context) -> None:
    tune(ctx, jobs=10, parallel=1)
    step(ctx)
    record = end_all(ctx, *[None] * 4, status="Failed")
    assert record["HyperParameterTuningJobStatus"] == "InProgress"
    record = end_all(ctx, None, status="Failed")
    assert record["HyperParameterTuningJobStatus"] == "Failed"
    assert record["FailureReason"].startswith("No training job succeeded after 5 attempts. Please take a look")
    assert len(record["_Trials"]) == 5


def test_one_success_lets_all_others_fail(ctx: Context) -> None:
    tune(ctx, jobs=6, parallel=1)
    step(ctx)
    end_all(ctx, 0.1)
    record = end_all(ctx, *[None] * 5, status="Failed")
    assert record["HyperParameterTuningJobStatus"] == "Completed"
    assert record["TrainingJobStatusCounters"]["NonRetryableError"] == 5


def test_training_jobs_without_the_metric_fail_the_job(ctx: Context) -> None:
    tune(ctx, jobs=2)
    step(ctx)
    record = end_all(ctx, None, None)
    assert record["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")
    assert record["ObjectiveStatusCounters"]["Failed"] == 2


def test_a_training_job_that_is_refused_ends_the_job_and_the_others(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(ctx, parallel=1)
    step(ctx)

    def refuse(*_: Any, **__: Any) -> dict[str, Any]:
        raise ValidationException("not with these")

    monkeypatch.setattr(training, "begin", refuse)
    ctx.store.update(
        KIND,
        "job",
        lambda job: job["HyperParameterTuningJobConfig"]["ResourceLimits"].update(MaxParallelTrainingJobs=2),
    )
    for _ in range(3):
        record = step(ctx)
    assert (record["HyperParameterTuningJobStatus"], record["FailureReason"]) == (
        "Failed",
        "ClientError: not with these",
    )
    assert record["TrainingJobStatusCounters"]["Stopped"] == 1


@pytest.mark.parametrize(("value", "status"), [(0.5, "Completed"), (None, "Failed")])
def test_a_job_out_of_time_stops_what_runs_and_counts_what_was_found(
    ctx: Context, value: float | None, status: str
) -> None:
    tune(ctx, parallel=1, limits={"MaxRuntimeInSeconds": 3600})
    step(ctx)
    if value:
        end_all(ctx, value)
    late = ctx.now() - timedelta(seconds=3601)
    ctx.store.update(KIND, "job", lambda job: job.update(CreationTime=late))
    step(ctx)
    record = step(ctx)
    assert record["HyperParameterTuningJobStatus"] == status
    assert record["TrainingJobStatusCounters"]["Stopped"] == 1


def test_a_stop_waits_for_the_training_jobs(ctx: Context) -> None:
    tune(ctx)
    step(ctx)
    ctx.store.update(KIND, "job", lambda job: job.update(HyperParameterTuningJobStatus="Stopping"))
    assert step(ctx)["HyperParameterTuningJobStatus"] == "Stopping"
    assert step(ctx)["HyperParameterTuningJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("criteria", "values", "trained"),
    [
        ({"TargetObjectiveMetricValue": 0.8}, [0.1, 0.85], 2),
        ({"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}, [0.5, 0.6, 0.601, 0.2, 0.6], 5),
        ({"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}, [0.5, *[0.501] * 10], 11),
    ],
)
def test_what_is_good_enough_or_does_not_get_better_completes_the_job(
    ctx: Context, criteria: dict[str, Any], values: list[float], trained: int
) -> None:
    tune(ctx, jobs=12, parallel=1, TuningJobCompletionCriteria=criteria)
    step(ctx)
    record = end_all(ctx, *values)
    assert (record["HyperParameterTuningJobStatus"], len(record["_Trials"])) == ("Completed", trained)


def test_values_follow_from_the_seed_and_lie_in_their_ranges() -> None:
    found = {
        "IntegerParameterRanges": [
            {"Name": "i", "MinValue": "1", "MaxValue": "3"},
            {"Name": "j", "MinValue": "1", "MaxValue": "1000", "ScalingType": "Logarithmic"},
        ],
        "ContinuousParameterRanges": [
            {"Name": "linear", "MinValue": "1e-5", "MaxValue": "5e-5", "ScalingType": "Linear"},
            {"Name": "log", "MinValue": "1e-6", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "reverse", "MinValue": "0", "MaxValue": "0.999999", "ScalingType": "ReverseLogarithmic"},
        ],
        "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b"]}],
    }
    drawn = [ranges.draw(found, "42", number) for number in range(1, 401)]

    assert drawn[7] == ranges.draw(found, "42", 8) != ranges.draw(found, "43", 8)
    assert {each["i"] for each in drawn} == {"1", "2", "3"}
    assert {each["c"] for each in drawn} == {"a", "b"}
    assert all(1e-5 <= float(each["linear"]) <= 5e-5 for each in drawn)
    # Each scale puts its own middle in the middle: half of 400 draws, give or take five standard deviations.
    for name, middle in (("j", math.sqrt(1000)), ("log", 1e-3), ("reverse", 0.999), ("linear", 3e-5)):
        assert 150 <= sum(float(each[name]) < middle for each in drawn) <= 250, name


@pytest.mark.parametrize(
    ("kind", "each", "words"),
    [
        ("Integer", {"MinValue": "2", "MaxValue": "1"}, "must not be greater"),
        ("Integer", {"MinValue": "1.5", "MaxValue": "2"}, "not of numbers"),
        ("Integer", {"MinValue": "0", "MaxValue": "2", "ScalingType": "Logarithmic"}, "greater than 0"),
        ("Integer", {"MinValue": "0", "MaxValue": "2", "ScalingType": "ReverseLogarithmic"}, "continuous ranges only"),
        ("Continuous", {"MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}, "within 0 <= x < 1.0"),
        ("Continuous", {"MinValue": "0", "MaxValue": "inf"}, "must not be greater"),
        ("Categorical", {"Values": ["a", "a"]}, "must be unique"),
    ],
)
def test_a_range_that_is_none_is_refused(kind: str, each: dict[str, Any], words: str) -> None:
    with pytest.raises(ranges.RangeError, match=words):
        ranges.of({f"{kind}ParameterRanges": [{"Name": "x", **each}]})


def test_each_value_has_the_place_that_it_was_taken_from() -> None:
    found = {
        "IntegerParameterRanges": [
            {"Name": "i", "MinValue": "-1", "MaxValue": "3"},
            {"Name": "j", "MinValue": "1", "MaxValue": "9", "ScalingType": "Logarithmic"},
            {"Name": "one", "MinValue": "5", "MaxValue": "5"},
        ],
        "ContinuousParameterRanges": [
            {"Name": "linear", "MinValue": "-2", "MaxValue": "5"},
            {"Name": "log", "MinValue": "1e-6", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "reverse", "MinValue": "0", "MaxValue": "0.99", "ScalingType": "ReverseLogarithmic"},
        ],
        "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b", "d"]}],
    }
    for each in ranges.of(found):
        for place in (0.0, 0.1, 0.5, 0.77, 1.0):
            text = each.value(place)
            assert each.value(each.place(text)) == text or float(each.value(each.place(text))) == pytest.approx(
                float(text)
            ), (each.name, place)


def test_bayesian_finds_better_values_than_chance_and_the_same_ones_after_a_crash() -> None:
    found = {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "1e-6", "MaxValue": "1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "layers", "MinValue": "1", "MaxValue": "20"}],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c", "d"]}],
    }

    def objective(values: dict[str, str]) -> float:
        distance = (math.log10(float(values["rate"])) + 4) ** 2 + (int(values["layers"]) - 15) ** 2 / 20
        return -distance - (0 if values["kind"] == "c" else 3)

    def best(strategy: Any, seed: str) -> float:
        results: list[tuple[dict[str, str], float | None]] = []
        for number in range(1, 25):
            values = strategy(results, seed, number)
            results.append((values, objective(values)))
        assert strategy(results[:-1], seed, 24) == results[-1][0], "the same after a crash"
        assert strategy is by_chance or len({str(values) for values, _ in results}) == 24
        return max(result or -math.inf for _, result in results)

    def by_results(results: Any, seed: str, number: int) -> dict[str, str]:
        return bayesian.choose(found, results, seed, number)

    def by_chance(_: Any, seed: str, number: int) -> dict[str, str]:
        return ranges.draw(found, seed, number)

    informed, blind = ([best(strategy, str(seed)) for seed in range(5)] for strategy in (by_results, by_chance))
    assert all(one > other for one, other in zip(informed, blind, strict=True))
    assert statistics.median(informed) > statistics.median(blind) / 5


def test_bayesian_training_jobs_go_by_what_those_before_them_came_to(ctx: Context) -> None:
    tune(ctx, jobs=12, parallel=1, Strategy="Bayesian")
    record = step(ctx)
    for _ in range(11):
        rate = float(record["_Trials"][-1]["TunedHyperParameters"]["rate"])
        record = end_all(ctx, -abs(rate - 0.7))
    assert trials.value(record["BestTrainingJob"]) == pytest.approx(0, abs=0.03)


def test_results_that_are_all_equal_or_no_numbers_trouble_nobody(ctx: Context) -> None:
    tune(ctx, jobs=8, parallel=1, Strategy="Bayesian")
    step(ctx)
    record = end_all(ctx, *[0.5] * 5, math.nan, None, 0.5)
    assert record["HyperParameterTuningJobStatus"] == "Completed"
    assert record["ObjectiveStatusCounters"] == {"Succeeded": 6, "Pending": 0, "Failed": 2}


def test_a_grid_has_each_combination_once() -> None:
    found = {
        "CategoricalParameterRanges": [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y", "z"]}]
    }
    combinations = [ranges.grid(found, number) for number in range(1, ranges.grid_size(found) + 1)]
    assert len({tuple(each.items()) for each in combinations}) == len(combinations) == 6


@pytest.mark.parametrize(
    ("current", "others", "direction", "worse"),
    [
        ([], [[0.5]], "Maximize", False),
        ([0.1], [], "Maximize", False),
        ([0.1], [[0.5, 0.9]], "Maximize", True),
        ([0.1], [[0.5, 0.9]], "Minimize", False),
        # At its second epoch: of the running averages 0.5, 0.3 and 0.9 the median is 0.5.
        ([0.9, 0.4], [[0.4, 0.6, 0.0], [0.3, 0.3], [0.9, 0.9], [0.9]], "Maximize", True),
        ([0.1, 0.6], [[0.4, 0.6, 0.0], [0.3, 0.3], [0.9, 0.9], [0.9]], "Maximize", False),
        # Nobody came as far.
        ([0.1, 0.1, 0.1], [[0.5, 0.5]], "Maximize", False),
    ],
)
def test_the_median_rule(current: list[float], others: list[list[float]], direction: str, worse: bool) -> None:
    assert stopping.worse(current, others, direction) is worse
