"""Sign-in to the portal by an OpenID Connect provider: what lets people in, and all that does not."""

from __future__ import annotations

import gzip
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.utils import base64url_encode
from localaws_kit import LocalAws, start
from oidc_kit import CLIENT, SECRET, Claims, Idp, OidcOffice, new_key, public_jwk, running_idp
from portal_kit import address, browser, fields, follow, give
from workforce_kit import PASSWORD, add_worker, make_people

from localaws.sagemaker.workforce import client_secret

STATE = "localaws_sign_in"
SESSION = "localaws_portal"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    started = start(tmp_path_factory.mktemp("oidc") / "home")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def provider() -> Iterator[Idp]:
    with running_idp() as made:
        yield made


@pytest.fixture(scope="module")
def office(server: LocalAws, provider: Idp) -> OidcOffice:
    extra = {"acr_values": "high", "state": "forged", "redirect_uri": "https://evil.example/"}
    made = OidcOffice(server, provider, Scope="openid email", AuthenticationRequestExtraParams=extra)
    made.new_team("others", "others")
    return made


@pytest.fixture
def idp(provider: Idp) -> Iterator[Idp]:
    yield provider
    provider.mend()


@pytest.fixture
def portal(office: OidcOffice) -> Iterator[httpx.Client]:
    with browser(office.server) as client:
        yield client


def is_in(portal: httpx.Client) -> bool:
    return portal.get("/").status_code == 200


def refused(portal: httpx.Client, answer: httpx.Response, status: int, words: str) -> None:
    """The answer is one page that says why, and nobody is signed in."""
    assert answer.status_code == status, answer.text
    assert words in answer.text.replace("&#39;", "'")
    assert "Traceback" not in answer.text
    assert SECRET not in answer.text
    assert SESSION not in portal.cookies
    assert not is_in(portal)


def test_sign_in_asks_as_the_workforce_says(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    begun = portal.get("/lead")
    place = urlsplit(begun.headers["location"])
    asked = dict(parse_qsl(place.query))
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{idp.url}/authorize"
    assert asked.pop("state") == portal.cookies[STATE] != "forged"
    assert len(asked.pop("nonce")) >= 16
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "policy": "people",
        "acr_values": "high",
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{office.portal}/oauth2/idpresponse",
        "scope": "openid email",
        "code_challenge_method": "S256",
    }


