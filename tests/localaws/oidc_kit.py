"""An OpenID Connect provider for tests, as a real HTTP server, and a work team whose workers sign in by it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from human_kit import BUCKET, context
from localaws_kit import LocalAws
from people_kit import Office
from portal_kit import address

SECRET = "secret-of-the-client-0123456789"
CLIENT = "portal-client"
Claims = dict[str, Any]


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    shown = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {"kty": "RSA", "n": shown["n"], "e": shown["e"], "kid": kid, "use": "sig", "alg": "RS256"}


class Idp:
    """
    A provider; a test bends it by its attributes, and :meth:`mend` makes it good again.

    ``id_claims`` and ``info`` change what the ID token and the user info say, ``None`` takes a claim away.
    ``sign`` makes a token of claims; ``answers`` has handlers in place of the provider's own, by path.
    """

    def __init__(self) -> None:
        self.key = new_key()
        self.groups: dict[str, Any] = {}
        self.mend()
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, str] = {}
        handler = type("Handler", (_Handler,), {"idp": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def mend(self) -> None:
        """Work as a provider should."""
        self.id_claims: Claims = {}
        self.info: Claims = {}
        self.jwt_claims: Claims | None = None
        self.sign: Callable[[Claims], str] = self.signed
        self.keys: list[Any] = [public_jwk(self.key, "first")]
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def config(self, **changes: Any) -> dict[str, Any]:
        """An OidcConfig."""
        return {
            "ClientId": CLIENT,
            "ClientSecret": SECRET,
            "Issuer": self.url,
            "AuthorizationEndpoint": f"{self.url}/authorize?policy=people",
            "TokenEndpoint": f"{self.url}/token",
            "UserInfoEndpoint": f"{self.url}/userinfo",
            "LogoutEndpoint": f"{self.url}/logout",
            "JwksUri": f"{self.url}/jwks",
            **changes,
        }

    def signed(self, claims: Claims, *, kid: str = "first") -> str:
        return jwt.encode(claims, self.key, "RS256", headers={"kid": kid})

    def times_asked(self, path: str) -> int:
        return [asked for asked, _ in self.asked].count(path)

    def approve(self, location: str, user: str) -> str:
        """Sign a user in at the authorization endpoint that the portal leads to; where that leads."""
        answer = httpx.get(location, cookies={"idp": user})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def authorized(self, query: dict[str, str], user: str) -> str:
        """The redirect with a code."""
        code = secrets.token_urlsafe(8)
        self._codes[code] = {**query, "user": user}
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What the token endpoint answers."""
        asked = self._codes.pop(form.get("code", ""), None)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        about = {"iss": self.url, "sub": f"idp-{asked['user']}", "iat": now, "exp": now + 300}
        token = secrets.token_urlsafe(16) if self.jwt_claims is None else self.signed({**about, **self.jwt_claims})
        self._tokens[token] = asked["user"]
        claims = {**about, "aud": CLIENT, "nonce": asked["nonce"], **self.id_claims}
        given = {key: value for key, value in claims.items() if value is not None}
        return 200, {"access_token": token, "token_type": "Bearer", "id_token": self.sign(given)}

    def told(self, token: str) -> tuple[int, dict[str, Any]]:
        """What the user info endpoint answers."""
        user = self._tokens.get(token)
        if user is None:
            return 401, {"error": "invalid_token"}
        claims = {
            "sub": f"idp-{user}",
            "sagemaker:groups": self.groups.get(user, "reviewers"),
            "sagemaker:sub": f"S-1-5-{user}",
            "sagemaker:client_id": CLIENT,
            "sagemaker:name": f"{user.capitalize()} Doe",
            "email": f"{user}@example.com",
            "email_verified": True,
            **self.info,
        }
        return 200, {key: value for key, value in claims.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    idp: Idp

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        self._answer(dict(parse_qsl(text)))

    def _answer(self, given: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        self.idp.asked.append((path, given))
        if path in self.idp.answers:
            self.idp.answers[path](self)
            return
        {
            "/authorize": self._authorize,
            "/login": self._login,
            "/token": lambda form: self.say(*self.idp.tokens(form)),
            "/userinfo": lambda _: self.say(*self.idp.told(self.headers["authorization"].removeprefix("Bearer "))),
            "/jwks": lambda _: self.say(200, {"keys": self.idp.keys}),
            "/logout": self._logout,
        }[path](given)

    def _authorize(self, query: dict[str, str]) -> None:
        user = SimpleCookie(self.headers.get("cookie", "")).get("idp")
        if user is not None and user.value:
            self.lead(self.idp.authorized(query, user.value))
            return
        place = html.escape(f"/login?{urlencode(query)}")
        self.page(
            f"<form method=post action='{place}'><label>Account <input name=user></label>"
            f"<input type=hidden name=back value='{html.escape(self.path)}'><button>Continue</button></form>"
        )

    def _login(self, form: dict[str, str]) -> None:
        self.lead(form["back"], f"idp={quote(form['user'])}; Path=/; HttpOnly")

    def _logout(self, query: dict[str, str]) -> None:
        self.lead(query["post_logout_redirect_uri"], "idp=; Path=/; Max-Age=0")

    def lead(self, place: str, cookie: str = "") -> None:
        self.send_response(302)
        self.send_header("Location", place)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self, body: str) -> None:
        self.raw(
            200,
            f"<!doctype html><html lang=en><title>Provider</title><link rel=icon href=data:,>{body}</html>".encode(),
            "text/html",
        )

    def say(self, status: int, body: Any) -> None:
        self.raw(status, json.dumps(body).encode(), "application/json")

    def raw(self, status: int, data: bytes, kind: str, encoding: str = "identity") -> None:
        self.send_response(status)
        self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running_idp() -> Iterator[Idp]:
    """A provider until the end of the block."""
    idp = Idp()
    try:
        yield idp
    finally:
        idp.stop()


class OidcOffice(Office):
    """A localaws with a workforce by OpenID Connect, and a team of the groups ``reviewers`` and ``referees``."""

    def __init__(self, server: LocalAws, idp: Idp, **config: Any) -> None:
        self.server, self.idp = server, idp
        self.sagemaker = server.client("sagemaker")
        self.loops = server.client("sagemaker-a2i-runtime")
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.ctx = context(server.home, server.url)
        self.sagemaker.create_workforce(WorkforceName="oidc", OidcConfig=idp.config(**config))
        self.team = self.new_team("reviewers", "reviewers", "referees")

    def new_team(self, name: str, *groups: str) -> str:
        """A team of these groups; its ARN."""
        members = [{"OidcMemberDefinition": {"Groups": list(groups)}}]
        made = self.sagemaker.create_workteam(WorkteamName=name, MemberDefinitions=members, Description=name)
        return str(made["WorkteamArn"])

    def come_back(self, portal: httpx.Client, user: str, path: str = "/", **changes: str) -> httpx.Response:
        """Sign in as a user with the portal's answer to the provider's redirect, which ``changes`` alter."""
        begun = portal.get(path)
        assert begun.status_code == 302, begun.text
        back = self.idp.approve(begun.headers["location"], user)
        parts = urlsplit(back)
        query = {**dict(parse_qsl(parts.query)), **changes}
        return portal.get(f"{parts.path}?{urlencode({k: v for k, v in query.items() if v})}")

    def logged(self) -> str:
        """All that this localaws has written to logs."""
        folder = self.server.home
        return "".join(path.read_text(errors="replace") for path in folder.rglob("*.log"))

    @property
    def portal(self) -> str:
        return address(self.server)
