"""Executions of pipelines as a client of AWS sees them."""

from __future__ import annotations

import json
import os
import signal

import pytest
from botocore.exceptions import ClientError
from job_helpers import IMAGE, ROLE
from localaws_kit import LocalAws
from pipeline_kit import (
    BUCKET,
    Pipelines,
    compare,
    condition,
    definition,
    failing,
    get,
    join,
    json_get,
    parameter,
    processing,
    reporting,
    training,
)
from waiting_kit import until


@pytest.fixture(scope="module")
def pipelines(localaws: LocalAws) -> Pipelines:
    return Pipelines()


def workflow(code: str) -> str:
    """Processing, a condition on its report, training, and a registered model: the workflow in small."""
    model = {"Image": IMAGE, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    package = {
        "ModelPackageGroupName": get("Parameters.Group"),
        "InferenceSpecification": {
            "Containers": [model],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
        "ModelApprovalStatus": "Approved",
        "SkipModelValidation": "None",
        "ModelMetrics": {
            "Bias": {},
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": join(
                        get("Steps.Prepare.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"),
                        "report.json",
                        on="/",
                    ),
                }
            },
        },
    }
    tags = [
        {"Key": "epochs", "Value": join(get("Parameters.Epochs"))},
        {"Key": "group", "Value": get("Parameters.Group")},
    ]
    return definition(
        reporting(
            "Prepare",
            {"accuracies": [0.5, 0.75], "count": 12},
            environment={"EPOCHS": join(get("Parameters.Epochs"))},
        ),
        condition(
            "Gate",
            [compare("GreaterThanOrEqualTo", json_get("Prepare", "accuracies[1]"), get("Parameters.Least"))],
            [
                training("Train", code, Tags=tags),
                {"Name": "Register", "Type": "RegisterModel", "Arguments": package},
                {
                    "Name": "Create",
                    "Type": "Model",
                    "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": model, "Tags": tags},
                },
            ],
            [failing("TooLow", join("below", get("Parameters.Least"), on=" "))],
        ),
        parameters=[
            parameter("Epochs", "Integer", 2),
            parameter("Least", "Float", 0.7),
            parameter("Group", "String", "pipeline-models"),
        ],
        PipelineExperimentConfig={"ExperimentName": "small", "TrialName": get("Execution.PipelineExecutionId")},
    )


def test_a_workflow_runs_from_the_data_to_the_registered_model(pipelines: Pipelines) -> None:
    code = pipelines.code("import os; open(os.environ['SM_MODEL_DIR'] + '/weights', 'w').write('w')")
    arn = pipelines.run(workflow(code), {"Epochs": "3"})
    ended = pipelines.describe(arn)
    assert ended["PipelineExecutionStatus"] == "Succeeded", pipelines.steps(arn)
    steps = pipelines.steps(arn)
    assert list(steps) == ["Prepare", "Gate", "Train", "Register", "Create"]
    prepare = pipelines.job(steps["Prepare"])
    assert prepare["Environment"] == {"EPOCHS": "3"}
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    package = pipelines.sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    identity = arn.rpartition("/")[2]
    assert prepare["ProcessingJobName"].startswith(f"pipelines-{identity}-Prepare-")
    assert prepare["ExperimentConfig"] == {"ExperimentName": "small", "TrialName": identity}
    data = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert data.startswith(f"s3://{BUCKET}/{identity}/Train/pipelines-{identity}-Train-")
    model = steps["Create"]["Metadata"]["Model"]["Arn"].rpartition("/")[2]
    assert pipelines.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["ModelDataUrl"] == data
    for made in (steps["Create"]["Metadata"]["Model"]["Arn"], steps["Train"]["Metadata"]["TrainingJob"]["Arn"]):
        tags = {tag["Key"]: tag["Value"] for tag in pipelines.sagemaker.list_tags(ResourceArn=made)["Tags"]}
        assert tags == {"epochs": "3", "group": "pipeline-models"}


def test_a_condition_that_does_not_hold_runs_the_other_branch_and_fail_ends_the_execution(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            reporting("Measure", {"accuracy": 0.5}),
            processing("Slow", "sleep 60"),
            condition(
                "Gate",
                [compare("Equals", 1, 1), compare("GreaterThan", json_get("Measure", "accuracy"), 0.7)],
                [processing("Never")],
                [failing("TooLow", join("accuracy", json_get("Measure", "accuracy"), on=" is "))],
            ),
        )
    )
    ended = pipelines.describe(arn)
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert ended["FailureReason"] == "Step failure: One or multiple steps failed. TooLow: accuracy is 0.5"
    steps = pipelines.steps(arn)
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert steps["TooLow"]["Metadata"] == {"Fail": {"ErrorMessage": "accuracy is 0.5"}}
    assert pipelines.statuses(arn) == {
        "Measure": "Succeeded",
        "Slow": "Stopped",
        "Gate": "Succeeded",
        "TooLow": "Failed",
    }