def test_worker_comes_in_and_out_again(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    answer = office.come_back(portal, "ann", "/jobs/none/tasks/none")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/none/tasks/none")
    page = portal.get("/")
    assert page.status_code == 200
    assert "Ann Doe" in page.text
    assert not {"nonce", "code_verifier"} & set(portal.cookies)
    held = portal.cookies[SESSION]
    gone = portal.post("/logout", data=fields(page))
    place = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', gone.text)
    assert place
    leaving = urlsplit(place[1].replace("&amp;", "&"))
    assert f"{leaving.scheme}://{leaving.netloc}{leaving.path}" == f"{idp.url}/logout"
    back = f"{office.portal}/signed-out"
    assert dict(parse_qsl(leaving.query)) == {"client_id": CLIENT, "post_logout_redirect_uri": back}
    assert not is_in(portal)
    # A copy of the cookie is worth nothing either.
    assert httpx.get(office.portal, cookies={SESSION: held}).status_code == 302


def test_secret_goes_to_the_token_endpoint_alone(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    office.come_back(portal, "ann")
    assert is_in(portal)
    sent = [path for path, given in idp.asked if SECRET in given.values()]
    assert sent == ["/token"]
    told = office.sagemaker.describe_workforce(WorkforceName="oidc")
    listed = office.sagemaker.list_workforces()
    assert SECRET not in str([told, listed, dict(portal.cookies), portal.get("/").text])
    for path in office.server.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("groups", "teams"),
    [
        ("reviewers", {"reviewers"}),
        (["referees", "leads"], {"reviewers"}),
        (["others", "reviewers", "leads"], {"reviewers", "others"}),
        (["night-leads", "others"], {"others"}),
    ],
)
def test_groups_say_which_teams_a_worker_is_of(
    office: OidcOffice, idp: Idp, portal: httpx.Client, groups: Any, teams: set[str]
) -> None:
    idp.info = {"sagemaker:groups": groups}
    assert office.come_back(portal, "ann").status_code == 303
    lead = portal.get("/lead")
    is_lead = isinstance(groups, list) and any(name.endswith("leads") for name in groups)
    assert lead.status_code == (200 if is_lead else 404)
    if is_lead:
        assert set(re.findall(r'href="/lead/([a-z]+)"', lead.text)) == teams


CLAIMS: Claims = {
    "sagemaker:groups": None,
    "sagemaker:sub": None,
    "sagemaker:client_id": None,
    "sagemaker:name": None,
}
WITH_HYPHENS = {
    "sagemaker-groups": ["reviewers"],
    "sagemaker-sub": "S-1",
    "sagemaker-client_id": CLIENT,
    "sagemaker-name": "Jane",
}


@pytest.mark.parametrize("place", ["info", "id_claims", "jwt_claims"])
def test_claims_come_by_user_info_or_by_a_token(office: OidcOffice, idp: Idp, portal: httpx.Client, place: str) -> None:
    idp.info = dict(CLAIMS)
    setattr(idp, place, {**(getattr(idp, place) or {}), **WITH_HYPHENS})
    assert office.come_back(portal, "ann").status_code == 303
    assert "Jane" in portal.get("/").text


def test_group_that_leaves_the_team_shuts_its_workers_out(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    office.new_team("brief", "brief")
    idp.info = {"sagemaker:groups": "brief"}
    office.come_back(portal, "ann")
    assert is_in(portal)
    members = [{"OidcMemberDefinition": {"Groups": ["nobody"]}}]
    office.sagemaker.update_workteam(WorkteamName="brief", MemberDefinitions=members)
    page = portal.get("/")
    assert page.status_code == 403
    assert "sign out and in again" in page.text
    office.sagemaker.delete_workteam(WorkteamName="brief")


def test_state_ends_one_sign_in_of_one_browser(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    back = idp.approve(portal.get("/").headers["location"], "ann")
    with browser(office.server) as other:
        # Another's code must not sign this browser in as him.
        assert other.get(back).status_code == 400
        other.get("/")
        refused(other, other.get(back), 400, "not begun in this browser")
    jar = dict(portal.cookies)
    assert portal.get(back).status_code == 303
    assert is_in(portal)
    again = httpx.get(back, cookies=jar)
    assert again.status_code == 400
    assert idp.times_asked("/token") == 1


def test_nonce_of_another_sign_in_is_refused(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    idp.id_claims = {"nonce": "of-another"}
    refused(portal, office.come_back(portal, "ann"), 502, "its nonce is another")
    idp.id_claims = {"nonce": None}
    refused(portal, office.come_back(portal, "ann"), 502, "its nonce is another")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"error": "access_denied", "code": ""}, 403, "you may not sign in"),
        ({"error": "server_error", "error_description": "<b>gone</b>"}, 502, "says: &lt;b&gt;gone"),
        ({"code": ""}, 400, "sent no code"),
        ({"code": "unknown"}, 502, "status 400: invalid_grant"),
        ({"iss": "https://evil.example"}, 400, "another identity provider"),
        ({"state": "x"}, 400, "not begun in this browser"),
    ],
    ids=["denied", "failed", "no-code", "unknown-code", "mixed-up", "state"],
)
def test_answer_of_the_authorization_endpoint_is_checked(
    office: OidcOffice, idp: Idp, portal: httpx.Client, changes: dict[str, str], status: int, words: str
) -> None:
    refused(portal, office.come_back(portal, "ann", **changes), status, words)
    if "unknown" not in changes.values():
        assert idp.times_asked("/token") == 0


def past(**claims: Any) -> Claims:
    now = int(time.time())
    return {"iat": now - 1000, **{name: now + value for name, value in claims.items()}}


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other-client"}, "for another client"),
        ({"aud": [CLIENT, "other-client"]}, "for another client"),
        ({"aud": None}, "for another client"),
        ({"azp": "other-client"}, "for another client"),
        (partial(past, exp=-120), "has expired"),
        ({"exp": None}, "until when it holds"),
        ({"exp": float("nan")}, "until when it holds"),
        ({"exp": 10**400}, "until when it holds"),
        (partial(past, nbf=600, exp=900), "does not hold yet"),
        ({"sub": None}, "has no sub"),
        ({"sub": "somebody-else"}, "another person"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value.keywords if callable(value) else value),
)
def test_id_token_must_be_of_this_sign_in(
    office: OidcOffice, idp: Idp, portal: httpx.Client, claims: Claims | Callable[[], Claims], words: str
) -> None:
    # By the clock of the test, not of the collection.
    idp.id_claims = claims() if callable(claims) else claims
    refused(portal, office.come_back(portal, "ann"), 502, words)


