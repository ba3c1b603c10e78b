"""The hosted pages of a user pool: sign in, choose a password, sign out."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from localaws_kit import LocalAws
from portal_kit import browser, follow, give, sign_in
from workforce_kit import PASSWORD, TEMPORARY, People, add_worker, make_people, make_team, move_attempts

CALLBACK = "http://localhost:9/callback"


@pytest.fixture(scope="module")
def people(server: LocalAws) -> People:
    made = make_people(server, "people")
    make_team(server, made)
    for name in ("ann", "ben"):
        add_worker(server, made, name)
    return made


@pytest.fixture(scope="module")
def app(server: LocalAws) -> People:
    """A pool whose client is another application."""
    made = make_people(
        server, "app", CallbackURLs=[CALLBACK, "https://app.example/"], LogoutURLs=["https://app.example/"]
    )
    add_worker(server, made, "ann")
    return made


@pytest.fixture
def portal(server: LocalAws) -> Iterator[httpx.Client]:
    with browser(server) as client:
        yield client


def authorize(app: People, **changes: str | None) -> str:
    """The address of a request; ``None`` leaves a parameter out."""
    query = {"response_type": "code", "client_id": app.client_id, "redirect_uri": CALLBACK, "state": "s", **changes}
    return f"/cognito/{app.domain}/oauth2/authorize?" + urlencode({k: v for k, v in query.items() if v is not None})


def returned(answer: httpx.Response) -> dict[str, str]:
    """The parameters that a callback was given."""
    parts = urlsplit(answer.headers["location"])
    return {key: values[0] for key, values in parse_qs(parts.query or parts.fragment).items()}


def test_a_sign_in_ends_at_the_callback_with_code_and_state(portal: httpx.Client, app: People) -> None:
    page = follow(portal, portal.get(authorize(app)))
    assert page.status_code == 200
    assert page.url.path == f"/cognito/{app.domain}/login"
    answer = give(portal, page, username="ann", password=PASSWORD)
    assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
    assert returned(answer)["state"] == "s"


def test_the_login_page_lets_its_form_go_to_the_callback(portal: httpx.Client, app: People) -> None:
    policy = follow(portal, portal.get(authorize(app))).headers["content-security-policy"]
    assert "form-action 'self' http://localhost:9;" in policy
    assert "script-src" not in policy


def test_a_second_request_asks_for_no_password(portal: httpx.Client, app: People) -> None:
    give(portal, follow(portal, portal.get(authorize(app))), username="ann", password=PASSWORD)
    assert "code" in returned(portal.get(authorize(app)))
    again = portal.get(authorize(app, prompt="login"))
    assert "/login" in again.headers["location"]


def test_prompt_none_tells_that_nobody_is_signed_in(portal: httpx.Client, app: People) -> None:
    assert returned(portal.get(authorize(app, prompt="none")))["error"] == "login_required"


@pytest.mark.parametrize(
    "given",
    ["http://localhost:9/callback/", "http://localhost:9/Callback", "http://localhost:10/callback", "", None,
     "http://localhost:9/callback?x=1", "http://localhost:9@evil.example/callback", "https://evil.example/"],
)  # fmt: skip
def test_a_changed_redirect_uri_gets_a_page_and_no_redirect(
    portal: httpx.Client, app: People, given: str | None
) -> None:
    answer = portal.get(authorize(app, redirect_uri=given))
    assert answer.status_code == 400
    assert "redirect_mismatch" in answer.text
    assert "UpdateUserPoolClient" in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "openid phone"}, "invalid_scope"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "x" * 43}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"identity_provider": "Google"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_to_the_client(
    portal: httpx.Client, app: People, changes: dict[str, str | None], error: str
) -> None:
    answer = portal.get(authorize(app, **changes))
    assert answer.status_code == 302
    assert returned(answer)["error"] == error
    assert returned(answer)["state"] == "s"


def test_an_unknown_domain_or_client_gets_a_page(portal: httpx.Client, app: People) -> None:
    assert portal.get(authorize(app, client_id="nobody")).status_code == 400
    unknown = portal.get(authorize(app).replace(app.domain, "nobody"))
    assert unknown.status_code == 404
    assert "CreateUserPoolDomain" in unknown.text


def test_what_is_in_the_address_is_shown_as_text(portal: httpx.Client, app: People) -> None:
    attack = '"><script>alert(1)</script>'
    page = follow(portal, portal.get(authorize(app, state=attack, nonce=attack)))
    page = give(portal, page, username=attack, password="x")
    assert page.status_code == 400
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(portal: httpx.Client, app: People) -> None:
    page = follow(portal, portal.get(authorize(app)))
    wrong = give(portal, page, username="ann", password="Wrong-horse-1")
    unknown = give(portal, page, username="nobody", password="Wrong-horse-1")
    assert problem(wrong) == problem(unknown) == "Incorrect username or password."
    assert wrong.status_code == unknown.status_code == 400


def problem(page: httpx.Response) -> str:
    found = re.search(r'id="problem">([^<]*)<', page.text)
    return found[1] if found else ""


def test_a_login_form_of_another_browser_is_refused(server: LocalAws, portal: httpx.Client, app: People) -> None:
    page = follow(portal, portal.get(authorize(app)))
    with browser(server) as other:
        follow(other, other.get(authorize(app)))
        assert give(other, page, username="ann", password=PASSWORD).status_code == 403


def test_a_temporary_password_must_be_changed_first(server: LocalAws, portal: httpx.Client, people: People) -> None:
    add_worker(server, people, "new", permanent=False)
    page = sign_in(portal, "new", TEMPORARY)
    assert page.url.path.endswith("/confirm")
    assert "temporary" in page.text
    for password, again, reason in (
        ("Short-1", "Short-1", "Password not long enough"),
        ("lower-case-1", "lower-case-1", "uppercase"),
        (PASSWORD, f"{PASSWORD}x", "not the same"),
        (TEMPORARY, TEMPORARY, "another password"),
    ):
        refused = give(portal, page, password=password, again=again)
        assert refused.status_code == 400
        assert reason in problem(refused)
    assert "Signed in as <strong>new" in follow(portal, give(portal, page, password=PASSWORD, again=PASSWORD)).text
    user = server.client("cognito-idp").admin_get_user(UserPoolId=people.pool_id, Username="new")
    assert user["UserStatus"] == "CONFIRMED"


def test_the_change_of_a_password_needs_the_sign_in_before_it(portal: httpx.Client, people: People) -> None:
    address = follow(portal, portal.get("/")).url
    page = portal.get(str(address).replace("/login?", "/confirm?"))
    assert page.status_code == 303
    assert "/login?" in page.headers["location"]


def test_a_pool_of_another_region_has_pages_too(server: LocalAws, portal: httpx.Client) -> None:
    idp = server.client("cognito-idp", "eu-west-1")
    pool = {"UserPoolId": idp.create_user_pool(PoolName="eu")["UserPool"]["Id"]}
    made = idp.create_user_pool_client(
        **pool,
        ClientName="eu",
        CallbackURLs=[CALLBACK],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["openid"],
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    idp.create_user_pool_domain(**pool, Domain="eu-domain")
    idp.admin_create_user(**pool, Username="ann", TemporaryPassword=TEMPORARY, MessageAction="SUPPRESS")
    query = urlencode({"response_type": "code", "client_id": made["ClientId"], "redirect_uri": CALLBACK})
    page = follow(portal, portal.get(f"/cognito/eu-domain/oauth2/authorize?{query}"))
    page = follow(portal, give(portal, page, username="ann", password=TEMPORARY))
    assert "code" in returned(give(portal, page, password=PASSWORD, again=PASSWORD))
    assert idp.admin_get_user(**pool, Username="ann")["UserStatus"] == "CONFIRMED"


def test_a_disabled_user_cannot_sign_in(server: LocalAws, portal: httpx.Client, people: People) -> None:
    add_worker(server, people, "gone")
    server.client("cognito-idp").admin_disable_user(UserPoolId=people.pool_id, Username="gone")
    assert problem(sign_in(portal, "gone", PASSWORD)) == "User is disabled."


def test_after_five_failures_a_user_waits_longer_and_longer(
    server: LocalAws, portal: httpx.Client, people: People
) -> None:
    add_worker(server, people, "slow")
    page = follow(portal, portal.get("/"))
    answers = [give(portal, page, username="slow", password="Wrong-1") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [400] * 5
    move_attempts(server, 60)
    refused = give(portal, page, username="slow", password="Wrong-1")
    assert refused.status_code == 429
    assert problem(refused).startswith("Password attempts exceeded")
    first = int(refused.headers["retry-after"])
    # Five more failures, for each of which the wait is twice as long. The right one is not taken, nor after a kill.
    server.kill()
    with sqlite3.connect(server.home / "localaws" / "state.db") as store:
        store.execute(
            "INSERT INTO attempt SELECT who, at FROM attempt WHERE who NOT LIKE 'address%' ORDER BY at DESC LIMIT 5"
        )
    server.restart()
    answer = give(portal, page, username="slow", password=PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > first
    move_attempts(server, -120)
    assert give(portal, page, username="slow", password=PASSWORD).status_code == 303
    assert give(portal, page, username="ben", password=PASSWORD).status_code == 303


def test_many_guesses_at_once_get_no_further(server: LocalAws, people: People) -> None:
    add_worker(server, people, "fast")
    with browser(server) as portal:
        page = follow(portal, portal.get("/"))

        def guess(number: int) -> int:
            return give(portal, page, username="fast", password=f"Guess-{number}").status_code

        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(guess, range(32)))
        # One more after a second, another after two more, and so on.
        most = 5 + int(math.log2(1 + time.monotonic() - began))
    assert 5 <= answers.count(400) <= most
    assert answers.count(429) == 32 - answers.count(400)


def test_a_sign_out_leads_to_a_registered_address_only(portal: httpx.Client, app: People) -> None:
    give(portal, follow(portal, portal.get(authorize(app))), username="ann", password=PASSWORD)
    where = f"/cognito/{app.domain}/logout?client_id={app.client_id}&logout_uri="
    assert portal.get(f"{where}https://evil.example/").status_code == 400
    assert "code" in returned(portal.get(authorize(app)))
    left = portal.get(f"{where}https://app.example/")
    assert (left.status_code, left.headers["location"]) == (302, "https://app.example/")
    assert "/login" in portal.get(authorize(app)).headers["location"]


def test_a_sign_out_with_a_redirect_uri_signs_in_again(portal: httpx.Client, app: People) -> None:
    address = authorize(app).replace("/oauth2/authorize?", "/logout?")
    assert "/login?" in portal.get(address).headers["location"]


# --- the portal as a client of these pages --------------------------------------------------------------------------


def test_a_worker_comes_back_to_the_portal_signed_in(portal: httpx.Client, people: People) -> None:
    page = sign_in(portal, "ann", PASSWORD)
    assert (page.status_code, page.url.path) == (200, "/")
    assert "Signed in as <strong>ann" in page.text


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(portal: httpx.Client, people: People) -> None:
    page = follow(portal, portal.get("/"))
    answer = follow(portal, give(portal, page, username="ann", password=PASSWORD))
    cookies = [value for each in answer.history or [answer] for value in each.headers.get_list("set-cookie")]
    portal.cookies.clear()
    page = follow(portal, portal.get("/"))
    answer = give(portal, page, username="ann", password=PASSWORD)
    while answer.is_redirect:
        cookies += answer.headers.get_list("set-cookie")
        answer = portal.get(answer.headers["location"])
    (session,) = [cookie for cookie in cookies if cookie.startswith("localaws_portal=")]
    assert "HttpOnly" in session
    assert "SameSite=lax" in session


def test_a_user_of_no_team_is_told_so_and_let_in_once_added(
    server: LocalAws, portal: httpx.Client, people: People
) -> None:
    add_worker(server, people, "eve", group=None)
    page = sign_in(portal, "eve", PASSWORD)
    assert page.status_code == 403
    assert "belongs to no work team" in page.text
    membership = {"UserPoolId": people.pool_id, "Username": "eve", "GroupName": people.group}
    server.client("cognito-idp").admin_add_user_to_group(**membership)
    assert portal.get("/").status_code == 200
    server.client("cognito-idp").admin_remove_user_from_group(**membership)
    assert portal.get("/").status_code == 403


def test_a_new_user_of_the_same_name_is_not_signed_in(server: LocalAws, portal: httpx.Client, people: People) -> None:
    add_worker(server, people, "twin")
    assert sign_in(portal, "twin", PASSWORD).status_code == 200
    server.client("cognito-idp").admin_delete_user(UserPoolId=people.pool_id, Username="twin")
    add_worker(server, people, "twin")
    assert portal.get("/").status_code == 403


def test_an_expired_session_signs_in_again(server: LocalAws, portal: httpx.Client, people: People) -> None:
    sign_in(portal, "ann", PASSWORD)
    with sqlite3.connect(server.home / "localaws" / "state.db") as store:
        store.execute("UPDATE expiring SET ends = 1 WHERE kind IN ('portal-session', 'cognito-session')")
    assert follow(portal, portal.get("/")).url.path.endswith("/login")


def test_a_session_outlives_a_kill(server: LocalAws, portal: httpx.Client, people: People) -> None:
    sign_in(portal, "ann", PASSWORD)
    server.kill()
    server.restart()
    assert "Signed in as <strong>ann" in portal.get("/").text


@pytest.mark.parametrize("cookie", ["", "x", "IngyIg.AAAA", '"abc".def'])
def test_a_forged_session_is_none(portal: httpx.Client, people: People, cookie: str) -> None:
    portal.cookies.set("localaws_portal", cookie, domain="127.0.0.1")
    assert portal.get("/").status_code == 302


def test_a_sign_out_ends_the_session_wherever_its_cookie_is(
    server: LocalAws, portal: httpx.Client, people: People
) -> None:
    page = sign_in(portal, "ann", PASSWORD)
    with browser(server, cookies=portal.cookies) as copy:
        assert copy.get("/").status_code == 200
        assert follow(portal, give(portal, page)).url.path == "/signed-out"
        assert follow(copy, copy.get("/")).url.path.endswith("/login")


def test_a_sign_in_that_another_browser_began_is_refused(
    server: LocalAws, portal: httpx.Client, people: People
) -> None:
    page = follow(portal, portal.get("/"))
    answer = give(portal, page, username="ann", password=PASSWORD)
    with browser(server) as victim:
        assert victim.get(answer.headers["location"]).status_code == 400
    assert portal.get(answer.headers["location"].replace("state=", "state=x")).status_code == 400


def test_a_callback_works_once(portal: httpx.Client, people: People) -> None:
    page = follow(portal, portal.get("/"))
    answer = give(portal, page, username="ann", password=PASSWORD)
    assert portal.get(answer.headers["location"]).status_code == 303
    assert portal.get(answer.headers["location"]).status_code == 400


def test_an_address_outside_of_the_ranges_finds_nothing(server: LocalAws, portal: httpx.Client, people: People) -> None:
    sign_in(portal, "ann", PASSWORD)
    sagemaker = server.client("sagemaker")
    sagemaker.update_workforce(WorkforceName="people", SourceIpConfig={"Cidrs": ["10.0.0.0/8"]})
    try:
        # Whatever it says of itself.
        page = portal.get("/", headers={"X-Forwarded-For": "10.1.2.3"})
        assert (page.status_code, "Not Found" in page.text) == (404, True)
        sagemaker.update_workforce(WorkforceName="people", SourceIpConfig={"Cidrs": ["127.0.0.1/32"]})
        assert portal.get("/").status_code == 200
    finally:
        sagemaker.update_workforce(WorkforceName="people", SourceIpConfig={"Cidrs": []})


def test_localhost_is_led_to_the_portals_own_address(server: LocalAws, people: People) -> None:
    with browser(server) as portal:
        answer = portal.get("/", headers={"Host": f"localhost:{portal.base_url.port}"})
    assert answer.headers["location"] == f"{portal.base_url}".rstrip("/") + "/"


def test_no_password_code_or_token_is_in_a_log(server: LocalAws, portal: httpx.Client, people: People) -> None:
    page = follow(portal, portal.get("/"))
    code = returned(give(portal, page, username="ann", password=PASSWORD))["code"]
    for log in (server.home / "localaws" / "server.log", server.home / "server.log"):
        text = log.read_text()
        assert PASSWORD not in text
        assert code not in text
        assert people.secret not in text
    store = b"".join(path.read_bytes() for path in (server.home / "localaws").glob("state.db*"))
    assert code.encode() not in store
