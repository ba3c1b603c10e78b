"""Pipelines and the answers about their executions, as a client of AWS sees them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from job_helpers import ROLE
from localaws_kit import LocalAws
from pipeline_kit import BUCKET, Pipelines, compare, condition, definition, failing, get, join, parameter, processing


def short(default: int = 1) -> str:
    """A definition whose execution ends at once, and starts no job."""
    return definition(
        condition("Gate", [compare("Equals", get("Parameters.N"), 1)], [], []),
        parameters=[parameter("N", "Integer", default)],
    )


@pytest.fixture(scope="module")
def pipelines(localaws: LocalAws) -> Pipelines:
    return Pipelines()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_pipeline_is_described_as_it_was_made_and_changed(pipelines: Pipelines) -> None:
    name = pipelines.create(short(), PipelineDescription="first", Tags=[{"Key": "team", "Value": "ml"}])
    made = pipelines.sagemaker.describe_pipeline(PipelineName=name)
    assert made["PipelineArn"] == f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{name}"
    assert made["PipelineDefinition"] == short()
    assert made["PipelineStatus"] == "Active"
    assert made["PipelineDisplayName"] == name
    tags = pipelines.sagemaker.list_tags(ResourceArn=made["PipelineArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]
    answer = pipelines.sagemaker.update_pipeline(
        PipelineName=name, PipelineDefinition=short(2), PipelineDescription="second"
    )
    assert answer["PipelineVersionId"] == 2
    changed = pipelines.sagemaker.describe_pipeline(PipelineName=made["PipelineArn"])
    assert changed["PipelineDefinition"] == short(2)
    assert changed["PipelineDescription"] == "second"
    assert changed["LastModifiedTime"] > made["LastModifiedTime"]
    assert (
        pipelines.sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=1)["PipelineDefinition"] == short()
    )
    versions = pipelines.sagemaker.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    assert [version["PipelineVersionId"] for version in versions] == [2, 1]


def test_a_definition_is_taken_from_s3(pipelines: Pipelines) -> None:
    pipelines.put("definitions/short.json", short())
    place = {"Bucket": BUCKET, "ObjectKey": "definitions/short.json"}
    pipelines.sagemaker.create_pipeline(PipelineName="from-s3", PipelineDefinitionS3Location=place, RoleArn=ROLE)
    assert pipelines.sagemaker.describe_pipeline(PipelineName="from-s3")["PipelineDefinition"] == short()
    with pytest.raises(ClientError, match="Unable to read the pipeline definition at s3://pipelines/definitions/no"):
        pipelines.sagemaker.create_pipeline(
            PipelineName="from-nowhere",
            PipelineDefinitionS3Location={"Bucket": BUCKET, "ObjectKey": "definitions/no"},
            RoleArn=ROLE,
        )


def test_what_cannot_be_executed_is_refused_and_leaves_nothing(pipelines: Pipelines) -> None:
    wrong = definition(processing("A", DependsOn=["B"]))
    with pytest.raises(ClientError, match="Step 'A' depends on step 'B'") as caught:
        pipelines.sagemaker.create_pipeline(PipelineName="wrong", PipelineDefinition=wrong, RoleArn=ROLE)
    assert code_of(caught) == "ValidationException"
    with pytest.raises(ClientError, match="does not exist"):
        pipelines.sagemaker.describe_pipeline(PipelineName="wrong")
    name = pipelines.create(short())
    with pytest.raises(ClientError, match="Step 'A' depends on step 'B'"):
        pipelines.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=wrong)
    assert pipelines.sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"] == short()
    with pytest.raises(ClientError, match="Either Pipeline Definition or") as caught:
        pipelines.sagemaker.create_pipeline(PipelineName="wrong", RoleArn=ROLE)
    other = definition({"Name": "Call", "Type": "Lambda", "Arguments": {}})
    with pytest.raises(ClientError, match="Step 'Call' is of the type Lambda") as caught:
        pipelines.sagemaker.create_pipeline(PipelineName="wrong", PipelineDefinition=other, RoleArn=ROLE)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_name_that_is_taken_is_refused_unless_the_token_is_the_same(pipelines: Pipelines) -> None:
    request = {
        "PipelineName": "taken",
        "PipelineDefinition": short(),
        "RoleArn": ROLE,
        "ClientRequestToken": str(uuid.uuid4()),
    }
    made = pipelines.sagemaker.create_pipeline(**request)["PipelineArn"]
    assert pipelines.sagemaker.create_pipeline(**request)["PipelineArn"] == made
    with pytest.raises(ClientError, match="Pipeline names must be unique within an AWS account and region") as caught:
        pipelines.sagemaker.create_pipeline(**{**request, "ClientRequestToken": str(uuid.uuid4())})
    assert code_of(caught) == "ValidationException"
    with pytest.raises(ClientError) as caught:
        pipelines.sagemaker.create_pipeline(**{**request, "PipelineName": "other"})
    assert code_of(caught) == "ConflictException"


def test_a_token_starts_one_execution(pipelines: Pipelines) -> None:
    name = pipelines.create(short())
    token = str(uuid.uuid4())
    first = pipelines.start(name, ClientRequestToken=token)
    assert pipelines.start(name, ClientRequestToken=token) == first
    assert pipelines.start(name) != first
    found = pipelines.sagemaker.list_pipeline_executions(PipelineName=name, SortOrder="Ascending")
    assert len(found["PipelineExecutionSummaries"]) == 2
    assert found["PipelineExecutionSummaries"][0]["PipelineExecutionArn"] == first
    with pytest.raises(ClientError) as caught:
        pipelines.start(name, {"N": "2"}, ClientRequestToken=token)
    assert code_of(caught) == "ConflictException"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"N": "one"}, "Parameter 'N' has the value 'one', which is not of its type Integer"),
        ({"M": "1"}, "Parameter 'M' is not defined"),
        ({}, "Missing parameter values: 'Must'"),
    ],
)
def test_an_execution_with_wrong_parameters_is_refused(pipelines: Pipelines, given: dict[str, str], words: str) -> None:
    parameters = [parameter("N", "Integer", 1), *([] if given else [parameter("Must")])]
    text = definition(condition("Gate", [compare("Equals", get("Parameters.N"), 1)], [], []), parameters=parameters)
    name = pipelines.create(text)
    with pytest.raises(ClientError, match=words) as caught:
        pipelines.start(name, given)
    assert code_of(caught) == "ValidationException"
    assert pipelines.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []


def test_an_experiment_whose_name_is_none_is_refused(pipelines: Pipelines) -> None:
    experiment = {"ExperimentName": get("Parameters.Name"), "TrialName": get("Execution.PipelineExecutionId")}
    name = pipelines.create(
        definition(failing("Tell", "x"), parameters=[parameter("Name")], PipelineExperimentConfig=experiment)
    )
    with pytest.raises(ClientError, match=r"The PipelineExperimentConfig is invalid.*experimentName"):
        pipelines.start(name, {"Name": "not a name"})


def test_an_execution_keeps_its_definition_and_tells_its_parameters(pipelines: Pipelines) -> None:
    parameters = [
        parameter("Rate", "Float", 0.0001),
        parameter("On", "Boolean", True),
        parameter("N", "Integer", 1),
    ]
    message = join(*(get(f"Parameters.{name}") for name in ("Rate", "On", "N")), on=" ")
    text = definition(failing("Tell", message), parameters=parameters)
    name = pipelines.create(text)
    arn = pipelines.start(name, {"N": "7"}, PipelineExecutionDisplayName="seven")
    pipelines.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=short())
    ended = pipelines.end(arn)
    assert ended["PipelineExecutionDisplayName"] == "seven"
    assert pipelines.steps(arn)["Tell"]["FailureReason"] == "0.0001 true 7"
    kept = pipelines.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineDefinition"] == text
    found = pipelines.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    values = {each["Name"]: each["Value"] for each in found["PipelineParameters"]}
    assert values == {"Rate": "0.0001", "On": "true", "N": "7"}
    pipelines.sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDescription="told")
    assert pipelines.describe(arn)["PipelineExecutionDescription"] == "told"
    assert pipelines.sagemaker.describe_pipeline(PipelineName=name)["LastRunTime"] == ended["CreationTime"]


def test_variables_of_the_execution_come_to_what_they_are(pipelines: Pipelines) -> None:
    names = ("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime")
    experiment = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Execution.PipelineExecutionId")}
    text = definition(
        failing("Tell", join(*(get(f"Execution.{name}") for name in names), on=" ")),
        PipelineExperimentConfig=experiment,
    )
    name = pipelines.create(text)
    arn = pipelines.start(name)
    ended = pipelines.end(arn)
    told = pipelines.steps(arn)["Tell"]["FailureReason"].split()
    identity = arn.rpartition("/")[2]
    assert told[:4] == [name, ended["PipelineArn"], identity, arn]
    assert told[4].startswith(ended["CreationTime"].strftime("%Y-%m-%dT"))
    assert ended["PipelineExperimentConfig"] == {"ExperimentName": name, "TrialName": identity}
    assert pipelines.sagemaker.describe_trial(TrialName=identity)["ExperimentName"] == name


def test_a_pipeline_is_deleted_with_its_executions_and_not_while_one_runs(pipelines: Pipelines) -> None:
    name = pipelines.create(definition(processing("Runs", "sleep 60")))
    arn = pipelines.start(name)
    with pytest.raises(ClientError) as caught:
        pipelines.sagemaker.delete_pipeline(PipelineName=name)
    assert code_of(caught) == "ConflictException"
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.end(arn)
    pipelines.sagemaker.delete_pipeline(PipelineName=name)
    for call in (
        lambda: pipelines.sagemaker.describe_pipeline(PipelineName=name),
        lambda: pipelines.describe(arn),
        lambda: pipelines.start(name),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == "ResourceNotFound"


def test_pipelines_are_listed_by_prefix(pipelines: Pipelines) -> None:
    for name in ("listed-a", "listed-b"):
        pipelines.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=short(), RoleArn=ROLE)
    found = pipelines.sagemaker.list_pipelines(PipelineNamePrefix="listed", SortBy="Name", SortOrder="Ascending")
    assert [each["PipelineName"] for each in found["PipelineSummaries"]] == ["listed-a", "listed-b"]
    first = pipelines.sagemaker.list_pipelines(PipelineNamePrefix="listed", MaxResults=1)
    assert [each["PipelineName"] for each in first["PipelineSummaries"]] == ["listed-b"]
    assert "NextToken" in first


def test_requests_at_once_with_one_token_start_one_execution(pipelines: Pipelines) -> None:
    name = pipelines.create(short())
    token = str(uuid.uuid4())
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: pipelines.start(name, ClientRequestToken=token), range(4)))
    assert len(set(started)) == 1