def test_clock_may_differ_by_a_minute(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    idp.id_claims = past(exp=-30)
    assert office.come_back(portal, "ann").status_code == 303
    with browser(office.server) as other:
        idp.id_claims = {"iat": int(time.time()) + 30}
        assert office.come_back(other, "ann").status_code == 303


def unsigned(claims: Claims, algorithm: str) -> str:
    header = {"alg": algorithm, "kid": "first"}
    return ".".join(base64url_encode(json.dumps(part).encode()).decode() for part in (header, claims))


def hmac_by_public_key(idp: Idp, claims: Claims) -> str:
    # By hand: libraries refuse to sign so.
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = idp.key.public_key().public_bytes(serialization.Encoding.PEM, kind)
    text = unsigned(claims, "HS256")
    return f"{text}.{base64url_encode(hmac.digest(secret, text.encode(), 'sha256')).decode()}"


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (lambda idp, claims: jwt.encode(claims, new_key(), "RS256", headers={"kid": "first"}), "not signed by a key"),
        (lambda idp, claims: idp.signed(claims)[:-8] + "AAAAAAAA", "not signed by a key"),
        (lambda idp, claims: idp.signed(claims, kid="second"), "not signed by a key"),
        (lambda idp, claims: unsigned(claims, "none") + ".", "not signed in a way"),
        (hmac_by_public_key, "not signed in a way"),
        (lambda idp, claims: "opaque", "no JSON Web Token"),
        (lambda idp, claims: "a.b.c", "no JSON Web Token"),
        (lambda idp, claims: None, "missing"),
        (lambda idp, claims: {"alg": "RS256"}, "missing"),
    ],
    ids=["other-key", "damaged", "unknown-kid", "none", "hmac", "opaque", "junk", "absent", "object"],
)
def test_id_token_must_be_signed_by_the_provider(
    office: OidcOffice, idp: Idp, portal: httpx.Client, sign: Callable[[Idp, Claims], Any], words: str
) -> None:
    idp.sign = lambda claims: sign(idp, claims)
    refused(portal, office.come_back(portal, "ann"), 502, words)
    assert idp.times_asked("/userinfo") == 0


