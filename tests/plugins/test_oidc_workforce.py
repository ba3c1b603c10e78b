"""A workforce and a team of an OpenID Connect provider: made once, checked, and the client's secret told to nobody."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from human_review_kit import make_team, pool
from localaws_kit import LocalAws
from operator_kit import Airflow, FakeTask

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.operators.workforce import WorkforceOperator
from amazon_ml.operators.workteam import WorkteamOperator

SECRET = "not-to-be-told-0123456789"
IDP = "https://idp.example.com"
CONFIG = {
    "Issuer": IDP,
    "AuthorizationEndpoint": f"{IDP}/authorize",
    "TokenEndpoint": f"{IDP}/token",
    "UserInfoEndpoint": f"{IDP}/userinfo",
    "LogoutEndpoint": f"{IDP}/logout",
    "JwksUri": f"{IDP}/jwks",
    "Scope": "openid groups",
}


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    of_idp = {"conn_type": "generic", "host": "idp.example.com", "login": "portal", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_IDP", json.dumps(of_idp))


@pytest.fixture
def sagemaker(own_localaws: LocalAws, loopback_only: None) -> Iterator[Any]:
    """A client of a localaws of the test's own: a region has one workforce."""
    client = own_localaws.client("sagemaker")
    yield client
    client.close()


def workforce(**changes: Any) -> Callable[[], WorkforceOperator]:
    given = {"workforce_name": "people", "oidc_config": CONFIG, "oidc_conn_id": "idp", **changes}
    return lambda: WorkforceOperator(task_id="workforce", **given)


def team(*groups: str, **changes: Any) -> Callable[[], WorkteamOperator]:
    given = {"workteam_name": "team", "workforce_name": "people", "description": "Read", "oidc_groups": groups}
    return lambda: WorkteamOperator(task_id="team", **{**given, **changes})


