"""Lineage entities and experiments over boto3: made, described, listed, changed, deleted, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from localaws_kit import LocalAws

ARN = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.fixture(scope="module")
def sagemaker(localaws: LocalAws) -> Any:
    return boto3.Session().client("sagemaker")


def new(prefix: str = "x") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def artifact(sagemaker: Any, uri: str | None = None, kind: str = "DataSet", **more: Any) -> str:
    source = {"SourceUri": uri or f"s3://bucket/{new()}"}
    return str(sagemaker.create_artifact(Source=source, ArtifactType=kind, **more)["ArtifactArn"])


@pytest.mark.parametrize(("noun", "arn"), [("Action", "action"), ("Context", "context")])
def test_actions_and_contexts_live_by_their_names(sagemaker: Any, noun: str, arn: str) -> None:
    def call(verb: str, **request: Any) -> dict[str, Any]:
        return dict(getattr(sagemaker, f"{verb}_{noun.lower()}")(**request))

    name, uri = new("Thing"), f"s3://bucket/{new()}"
    given = {f"{noun}Name": name, f"{noun}Type": "Review", "Source": {"SourceUri": uri}}
    made = call("create", **given, Properties={"a": "1", "b": "2"}, Tags=[{"Key": "k", "Value": "v"}])
    assert made == {**made, f"{noun}Arn": f"{ARN}:{arn}/{name.lower()}"}
    found = call("describe", **{f"{noun}Name": made[f"{noun}Arn"]})
    assert {key: found[key] for key in given} == given
    assert sagemaker.list_tags(ResourceArn=made[f"{noun}Arn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    change = {"Description": "d", "Properties": {"c": "3"}, "PropertiesToRemove": ["a", "nothing"]}
    call("update", **{f"{noun}Name": name}, **change)
    found = call("describe", **{f"{noun}Name": name})
    assert (found["Description"], found["Properties"]) == ("d", {"b": "2", "c": "3"})
    listed = getattr(sagemaker, f"list_{noun.lower()}s")(SourceUri=uri, **{f"{noun}Type": "Review"})
    assert [each[f"{noun}Name"] for each in listed[f"{noun}Summaries"]] == [name]
    code, message = refused(getattr(sagemaker, f"create_{noun.lower()}"), **given)
    assert (code, f"{noun} with name ({name}) already exists" in message) == ("ValidationException", True)
    call("delete", **{f"{noun}Name": name})
    for verb in ("describe", "update", "delete"):
        code, message = refused(getattr(sagemaker, f"{verb}_{noun.lower()}"), **{f"{noun}Name": name})
        assert (code, message) == ("ResourceNotFound", f"{noun} '{name}' does not exist.")


def test_there_is_one_artifact_for_a_source(sagemaker: Any) -> None:
    uri = f"s3://bucket/{new()}"
    arn = artifact(sagemaker, uri, ArtifactName="first", Properties={"rows": "3"})
    code, message = refused(sagemaker.create_artifact, Source={"SourceUri": uri}, ArtifactType="Model")
    assert (code, arn in message) == ("ValidationException", True)
    tagged = {"SourceUri": uri, "SourceTypes": [{"SourceIdType": "S3ETag", "Value": "abc"}]}
    other = sagemaker.create_artifact(Source=tagged, ArtifactType="DataSet")["ArtifactArn"]
    assert other != arn, "the same place with another content is another source"
    sagemaker.update_artifact(ArtifactArn=arn, ArtifactName="renamed", Properties={"rows": "4"})
    found = sagemaker.describe_artifact(ArtifactArn=arn)
    assert (found["ArtifactName"], found["Properties"], found["Source"]) == (
        "renamed",
        {"rows": "4"},
        {"SourceUri": uri},
    )
    listed = sagemaker.list_artifacts(SourceUri=uri, ArtifactType="DataSet", SortOrder="Ascending")
    assert [each["ArtifactArn"] for each in listed["ArtifactSummaries"]] == [arn, other]
    assert refused(sagemaker.delete_artifact)[0] == "ValidationException"
    sagemaker.delete_artifact(Source=tagged)
    assert refused(sagemaker.describe_artifact, ArtifactArn=other)[0] == "ResourceNotFound"
    sagemaker.describe_artifact(ArtifactArn=arn)


def test_more_properties_than_aws_keeps_are_refused(sagemaker: Any) -> None:
    arn = artifact(sagemaker, Properties={f"p{number}": "x" for number in range(30)})
    assert refused(sagemaker.update_artifact, ArtifactArn=arn, Properties={"one": "more"})[0] == "ValidationException"


def test_what_leads_back_to_its_source_is_refused(sagemaker: Any) -> None:
    a, b, c = (artifact(sagemaker) for _ in range(3))
    sagemaker.add_association(SourceArn=a, DestinationArn=b, AssociationType="DerivedFrom")
    sagemaker.add_association(SourceArn=b, DestinationArn=c)
    code, message = refused(sagemaker.add_association, SourceArn=c, DestinationArn=a)
    assert (code, "cycle" in message) == ("ValidationException", True)
    assert "with itself" in refused(sagemaker.add_association, SourceArn=a, DestinationArn=a)[1]
    assert "already exists" in refused(sagemaker.add_association, SourceArn=a, DestinationArn=b)[1]
    missing = f"{ARN}:artifact/{'0' * 32}"
    for request in ({"SourceArn": a, "DestinationArn": missing}, {"SourceArn": missing, "DestinationArn": a}):
        assert refused(sagemaker.add_association, **request)[0] == "ResourceNotFound"
    assert "has associations" in refused(sagemaker.delete_artifact, ArtifactArn=b)[1]
    sagemaker.delete_association(SourceArn=a, DestinationArn=b)
    assert refused(sagemaker.delete_association, SourceArn=a, DestinationArn=b)[0] == "ResourceNotFound"
    sagemaker.add_association(SourceArn=c, DestinationArn=a)


def test_associations_are_listed_by_ends_types_and_time(sagemaker: Any) -> None:
    data, model = artifact(sagemaker), artifact(sagemaker, kind="Model", ArtifactName="the-model")
    action = sagemaker.create_action(ActionName=new(), ActionType="Review", Source={"SourceUri": "x"})["ActionArn"]
    sagemaker.add_association(SourceArn=data, DestinationArn=model, AssociationType="DerivedFrom")
    sagemaker.add_association(SourceArn=data, DestinationArn=action, AssociationType="ContributedTo")

    def listed(**request: Any) -> list[str]:
        found = sagemaker.list_associations(SourceArn=data, SortOrder="Ascending", **request)
        return [each["DestinationArn"] for each in found["AssociationSummaries"]]

    assert listed() == [model, action]
    assert listed(DestinationType="Model") == listed(AssociationType="DerivedFrom") == [model]
    assert listed(DestinationType="Action") == listed(DestinationType="Review") == [action]
    assert listed(SourceType="Model") == []
    (found,) = sagemaker.list_associations(DestinationArn=model)["AssociationSummaries"]
    assert (found["SourceType"], found["DestinationType"], found["DestinationName"]) == (
        "DataSet",
        "Model",
        "the-model",
    )
    assert listed(CreatedAfter=found["CreationTime"]) in ([model, action], [action])
    assert listed(SortBy="DestinationArn") == sorted([model, action])


def test_a_query_both_ways_does_not_turn_round(sagemaker: Any) -> None:
    parent, start, child, sibling = (artifact(sagemaker) for _ in range(4))
    for source, destination in ((parent, start), (start, child), (parent, sibling)):
        sagemaker.add_association(SourceArn=source, DestinationArn=destination)

    def arns(**request: Any) -> set[str]:
        return {vertex["Arn"] for vertex in sagemaker.query_lineage(StartArns=[start], **request)["Vertices"]}

    assert arns() == arns(Direction="Both") == {parent, start, child}
    assert arns(Direction="Ascendants") == {parent, start}
    assert arns(Direction="Descendants", Filters={"LineageTypes": ["Action"]}) == set()
    edges = sagemaker.query_lineage(StartArns=[start], IncludeEdges=True)["Edges"]
    assert {(edge["SourceArn"], edge["DestinationArn"]) for edge in edges} == {(parent, start), (start, child)}
    assert refused(sagemaker.query_lineage, StartArns=[f"{ARN}:artifact/none"])[0] == "ResourceNotFound"
    assert refused(sagemaker.query_lineage, StartArns=[start], MaxDepth=0)[0] == "ValidationException"
    assert refused(sagemaker.query_lineage, StartArns=[start], NextToken="x")[0] == "ValidationException"


def test_a_query_without_a_start_looks_everywhere(sagemaker: Any) -> None:
    mark = new()
    arn = artifact(sagemaker, Properties={"mark": mark})
    found = sagemaker.query_lineage(Filters={"Properties": {"mark": mark}})["Vertices"]
    assert [vertex["Arn"] for vertex in found] == [arn]


def test_experiments_hold_trials_and_trials_hold_components(sagemaker: Any) -> None:
    experiment, trial, component = new("Experiment"), new("trial"), new("component")
    sagemaker.create_experiment(ExperimentName=experiment, Description="d")
    unknown = refused(sagemaker.create_trial, TrialName=trial, ExperimentName="nothing")
    assert unknown == ("ResourceNotFound", "Experiment 'nothing' does not exist.")
    sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)
    sagemaker.create_trial_component(
        TrialComponentName=component,
        Status={"PrimaryStatus": "InProgress"},
        Parameters={"rate": {"NumberValue": 0.1}, "base": {"StringValue": "tiny"}},
        InputArtifacts={"rows": {"Value": "s3://bucket/rows", "MediaType": "text/csv"}},
    )
    sagemaker.associate_trial_component(TrialComponentName=component, TrialName=trial)
    sagemaker.associate_trial_component(TrialComponentName=component, TrialName=trial)
    for asked in ({"TrialName": trial}, {"ExperimentName": experiment}):
        (found,) = sagemaker.list_trial_components(**asked)["TrialComponentSummaries"]
        assert found["TrialComponentName"] == component
    (found,) = sagemaker.list_trials(TrialComponentName=component)["TrialSummaries"]
    assert found["TrialName"] == trial
    both = {"TrialName": trial, "ExperimentName": experiment}
    assert refused(sagemaker.list_trial_components, **both)[0] == "ValidationException"
    sagemaker.update_trial_component(
        TrialComponentName=component,
        Status={"PrimaryStatus": "Completed"},
        Parameters={"epochs": {"NumberValue": 3}},
        ParametersToRemove=["base"],
        OutputArtifacts={"model": {"Value": "s3://bucket/model"}},
        InputArtifactsToRemove=["rows"],
    )
    found = sagemaker.describe_trial_component(TrialComponentName=component)
    assert found["Parameters"] == {"rate": {"NumberValue": 0.1}, "epochs": {"NumberValue": 3}}
    assert (found["Status"]["PrimaryStatus"], found["InputArtifacts"]) == ("Completed", {})
    assert found["OutputArtifacts"] == {"model": {"Value": "s3://bucket/model"}}
    assert "has trials" in refused(sagemaker.delete_experiment, ExperimentName=experiment)[1]
    assert "has trial components" in refused(sagemaker.delete_trial, TrialName=trial)[1]
    arn = found["TrialComponentArn"]
    assert refused(sagemaker.delete_trial_component, TrialComponentName=component) == (
        "ValidationException",
        f"TrialComponent '{arn}' is linked to 1 or more trials and cannot be deleted.",
    )
    data = sagemaker.create_artifact(Source={"SourceUri": f"s3://{component}/"}, ArtifactType="DataSet")["ArtifactArn"]
    sagemaker.add_association(SourceArn=data, DestinationArn=arn, AssociationType="ContributedTo")
    sagemaker.disassociate_trial_component(TrialComponentName=component, TrialName=trial)
    again = refused(sagemaker.disassociate_trial_component, TrialComponentName=component, TrialName=trial)
    assert again[0] == "ResourceNotFound"
    sagemaker.delete_trial_component(TrialComponentName=component)
    assert sagemaker.list_associations(SourceArn=data)["AssociationSummaries"] == []
    sagemaker.delete_trial(TrialName=trial)
    sagemaker.delete_experiment(ExperimentName=experiment)
    assert refused(sagemaker.describe_experiment, ExperimentName=experiment) == (
        "ResourceNotFound",
        f"Experiment '{experiment}' does not exist.",
    )


def test_display_names_and_descriptions_change(sagemaker: Any) -> None:
    experiment, trial = new("experiment"), new("trial")
    sagemaker.create_experiment(ExperimentName=experiment)
    sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)
    sagemaker.update_experiment(ExperimentName=experiment, DisplayName="shown", Description="new")
    sagemaker.update_trial(TrialName=trial, DisplayName="shown-too")
    found = sagemaker.describe_experiment(ExperimentName=experiment)
    assert (found["DisplayName"], found["Description"]) == ("shown", "new")
    assert found["LastModifiedTime"] > found["CreationTime"]
    assert sagemaker.describe_trial(TrialName=trial)["DisplayName"] == "shown-too"
    assert "already exists" in refused(sagemaker.create_experiment, ExperimentName=experiment)[1]
    (newest, *_) = sagemaker.list_experiments(MaxResults=1)["ExperimentSummaries"]
    assert newest["ExperimentName"] == experiment
