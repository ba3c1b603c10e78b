"""Work teams: one to ten groups of the workforce's client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from localaws_kit import LocalAws
from portal_kit import address
from workforce_kit import People, make_people, make_team

from localaws.sagemaker.workforce.members import Worker


@pytest.fixture(scope="module")
def people(server: LocalAws) -> People:
    return make_people(server, "people")


@pytest.fixture
def sagemaker(server: LocalAws) -> Iterator[Any]:
    """A client; what a test has made is gone after it."""
    client = server.client("sagemaker")
    yield client
    for team in client.list_workteams(MaxResults=100)["Workteams"]:
        client.delete_workteam(WorkteamName=team["WorkteamName"])
    for each in client.list_workforces()["Workforces"]:
        client.delete_workforce(WorkforceName=each["WorkforceName"])


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_team_is_described_as_it_was_made(server: LocalAws, sagemaker: Any, people: People) -> None:
    workforce = sagemaker.create_workforce(WorkforceName="people", CognitoConfig=people.cognito_config)["WorkforceArn"]
    topic = {"NotificationTopicArn": "arn:aws:sns:us-east-1:123456789012:tasks"}
    access = {"S3Presign": {"IamPolicyConstraints": {"SourceIp": "Enabled"}}}
    tag = {"Key": "project", "Value": "reviews"}
    arn = sagemaker.create_workteam(
        WorkteamName="Reviews",
        WorkforceName="people",
        MemberDefinitions=[people.member],
        Description="Labels reviews",
        NotificationConfiguration=topic,
        WorkerAccessConfiguration=access,
        Tags=[tag],
    )["WorkteamArn"]
    told = sagemaker.describe_workteam(WorkteamName="Reviews")["Workteam"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/reviews"
    assert told["WorkteamArn"] == arn
    assert told["WorkforceArn"] == workforce
    assert told["MemberDefinitions"] == [people.member]
    assert told["NotificationConfiguration"] == topic
    assert told["WorkerAccessConfiguration"] == access
    assert f"http://{told['SubDomain']}" == address(server)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [tag]


def test_the_first_team_brings_a_workforce_with_it(sagemaker: Any, people: People) -> None:
    sagemaker.create_workteam(WorkteamName="team", MemberDefinitions=[people.member], Description="d")
    (made,) = sagemaker.list_workforces()["Workforces"]
    assert made["WorkforceName"] == "default"
    assert made["CognitoConfig"] == people.cognito_config


def test_a_name_twice_is_in_use(server: LocalAws, sagemaker: Any, people: People) -> None:
    make_team(server, people)
    request = {"WorkteamName": "team", "MemberDefinitions": [people.member], "Description": "d"}
    assert refused(sagemaker.create_workteam, **request)[0] == "ResourceInUse"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"UserGroup": "nobody"}, "The user group nobody does not exist"),
        ({"ClientId": "other"}, "must have the user pool and the client of the workforce"),
        ({"UserPool": "us-east-1_other"}, "must have the user pool and the client of the workforce"),
    ],
)
def test_members_are_groups_of_the_workforces_client(
    server: LocalAws, sagemaker: Any, people: People, changes: dict[str, str], reason: str
) -> None:
    make_team(server, people)
    wrong = {"CognitoMemberDefinition": {**people.member["CognitoMemberDefinition"], **changes}}
    request = {"WorkteamName": "other", "MemberDefinitions": [people.member, wrong], "Description": "d"}
    code, message = refused(sagemaker.create_workteam, **request)
    assert code == "ValidationException"
    assert reason in message


def test_members_of_both_kinds_are_refused(server: LocalAws, sagemaker: Any, people: People) -> None:
    make_team(server, people)
    oidc = {"OidcMemberDefinition": {"Groups": ["labelers"]}}
    bad: list[list[dict[str, Any]]] = [[people.member, oidc], [oidc], [{}]]
    for members in bad:
        request = {"WorkteamName": "other", "MemberDefinitions": members, "Description": "d"}
        assert refused(sagemaker.create_workteam, **request)[0] == "ValidationException"


@pytest.mark.parametrize("count", [0, 11])
def test_a_team_has_one_to_ten_member_definitions(server: LocalAws, sagemaker: Any, people: People, count: int) -> None:
    make_team(server, people)
    unchecked = server.client("sagemaker", config=Config(parameter_validation=False))
    request = {"WorkteamName": "other", "MemberDefinitions": [people.member] * count, "Description": "d"}
    assert refused(unchecked.create_workteam, **request)[0] == "ValidationException"


def test_a_region_has_25_teams_at_most(server: LocalAws, sagemaker: Any, people: People) -> None:
    for number in range(25):
        make_team(server, people, f"team-{number}")
    request = {"WorkteamName": "more", "MemberDefinitions": [people.member], "Description": "d"}
    assert refused(sagemaker.create_workteam, **request)[0] == "ResourceLimitExceeded"
    first = sagemaker.list_workteams(MaxResults=20)
    rest = sagemaker.list_workteams(MaxResults=20, NextToken=first["NextToken"])
    assert [len(first["Workteams"]), len(rest["Workteams"])] == [20, 5]
    found = sagemaker.list_workteams(NameContains="M-2", SortBy="Name", SortOrder="Descending")["Workteams"]
    assert [team["WorkteamName"] for team in found] == ["team-24", "team-23", "team-22", "team-21", "team-20", "team-2"]


def test_an_update_changes_what_is_given(server: LocalAws, sagemaker: Any, people: People) -> None:
    make_team(server, people)
    server.client("cognito-idp").create_group(UserPoolId=people.pool_id, GroupName="leads")
    lead = {"CognitoMemberDefinition": {**people.member["CognitoMemberDefinition"], "UserGroup": "leads"}}
    changed = sagemaker.update_workteam(WorkteamName="team", MemberDefinitions=[people.member, lead])["Workteam"]
    assert changed["MemberDefinitions"] == [people.member, lead]
    assert changed["Description"] == "Labels reviews"
    assert sagemaker.describe_workteam(WorkteamName="team")["Workteam"] == changed


def test_a_deleted_team_is_unknown(server: LocalAws, sagemaker: Any, people: People) -> None:
    arn = make_team(server, people)
    assert sagemaker.delete_workteam(WorkteamName="team")["Success"] is True
    for operation in ("describe", "update", "delete"):
        code, message = refused(getattr(sagemaker, f"{operation}_workteam"), WorkteamName="team")
        assert code == "ValidationException"
        assert message.startswith("The work team")
    assert refused(sagemaker.list_tags, ResourceArn=arn)[0] == "ValidationException"


def test_a_worker_has_one_id_for_good() -> None:
    ann = Worker("s-1", "ann", "ann@example.com", "https://issuer", "pool", ("team",))
    assert re.fullmatch("[0-9a-f]{16}", ann.worker_id)
    assert replace(ann, username="anna", email="", teams=()).worker_id == ann.worker_id
    assert replace(ann, sub="s-2").worker_id != ann.worker_id
    assert replace(ann, issuer="https://other").worker_id != ann.worker_id
