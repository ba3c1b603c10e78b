"""What the Create operations of AutoML jobs refuse, in a sentence that names it."""

from __future__ import annotations

from typing import Any

import pytest
from auto_ml_kit import ROLE, AutoMl
from botocore.exceptions import ClientError
from localaws_kit import LocalAws


@pytest.fixture(scope="module")
def automl(localaws: LocalAws) -> AutoMl:
    return AutoMl(checks=False)


CHANNEL = {
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/"}},
    "TargetAttributeName": "sentiment",
}


def _v1(**members: Any) -> dict[str, Any]:
    output = {"S3OutputPath": "s3://bucket/out"}
    request = {"AutoMLJobName": "refused", "InputDataConfig": [CHANNEL], "OutputDataConfig": output, "RoleArn": ROLE}
    return {**request, **members}


def _channel(**members: Any) -> dict[str, Any]:
    return _v1(InputDataConfig=[{**CHANNEL, **members}])


def _source(**members: str) -> dict[str, Any]:
    return _channel(DataSource={"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data/", **members}})


def _config(**members: Any) -> dict[str, Any]:
    return _v1(AutoMLJobConfig=members)


def _metric(name: str, **members: Any) -> dict[str, Any]:
    return _v1(AutoMLJobObjective={"MetricName": name}, **members)


TWO = [{**CHANNEL, "ChannelType": "training"}, {**CHANNEL, "ChannelType": "validation"}]

NOT_VALID = {
    "no candidate": (_config(CompletionCriteria={"MaxCandidates": 0}), "MaxCandidates|maxCandidates"),
    "no time": (_config(CompletionCriteria={"MaxAutoMLJobRuntimeInSeconds": 0}), "(?i)maxAutoMLJobRuntimeInSeconds"),
    "a fraction of nothing": (_config(DataSplitConfig={"ValidationFraction": 0.0}), "ValidationFraction"),
    "all for validation": (_config(DataSplitConfig={"ValidationFraction": 1.0}), "ValidationFraction"),
    "a fraction and a channel": (
        _v1(InputDataConfig=TWO, AutoMLJobConfig={"DataSplitConfig": {"ValidationFraction": 0.1}}),
        "ValidationFraction cannot stand beside",
    ),
    "the same channel twice": (_v1(InputDataConfig=[CHANNEL, CHANNEL]), "both are training"),
    "nothing to train on": (_channel(ChannelType="validation"), "ChannelType training"),
    "two targets": (_v1(InputDataConfig=[TWO[0], {**TWO[1], "TargetAttributeName": "x"}]), "same TargetAttributeName"),
    "no header": (_channel(ContentType="text/csv;header=absent"), "header=present"),
    "packed Parquet": (
        _channel(ContentType="x-application/vnd.amazon+parquet", CompressionType="Gzip"),
        "CompressionType Gzip",
    ),
    "no address in S3": (_source(S3Uri="https://bucket/data"), "begins with s3://"),
    "an objective of another type": (_metric("F1", ProblemType="MulticlassClassification"), "F1 does not suit"),
}

NOT_DONE = {
    "regression": (_metric("MSE", ProblemType="Regression"), "ProblemType Regression"),
    "an objective of regression": (_metric("RMSE"), "RMSE"),
    "ensembles": (_config(Mode="ENSEMBLING"), "ENSEMBLING"),
    "tuning": (_config(Mode="HYPERPARAMETER_TUNING"), "HYPERPARAMETER_TUNING"),
    "features chosen": (
        _config(CandidateGenerationConfig={"FeatureSpecificationS3Uri": "s3://bucket/features.json"}),
        "FeatureSpecificationS3Uri",
    ),
    "algorithms chosen": (
        _config(CandidateGenerationConfig={"AlgorithmsConfig": [{"AutoMLAlgorithms": ["xgboost"]}]}),
        "AlgorithmsConfig",
    ),
    "deployment": (_v1(ModelDeployConfig={"AutoGenerateEndpointName": True}), "ModelDeployConfig"),
    "augmented manifests": (_source(S3DataType="AugmentedManifestFile"), "AugmentedManifestFile"),
    "weights of rows": (_channel(SampleWeightAttributeName="weight"), "SampleWeightAttributeName"),
}

TEXT = {"ContentColumn": "review_body", "TargetLabelColumn": "sentiment"}


def _v2(kind: dict[str, Any], **members: Any) -> dict[str, Any]:
    channel = {"ChannelType": "training", "DataSource": CHANNEL["DataSource"]}
    request = {"AutoMLJobName": "refused", "AutoMLJobInputDataConfig": [channel], "AutoMLProblemTypeConfig": kind}
    return {**request, "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"}, "RoleArn": ROLE, **members}


V2_REFUSED = {
    "images": (_v2({"ImageClassificationJobConfig": {}}), "NotImplemented", "ImageClassificationJobConfig"),
    "tables": (_v2({"TabularJobConfig": {"TargetAttributeName": "x"}}), "NotImplemented", "TabularJobConfig"),
    "text generation": (_v2({"TextGenerationJobConfig": {}}), "NotImplemented", "TextGenerationJobConfig"),
    "no problem": (_v2({}), "ValidationException", "(?i)one problem type|one of the following|union|exactly one"),
    "one column for both": (
        _v2({"TextClassificationJobConfig": {"ContentColumn": "x", "TargetLabelColumn": "x"}}),
        "ValidationException",
        "must differ",
    ),
    "computing elsewhere": (
        _v2(
            {"TextClassificationJobConfig": TEXT},
            AutoMLComputeConfig={"EmrServerlessComputeConfig": {"ExecutionRoleARN": ROLE}},
        ),
        "NotImplemented",
        "AutoMLComputeConfig",
    ),
}


@pytest.mark.parametrize(("request_", "words"), NOT_VALID.values(), ids=NOT_VALID)
def test_what_is_not_valid_is_a_validation_exception(automl: AutoMl, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        automl.sagemaker.create_auto_ml_job(**request_)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(("request_", "words"), NOT_DONE.values(), ids=NOT_DONE)
def test_what_is_not_done_here_is_refused_by_name(automl: AutoMl, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        automl.sagemaker.create_auto_ml_job(**request_)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(("request_", "code", "words"), V2_REFUSED.values(), ids=V2_REFUSED)
def test_the_second_version_takes_text_classification_only(
    automl: AutoMl, request_: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        automl.sagemaker.create_auto_ml_job_v2(**request_)
    assert caught.value.response["Error"]["Code"] == code


def test_nothing_that_was_refused_is_there(automl: AutoMl) -> None:
    assert automl.sagemaker.list_auto_ml_jobs(NameContains="refused")["AutoMLJobSummaries"] == []
