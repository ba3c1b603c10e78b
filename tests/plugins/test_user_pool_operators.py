"""Who may answer: user pool, workforce, work team and workers, found by name and never made twice or deleted."""

from __future__ import annotations

import json
import logging
import string
from typing import Any

import pytest
from human_review_kit import make_team, pool, team, worker, workforce
from operator_kit import Airflow, FakeTask

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.hooks.sagemaker import SageMakerJobHook
from amazon_ml.links.portal import portal_url
from amazon_ml.operators.worker import temporary_password


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Any:
    """All that was logged and printed so far."""
    caplog.set_level(logging.INFO)
    return lambda: "".join(capsys.readouterr()) + caplog.text


@pytest.fixture
def ids(airflow: Airflow, aws: Any) -> tuple[str, str]:
    """The pool and the client of the session's workforce."""
    make_team(airflow)
    made = airflow.run(pool(), FakeTask(task_id="pool"))
    return made["user_pool_id"], made["client_id"]


def client_of(aws: Any, pool_id: str, client_id: str) -> dict[str, Any]:
    answer = aws("cognito-idp").describe_user_pool_client(UserPoolId=pool_id, ClientId=client_id)
    found: dict[str, Any] = answer["UserPoolClient"]
    return found


def dies_at(patch: pytest.MonkeyPatch, method: str, *, answered: bool) -> None:
    """The process ends with this call, before or after AWS has done it."""
    call = ServiceHook._call

    def killed(self: ServiceHook, called: str, **request: Any) -> dict[str, Any]:
        if called != method:
            return call(self, called, **request)
        if answered:
            call(self, called, **request)
        raise Killed

    patch.setattr(ServiceHook, "_call", killed)


def test_a_pool_is_made_once_with_domain_client_and_groups(
    aws: Any, airflow: Airflow, ti: FakeTask, output: Any
) -> None:
    given = {"pool_name": "once", "domain": "once-of-tests", "groups": ["readers", "leads"]}
    urls = {"callback_urls": ["https://a.example.com/back"], "logout_urls": ["https://a.example.com/"]}
    made = airflow.run(pool(**given, **urls), ti)
    assert airflow.run(pool(**given, **urls), ti.next_try()) == made
    cognito = aws("cognito-idp")
    pools = [each for each in cognito.list_user_pools(MaxResults=60)["UserPools"] if each["Name"] == "once"]
    assert [each["Id"] for each in pools] == [made["user_pool_id"]]
    groups = cognito.list_groups(UserPoolId=made["user_pool_id"])["Groups"]
    assert {group["GroupName"] for group in groups} == {"readers", "leads"}
    client = client_of(aws, made["user_pool_id"], made["client_id"])
    assert client["AllowedOAuthFlows"] == ["code"]
    assert set(client["AllowedOAuthScopes"]) == {"email", "openid", "profile"}
    assert client["CallbackURLs"] == urls["callback_urls"]
    assert client["LogoutURLs"] == urls["logout_urls"]
    assert made == {"user_pool_id": made["user_pool_id"], "client_id": made["client_id"], "domain": "once-of-tests"}
    assert client["ClientSecret"] not in json.dumps([made, ti.pushed]) + output()


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(
    "method", ["create_user_pool", "create_user_pool_domain", "create_user_pool_client", "create_group"]
)
def test_the_next_try_completes_what_a_killed_one_has_begun(
    aws: Any, airflow: Airflow, ti: FakeTask, method: str, answered: bool
) -> None:
    name = f"half-{method.replace('_', '-')}-{answered}".lower()
    given = {"pool_name": name, "domain": name, "client_name": "half"}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        dies_at(patch, method, answered=answered)
        airflow.run(pool(**given), ti)
    made = airflow.run(pool(**given), ti.next_try())
    cognito = aws("cognito-idp")
    assert [each["Name"] for each in cognito.list_user_pools(MaxResults=60)["UserPools"]].count(name) == 1
    assert len(cognito.list_user_pool_clients(UserPoolId=made["user_pool_id"])["UserPoolClients"]) == 1


