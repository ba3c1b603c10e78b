"""Tokens of user pools: what is given for what, what they say, and that nobody can forge one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import importlib.resources
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt as jwt_of_pyjwt
import pytest
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from joserfc.jwt import JWTClaimsRegistry
from localaws_kit import LocalAws
from portal_kit import browser, follow, give
from workforce_kit import PASSWORD, TEMPORARY, People, add_worker, make_people, move_attempts

CALLBACK = "http://localhost:9/callback"
VERIFIER = "v" * 20 + "-verifier-of-at-least-43-characters-0123"
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def app(server: LocalAws) -> People:
    made = make_people(server, "app", CallbackURLs=[CALLBACK, "http://localhost:9/other"])
    add_worker(server, made, "ann")
    idp = server.client("cognito-idp")
    idp.create_group(UserPoolId=made.pool_id, GroupName="leads", Precedence=1)
    idp.admin_add_user_to_group(UserPoolId=made.pool_id, GroupName="leads", Username="ann")
    return made


@pytest.fixture
def portal(server: LocalAws) -> Iterator[httpx.Client]:
    with browser(server) as client:
        yield client


def challenge(verifier: str = VERIFIER) -> dict[str, str]:
    digest = hashlib.sha256(verifier.encode()).digest()
    return {
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def authorized(portal: httpx.Client, app: People, username: str = "ann", **more: str) -> dict[str, str]:
    """Sign in; the parameters that the callback is given."""
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "nonce": "n-1",
        **more,
    }
    answer = follow(portal, portal.get(f"/cognito/{app.domain}/oauth2/authorize?{urlencode(query)}"))
    if not answer.is_redirect:
        answer = give(portal, answer, username=username, password=PASSWORD)
    parts = urlsplit(answer.headers["location"])
    return {key: values[0] for key, values in parse_qs(parts.query or parts.fragment).items()}


def token(portal: httpx.Client, app: People, **form: Any) -> httpx.Response:
    """Ask the token endpoint, with the client's secret by Basic."""
    auth = form.pop("auth", (app.client_id, app.secret))
    return portal.post(f"/cognito/{app.domain}/oauth2/token", data=form, auth=auth)


def redeem(portal: httpx.Client, app: People, authorization_code: str, **more: Any) -> httpx.Response:
    code = authorization_code
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return token(portal, app, **{**form, **more})


def tokens(portal: httpx.Client, app: People, **more: str) -> dict[str, Any]:
    """Sign in and redeem the code."""
    answer = redeem(portal, app, authorized(portal, app, **challenge(), **more)["code"])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keys(server: LocalAws, app: People) -> KeySet:
    """The published keys, fetched without a signature."""
    return KeySet.import_key_set(httpx.get(f"{server.url}/{app.pool_id}/.well-known/jwks.json").json())


def user_info(portal: httpx.Client, app: People, access: str) -> httpx.Response:
    where = f"/cognito/{app.domain}/oauth2/userInfo"
    return portal.get(where, headers={"Authorization": f"Bearer {access}"})