def test_a_failed_step_fails_what_needs_it_and_no_other_and_is_retried_on_request(pipelines: Pipelines) -> None:
    gate = pipelines.put("gate/missing", "")
    pipelines.s3.delete_object(Bucket=BUCKET, Key="gate/missing")
    needs_gate = {
        "ProcessingInputs": [
            {
                "InputName": "gate",
                "S3Input": {
                    "S3Uri": gate,
                    "LocalPath": "/opt/ml/processing/input/gate",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ]
    }
    arn = pipelines.run(
        definition(
            processing("First"),
            processing("Fails", arguments=needs_gate, DependsOn=["First"]),
            processing("After", DependsOn=["Fails"]),
            processing("Beside", "echo ok", DependsOn=["First"]),
        )
    )
    failed = pipelines.describe(arn)
    steps = pipelines.steps(arn)
    assert failed["PipelineExecutionStatus"] == "Failed"
    assert steps["Fails"]["FailureReason"] == pipelines.job(steps["Fails"])["FailureReason"]
    assert f"Fails: {steps['Fails']['FailureReason']}" in failed["FailureReason"]
    assert pipelines.statuses(arn) == {"First": "Succeeded", "Fails": "Failed", "Beside": "Succeeded"}

    pipelines.put("gate/missing", "open")
    pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    retried = pipelines.end(arn)
    assert retried["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in retried
    again = pipelines.steps(arn)
    assert set(again) == {"First", "Fails", "After", "Beside"}
    assert again["First"] == steps["First"]
    assert again["Fails"]["Metadata"] != steps["Fails"]["Metadata"], "it has a job of its own"
    with pytest.raises(ClientError, match="Only pipelines with 'Failed' or 'Stopped' status can be retried"):
        pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_a_stop_stops_the_jobs_and_nothing_begins_after_it(pipelines: Pipelines) -> None:
    arn = pipelines.start(
        pipelines.create(definition(processing("Runs", "sleep 60"), processing("After", DependsOn=["Runs"])))
    )
    pipelines.until_step(arn, "Runs", "Executing")
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert pipelines.end(arn)["PipelineExecutionStatus"] == "Stopped"
    steps = pipelines.steps(arn)
    assert pipelines.statuses(arn) == {"Runs": "Stopped"}
    assert pipelines.job(steps["Runs"])["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="Only pipelines with 'Executing' status can be stopped"):
        pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_no_more_steps_run_at_once_than_allowed(pipelines: Pipelines) -> None:
    name = pipelines.create(definition(*(processing(f"P{number}") for number in range(2))))
    arn = pipelines.start(name, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    assert pipelines.end(arn)["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    first, second = pipelines.steps(arn).values()
    assert first["EndTime"] <= second["StartTime"]


def test_a_result_is_taken_from_the_cache_only_for_the_same_arguments(pipelines: Pipelines) -> None:
    cached = reporting("Cached", {"n": 1}, environment={"N": get("Parameters.N")})
    cached["CacheConfig"] = {"Enabled": True, "ExpireAfter": "PT1H"}
    after = processing(
        "After", environment={"REPORT": get("Steps.Cached.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri")}
    )
    name = pipelines.create(definition(cached, after, parameters=[parameter("N", "String", "a")]))
    first = pipelines.start(name)
    pipelines.end(first)
    second, other = pipelines.start(name), pipelines.start(name, {"N": "b"})
    assert pipelines.end(second)["PipelineExecutionStatus"] == "Succeeded"
    assert pipelines.end(other)["PipelineExecutionStatus"] == "Succeeded"
    made, hit = pipelines.steps(first), pipelines.steps(second)
    assert hit["Cached"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert hit["Cached"]["Metadata"] == made["Cached"]["Metadata"]
    assert pipelines.job(hit["After"])["Environment"] == pipelines.job(made["After"])["Environment"]
    assert "CacheHitResult" not in hit["After"], "it has no CacheConfig"
    assert "CacheHitResult" not in pipelines.steps(other)["Cached"]


def test_selected_steps_run_on_the_results_of_a_former_execution(pipelines: Pipelines) -> None:
    name = pipelines.create(
        definition(
            reporting("Data", {"rows": "$ROWS"}, environment={"ROWS": get("Parameters.Rows")}),
            failing("Check", json_get("Data", "rows"), DependsOn=["Data"]),
            parameters=[parameter("Rows", "String", "1")],
        )
    )
    source = pipelines.start(name, {"Rows": "12"})
    assert pipelines.end(source)["PipelineExecutionStatus"] == "Failed"
    selected = {"SelectedSteps": [{"StepName": "Check"}]}
    with pytest.raises(ClientError, match="Invalid SourcePipelineExecutionArn: null") as caught:
        pipelines.start(name, SelectiveExecutionConfig=selected)
    assert "The selected steps [Check] have dependencies on [Data]" in str(caught.value)
    arn = pipelines.start(name, SelectiveExecutionConfig={**selected, "SourcePipelineExecutionArn": source})
    assert "Check: 12" in pipelines.end(arn)["FailureReason"]
    data = pipelines.steps(arn)["Data"]
    assert data["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert data["Metadata"] == pipelines.steps(source)["Data"]["Metadata"]
    parameters = pipelines.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert parameters["PipelineParameters"] == [{"Name": "Rows", "Value": "12"}]


def test_an_execution_that_was_stopped_is_no_source_of_results(pipelines: Pipelines) -> None:
    name = pipelines.create(definition(processing("Runs", "sleep 60"), failing("Last", "x", DependsOn=["Runs"])))
    source = pipelines.start(name)
    selection = {"SelectedSteps": [{"StepName": "Runs"}], "SourcePipelineExecutionArn": source}
    with pytest.raises(ClientError, match="It is Executing, and must have succeeded or failed"):
        pipelines.start(name, SelectiveExecutionConfig=selection)
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=source)
    pipelines.end(source)
    with pytest.raises(ClientError, match="It is Stopped, and must have succeeded or failed"):
        pipelines.start(name, SelectiveExecutionConfig=selection)


def test_a_job_whose_host_fails_is_tried_again_by_its_policy(pipelines: Pipelines, localaws: LocalAws) -> None:
    look = f"s.list_objects_v2(Bucket='{BUCKET}', Prefix='tried')['KeyCount']"
    wait = f"(s.put_object(Bucket='{BUCKET}', Key='tried'), time.sleep(60))"
    once = f"python -c \"import boto3, time; s = boto3.client('s3'); {look} or {wait}\""
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 0, "MaxAttempts": 1}
    arn = pipelines.start(pipelines.create(definition(processing("Frail", once, RetryPolicies=[policy]))))
    first = pipelines.until_step(arn, "Frail", "Executing")
    until(lambda: "Contents" in pipelines.s3.list_objects_v2(Bucket=BUCKET, Prefix="tried"), bool)
    kill_supervisor(localaws, pipelines.job(first)["ProcessingJobName"])
    assert pipelines.end(arn)["PipelineExecutionStatus"] == "Succeeded"
    second = pipelines.steps(arn)["Frail"]
    assert (first["AttemptCount"], second["AttemptCount"]) == (1, 2)
    assert first["Metadata"] != second["Metadata"]
    assert first["StartTime"] == second["StartTime"]


def kill_supervisor(localaws: LocalAws, job: str) -> None:
    status = localaws.home / "localaws" / "jobs" / "processing-job" / job / "status.json"
    os.kill(json.loads(status.read_text())["Supervisor"], signal.SIGKILL)


def test_what_a_call_refuses_is_the_reason_of_the_step(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            processing("Wrong", arguments={"StoppingCondition": {"MaxRuntimeInSeconds": get("Parameters.Seconds")}}),
            parameters=[parameter("Seconds", "Integer", -1)],
        )
    )
    reason = pipelines.steps(arn)["Wrong"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "maxRuntimeInSeconds" in reason


def test_a_property_file_without_the_value_is_the_reason_of_the_step(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            reporting("Data", {"a": 1}),
            condition("Gate", [compare("Equals", json_get("Data", "b.c"), 1)], [], []),
        )
    )
    assert "has nothing at 'b.c'" in pipelines.steps(arn)["Gate"]["FailureReason"]
    assert "Gate: ClientError: Unable to resolve JsonGet" in pipelines.describe(arn)["FailureReason"]


def test_a_value_is_read_from_a_file_in_s3(pipelines: Pipelines) -> None:
    pipelines.put("facts/facts.json", '{"seen": [{"rows": 12}]}')
    place = {"S3Uri": join(f"s3://{BUCKET}", "facts", "facts.json", on="/"), "Path": "$.seen[0].rows"}
    arn = pipelines.run(definition(failing("Tell", {"Std:JsonGet": place})))
    assert pipelines.steps(arn)["Tell"]["FailureReason"] == "12"


def test_a_failure_that_another_step_takes_care_of_is_no_failed_execution(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            processing("Breaks", "exit 3"),
            processing("Cleans", DependsOn=[{"Step": "Breaks", "Trigger": "Failed"}]),
        )
    )
    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "CompletedWithFailures"
    assert pipelines.statuses(arn) == {"Breaks": "Failed", "Cleans": "Succeeded"}