def test_new_key_is_found_by_reading_the_set_once_more(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    office.come_back(portal, "ann")
    key, before = new_key(), idp.times_asked("/jwks")
    assert before <= 1
    damaged = {"kty": "RSA", "kid": "rolled-over", "n": "AQAB"}
    idp.keys = ["junk", {"kty": "odd"}, damaged, public_jwk(key, "rolled-over")]
    idp.sign = lambda claims: jwt.encode(claims, key, "RS256", headers={"kid": "rolled-over"})
    with browser(office.server) as other:
        assert office.come_back(other, "ann").status_code == 303
    assert idp.times_asked("/jwks") == before + 1
    # The old key is not good any more.
    idp.sign = idp.signed
    with browser(office.server) as other:
        refused(other, office.come_back(other, "ann"), 502, "not signed by a key")


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256"])
def test_token_may_be_signed_by_any_key_pair(
    office: OidcOffice, idp: Idp, portal: httpx.Client, algorithm: str
) -> None:
    key: Any = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else new_key()
    kind = jwt.algorithms.ECAlgorithm if algorithm == "ES256" else jwt.algorithms.RSAAlgorithm
    # Without a key id, all of the set's are tried.
    idp.keys = [public_jwk(new_key(), "other"), json.loads(kind.to_jwk(key.public_key()))]
    idp.sign = lambda claims: jwt.encode(claims, key, algorithm)
    assert office.come_back(portal, "ann").status_code == 303


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sagemaker:groups": None}, "does not send the claim sagemaker:groups,"),
        ({"sagemaker:sub": None, "sagemaker:name": None}, "sagemaker:sub, sagemaker:name,"),
        ({"sagemaker:client_id": "other"}, "names another client"),
        ({"sagemaker:groups": []}, "a list of 1 to 10 groups"),
        ({"sagemaker:groups": [f"g{number}" for number in range(11)]}, "a list of 1 to 10 groups"),
        ({"sagemaker:groups": ["reviewers", 5]}, "whose name SageMaker does not take"),
        ({"sagemaker:groups": ["a b"]}, "whose name SageMaker does not take"),
        ({"sagemaker:groups": {"reviewers": True}}, "a list of 1 to 10 groups"),
        ({"sagemaker:sub": 5}, "sagemaker:sub must be a text"),
        ({"sagemaker:name": " "}, "sagemaker:name must be a text"),
        ({"sagemaker:groups": ["strangers", "Reviewers"]}, "none of your groups is one of a work team"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_claims_must_be_as_sagemaker_takes_them(
    office: OidcOffice, idp: Idp, portal: httpx.Client, changes: Claims, words: str
) -> None:
    idp.info = changes
    answer = office.come_back(portal, "ann")
    refused(portal, answer, 403, words)
    # Who came with the wrong account can take another.
    assert f'href="{idp.url}/logout?client_id={CLIENT}' in answer.text


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A header that never ends: each byte comes in time, and the answer does not."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(40):
        time.sleep(0.5)
        try:
            handler.wfile.write(b"x")
        except OSError:
            return


def huge(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(b" " * 65536)
    except OSError:
        return


def echo(handler: Any) -> None:
    handler.say(400, {"error": f"bad secret {SECRET}", "error_description": SECRET})


def zipped(handler: Any) -> None:
    handler.raw(200, gzip.compress(b"{}"), "application/json", "gzip")


def is_out(handler: Any) -> None:
    handler.connection.close()


def leads_away(handler: Any) -> None:
    handler.lead("http://127.0.0.1:9/token")


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/jwks"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda handler: handler.say(500, {"error": "server_error"}), "answered with status 500"),
        (lambda handler: handler.raw(200, b"<html>", "text/html"), "did not answer a JSON object"),
        (lambda handler: handler.raw(200, b"[" * 100_000, "application/json"), "did not answer a JSON object"),
        (lambda handler: handler.say(200, ["list"]), "did not answer a JSON object"),
        (zipped, "did not answer a JSON object"),
        (echo, "answered with status 400"),
        (leads_away, "answered with status 302"),
        (huge, "answered more than 262144 bytes"),
        (is_out, "cannot be reached"),
    ],
    ids=["500", "html", "deep", "list", "zipped", "echo", "redirect", "huge", "closed"],
)
def test_provider_that_does_not_work_is_said_to_be_so(
    office: OidcOffice, idp: Idp, path: str, answer: Callable[[Any], None], words: str
) -> None:
    idp.answers = {path: answer}
    # A key that is not kept yet, so that the set is asked for.
    kid = f"key-{time.monotonic_ns()}"
    idp.sign = lambda claims: idp.signed(claims, kid=kid)
    idp.keys = [public_jwk(idp.key, kid)]
    with browser(office.server) as portal:
        refused(portal, office.come_back(portal, "ann"), 502, words)
    log = office.logged()
    assert f"sign-in by {idp.url} failed" in log
    assert SECRET not in log


def test_slow_provider_is_not_waited_for(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    idp.answers = {"/token": drip}
    began = time.monotonic()
    refused(portal, office.come_back(portal, "ann"), 504, "no answer within 10 seconds")
    assert 9 < time.monotonic() - began < 15


def test_answers_without_what_they_need_are_refused(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    idp.answers = {"/token": lambda handler: handler.say(200, {})}  # type: ignore[attr-defined]
    refused(portal, office.come_back(portal, "ann"), 502, "ID token is missing")
    idp.answers = {"/jwks": lambda handler: handler.say(200, {"keys": {}})}  # type: ignore[attr-defined]
    idp.sign = lambda claims: idp.signed(claims, kid="nowhere")
    refused(portal, office.come_back(portal, "ann"), 502, "did not answer a key set")


def test_access_token_of_another_provider_says_nothing(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    idp.info = dict(CLAIMS)
    idp.jwt_claims = {**WITH_HYPHENS, "iss": "https://evil.example"}
    refused(portal, office.come_back(portal, "ann"), 502, "access token is of another issuer")


def test_two_people_of_one_name_are_two(office: OidcOffice, idp: Idp) -> None:
    office.job("namesakes", 1, TaskCount=2)
    ids = []
    for user, label in (("ann", "1"), ("bob", "0")):
        idp.info = {"sagemaker:name": "Jane Doe", "sagemaker:groups": ["reviewers", "leads"]}
        with browser(office.server) as portal:
            office.come_back(portal, user)
            taken = portal.post("/jobs/namesakes/take", data={"csrf": fields(portal.get("/"))["csrf"]})
            token = re.search(r'data-csrf="([^"]+)"', portal.get(taken.headers["location"]).text)
            assert token
            answer = {"sentiment": {"label": label}}
            headers = {"X-CSRF-Token": token[1]}
            sent = portal.post(f"{taken.headers['location']}/answer", json=answer, headers=headers)
            assert sent.status_code == 200, sent.text
            page = portal.get("/lead/reviewers").text
    office.ended("namesakes-0")
    for given in office.output("namesakes-0")["humanAnswers"]:
        ids.append(given["workerId"])
        person = given["workerMetadata"]["identityData"]
        assert person.pop("sub") in ("S-1-5-ann", "S-1-5-bob")
        assert person == {"identityProviderType": "Oidc", "issuer": idp.url}
    assert len(set(ids)) == 2
    # They disagree, which one person alone would not.
    assert "0 % of pairs agree" in page


def test_same_person_has_one_seat_in_two_browsers(office: OidcOffice, idp: Idp) -> None:
    office.job("one-seat", 1, TaskCount=2)
    places = set()
    for name in ("Ann Doe", "Ann Roe"):
        idp.info = {"sagemaker:name": name}
        with browser(office.server) as portal:
            office.come_back(portal, "ann")
            taken = portal.post("/jobs/one-seat/take", data={"csrf": fields(portal.get("/"))["csrf"]})
            places.add(taken.headers["location"])
    assert len(places) == 1
    assert "tasks/" in places.pop()


def test_form_of_an_ended_session_does_nothing_and_says_so(office: OidcOffice, idp: Idp, portal: httpx.Client) -> None:
    answer = portal.post("/jobs/one-seat/take", data={"csrf": "0" * 64})
    assert answer.status_code == 401
    assert "no longer signed in" in answer.text


def test_other_host_name_of_the_portal_leads_to_the_one_of_the_callback(office: OidcOffice) -> None:
    port = urlsplit(office.portal).port
    answer = httpx.get(f"http://localhost:{port}/lead")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{office.portal}/lead")


def test_sessions_end_with_the_provider_that_they_are_of(tmp_path: Any, idp: Idp) -> None:
    server = start(tmp_path / "home")
    try:
        office = OidcOffice(server, idp)
        with browser(server) as portal:
            # Without Scope it is openid.
            assert dict(parse_qsl(urlsplit(portal.get("/").headers["location"]).query))["scope"] == "openid"
            office.come_back(portal, "ann")
            server.kill()
            server.restart()
            assert is_in(portal)
            office.sagemaker.delete_workteam(WorkteamName="reviewers")
            begun = portal.get("/").headers.get("location", "")
            assert begun == ""
            with browser(server) as other:
                late = idp.approve(other.get("/").headers["location"], "ann")
                changed = {"WorkforceName": "oidc", "OidcConfig": idp.config(ClientId="another-client")}
                office.sagemaker.update_workforce(**changed)
                refused(other, other.get(late), 409, "has changed")
            office.new_team("reviewers", "reviewers")
            asked = portal.get("/")
            assert asked.status_code == 302
            assert "client_id=another-client" in asked.headers["location"]
            # As a home has it whose workforce was made before secrets were kept.
            client_secret.forget(office.ctx, "oidc")
            told = portal.get("/")
            assert told.status_code == 409
            assert "give it with UpdateWorkforce" in told.text
    finally:
        server.stop()


def test_cognitos_hosted_pages_are_a_provider_too(tmp_path: Any) -> None:
    """Its tokens and user info are taken; what it cannot say, the claims of SageMaker, is named."""
    server = start(tmp_path / "home")
    try:
        people = make_people(server, "people")
        add_worker(server, people, "ann")
        base = f"{address(server)}/cognito/{people.domain}"
        sagemaker = server.client("sagemaker")
        config = {
            "ClientId": people.client_id,
            "ClientSecret": people.secret,
            "Issuer": f"https://cognito-idp.us-east-1.amazonaws.com/{people.pool_id}",
            "AuthorizationEndpoint": f"{base}/oauth2/authorize",
            "TokenEndpoint": f"{base}/oauth2/token",
            "UserInfoEndpoint": f"{base}/oauth2/userInfo",
            "LogoutEndpoint": f"{base}/logout?" + urlencode({"logout_uri": f"{address(server)}/signed-out"}),
            "JwksUri": f"{server.url}/{people.pool_id}/.well-known/jwks.json",
            "Scope": "openid email profile",
        }
        sagemaker.create_workforce(WorkforceName="cognito-as-oidc", OidcConfig=config)
        members = [{"OidcMemberDefinition": {"Groups": [people.group]}}]
        sagemaker.create_workteam(WorkteamName="team", MemberDefinitions=members, Description="Reviews")
        with browser(server) as portal:
            page = follow(portal, portal.get("/"))
            answer = follow(portal, give(portal, page, username="ann", password=PASSWORD))
            assert answer.status_code == 403
            lacking = "sagemaker:groups, sagemaker:sub, sagemaker:client_id, sagemaker:name"
            assert f"does not send the claim {lacking}," in answer.text
            link = re.search(r'href="([^"]+)"[^>]*>Sign out of', answer.text)
            assert link
            assert follow(portal, portal.get(link[1].replace("&amp;", "&"))).url.path == "/signed-out"
    finally:
        server.stop()
