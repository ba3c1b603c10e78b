"""Hyperparameter tuning jobs against a running localaws: real training jobs, their log, and what is told of them."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, ENDS, IMAGE, ROLE, tar
from localaws_kit import LocalAws
from waiting_kit import until

from localaws.sagemaker.tuning import ranges

#: a job whose objective is its rate, said once an epoch; one that is told to wait is stopped before its end.
SCRIPT = """
import argparse, os, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
parser.add_argument("--kind", default="good")
parser.add_argument("--seconds", type=float, default=0)
options = parser.parse_args()
for epoch in range(3):
    print(f"validation accuracy: {options.rate if options.kind == 'good' else options.rate / 10}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("model")
time.sleep(options.seconds if options.kind == "good" else 60)
"""
RATES = {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "0.9"}]}


class Tuning:
    """Drives tuning jobs through boto3 alone."""

    def __init__(self) -> None:
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker")
        s3 = session.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="tuning/sourcedir.tar.gz", Body=tar({"train.py": SCRIPT}))

    def request(self, name: str, **config: Any) -> dict[str, Any]:
        """A request; ``config`` changes HyperParameterTuningJobConfig, and ``definition`` TrainingJobDefinition."""
        definition = config.pop("definition", {})
        limits = {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2, **config.pop("limits", {})}
        static = {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": json.dumps(f"s3://{BUCKET}/tuning/sourcedir.tar.gz"),
            **config.pop("static", {}),
        }
        return {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
                "ResourceLimits": {key: value for key, value in limits.items() if value is not None},
                "ParameterRanges": RATES,
                "RandomSeed": 42,
                **config,
            },
            "TrainingJobDefinition": {
                "StaticHyperParameters": static,
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "accuracy", "Regex": "validation accuracy: ([0-9.]+)"}],
                },
                "RoleArn": ROLE,
                "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuning-out"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
                "StoppingCondition": {"MaxRuntimeInSeconds": 300},
                **definition,
            },
        }

    def create(self, name: str, **config: Any) -> str:
        """Start a job; its ARN."""
        request = self.request(name, **config)
        return self.sagemaker.create_hyper_parameter_tuning_job(**request)["HyperParameterTuningJobArn"]

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def ended(self, name: str) -> dict[str, Any]:
        """The description once it has ended."""
        return until(lambda: self.describe(name), lambda job: job["HyperParameterTuningJobStatus"] in ENDS)

    def training_jobs(self, name: str, **request: Any) -> list[dict[str, Any]]:
        answer = self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, **request
        )
        return answer["TrainingJobSummaries"]


@pytest.fixture(scope="module")
def tuning(localaws: LocalAws) -> Tuning:
    return Tuning()


def test_random_values_are_trained_with_at_once_and_the_best_is_told(tuning: Tuning) -> None:
    arn = tuning.create("random")
    job = tuning.ended("random")
    found = tuning.training_jobs("random", SortBy="FinalObjectiveMetricValue", SortOrder="Descending")

    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["HyperParameterTuningJobArn"] == arn
    assert job["TrainingJobStatusCounters"]["Completed"] == 2
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 0}
    assert job["TrainingJobDefinition"]["StaticHyperParameters"]["_tuning_objective_metric"] == "accuracy"
    assert [re.fullmatch(r"random-00[12]-[0-9a-f]{8}", each["TrainingJobName"]) is not None for each in found] == [
        True,
        True,
    ]
    for each in found:
        metric = each["FinalHyperParameterTuningJobObjectiveMetric"]
        assert (metric["Type"], metric["MetricName"]) == ("Maximize", "accuracy")
        assert metric["Value"] == pytest.approx(float(each["TunedHyperParameters"]["rate"]), rel=1e-6)
    assert job["BestTrainingJob"]["TrainingJobName"] == found[0]["TrainingJobName"]
    trained = tuning.sagemaker.describe_training_job(TrainingJobName=found[0]["TrainingJobName"])
    assert trained["TuningJobArn"] == arn
    assert trained["HyperParameters"]["rate"] == found[0]["TunedHyperParameters"]["rate"]
    assert trained["ModelArtifacts"]["S3ModelArtifacts"].startswith(f"s3://{BUCKET}/tuning-out/random-00")

    (listed,) = tuning.sagemaker.list_hyper_parameter_tuning_jobs(NameContains="random")[
        "HyperParameterTuningJobSummaries"
    ]
    assert (listed["Strategy"], listed["ResourceLimits"]["MaxNumberOfTrainingJobs"]) == ("Random", 2)
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        tuning.create("random")
    with pytest.raises(ClientError, match="is in status Completed"):
        tuning.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="random")
    tuning.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="random")
    with pytest.raises(ClientError, match=r"ResourceNotFound.*can't find a tuning job with the name random"):
        tuning.describe("random")


def test_training_jobs_are_the_components_of_the_tuning_jobs_own_experiment(tuning: Tuning) -> None:
    arn = tuning.create("Watched", limits={"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1})
    experiment = tuning.sagemaker.describe_experiment(ExperimentName="Watched-aws-tuning-job")
    assert experiment["ExperimentName"] == "Watched-aws-tuning-job"
    assert experiment["Source"] == {"SourceArn": arn, "SourceType": "SageMakerHyperParameterTuningJob"}
    assert tuning.ended("Watched")["HyperParameterTuningJobStatus"] == "Completed"
    (job,) = tuning.training_jobs("Watched")
    found = tuning.sagemaker.list_trial_components(ExperimentName="Watched-aws-tuning-job")["TrialComponentSummaries"]
    assert [each["TrialComponentName"] for each in found] == [f"{job['TrainingJobName']}-aws-training-job"]
    (trial,) = tuning.sagemaker.list_trials(ExperimentName="Watched-aws-tuning-job")["TrialSummaries"]
    assert trial["TrialSource"]["SourceArn"] == arn


def test_a_job_that_does_worse_than_those_before_it_is_stopped_early_and_still_counts(tuning: Tuning) -> None:
    kinds = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["good", "bad"]}]}
    limits = {"MaxNumberOfTrainingJobs": None, "MaxParallelTrainingJobs": 1}
    more = {"Strategy": "Grid", "ParameterRanges": kinds, "TrainingJobEarlyStoppingType": "Auto"}
    tuning.create("early", limits=limits, static={"rate": "0.5"}, **more)
    job = tuning.ended("early")
    good, bad = tuning.training_jobs("early")

    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert [each["TunedHyperParameters"]["kind"] for each in (good, bad)] == ["good", "bad"]
    assert [each["TrainingJobStatus"] for each in (good, bad)] == ["Completed", "Stopped"]
    assert bad["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(0.05)
    assert job["BestTrainingJob"]["TrainingJobName"] == good["TrainingJobName"]
    assert job["TrainingJobStatusCounters"]["Stopped"] == 1


def test_a_killed_server_loses_no_training_job_and_starts_none_twice_and_a_stop_stops_them(
    own_localaws: LocalAws,
) -> None:
    tuning = Tuning()
    tuning.create("killed", limits={"MaxNumberOfTrainingJobs": 3}, static={"seconds": "60"})
    # The first one is written down, and the second about to be.
    until(lambda: tuning.training_jobs("killed"), bool)
    own_localaws.kill()
    own_localaws.restart()
    first, second = until(lambda: tuning.training_jobs("killed"), lambda found: len(found) == 2)
    tuning.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="killed")
    job = tuning.ended("killed")

    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2
    names = {each["TrainingJobName"] for each in tuning.sagemaker.list_training_jobs()["TrainingJobSummaries"]}
    assert names == {first["TrainingJobName"], second["TrainingJobName"]}


def test_a_warm_start_learns_from_its_parent_and_names_the_best_of_both(tuning: Tuning) -> None:
    tuning.create("parent", limits={"MaxNumberOfTrainingJobs": 1})
    request = tuning.request("child", limits={"MaxNumberOfTrainingJobs": 1}, RandomSeed=7)
    parents = [{"HyperParameterTuningJobName": "parent"}]
    request["WarmStartConfig"] = {
        "ParentHyperParameterTuningJobs": parents,
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    with pytest.raises(ClientError, match="parent tuning job parent is InProgress"):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**request)
    tuning.ended("parent")
    tuning.sagemaker.create_hyper_parameter_tuning_job(**request)
    child = tuning.ended("child")

    both = [*tuning.training_jobs("parent"), *tuning.training_jobs("child")]
    best = max(both, key=lambda job: job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    assert child["OverallBestTrainingJob"]["TrainingJobName"] == best["TrainingJobName"]
    assert child["OverallBestTrainingJob"]["TuningJobName"] == best["TrainingJobName"].partition("-")[0]
    assert child["BestTrainingJob"]["TrainingJobName"] == both[1]["TrainingJobName"]
    assert child["WarmStartConfig"]["ParentHyperParameterTuningJobs"] == parents
    assert child["ConsumedResources"]["RuntimeInSeconds"] >= 0
    assert child["TuningJobCompletionDetails"] == {"NumberOfTrainingJobsObjectiveNotImproving": 0}


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"static": {"more": "1"}}, "TransferLearning", "number of static and tunable hyperparameters"),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "accuracy"}},
            "TransferLearning",
            "objective must be that of the parent",
        ),
        (
            {"ParameterRanges": {"IntegerParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]}},
            "TransferLearning",
            "type of the hyperparameter rate",
        ),
        (
            {
                "definition": {
                    "InputDataConfig": [
                        {
                            "ChannelName": "train",
                            "DataSource": {
                                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/tuning"}
                            },
                        }
                    ]
                }
            },
            "IdenticalDataAndAlgorithm",
            "the input data must be that of the parent",
        ),
        ({"limits": {"MaxNumberOfTrainingJobs": 750}}, "TransferLearning", "there would be 751, and 750 are the limit"),
    ],
)
def test_a_warm_start_from_something_else_is_refused(
    tuning: Tuning, changes: dict[str, Any], kind: str, words: str
) -> None:
    if "origin" not in [job["HyperParameterTuningJobName"] for job in _listed(tuning)]:
        tuning.create("origin", limits={"MaxNumberOfTrainingJobs": 1})
    tuning.ended("origin")
    request = tuning.request("refused", **changes)
    parents = [{"HyperParameterTuningJobName": "origin"}]
    request["WarmStartConfig"] = {"ParentHyperParameterTuningJobs": parents, "WarmStartType": kind}
    with pytest.raises(ClientError, match=words):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**request)


def test_a_warm_start_from_an_unknown_job_is_refused(tuning: Tuning) -> None:
    request = tuning.request("refused")
    parents = [{"HyperParameterTuningJobName": "nowhere"}]
    request["WarmStartConfig"] = {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "TransferLearning"}
    with pytest.raises(ClientError, match=r"ResourceNotFound.*can't find a tuning job with the name nowhere"):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**request)


def test_several_definitions_take_turns_and_share_the_best(tuning: Tuning) -> None:
    request = tuning.request("several", limits={"MaxNumberOfTrainingJobs": 4})
    definition = request.pop("TrainingJobDefinition")
    objective = request["HyperParameterTuningJobConfig"].pop("HyperParameterTuningJobObjective")
    found = request["HyperParameterTuningJobConfig"].pop("ParameterRanges")
    low = {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.01", "MaxValue": "0.02"}]}
    request["TrainingJobDefinitions"] = [
        {**definition, "DefinitionName": name, "TuningObjective": objective, "HyperParameterRanges": each}
        for name, each in (("high", found), ("low", low))
    ]
    tags = [{"Key": "team", "Value": "reviews"}]
    tuning.sagemaker.create_hyper_parameter_tuning_job(**request, Tags=tags)
    job = tuning.ended("several")
    jobs = tuning.training_jobs("several")

    assert [each["TrainingJobDefinitionName"] for each in jobs] == ["high", "low", "high", "low"]
    assert all(float(each["TunedHyperParameters"]["rate"]) <= 0.02 for each in jobs[1::2])
    assert job["BestTrainingJob"]["TrainingJobDefinitionName"] == "high"
    assert [each["DefinitionName"] for each in job["TrainingJobDefinitions"]] == ["high", "low"]
    assert tuning.sagemaker.list_tags(ResourceArn=jobs[0]["TrainingJobArn"])["Tags"] == tags


def test_hyperband_stops_what_does_worse_at_a_rung(tuning: Tuning) -> None:
    kinds = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["good", "bad"]}]}
    tuning.create(
        "hyperband",
        Strategy="Hyperband",
        StrategyConfig={"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}},
        ParameterRanges=kinds,
        # The fourth has three before it at its first rung.
        RandomSeed=_seed_of(kinds, ["good", "good", "good", "bad"]),
        static={"rate": "0.5"},
        limits={"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 1},
    )
    job = tuning.ended("hyperband")

    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert [each["TrainingJobStatus"] for each in tuning.training_jobs("hyperband")] == [*["Completed"] * 3, "Stopped"]


def _listed(tuning: Tuning) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tuning.sagemaker.list_hyper_parameter_tuning_jobs()[
        "HyperParameterTuningJobSummaries"
    ]
    return found


def _seed_of(found: dict[str, Any], wanted: list[str]) -> int:
    """The first seed whose draws are these kinds."""
    return next(
        seed
        for seed in range(1000)
        if [ranges.draw(found, str(seed), number)["kind"] for number in range(1, len(wanted) + 1)] == wanted
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Strategy": "Hyperband"}, "MaxResource of the Hyperband strategy is not given"),
        (
            {"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto", "static": {"epochs": "3"}},
            "TrainingJobEarlyStoppingType must be Off",
        ),
        ({"StrategyConfig": {}}, "StrategyConfig is supported for the Hyperband strategy only"),
        (
            {
                "Strategy": "Hyperband",
                "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 4}},
                "static": {"n-epochs": "3"},
            },
            "MinResource must not be greater than MaxResource: 4, 3",
        ),
        ({"ParameterRanges": {}}, "at least one hyperparameter range"),
        ({"static": {"rate": "1"}}, "either static or in a range: rate"),
        ({"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "f1"}}, "A metric is required for"),
        (
            {
                "ParameterRanges": {
                    "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.9", "MaxValue": "0.1"}]
                }
            },
            "must not be greater",
        ),
        ({"Strategy": "Grid"}, "categorical hyperparameters only"),
        ({"limits": {"MaxNumberOfTrainingJobs": None}}, "You must specify at least one of MaxNumberOfTrainingJobs"),
        ({"definition": {"RetryStrategy": {"MaximumRetryAttempts": 1}}}, "RetryStrategy is not implemented"),
        ({"definition": {"ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}}, "InstanceCount"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(tuning: Tuning, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        tuning.create("refused", **config)


def test_an_objective_that_never_appears_in_the_log_fails_the_job_by_name(tuning: Tuning) -> None:
    algorithm = tuning.request("never")["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] = [{"Name": "accuracy", "Regex": "test accuracy: ([0-9.]+)"}]
    tuning.create("never", definition={"AlgorithmSpecification": algorithm})
    job = tuning.ended("never")
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")
    assert job["ObjectiveStatusCounters"]["Failed"] == 2
    assert {each["TrainingJobStatus"] for each in tuning.training_jobs("never")} == {"Completed"}


def test_autotune_is_refused_by_name(tuning: Tuning) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*Autotune of a tuning job is not implemented by localaws"):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**tuning.request("refused"), Autotune={"Mode": "Enabled"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TrainingJobDefinition": {}}, "either TrainingJobDefinition or TrainingJobDefinitions, not both"),
        ({"names": ["one", "one"]}, "DefinitionName of its own"),
        ({"names": [None, "one"]}, "DefinitionName of its own"),
        ({"objective": None}, "specify a TuningObjective in the definition one"),
        ({"types": ["Maximize", "Minimize"]}, "must be of the same Type"),
        ({"ranges": {}}, "at least one hyperparameter range"),
    ],
)
def test_definitions_that_contradict_each_other_are_refused(tuning: Tuning, change: dict[str, Any], words: str) -> None:
    request = tuning.request("refused")
    single = request.pop("TrainingJobDefinition")
    config = request["HyperParameterTuningJobConfig"]
    objective, found = config.pop("HyperParameterTuningJobObjective"), config.pop("ParameterRanges")
    definitions = []
    for name, kind in zip(
        change.get("names", ["one", "two"]), change.get("types", ["Maximize", "Maximize"]), strict=True
    ):
        each = {**single, "HyperParameterRanges": change.get("ranges", found)}
        each |= {"DefinitionName": name} if name else {}
        each |= {"TuningObjective": {**objective, "Type": kind}} if "objective" not in change else {}
        definitions.append(each)
    if "TrainingJobDefinition" in change:
        request["TrainingJobDefinition"] = single
    with pytest.raises(ClientError, match=words):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**request, TrainingJobDefinitions=definitions)