def test_workforce_is_made_once_and_its_secret_reaches_aws_alone(
    sagemaker: Any,
    airflow: Airflow,
    ti: FakeTask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "airflow")
    sent: list[dict[str, Any]] = []
    masked: set[str] = set()
    call = ServiceHook._call

    def note(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        if SECRET in str(request):
            sent.append({"method": method, **request})
        return call(self, method, **request)

    monkeypatch.setattr(ServiceHook, "_call", note)
    monkeypatch.setattr("amazon_ml.operators.workforce.mask_secret", masked.add)
    operator = workforce()()
    made = airflow.run(lambda: operator, ti)
    assert airflow.run(workforce(), ti.next_try()) == made
    told = sagemaker.describe_workforce(WorkforceName="people")["Workforce"]
    assert told["OidcConfig"] == {**CONFIG, "ClientId": "portal"}
    assert made == {"name": "people", "arn": told["WorkforceArn"], "sub_domain": told["SubDomain"]}
    (created,) = sent
    assert created["method"] == "create_workforce"
    assert created["OidcConfig"]["ClientSecret"] == SECRET
    assert masked == {SECRET}
    output = "".join(capsys.readouterr()) + caplog.text
    assert f"let its client send people to http://{told['SubDomain']}/oauth2/idpresponse" in output
    rendered = {name: getattr(operator, name) for name in operator.template_fields}
    assert rendered["oidc_config"] == CONFIG
    assert SECRET not in json.dumps([made, ti.pushed, rendered]) + output


def test_workforce_of_another_client_or_place_is_refused(
    sagemaker: Any, airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.run(workforce(), ti)
    moved = {**CONFIG, "JwksUri": f"{IDP}/moved", "Scope": "openid"}
    with pytest.raises(RequestRefused, match=r"is there, for OIDC issuer .* \(they differ in JwksUri, Scope\)"):
        airflow.run(workforce(oidc_config=moved), ti.next_try())
    monkeypatch.setenv("AIRFLOW_CONN_IDP", json.dumps({"conn_type": "generic", "login": "other", "password": SECRET}))
    with pytest.raises(RequestRefused, match=r"client portal and not for .* client other \(they differ in ClientId\)"):
        airflow.run(workforce(), ti.next_try())
    assert sagemaker.describe_workforce(WorkforceName="people")["Workforce"]["OidcConfig"]["JwksUri"] == f"{IDP}/jwks"


def test_workforce_of_the_other_kind_is_refused(sagemaker: Any, airflow: Airflow, ti: FakeTask) -> None:
    make_team(airflow)
    ids = airflow.run(pool(), FakeTask(task_id="pool"))
    with pytest.raises(RequestRefused, match=rf"for user pool {ids['user_pool_id']} .* not for OIDC issuer {IDP}"):
        airflow.run(workforce(workforce_name="default"), ti)
    with pytest.raises(RequestRefused, match=r"the region has default, .*Use workforce_name='default'"):
        airflow.run(workforce(), ti)
    with pytest.raises(RequestRefused, match=r"is there, for user pool and client .* not groups of an OpenID Connect"):
        airflow.run(team("reviewers", workteam_name="reviewers"), ti)


@pytest.mark.parametrize("lacking", ["login", "password"])
def test_connection_without_a_client_is_refused(
    sagemaker: Any, airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    given = {"conn_type": "generic", "login": "portal", "password": SECRET}
    del given[lacking]
    monkeypatch.setenv("AIRFLOW_CONN_IDP", json.dumps(given))
    with pytest.raises(RequestRefused, match="Connection idp must have the client") as failure:
        airflow.run(workforce(), ti)
    assert SECRET not in str(failure.value)
    assert sagemaker.list_workforces()["Workforces"] == []


def test_refusal_of_aws_does_not_tell_the_secret(sagemaker: Any, airflow: Airflow, ti: FakeTask) -> None:
    for config in ({**CONFIG, "Issuer": "http://idp.example.com"}, {"Issuer": IDP}, {**CONFIG, "Odd": 1}):
        with pytest.raises(RequestRefused) as failure:
            airflow.run(workforce(oidc_config=config), ti)
        assert SECRET not in str(failure.value) + repr(failure.value.__cause__)


def test_team_is_made_once_and_its_groups_follow(sagemaker: Any, airflow: Airflow, ti: FakeTask) -> None:
    airflow.run(workforce(), ti)
    made = airflow.run(team("reviewers"), ti)
    first = sagemaker.describe_workteam(WorkteamName="team")["Workteam"]
    assert airflow.run(team("reviewers"), ti.next_try()) == made
    assert sagemaker.describe_workteam(WorkteamName="team")["Workteam"] == first
    assert airflow.run(team("reviewers", "referees"), ti.next_try()) == made
    found = sagemaker.describe_workteam(WorkteamName="team")["Workteam"]
    assert found["MemberDefinitions"] == [{"OidcMemberDefinition": {"Groups": ["reviewers", "referees"]}}]
    airflow.run(team("reviewers", "referees", description="Judge"), ti.next_try())
    assert sagemaker.describe_workteam(WorkteamName="team")["Workteam"]["Description"] == "Judge"
    with pytest.raises(RequestRefused, match="is there, for groups of an OpenID Connect provider and not user pool"):
        airflow.run(
            team(workteam_name="team", oidc_groups=None, user_pool_id="p", client_id="c", groups=["g"]), ti.next_try()
        )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"user_pool_id": "pool"},
        {"oidc_config": CONFIG},
        {"oidc_conn_id": "idp"},
        {"user_pool_id": "pool", "client_id": "client", "oidc_config": CONFIG, "oidc_conn_id": "idp"},
    ],
)
def test_workforce_is_of_exactly_one_provider(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="and not of both"):
        WorkforceOperator(task_id="workforce", workforce_name="people", **given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"groups": ["g"]},
        {"oidc_groups": ["g"], "groups": ["g"]},
        {"oidc_groups": ["g"], "user_pool_id": "pool"},
    ],
)
def test_team_is_of_exactly_one_provider(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="and not of both"):
        WorkteamOperator(task_id="team", workteam_name="t", workforce_name="w", description="d", **given)


@pytest.mark.parametrize("name", ["ClientSecret", "ClientId"])
def test_client_in_the_rendered_configuration_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} in oidc_config would be shown") as failure:
        workforce(oidc_config={**CONFIG, name: SECRET})()
    assert SECRET not in str(failure.value)
