"""ClarifyCheck steps as a client of AWS sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clarify_kit import config, lines
from job_helpers import IMAGE as QUICK
from job_helpers import ROLE
from localaws_kit import LocalAws
from pipeline_kit import BUCKET, FOLDER, Pipelines, definition, failing, get, join, parameter

IMAGE = "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0"


@pytest.fixture(scope="module")
def pipelines(localaws: LocalAws) -> Pipelines:
    return Pipelines()


def clarify_check(name: str, config_uri: str, data: Any, **body: Any) -> dict[str, Any]:
    """The step as the SDK writes it."""
    inputs = {"analysis_config": (config_uri, "config"), "dataset": (data, "data")}
    return {
        "Name": name,
        "Type": "ClarifyCheck",
        "CheckType": "DATA_BIAS",
        "ModelPackageGroupName": None,
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
        "SuppliedBaselineConstraints": None,
        "Arguments": {
            "AppSpecification": {"ImageUri": IMAGE},
            "ProcessingInputs": [
                {
                    "InputName": key,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/input/{place}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for key, (uri, place) in inputs.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "analysis_result",
                        "S3Output": {
                            "S3Uri": join(FOLDER, name, on="/"),
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
            },
            "RoleArn": ROLE,
        },
        **body,
    }


def analysis(value: float) -> str:
    """An ``analysis.json`` of one metric."""
    entry = {"value_or_threshold": "Dresses", "metrics": [{"name": "CI", "value": value}]}
    return json.dumps({"version": "1.0", "pre_training_bias_metrics": {"facets": {"product": [entry]}}})


def quick(name: str, value: float, **body: Any) -> dict[str, Any]:
    """A check whose job writes an analysis without making one."""
    step = clarify_check(name, f"s3://{BUCKET}/clarify/", f"s3://{BUCKET}/clarify/", **body)
    text = analysis(value).replace('"', '\\"')
    step["Arguments"]["AppSpecification"] = {
        "ImageUri": QUICK,
        "ContainerEntrypoint": ["sh", "-c", f'echo "{text}" > /opt/ml/processing/output/analysis.json'],
    }
    return step


def test_a_check_analyses_and_its_baseline_can_be_referred_to(pipelines: Pipelines) -> None:
    document = pipelines.put("clarify/config/analysis_config.json", json.dumps(config()))
    data = pipelines.put("clarify/data/data.csv", lines())
    first = clarify_check("First", document, data, SkipCheck=get("Parameters.Skip"), RegisterNewBaseline=True)
    told = failing("Tell", get("Steps.First.BaselineUsedForDriftCheckConstraints"))
    arn = pipelines.run(definition(first, told, parameters=[parameter("Skip", "Boolean", True)]))
    steps = pipelines.steps(arn)
    place = f"s3://{BUCKET}/{arn.rpartition('/')[2]}/First/analysis.json"
    assert steps["Tell"]["FailureReason"] == place
    shown = steps["First"]["Metadata"]["ClarifyCheck"]
    assert shown.pop("CheckJobArn").startswith("arn:aws:sagemaker:us-east-1:123456789012:processing-job/pipelines-")
    assert shown == {
        "CheckType": "DATA_BIAS",
        "SkipCheck": True,
        "RegisterNewBaseline": True,
        "CalculatedBaselineConstraints": place,
        "BaselineUsedForDriftCheckConstraints": place,
    }


def test_a_bias_that_has_grown_fails_the_check_and_an_equal_one_does_not(pipelines: Pipelines) -> None:
    pipelines.put("clarify/any.csv", "")
    baseline = pipelines.put("baselines/analysis.json", analysis(-0.25))
    arn = pipelines.run(
        definition(
            quick("Same", 0.25, SuppliedBaselineConstraints=baseline),
            quick("Worse", 0.5, SuppliedBaselineConstraints=baseline),
            quick("Warned", 0.5, SuppliedBaselineConstraints=baseline, FailOnViolation=False),
            quick("Bare", 0.5),
        )
    )
    steps = pipelines.steps(arn)
    statuses = {"Same": "Succeeded", "Worse": "Failed", "Warned": "Succeeded", "Bare": "Failed"}
    assert pipelines.statuses(arn) == statuses
    assert "No baseline is available for the drift check" in steps["Bare"]["FailureReason"]
    assert steps["Same"]["Metadata"]["ClarifyCheck"]["BaselineUsedForDriftCheckConstraints"] == baseline
    folder = f"s3://{BUCKET}/{arn.rpartition('/')[2]}"
    assert steps["Warned"]["Metadata"]["ClarifyCheck"]["ViolationReport"].startswith(f"{folder}/Warned/")
    report = steps["Worse"]["Metadata"]["ClarifyCheck"]["ViolationReport"]
    assert f"1 violation(s), see {report}" in steps["Worse"]["FailureReason"]
    body = pipelines.s3.get_object(Bucket=BUCKET, Key=report.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    (violation,) = json.loads(body)["violations"]
    assert (violation["facet"], violation["facet_value"], violation["metric_name"]) == ("product", "Dresses", "CI")
    assert violation["description"] == "Metric value 0.5 doesn't meet the baseline constraint requirement -0.25"


def test_the_baseline_is_that_of_the_latest_approved_package(pipelines: Pipelines) -> None:
    pipelines.put("clarify/any.csv", "")
    pipelines.sagemaker.create_model_package_group(ModelPackageGroupName="checked")
    for number, status in ((0.75, "Approved"), (0.25, "Rejected")):
        place = pipelines.put(f"baselines/{status}.json", analysis(number))
        pipelines.sagemaker.create_model_package(
            ModelPackageGroupName="checked",
            InferenceSpecification={"Containers": [{"Image": QUICK}]},
            ModelApprovalStatus=status,
            DriftCheckBaselines={
                "Bias": {"PreTrainingConstraints": {"ContentType": "application/json", "S3Uri": place}}
            },
        )
    arn = pipelines.run(definition(quick("Check", 0.5, ModelPackageGroupName="checked")))
    shown = pipelines.steps(arn)["Check"]["Metadata"]["ClarifyCheck"]
    assert shown["BaselineUsedForDriftCheckConstraints"] == f"s3://{BUCKET}/baselines/Approved.json"