def test_of_pools_with_one_name_the_oldest_is_taken(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    first, _ = (aws("cognito-idp").create_user_pool(PoolName="twins")["UserPool"]["Id"] for _ in range(2))
    assert airflow.run(pool(pool_name="twins", domain="twins-of-tests"), ti)["user_pool_id"] == first


def test_the_domain_of_another_pool_is_refused(aws: Any, airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    with pytest.raises(RequestRefused, match=rf"Domain people-of-tests is that of user pool people \({ids[0]}\)"):
        airflow.run(pool(pool_name="other"), ti)


def test_a_pool_with_another_domain_is_refused(airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    with pytest.raises(RequestRefused, match="has domain people-of-tests, not another-domain"):
        airflow.run(pool(domain="another-domain"), ti)


def test_a_client_without_secret_is_refused_and_left_as_it_is(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    cognito = aws("cognito-idp")
    pool_id = cognito.create_user_pool(PoolName="open")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="portal")["UserPoolClient"]
    with pytest.raises(RequestRefused, match=r"is there, without a secret, the code flow, the scope email"):
        airflow.run(pool(pool_name="open", domain="open-of-tests"), ti)
    assert client_of(aws, pool_id, client["ClientId"]).get("AllowedOAuthFlows", []) == []


def test_a_callback_is_added_and_the_clients_other_settings_are_kept(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    given = {"pool_name": "back", "domain": "back-of-tests"}
    made = airflow.run(pool(**given, callback_urls=["https://a.example.com/"]), ti)
    before = client_of(aws, made["user_pool_id"], made["client_id"])
    airflow.run(pool(**given, callback_urls=["https://b.example.com/"]), ti.next_try())
    after = client_of(aws, made["user_pool_id"], made["client_id"])
    assert after["CallbackURLs"] == ["https://a.example.com/", "https://b.example.com/"]
    moved = {"CallbackURLs", "LastModifiedDate"}
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}


def test_a_workforce_is_made_once_and_its_portal_may_be_signed_in_to(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: tuple[str, str]
) -> None:
    operator = workforce(*ids)()
    found = airflow.run(lambda: operator, ti)
    described = aws("sagemaker").describe_workforce(WorkforceName="default")["Workforce"]
    assert found == {"name": "default", "arn": described["WorkforceArn"], "sub_domain": described["SubDomain"]}
    assert operator.portal_url == f"http://{described['SubDomain']}"
    # In place of the address that leads nowhere, with which the client was made.
    assert client_of(aws, *ids)["CallbackURLs"] == [f"{operator.portal_url}/oauth2/idpresponse"]
    airflow.run(pool(), ti)
    assert client_of(aws, *ids)["CallbackURLs"] == [f"{operator.portal_url}/oauth2/idpresponse"]
    assert len(aws("sagemaker").list_workforces()["Workforces"]) == 1


def test_a_workforce_of_another_pool_is_refused(aws: Any, airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    other = airflow.run(pool(pool_name="rival", domain="rival-of-tests"), ti)
    with pytest.raises(RequestRefused, match=rf"default is there, for user pool {ids[0]} and client {ids[1]}"):
        airflow.run(workforce(other["user_pool_id"], other["client_id"]), ti)


def test_a_second_workforce_in_the_region_is_refused_with_the_name_of_the_first(
    airflow: Airflow, ti: FakeTask, ids: Any
) -> None:
    with pytest.raises(RequestRefused, match=r"the region has default, .*Use workforce_name='default'"):
        airflow.run(workforce(*ids, name="second"), ti)


def test_a_create_whose_answer_got_lost_is_not_taken_for_a_second_workforce(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = SageMakerJobHook.describe
    missed: list[Any] = []

    def miss_once(self: SageMakerJobHook, kind: str, name: str) -> dict[str, Any] | None:
        if kind == "Workforce" and not missed:
            missed.append(name)
            return None
        return describe(self, kind, name)

    operator = workforce(*ids)()
    monkeypatch.setattr(SageMakerJobHook, "describe", miss_once)
    monkeypatch.setattr(operator, "_check_region_is_free", lambda: None)
    assert airflow.run(lambda: operator, ti)["name"] == "default"
    assert missed


def test_a_team_is_made_once_and_its_groups_follow(aws: Any, airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    airflow.run(pool(groups=["reviewers", "referees"]), ti)
    made = airflow.run(team(*ids, name="changing"), ti)
    assert airflow.run(team(*ids, name="changing"), ti.next_try()) == made
    changed = {"groups": ["reviewers", "referees"], "description": "Read and judge"}
    assert airflow.run(team(*ids, name="changing", **changed), ti.next_try()) == made
    found = aws("sagemaker").describe_workteam(WorkteamName="changing")["Workteam"]
    assert found["Description"] == "Read and judge"
    members = [member["CognitoMemberDefinition"]["UserGroup"] for member in found["MemberDefinitions"]]
    assert members == ["reviewers", "referees"]


def test_a_team_of_another_client_is_refused(airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    with pytest.raises(RequestRefused, match=rf"is there, for user pool and client {ids[0]} {ids[1]} and not"):
        airflow.run(team(ids[0], "another-client"), ti)


def secret(aws: Any, name: str) -> dict[str, str]:
    value: dict[str, str] = json.loads(aws("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    return value


def test_a_worker_gets_a_temporary_password_once_and_nobody_else_sees_it(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: Any, output: Any
) -> None:
    make = worker("ann", ids[0], secret_name="workers/ann")
    assert airflow.run(make, ti) == {"username": "ann", "created": True, "secret": "workers/ann"}
    handed_over = secret(aws, "workers/ann")
    assert handed_over["username"] == "ann"
    user = aws("cognito-idp").admin_get_user(UserPoolId=ids[0], Username="ann")
    assert user["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    assert {each["Name"]: each["Value"] for each in user["UserAttributes"]}["email"] == "ann@example.com"
    groups = aws("cognito-idp").admin_list_groups_for_user(UserPoolId=ids[0], Username="ann")["Groups"]
    assert [group["GroupName"] for group in groups] == ["reviewers"]

    again = airflow.run(make, ti.next_try())
    assert again == {"username": "ann", "created": False, "secret": "workers/ann"}
    assert secret(aws, "workers/ann") == handed_over
    assert handed_over["password"] not in json.dumps([again, ti.pushed]) + output()


def test_the_password_in_the_secret_is_that_of_the_account(aws: Any, airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    airflow.run(worker("bob", ids[0], secret_name="workers/bob"), ti)
    cognito = aws("cognito-idp")
    flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    made = cognito.create_user_pool_client(UserPoolId=ids[0], ClientName="check", ExplicitAuthFlows=flows)
    asked = {"USERNAME": "bob", "PASSWORD": secret(aws, "workers/bob")["password"]}
    answer = cognito.admin_initiate_auth(
        UserPoolId=ids[0],
        ClientId=made["UserPoolClient"]["ClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters=asked,
    )
    assert answer["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("method", ["create_secret", "admin_create_user", "admin_add_user_to_group"])
def test_a_worker_of_a_try_that_died_half_way_has_the_password_of_the_secret(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: Any, method: str, answered: bool
) -> None:
    name = f"{method}-{answered}"
    asked: list[str] = []
    call = ServiceHook._call

    def note(self: ServiceHook, called: str, **request: Any) -> dict[str, Any]:
        if called == "admin_create_user":
            asked.append(request["TemporaryPassword"])
        return call(self, called, **request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServiceHook, "_call", note)
        dies_at(patch, method, answered=answered)
        with pytest.raises(Killed):
            airflow.run(worker(name, ids[0], secret_name=f"workers/{name}"), ti)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServiceHook, "_call", note)
        airflow.run(worker(name, ids[0], secret_name=f"workers/{name}"), ti.next_try())
    assert set(asked) == {secret(aws, f"workers/{name}")["password"]}
    groups = aws("cognito-idp").admin_list_groups_for_user(UserPoolId=ids[0], Username=name)["Groups"]
    assert len(groups) == 1


def test_the_secret_of_somebody_else_is_refused_and_kept(aws: Any, airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    airflow.run(worker("cat", ids[0], secret_name="workers/cat"), ti)
    before = secret(aws, "workers/cat")
    with pytest.raises(RequestRefused, match="workers/cat is there, and not with the password of dan") as failure:
        airflow.run(worker("dan", ids[0], secret_name="workers/cat"), ti)
    assert before["password"] not in str(failure.value)
    assert secret(aws, "workers/cat") == before
    with pytest.raises(aws("cognito-idp").exceptions.UserNotFoundException):
        aws("cognito-idp").admin_get_user(UserPoolId=ids[0], Username="dan")


def test_without_a_secret_cognito_makes_and_mails_the_password(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = []
    call = ServiceHook._call

    def note(self: ServiceHook, called: str, **request: Any) -> dict[str, Any]:
        requests.extend([request] if called == "admin_create_user" else [])
        return call(self, called, **request)

    monkeypatch.setattr(ServiceHook, "_call", note)
    assert airflow.run(worker("eve", ids[0]), ti) == {"username": "eve", "created": True, "secret": ""}
    (request,) = requests
    assert "TemporaryPassword" not in request and request["DesiredDeliveryMediums"] == ["EMAIL"]


def test_an_account_with_another_address_is_refused(airflow: Airflow, ti: FakeTask, ids: Any) -> None:
    airflow.run(worker("fay", ids[0], secret_name="workers/fay"), ti)
    with pytest.raises(RequestRefused, match=r"fay is there, with e-mail address fay@example.com and not x@"):
        airflow.run(worker("fay", ids[0], email_address="x@example.com"), ti)


def test_a_group_that_is_not_there_is_said_before_the_account_is_made(
    aws: Any, airflow: Airflow, ti: FakeTask, ids: Any
) -> None:
    with pytest.raises(RequestRefused, match=r"get_group\(nobodies\): ResourceNotFoundException"):
        airflow.run(worker("gus", ids[0], group="nobodies", secret_name="workers/gus"), ti)
    with pytest.raises(aws("secretsmanager").exceptions.ResourceNotFoundException):
        aws("secretsmanager").get_secret_value(SecretId="workers/gus")


def test_a_temporary_password_has_all_kinds_of_characters() -> None:
    made = {temporary_password(20) for _ in range(50)}
    assert len(made) == 50
    for password in made:
        assert len(password) == 20
        for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, string.punctuation):
            assert set(kind) & set(password)


@pytest.mark.parametrize(
    ("sub_domain", "endpoint", "url"),
    [
        ("abc.labeling.us-east-1.sagemaker.aws", "https://api.sagemaker.us-east-1.amazonaws.com", "https://abc."),
        ("127.0.0.1:4567", "http://127.0.0.1:4566", "http://127.0.0.1:4567"),
        ("", "https://api.sagemaker.us-east-1.amazonaws.com", ""),
    ],
)
def test_the_portal_has_the_scheme_of_the_api(sub_domain: str, endpoint: str, url: str) -> None:
    found = portal_url(sub_domain, endpoint)
    assert found.startswith(url) and bool(found) == bool(url)


def test_airflow_sends_no_mail_to_a_worker_when_the_task_fails(ids: Any) -> None:
    assert worker("gus", ids[0])().email is None
