"""The hosted pages of a user pool: sign in, choose a password, sign out. On AWS they are at the pool's own domain."""

from __future__ import annotations

import math
import re
from urllib.parse import urlencode, urlsplit

from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from localaws.cognito import authorize, endpoints
from localaws.cognito.authorize import Authorization, NotForUs, Refused
from localaws.cognito.hosted import Hosted
from localaws.core.context import Context
from localaws.moto_bridge import user_pools
from localaws.moto_bridge.user_pools import User
from localaws.portal import failures, forms

_WRONG = "Incorrect username or password."
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
#: a user's status -> why no password lets the user in.
_STUCK = {
    "UNCONFIRMED": "This user is not confirmed yet: an administrator has to confirm the sign-up.",
    "RESET_REQUIRED": "The password has to be reset: ask an administrator for a new temporary one.",
}


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of all user pools, by their domains."""
    return [
        Mount(
            "/cognito/{domain}",
            routes=[
                Route("/oauth2/authorize", _authorize),
                Route("/login", _login),
                Route("/login", forms.posted(_sign_in), methods=["POST"]),
                Route("/confirm", _confirm),
                Route("/confirm", forms.posted(_choose), methods=["POST"]),
                Route("/logout", _logout),
                *endpoints.routes(),
            ],
        )
    ]


def _authorize(request: Request) -> Response:
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    hosted: Hosted = request.app.state.hosted
    session = None if asked.prompt == "login" else hosted.session(request, asked.pool)
    if session is not None:
        return RedirectResponse(_location(hosted, asked, session.user, session.auth_time), 302)
    if asked.prompt == "none":
        return RedirectResponse(asked.refused("login_required", "Nobody is signed in").location, 302)
    return RedirectResponse(_page_address(request, "login"), 302)


def _login(request: Request) -> Response:
    asked = _asked(request)
    return asked if isinstance(asked, Response) else _login_page(request, asked)


def _sign_in(request: Request, form: forms.Form) -> Response:
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    hosted: Hosted = request.app.state.hosted
    username, password = form.get("username", "").strip(), form.get("password", "")
    address = request.client.host if request.client else ""
    wait = hosted.attempts.begin(asked.pool.id, username, address)
    if wait > 0:
        return _wait_page(request, asked, username, wait)
    user = user_pools.user(asked.pool.id, username)
    matches = user_pools.has_password(asked.pool.id, username, password)
    problem = _problem(user) if matches else _WRONG
    if user is None or problem:
        return _login_page(request, asked, username, problem, status=400)
    hosted.attempts.succeeded(asked.pool.id, username, address)
    if user.status == "FORCE_CHANGE_PASSWORD":
        response = RedirectResponse(_page_address(request, "confirm"), 303)
        hosted.begin_challenge(response, asked.pool, asked.client, user)
        return response
    return _signed_in(hosted, asked, user)


def _problem(user: User | None) -> str:
    if user is None:
        return _WRONG
    if not user.enabled:
        return "User is disabled."
    if user.temporary_ended:
        return "Temporary password has expired and must be reset by an administrator."
    return _STUCK.get(user.status, "")


def _confirm(request: Request) -> Response:
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    user = request.app.state.hosted.challenged(request, asked.pool)
    return _late_page(request) if user is None else _confirm_page(request, asked, user)


def _choose(request: Request, form: forms.Form) -> Response:
    asked = _asked(request)
    if isinstance(asked, Response):
        return asked
    hosted: Hosted = request.app.state.hosted
    user = hosted.challenged(request, asked.pool)
    if user is None:
        return _late_page(request)
    password = form.get("password", "")
    if password != form.get("again", ""):
        return _confirm_page(request, asked, user, "The two passwords are not the same.")
    if user_pools.has_password(asked.pool.id, user.username, password):
        return _confirm_page(request, asked, user, "Choose another password than the temporary one.")
    try:
        _set_password(request.app.state.ctx, asked, user, password)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code not in ("InvalidPasswordException", "InvalidParameterException"):
            raise
        return _confirm_page(request, asked, user, f"{message.removesuffix('.')}.")
    response = _signed_in(hosted, asked, user)
    hosted.end_challenge(request, response)
    return response


def _set_password(ctx: Context, asked: Authorization, user: User, password: str) -> None:
    # By the API, so that it is checked by the pool's policy and is on disk when this returns.
    ctx.client("cognito-idp", asked.pool.region).admin_set_user_password(
        UserPoolId=asked.pool.id, Username=user.username, Password=password, Permanent=True
    )


def _logout(request: Request) -> Response:
    query = request.query_params
    try:
        _, client = authorize.client_of(request.path_params["domain"], query.get("client_id", ""))
        target = query.get("logout_uri", "")
        if "logout_uri" not in query:
            # Without an address to leave to, the user signs in again.
            authorize.parse(request.path_params["domain"], query)
            target = _page_address(request, "login")
        elif target not in (client.settings.get("LogoutURLs") or []):
            raise NotForUs(
                "invalid_request",
                "The logout_uri is not one of the app client's LogoutURLs, which it must match in every character.",
            )
    except NotForUs as error:
        return _failure(request, error)
    except Refused as refused:
        target = refused.location
    response = RedirectResponse(target, 302)
    request.app.state.hosted.end_session(request, response)
    return response


def _asked(request: Request) -> Authorization | Response:
    """Return the request that is in the address, or the answer that refuses it."""
    query = request.query_params
    try:
        if len(query.multi_items()) != len(query):
            raise NotForUs("invalid_request", "A parameter of the request is given twice.")
        return authorize.parse(request.path_params["domain"], query)
    except NotForUs as error:
        return _failure(request, error)
    except Refused as refused:
        return RedirectResponse(refused.location, 302)


def _failure(request: Request, error: NotForUs) -> Response:
    status = 404 if error.error == "not_found" else 400
    return failures.page(request, status, f"Sign-in is not possible: {error.error}", error.sentence)


def _signed_in(hosted: Hosted, asked: Authorization, user: User) -> Response:
    response = RedirectResponse("", 303)
    auth_time = hosted.begin_session(response, asked.pool, user)
    response.headers["location"] = _location(hosted, asked, user, auth_time)
    return response


def _location(hosted: Hosted, asked: Authorization, user: User, auth_time: int) -> str:
    if asked.response_type == "code":
        return asked.redirect(code=hosted.grants.code(asked, user, auth_time))
    tokens = hosted.grants.implicit(asked, user, auth_time)
    return asked.redirect(**{name: str(value) for name, value in tokens.items()})


def _page_address(request: Request, page: str) -> str:
    parameters = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "prompt"])
    return f"/cognito/{request.path_params['domain']}/{page}?{parameters}"


def _login_page(
    request: Request, asked: Authorization, username: str = "", problem: str = "", *, status: int = 200
) -> Response:
    values = {"username": username, "problem": problem, "action": _page_address(request, "login")}
    return _form_page(request, asked, "cognito/login.html", values, status)


def _confirm_page(request: Request, asked: Authorization, user: User, problem: str = "") -> Response:
    values = {"username": user.username, "problem": problem, "action": _page_address(request, "confirm")}
    return _form_page(request, asked, "cognito/confirm.html", values, 400 if problem else 200)


def _wait_page(request: Request, asked: Authorization, username: str, wait: float) -> Response:
    seconds = math.ceil(wait)
    problem = f"Password attempts exceeded. Try again in {seconds} second{'' if seconds == 1 else 's'}."
    response = _login_page(request, asked, username, problem, status=429)
    response.headers["retry-after"] = str(seconds)
    return response


def _late_page(request: Request) -> Response:
    return RedirectResponse(_page_address(request, "login"), 303)


def _form_page(request: Request, asked: Authorization, template: str, values: dict[str, str], status: int) -> Response:
    # A browser that follows the redirect after the form asks this policy for the callback's address too.
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none';"
            f" form-action 'self' {_source(asked.redirect_uri)}; frame-ancestors 'none'"
        )
    }
    page: Response = request.app.state.templates.page(request, template, values, status=status, headers=headers)
    return page


def _source(address: str) -> str:
    """Return an address as a Content-Security-Policy names it; nothing that could end the directive gets in."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:" if _SCHEME.fullmatch(parts.scheme) else "'self'"