def test_a_standard_library_verifies_the_id_token(server: LocalAws, portal: httpx.Client, app: People) -> None:
    given = tokens(portal, app)
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    decoded = jwt.decode(given["id_token"], keys(server, app), algorithms=["RS256"])
    JWTClaimsRegistry(
        iss={"essential": True, "value": f"{ISSUER}/{app.pool_id}"},
        aud={"essential": True, "value": app.client_id},
        exp={"essential": True},
        nonce={"essential": True, "value": "n-1"},
        token_use={"essential": True, "value": "id"},
    ).validate(decoded.claims)
    claims = decoded.claims
    assert claims["cognito:username"] == "ann"
    assert claims["email"] == "ann@example.com"
    # By precedence.
    assert claims["cognito:groups"] == ["leads", "labelers"]
    digest = hashlib.sha256(given["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert claims["exp"] - claims["iat"] == 3600


def test_pyjwt_verifies_the_tokens_too(server: LocalAws, portal: httpx.Client, app: People) -> None:
    given = tokens(portal, app)
    published = jwt_of_pyjwt.PyJWKClient(f"{server.url}/{app.pool_id}/.well-known/jwks.json")
    key = published.get_signing_key_from_jwt(given["id_token"])
    issuer = f"{ISSUER}/{app.pool_id}"
    claims = jwt_of_pyjwt.decode(
        given["id_token"], key.key, algorithms=["RS256"], audience=app.client_id, issuer=issuer
    )
    assert claims["cognito:username"] == "ann"
    forged = jwt.encode({"alg": "RS256", "kid": key.key_id}, claims, bundled())
    with pytest.raises(jwt_of_pyjwt.InvalidSignatureError):
        jwt_of_pyjwt.decode(forged, key.key, algorithms=["RS256"], audience=app.client_id, issuer=issuer)


def test_the_access_token_says_client_scopes_and_groups(server: LocalAws, portal: httpx.Client, app: People) -> None:
    given = tokens(portal, app)
    access = jwt.decode(given["access_token"], keys(server, app), algorithms=["RS256"]).claims
    identity = jwt.decode(given["id_token"], keys(server, app), algorithms=["RS256"]).claims
    assert access["token_use"] == "access"
    assert access["client_id"] == app.client_id
    assert access["scope"] == "openid email profile"
    assert access["username"] == "ann"
    assert access["cognito:groups"] == ["leads", "labelers"]
    assert access["origin_jti"] == identity["origin_jti"]
    assert access["sub"] == identity["sub"]


def test_initiate_auth_signs_with_the_same_key(server: LocalAws, app: People) -> None:
    given = initiate(server, app, "ann", PASSWORD)["AuthenticationResult"]
    for name in ("IdToken", "AccessToken"):
        claims = jwt.decode(given[name], keys(server, app), algorithms=["RS256"]).claims
        assert claims["iss"] == f"{ISSUER}/{app.pool_id}"
        assert set(claims["cognito:groups"]) == {"leads", "labelers"}


def test_every_home_has_a_key_of_its_own_that_moto_does_not_know(server: LocalAws, app: People) -> None:
    published = keys(server, app)
    assert bundled().thumbprint() not in [key.thumbprint() for key in published.keys]
    path = server.home / "localaws" / "cognito" / "signing.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert RSAKey.import_key(path.read_text()).thumbprint() == published.keys[0].kid


def bundled() -> RSAKey:
    """The private key that moto ships to everybody."""
    file = importlib.resources.files("moto.cognitoidp") / "resources" / "jwks-private.json.gz"
    return RSAKey.import_key(json.loads(gzip.decompress(file.read_bytes())))


def test_no_forged_token_is_taken(server: LocalAws, portal: httpx.Client, app: People) -> None:
    good = tokens(portal, app)["access_token"]
    assert user_info(portal, app, good).status_code == 200
    published = keys(server, app).keys[0]
    assert isinstance(published, RSAKey)
    claims = jwt.decode(good, published, algorithms=["RS256"]).claims
    header, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": published.kid}).encode()).rstrip(b"=").decode()
    other = base64.urlsafe_b64encode(json.dumps({**claims, "username": "root"}).encode()).rstrip(b"=").decode()
    hmac_header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": published.kid}).encode()).rstrip(b"=")
    signed = hmac_header + b"." + payload.encode()
    mac = hmac.new(published.as_pem(private=False), signed, hashlib.sha256).digest()
    forged = {
        "alg none": f"{none}.{payload}.",
        "alg none with the signature": f"{none}.{payload}.{signature}",
        "another key": jwt.encode({"alg": "RS256", "kid": published.kid}, claims, RSAKey.generate_key(2048)),
        "moto's bundled key": jwt.encode({"alg": "RS256", "kid": "dummy"}, claims, bundled()),
        "moto's bundled key by our key's name": jwt.encode({"alg": "RS256", "kid": published.kid}, claims, bundled()),
        "the public key as a secret": f"{signed.decode()}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        "other claims": f"{header}.{other}.{signature}",
        "no token": "x.y.z",
        "next to nothing": "-",
    }
    for name, forgery in forged.items():
        answer = user_info(portal, app, forgery)
        assert answer.status_code == 401, name


def test_an_expired_token_is_refused(server: LocalAws, portal: httpx.Client, app: People) -> None:
    good = tokens(portal, app)["access_token"]
    key = RSAKey.import_key((server.home / "localaws" / "cognito" / "signing.pem").read_text())
    decoded = jwt.decode(good, key, algorithms=["RS256"])
    late = jwt.encode(decoded.header, {**decoded.claims, "exp": int(time.time()) - 1}, key)
    answer = user_info(portal, app, late)
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_token", "error_description": "The token has expired."}


def test_an_id_token_is_no_access_token(portal: httpx.Client, app: People) -> None:
    assert user_info(portal, app, tokens(portal, app)["id_token"]).status_code == 401


def test_user_info_tells_what_the_scopes_show(portal: httpx.Client, app: People) -> None:
    told = user_info(portal, app, tokens(portal, app)["access_token"]).json()
    assert told["email"] == "ann@example.com"
    assert told["username"] == "ann"
    little = tokens(portal, app, scope="openid")
    assert set(user_info(portal, app, little["access_token"]).json()) == {"sub", "username"}
    no_openid = tokens(portal, app, scope="email")
    assert "id_token" not in no_openid
    assert user_info(portal, app, no_openid["access_token"]).status_code == 403


def test_a_code_used_twice_revokes_what_was_given_for_it(portal: httpx.Client, app: People) -> None:
    code = authorized(portal, app, **challenge())["code"]
    given = redeem(portal, app, code).json()
    again = redeem(portal, app, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    refreshed = token(portal, app, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"
    assert user_info(portal, app, given["access_token"]).status_code == 401


def test_of_many_uses_of_a_code_at_once_one_gets_tokens_at_most(server: LocalAws, app: People) -> None:
    with browser(server) as portal:
        code = authorized(portal, app, **challenge())["code"]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: redeem(portal, app, code), range(8)))
        given = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(given) <= 1
        for each in given:
            refreshed = token(portal, app, grant_type="refresh_token", refresh_token=each["refresh_token"])
            assert refreshed.status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "http://localhost:9/other"},
        {"redirect_uri": "http://localhost:9/callback/"},
        {"code": "unknown"},
    ],
)
def test_a_code_is_bound_to_its_request(portal: httpx.Client, app: People, changes: dict[str, str]) -> None:
    code = authorized(portal, app, **challenge())["code"]
    answer = redeem(portal, app, code, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    if "code" not in changes:
        # A thief has one try.
        assert redeem(portal, app, code).status_code == 400


def test_a_verifier_without_a_challenge_is_refused(portal: httpx.Client, app: People) -> None:
    code = authorized(portal, app)["code"]
    assert redeem(portal, app, code).json()["error"] == "invalid_grant"


def test_a_code_is_bound_to_its_client(server: LocalAws, portal: httpx.Client, app: People) -> None:
    code = authorized(portal, app, **challenge())["code"]
    other = server.client("cognito-idp").create_user_pool_client(
        UserPoolId=app.pool_id,
        ClientName="other",
        GenerateSecret=True,
        CallbackURLs=[CALLBACK],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["openid"],
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    answer = redeem(portal, app, code, auth=(other["ClientId"], other["ClientSecret"]))
    assert answer.json()["error"] == "invalid_grant"


def test_a_code_ends_after_five_minutes(server: LocalAws, portal: httpx.Client, app: People) -> None:
    code = authorized(portal, app, **challenge())["code"]
    with sqlite3.connect(server.home / "localaws" / "state.db") as store:
        (ends,) = store.execute(
            "SELECT ends FROM expiring WHERE kind = 'cognito-code' AND digest = ?",
            (hashlib.sha256(code.encode()).hexdigest(),),
        ).fetchone()
        store.execute("UPDATE expiring SET ends = ends - 300 WHERE kind = 'cognito-code'")
    assert 290 < ends - time.time() <= 300
    assert redeem(portal, app, code).json()["error"] == "invalid_grant"


def test_the_secret_may_come_by_the_form(portal: httpx.Client, app: People) -> None:
    code = authorized(portal, app, **challenge())["code"]
    own = {"client_id": app.client_id, "client_secret": app.secret}
    assert redeem(portal, app, code, auth=None, **own).status_code == 200


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_a_wrong_secret_is_refused(portal: httpx.Client, app: People, secret: str) -> None:
    code = authorized(portal, app, **challenge())["code"]
    by_basic = redeem(portal, app, code, auth=(app.client_id, secret))
    by_form = redeem(portal, app, code, auth=None, client_id=app.client_id, client_secret=secret)
    twice = redeem(portal, app, code, client_secret=app.secret)
    assert [each.json()["error"] for each in (by_basic, by_form, twice)] == ["invalid_client"] * 3
    assert redeem(portal, app, code).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
def test_a_wrong_request_for_tokens_is_named(
    portal: httpx.Client, app: People, form: dict[str, str], error: str
) -> None:
    answer = token(portal, app, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


def test_a_refresh_token_gives_new_tokens_after_a_kill(server: LocalAws, portal: httpx.Client, app: People) -> None:
    given = tokens(portal, app)
    server.kill()
    server.restart()
    fresh = token(portal, app, grant_type="refresh_token", refresh_token=given["refresh_token"]).json()
    assert "refresh_token" not in fresh
    assert user_info(portal, app, fresh["access_token"]).status_code == 200
    claims = jwt.decode(fresh["id_token"], keys(server, app), algorithms=["RS256"]).claims
    assert claims["auth_time"] == jwt.decode(given["id_token"], keys(server, app)).claims["auth_time"]
    stored = b"".join(path.read_bytes() for path in (server.home / "localaws").glob("state.db*"))
    assert given["refresh_token"].encode() not in stored


def test_refresh_tokens_rotate_where_the_client_says_so(server: LocalAws, portal: httpx.Client) -> None:
    rotating = make_people(
        server,
        "rotating",
        CallbackURLs=[CALLBACK],
        RefreshTokenRotation={"Feature": "ENABLED", "RetryGracePeriodSeconds": 0},
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
        AccessTokenValidity=10,
        TokenValidityUnits={"AccessToken": "minutes"},
    )
    add_worker(server, rotating, "ann")
    given = tokens(portal, rotating)
    assert given["expires_in"] == 600
    first = token(portal, rotating, grant_type="refresh_token", refresh_token=given["refresh_token"]).json()
    assert first["refresh_token"] != given["refresh_token"]
    again = token(portal, rotating, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert again.status_code == 400


def test_a_revoked_refresh_token_takes_the_access_token_with_it(portal: httpx.Client, app: People) -> None:
    given = tokens(portal, app)
    where = f"/cognito/{app.domain}/oauth2/revoke"
    for text in (given["refresh_token"], "unknown"):
        assert portal.post(where, data={"token": text}, auth=(app.client_id, app.secret)).status_code == 200
    assert user_info(portal, app, given["access_token"]).status_code == 401
    refreshed = token(portal, app, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert refreshed.status_code == 400


@pytest.mark.parametrize("how", ["disable", "sign out", "delete"])
def test_a_users_tokens_end_with_the_user(server: LocalAws, portal: httpx.Client, app: People, how: str) -> None:
    name = f"user-{how.replace(' ', '-')}"
    add_worker(server, app, name)
    given = redeem(portal, app, authorized(portal, app, name, **challenge())["code"]).json()
    idp, user = server.client("cognito-idp"), {"UserPoolId": app.pool_id, "Username": name}
    time.sleep(1.1)
    {"disable": idp.admin_disable_user, "sign out": idp.admin_user_global_sign_out, "delete": idp.admin_delete_user}[
        how
    ](**user)
    assert user_info(portal, app, given["access_token"]).status_code == 401
    refreshed = token(portal, app, grant_type="refresh_token", refresh_token=given["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"
    # Nor are the hosted pages' sessions left.
    assert "login" in portal.get(f"/cognito/{app.domain}/oauth2/authorize?response_type=code&client_id={app.client_id}"
                                 f"&redirect_uri={CALLBACK}").headers["location"]  # fmt: skip


def test_the_implicit_flow_gives_tokens_in_the_fragment(server: LocalAws, portal: httpx.Client, app: People) -> None:
    given = authorized(portal, app, response_type="token", state="s")
    assert (given["token_type"], given["expires_in"], given["state"]) == ("Bearer", "3600", "s")
    assert "refresh_token" not in given
    claims = jwt.decode(given["id_token"], keys(server, app), algorithms=["RS256"]).claims
    assert claims["nonce"] == "n-1"
    assert user_info(portal, app, given["access_token"]).status_code == 200


def test_client_credentials_give_a_token_of_the_client(server: LocalAws, portal: httpx.Client, app: People) -> None:
    idp = server.client("cognito-idp")
    scopes = [{"ScopeName": "read", "ScopeDescription": "r"}, {"ScopeName": "write", "ScopeDescription": "w"}]
    idp.create_resource_server(UserPoolId=app.pool_id, Identifier="reviews", Name="reviews", Scopes=scopes)
    machine = idp.create_user_pool_client(
        UserPoolId=app.pool_id,
        ClientName="machine",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["reviews/read"],
    )["UserPoolClient"]
    own = (machine["ClientId"], machine["ClientSecret"])
    given = token(portal, app, auth=own, grant_type="client_credentials").json()
    assert set(given) == {"access_token", "expires_in", "token_type"}
    claims = jwt.decode(given["access_token"], keys(server, app), algorithms=["RS256"]).claims
    assert (claims["sub"], claims["scope"]) == (machine["ClientId"], "reviews/read")
    assert "username" not in claims
    more = token(portal, app, auth=own, grant_type="client_credentials", scope="reviews/write")
    assert more.json()["error"] == "invalid_scope"
    assert user_info(portal, app, given["access_token"]).status_code == 401


def test_the_openid_configuration_names_the_endpoints(server: LocalAws, portal: httpx.Client, app: People) -> None:
    told = httpx.get(f"{server.url}/{app.pool_id}/.well-known/openid-configuration").json()
    assert told["issuer"] == f"{ISSUER}/{app.pool_id}"
    assert httpx.get(told["jwks_uri"]).json()["keys"][0]["alg"] == "RS256"
    assert httpx.get(told["userinfo_endpoint"]).status_code == 401
    assert httpx.get(told["authorization_endpoint"]).status_code == 400
    assert httpx.get(f"{server.url}/us-east-1_nobody/.well-known/jwks.json").status_code == 404


# --- the API's own sign-in, which moto leaves open ------------------------------------------------------------------


def secret_hash(app: People, username: str) -> str:
    text = f"{username}{app.client_id}".encode()
    return base64.b64encode(hmac.new(app.secret.encode(), text, hashlib.sha256).digest()).decode()


def initiate(server: LocalAws, app: People, username: str, password: str) -> Any:
    login = {"USERNAME": username, "PASSWORD": password, "SECRET_HASH": secret_hash(app, username)}
    return server.client("cognito-idp").initiate_auth(
        ClientId=app.client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=login
    )


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_client_with_a_secret_must_prove_it(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    login = {"USERNAME": "ann", "PASSWORD": PASSWORD}
    request = {"ClientId": app.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
    code, message = refused(idp.initiate_auth, **request, AuthParameters=login)
    assert code == "NotAuthorizedException"
    assert message == f"Client {app.client_id} is configured with secret but SECRET_HASH was not received"
    login["SECRET_HASH"] = "wrong"
    code, message = refused(idp.initiate_auth, **request, AuthParameters=login)
    assert message == f"Unable to verify secret hash for client {app.client_id}"


def test_a_flow_that_the_client_does_not_have_is_refused(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    login = {"USERNAME": "ann", "PASSWORD": PASSWORD, "SECRET_HASH": secret_hash(app, "ann")}
    answer = refused(
        idp.admin_initiate_auth,
        UserPoolId=app.pool_id,
        ClientId=app.client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters=login,
    )
    assert answer == ("InvalidParameterException", "Auth flow not enabled for this client")


def test_a_flow_that_verifies_nothing_is_not_implemented(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    srp = {"USERNAME": "ann", "SRP_A": "1", "SECRET_HASH": secret_hash(app, "ann")}
    code, message = refused(idp.initiate_auth, ClientId=app.client_id, AuthFlow="USER_SRP_AUTH", AuthParameters=srp)
    assert code == "NotImplemented"
    assert "USER_PASSWORD_AUTH" in message


def test_a_challenge_changes_the_password_of_its_own_user_only(server: LocalAws, app: People) -> None:
    add_worker(server, app, "first", permanent=False)
    idp = server.client("cognito-idp")
    asked = initiate(server, app, "first", TEMPORARY)
    assert asked["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    request = {"ClientId": app.client_id, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": asked["Session"]}
    other = {"USERNAME": "ann", "NEW_PASSWORD": "Stolen-horse-1", "SECRET_HASH": secret_hash(app, "ann")}
    assert refused(idp.respond_to_auth_challenge, **request, ChallengeResponses=other)[0] == "NotAuthorizedException"
    own = {"USERNAME": "first", "NEW_PASSWORD": PASSWORD, "SECRET_HASH": secret_hash(app, "first")}
    assert "IdToken" in idp.respond_to_auth_challenge(**request, ChallengeResponses=own)["AuthenticationResult"]
    assert refused(idp.respond_to_auth_challenge, **request, ChallengeResponses=own)[0] == "NotAuthorizedException"
    assert "AuthenticationResult" in initiate(server, app, "ann", PASSWORD)


def test_a_wrong_password_names_neither_user_nor_reason(server: LocalAws, app: People) -> None:
    with pytest.raises(ClientError, match=r"Incorrect username or password\.$"):
        initiate(server, app, "ann", "Wrong-horse-1")


def test_after_five_failures_not_even_the_right_password_is_taken(server: LocalAws, app: People) -> None:
    add_worker(server, app, "slow")
    for _ in range(5):
        with pytest.raises(ClientError, match=r"Incorrect username or password\.$"):
            initiate(server, app, "slow", "Wrong-horse-1")
    move_attempts(server, 60)
    with pytest.raises(ClientError, match="Password attempts exceeded"):
        initiate(server, app, "slow", PASSWORD)
    move_attempts(server, -120)
    assert "AuthenticationResult" in initiate(server, app, "slow", PASSWORD)


def test_a_weak_temporary_password_is_refused(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    answer = refused(idp.admin_create_user, UserPoolId=app.pool_id, Username="weak", TemporaryPassword="password")
    assert answer == (
        "InvalidPasswordException",
        "Password did not conform with policy: Password must have uppercase characters",
    )
    again = refused(idp.admin_create_user, UserPoolId=app.pool_id, Username="ann", MessageAction="RESEND")
    assert again[0] == "NotImplemented"


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        ({"CallbackURLs": ["http://app.example/"]}, "InvalidParameterException", "cannot use the HTTP protocol"),
        ({"CallbackURLs": ["https://app.example/#x"]}, "InvalidParameterException", "fragment"),
        ({"CallbackURLs": ["/callback"]}, "InvalidParameterException", "absolute"),
        ({"DefaultRedirectURI": "https://app.example/"}, "InvalidParameterException", "CallbackURLs"),
        ({"AllowedOAuthFlowsUserPoolClient": True}, "InvalidParameterException", "are required"),
        ({"AllowedOAuthScopes": ["nobody/read"]}, "ScopeDoesNotExistException", "Invalid scope requested: nobody/read"),
        ({"SupportedIdentityProviders": ["Google"]}, "InvalidParameterException", "The provider Google does not exist"),
        ({"AllowedOAuthFlows": ["client_credentials", "code"]}, "InvalidOAuthFlowException", "along with code flow"),
        ({"AllowedOAuthFlows": ["client_credentials"]}, "InvalidOAuthFlowException", "does not have a client secret"),
        (
            {"AllowedOAuthFlows": ["client_credentials"], "GenerateSecret": True, "AllowedOAuthScopes": ["openid"]},
            "InvalidOAuthFlowException",
            "openid is not supported with client_credentials flow",
        ),
    ],
)
def test_a_client_that_aws_would_not_make_is_refused(
    server: LocalAws, app: People, settings: dict[str, Any], code: str, reason: str
) -> None:
    idp = server.client("cognito-idp")
    told, message = refused(idp.create_user_pool_client, UserPoolId=app.pool_id, ClientName="c", **settings)
    assert told == code
    assert reason in message


def test_an_update_sets_what_it_does_not_give_to_its_default(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    made = idp.create_user_pool_client(
        UserPoolId=app.pool_id, ClientName="c", GenerateSecret=True, CallbackURLs=[CALLBACK], RefreshTokenValidity=3
    )["UserPoolClient"]
    which = {"UserPoolId": app.pool_id, "ClientId": made["ClientId"]}
    idp.update_user_pool_client(**which, LogoutURLs=["https://app.example/"])
    told = idp.describe_user_pool_client(**which)["UserPoolClient"]
    assert told["LogoutURLs"] == ["https://app.example/"]
    assert "CallbackURLs" not in told
    assert told["RefreshTokenValidity"] == 30
    assert (told["ClientName"], told["ClientSecret"]) == ("c", made["ClientSecret"])
    assert len(told["ClientSecret"]) == 51


def test_a_domain_belongs_to_one_pool_that_has_one(server: LocalAws, app: People) -> None:
    idp = server.client("cognito-idp")
    other = idp.create_user_pool(PoolName="other")["UserPool"]["Id"]
    assert "another user pool" in refused(idp.create_user_pool_domain, UserPoolId=other, Domain=app.domain)[1]
    assert "already has a domain" in refused(idp.create_user_pool_domain, UserPoolId=app.pool_id, Domain="two")[1]
    for domain in ("-x", "Upper", "my-cognito-domain"):
        assert refused(idp.create_user_pool_domain, UserPoolId=other, Domain=domain)[0] == "InvalidParameterException"
    assert "has a domain configured" in refused(idp.delete_user_pool, UserPoolId=app.pool_id)[1]
