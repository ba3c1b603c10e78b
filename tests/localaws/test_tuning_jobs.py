"""Hyperparameter tuning jobs against a running localaws: real training jobs, their log, and what is told of them."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, ENDS, IMAGE, ROLE, tar, until
from localaws_kit import LocalAws

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


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Strategy": "Hyperband"}, "NotImplemented.*The strategy Hyperband is not implemented"),
        ({"ParameterRanges": {}}, "at least one hyperparameter range"),
        ({"static": {"rate": "1"}}, "either static or in a range: rate"),
        ({"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "f1"}}, "A metric is required for"),
        ({"Strategy": "Grid"}, "categorical hyperparameters only"),
        ({"limits": {"MaxNumberOfTrainingJobs": None}}, "You must specify at least one of MaxNumberOfTrainingJobs"),
        (
            {"TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}},
            "CompleteOnConvergence is not implemented",
        ),
        ({"definition": {"RetryStrategy": {"MaximumRetryAttempts": 1}}}, "RetryStrategy is not implemented"),
        ({"definition": {"ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}}, "InstanceCount"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(tuning: Tuning, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        tuning.create("refused", **config)


@pytest.mark.parametrize("member", ["WarmStartConfig", "Autotune", "TrainingJobDefinitions"])
def test_what_is_not_here_is_refused_by_name(tuning: Tuning, member: str) -> None:
    request = tuning.request("refused")
    parents = [{"HyperParameterTuningJobName": "random"}]
    request |= {
        "WarmStartConfig": {member: {"ParentHyperParameterTuningJobs": parents, "WarmStartType": "TransferLearning"}},
        "Autotune": {member: {"Mode": "Enabled"}},
        "TrainingJobDefinitions": {member: [request["TrainingJobDefinition"]]},
    }[member]

    with pytest.raises(ClientError, match=f"{member} of a tuning job is not implemented by localaws"):
        tuning.sagemaker.create_hyper_parameter_tuning_job(**request)
