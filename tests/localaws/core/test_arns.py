"""ARNs of SageMaker: names in lower case, and resources found by them in any case."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, ROLE, Jobs
from localaws_kit import LocalAws

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"


def pipeline(client: Any, name: str) -> str:
    fail = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}}
    definition = {"Version": "2020-12-01", "Parameters": [], "Steps": [fail]}
    answer = client.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, ClientRequestToken=name.ljust(32)
    )
    return str(answer["PipelineArn"])


def tuning(jobs: Jobs, name: str) -> str:
    answer = jobs.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]},
        },
        TrainingJobDefinition={
            "AlgorithmSpecification": {
                "TrainingImage": "nobody/unknown:1",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=(.*)"}],
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )
    return str(answer["HyperParameterTuningJobArn"])


def test_names_are_in_lower_case_in_arns_and_as_given_elsewhere(localaws: LocalAws) -> None:
    jobs = Jobs(localaws.home)
    assert jobs.training("Lower-Me", "print(1)") == f"{PREFIX}:training-job/lower-me"
    assert jobs.processing("Lower-Me", "print(1)") == f"{PREFIX}:processing-job/lower-me"
    assert tuning(jobs, "Lower-Me") == f"{PREFIX}:hyper-parameter-tuning-job/lower-me"
    assert pipeline(jobs.sagemaker, "Lower-Me") == f"{PREFIX}:pipeline/lower-me"
    started = jobs.sagemaker.start_pipeline_execution(PipelineName="Lower-Me", ClientRequestToken="x" * 32)
    assert started["PipelineExecutionArn"].startswith(f"{PREFIX}:pipeline/lower-me/execution/")
    assert jobs.sagemaker.describe_training_job(TrainingJobName="lower-me")["TrainingJobName"] == "Lower-Me"
    found = jobs.sagemaker.list_trial_components(SourceArn=f"{PREFIX}:training-job/lower-me")
    assert [each["TrialComponentName"] for each in found["TrialComponentSummaries"]] == ["Lower-Me-aws-training-job"]


def test_two_jobs_cannot_share_an_arn(localaws: LocalAws) -> None:
    jobs = Jobs(localaws.home)
    jobs.processing("Twice", "print(1)")
    with pytest.raises(ClientError) as caught:
        jobs.processing("twice", "print(1)")
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"


def test_records_with_capitals_in_their_arns_are_found_by_either_spelling(own_localaws: LocalAws) -> None:
    jobs = Jobs(own_localaws.home)
    jobs.process("Old-Job", "print(1)", Tags=[{"Key": "a", "Value": "1"}])
    pipeline(jobs.sagemaker, "Old-Pipe")
    execution = jobs.sagemaker.start_pipeline_execution(PipelineName="Old-Pipe", ClientRequestToken="y" * 32)
    own_localaws.stop()
    as_it_was(own_localaws)
    own_localaws.restart()
    client = boto3.Session().client("sagemaker")
    run = execution["PipelineExecutionArn"].rpartition("/")[2]
    for name, pipe in (("Old-Job", "Old-Pipe"), ("old-job", "old-pipe")):
        arn = f"{PREFIX}:processing-job/{name}"
        client.add_tags(ResourceArn=arn, Tags=[{"Key": name, "Value": "2"}])
        assert client.list_trial_components(SourceArn=arn)["TrialComponentSummaries"]
        assert client.describe_pipeline(PipelineName=f"{PREFIX}:pipeline/{pipe}")["PipelineName"] == "Old-Pipe"
        found = client.describe_pipeline_execution(PipelineExecutionArn=f"{PREFIX}:pipeline/{pipe}/execution/{run}")
        assert found["PipelineExecutionArn"].endswith(f":pipeline/Old-Pipe/execution/{run}")
    tags = client.list_tags(ResourceArn=f"{PREFIX}:processing-job/old-job")["Tags"]
    assert {tag["Key"] for tag in tags} == {"a", "Old-Job", "old-job"}
    client.delete_processing_job(ProcessingJobName="old-job")
    with pytest.raises(ClientError, match="not found"):
        client.list_tags(ResourceArn=f"{PREFIX}:processing-job/Old-Job")


def as_it_was(server: LocalAws) -> None:
    """Put back the capitals that ARNs had in the stores of earlier versions."""
    store = server.home / "localaws" / "state.db"
    with sqlite3.connect(store) as connection:
        for old in ("processing-job/Old-Job", "pipeline/Old-Pipe"):
            for column in ("name", "body"):
                connection.execute(
                    f"UPDATE resource SET {column} = replace({column}, ?, ?)",
                    (f":{old.lower()}", f":{old}"),
                )
