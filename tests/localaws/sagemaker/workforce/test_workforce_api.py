"""Workforces: one a region, by Cognito or by OpenID Connect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from human_kit import context
from localaws_kit import LocalAws
from portal_kit import address
from workforce_kit import People, make_people, make_team

from localaws.sagemaker.workforce import client_secret

OIDC = {
    "ClientId": "client",
    "ClientSecret": "not-to-be-told",
    "Issuer": "https://idp.example",
    "AuthorizationEndpoint": "https://idp.example/authorize",
    "TokenEndpoint": "https://idp.example/token",
    "UserInfoEndpoint": "https://idp.example/userinfo",
    "LogoutEndpoint": "https://idp.example/logout",
    "JwksUri": "https://idp.example/jwks",
}


@pytest.fixture(scope="module")
def people(server: LocalAws) -> People:
    return make_people(server, "people")


@pytest.fixture
def sagemaker(server: LocalAws) -> Iterator[Any]:
    """A client; what a test has made is gone after it."""
    client = server.client("sagemaker")
    yield client
    for team in client.list_workteams()["Workteams"]:
        client.delete_workteam(WorkteamName=team["WorkteamName"])
    for each in client.list_workforces()["Workforces"]:
        client.delete_workforce(WorkforceName=each["WorkforceName"])


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_cognito_workforce_is_active_with_the_portals_address(
    server: LocalAws, sagemaker: Any, people: People
) -> None:
    tag = {"Key": "project", "Value": "reviews"}
    arn = sagemaker.create_workforce(WorkforceName="Crowd", CognitoConfig=people.cognito_config, Tags=[tag])[
        "WorkforceArn"
    ]
    told = sagemaker.describe_workforce(WorkforceName="Crowd")["Workforce"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:workforce/crowd"
    assert told["Status"] == "Active"
    assert told["CognitoConfig"] == people.cognito_config
    assert told["SourceIpConfig"] == {"Cidrs": []}
    assert f"http://{told['SubDomain']}" == address(server)
    assert told["CreateDate"] == told["LastUpdatedDate"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [tag]


def test_a_second_workforce_is_refused_in_aws_words(sagemaker: Any, people: People) -> None:
    sagemaker.create_workforce(WorkforceName="one", CognitoConfig=people.cognito_config)
    assert refused(sagemaker.create_workforce, WorkforceName="two", CognitoConfig=people.cognito_config) == (
        "ValidationException",
        "Cannot create more than one workforce for account 123456789012. If you are trying to update existing"
        " workforce, please use UpdateWorkforce API",
    )


def test_an_oidc_workforce_never_tells_its_secret(server: LocalAws, sagemaker: Any) -> None:
    sagemaker.create_workforce(WorkforceName="oidc", OidcConfig=OIDC)
    told = sagemaker.describe_workforce(WorkforceName="oidc")["Workforce"]
    assert told["OidcConfig"] == {key: value for key, value in OIDC.items() if key != "ClientSecret"}
    for path in (server.home / "localaws").glob("state.db*"):
        assert b"not-to-be-told" not in path.read_bytes()


@pytest.mark.parametrize(
    ("place", "is_taken"),
    [
        ("https://idp.example/jwks", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://localhost?policy=people", True),
        ("http://[::1]:8080", True),
        ("http://idp.example/jwks", False),
        ("http://127.0.0.1.idp.example/", False),
        ("http://127.0.0.1@idp.example/", False),
        ("http://localhost:pass@idp.example/", False),
        ("ftp://127.0.0.1/", False),
        ("http://127.0.0.1/a b", False),
        ("", False),
    ],
)
def test_an_endpoint_without_tls_is_one_of_this_machine(sagemaker: Any, place: str, is_taken: bool) -> None:
    request = {"WorkforceName": "oidc", "OidcConfig": {**OIDC, "JwksUri": place}}
    if is_taken:
        sagemaker.create_workforce(**request)
        return
    code, message = refused(sagemaker.create_workforce, **request)
    assert code == "ValidationException"
    assert message.endswith(
        r"at 'oidcConfig.jwksUri' failed to satisfy constraint: Member must satisfy regular"
        r" expression pattern: https://\S+"
    )


def test_the_oidc_secret_is_kept_sealed_and_goes_with_its_workforce(server: LocalAws, sagemaker: Any) -> None:
    ctx = context(server.home, server.url)
    sagemaker.create_workforce(WorkforceName="sealed", OidcConfig=OIDC)
    assert client_secret.of(ctx, "sealed") == OIDC["ClientSecret"]
    sagemaker.update_workforce(WorkforceName="sealed", OidcConfig={**OIDC, "ClientSecret": "another-one"})
    assert client_secret.of(ctx, "sealed") == "another-one"
    sagemaker.update_workforce(WorkforceName="sealed", SourceIpConfig={"Cidrs": []})
    assert client_secret.of(ctx, "sealed") == "another-one"
    key = server.home / "localaws" / "portal" / "client-secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    sagemaker.delete_workforce(WorkforceName="sealed")
    assert client_secret.of(ctx, "sealed") is None


def test_the_oidc_provider_changes_only_while_there_is_no_team(sagemaker: Any) -> None:
    sagemaker.create_workforce(WorkforceName="oidc", OidcConfig=OIDC)
    other = {**OIDC, "ClientId": "other"}
    changed = sagemaker.update_workforce(WorkforceName="oidc", OidcConfig=other)["Workforce"]
    assert changed["OidcConfig"]["ClientId"] == "other"
    members = [{"OidcMemberDefinition": {"Groups": ["labelers"]}}]
    sagemaker.create_workteam(WorkteamName="team", MemberDefinitions=members, Description="d", WorkforceName="oidc")
    assert refused(sagemaker.update_workforce, WorkforceName="oidc", OidcConfig=OIDC)[0] == "ConflictException"


def test_neither_both_nor_none_of_the_providers_is_taken(sagemaker: Any, people: People) -> None:
    both = {"CognitoConfig": people.cognito_config, "OidcConfig": OIDC}
    assert refused(sagemaker.create_workforce, WorkforceName="w", **both)[0] == "ValidationException"
    assert refused(sagemaker.create_workforce, WorkforceName="w")[0] == "ValidationException"


@pytest.mark.parametrize("count", [10, 11])
def test_ten_address_ranges_are_the_most(sagemaker: Any, people: People, count: int) -> None:
    cidrs = [f"10.{number}.0.0/16" for number in range(count)]
    request = {"WorkforceName": "w", "CognitoConfig": people.cognito_config, "SourceIpConfig": {"Cidrs": cidrs}}
    if count == 10:
        sagemaker.create_workforce(**request)
        assert sagemaker.describe_workforce(WorkforceName="w")["Workforce"]["SourceIpConfig"]["Cidrs"] == cidrs
    else:
        code, message = refused(sagemaker.create_workforce, **request)
        assert code == "ValidationException"
        assert "length less than or equal to 10" in message


def test_an_update_changes_the_address_ranges(sagemaker: Any, people: People) -> None:
    sagemaker.create_workforce(WorkforceName="w", CognitoConfig=people.cognito_config)
    changed = sagemaker.update_workforce(WorkforceName="w", SourceIpConfig={"Cidrs": ["10.0.0.0/8"]})["Workforce"]
    assert changed["SourceIpConfig"]["Cidrs"] == ["10.0.0.0/8"]
    assert changed["LastUpdatedDate"] > changed["CreateDate"]
    code, _ = refused(sagemaker.update_workforce, WorkforceName="w", OidcConfig=OIDC)
    assert code == "ValidationException"


def test_a_workforce_with_teams_cannot_be_deleted(server: LocalAws, sagemaker: Any, people: People) -> None:
    make_team(server, people)
    assert refused(sagemaker.delete_workforce, WorkforceName="people")[0] == "ResourceInUse"
    sagemaker.delete_workteam(WorkteamName="team")
    sagemaker.delete_workforce(WorkforceName="people")
    assert sagemaker.list_workforces()["Workforces"] == []


@pytest.mark.parametrize("operation", ["describe", "update", "delete"])
def test_an_unknown_workforce_is_a_validation_error(sagemaker: Any, operation: str) -> None:
    code, message = refused(getattr(sagemaker, f"{operation}_workforce"), WorkforceName="nobody")
    assert code == "ValidationException"
    assert message.startswith("No workforce")


def test_workers_must_be_able_to_sign_in_by_the_client(server: LocalAws, sagemaker: Any, people: People) -> None:
    idp = server.client("cognito-idp")
    bare = idp.create_user_pool(PoolName="bare")["UserPool"]["Id"]
    client = idp.create_user_pool_client(UserPoolId=bare, ClientName="c", GenerateSecret=True)["UserPoolClient"]
    open_client = idp.create_user_pool_client(UserPoolId=people.pool_id, ClientName="c")["UserPoolClient"]
    for pool, of_pool, reason in (
        ("us-east-1_nobody", "x", "does not exist"),
        (people.pool_id, "x", "The app client x does not exist"),
        (bare, client["ClientId"], "has no domain"),
        (people.pool_id, open_client["ClientId"], "has no client secret"),
    ):
        config = {"UserPool": pool, "ClientId": of_pool}
        code, message = refused(sagemaker.create_workforce, WorkforceName="w", CognitoConfig=config)
        assert code == "ValidationException"
        assert reason in message


def test_a_portal_in_a_vpc_is_not_implemented(sagemaker: Any, people: People) -> None:
    vpc = {"VpcId": "vpc-1", "SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    request = {"WorkforceName": "w", "CognitoConfig": people.cognito_config, "WorkforceVpcConfig": vpc}
    assert refused(sagemaker.create_workforce, **request)[0] == "NotImplemented"


def test_a_workforce_is_there_after_a_kill(server: LocalAws, sagemaker: Any, people: People) -> None:
    make_team(server, people)
    server.kill()
    server.restart()
    again = server.client("sagemaker")
    assert again.describe_workforce(WorkforceName="people")["Workforce"]["CognitoConfig"] == people.cognito_config
    assert again.describe_workteam(WorkteamName="team")["Workteam"]["MemberDefinitions"] == [people.member]
