"""Sign-in to the portal and sign-out, by whichever identity provider the workforce has."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from localaws.core import portal_address
from localaws.core.context import Context
from localaws.portal import cognito_sign_in, entrance, failures, forms
from localaws.portal.oidc import sign_in as oidc
from localaws.portal.refusals import Refusal
from localaws.portal.session import SignedIn, is_of
from localaws.sagemaker.workforce import records
from localaws.sagemaker.workforce.members import Federated


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes by which people come in and go out."""
    return [
        Route(entrance.CALLBACK, _come_in),
        Route("/logout", forms.posted(_go_out), methods=["POST"]),
        Route("/signed-out", _out),
    ]


def turn_away(request: Request) -> Response:
    """
    Return the answer to somebody who is no worker.

    Who is not signed in is sent to the workforce's identity provider. Who is, and belongs to no work team, is told so.
    """
    ctx: Context = request.app.state.ctx
    workforce = records.workforce_of_region(ctx)
    who = request.app.state.sessions.of(request)
    if who is not None and is_of(who, workforce):
        return _no_team(request, who)
    if workforce is None:
        return failures.page(
            request, 404, "No workforce", "There is no workforce yet: create one with CreateWorkforce, and a work team."
        )
    here = urlsplit(portal_address.address(ctx))
    if request.url.netloc != here.netloc:
        # Cookies are of one host name, and the callback's is this.
        return RedirectResponse(f"{here.scheme}://{here.netloc}{_local(request.url.path)}", 302)
    if "OidcConfig" in workforce:
        return oidc.begin(request, workforce)
    return cognito_sign_in.begin(request, workforce["CognitoConfig"])


def after_form(request: Request) -> Response:
    """
    Return the answer to a form of somebody who is no worker.

    The portal's Content-Security-Policy keeps forms from leading to other hosts, by redirects too. So it is a link that
    leads to a provider elsewhere.
    """
    workforce = records.workforce_of_region(request.app.state.ctx)
    if workforce is not None and "OidcConfig" in workforce:
        return failures.page(request, 401, "Sign in again", "You are no longer signed in. Nothing was done.")
    return RedirectResponse("/", 303)


def _no_team(request: Request, who: SignedIn | Federated) -> Response:
    # The groups of a person of another provider are those of the sign-in.
    values = {"name": who.name, "again": isinstance(who, Federated)}
    page: Response = request.app.state.templates.page(request, "no_team.html", values, status=403)
    return page


def _come_in(request: Request) -> Response:
    begun = request.app.state.entrance.end(request, request.query_params.get("state", ""))
    if begun is None:
        return failures.page(
            request, 400, "Sign in again", "This sign-in was not begun in this browser, took too long or is done."
        )
    finish = oidc.finish if "issuer" in begun else cognito_sign_in.finish
    try:
        who = finish(request, begun)
    except Refusal as error:
        return _refused(request, error)
    response = RedirectResponse(_local(begun["next"]), 303)
    request.app.state.sessions.begin(response, who)
    entrance.forget(response)
    return response


def _refused(request: Request, error: Refusal) -> Response:
    leave = oidc.logout(request.app.state.ctx) if error.is_known else ""
    return failures.page(request, error.status, error.title, error.sentence, leave=leave)


def _go_out(request: Request, _: forms.Form) -> Response:
    who = request.app.state.sessions.of(request)
    place = oidc.logout(request.app.state.ctx) if isinstance(who, Federated) else ""
    response: Response
    if place:
        # A page and no redirect, which the policy of the form's page would not let leave the portal.
        response = request.app.state.templates.page(request, "leaving.html", {"place": place})
    else:
        response = RedirectResponse("/signed-out", 303)
    request.app.state.sessions.end(request, response)
    # Else the next click would sign in again without a question.
    request.app.state.hosted.end_session(request, response)
    return response


def _out(request: Request) -> Response:
    page: Response = request.app.state.templates.page(request, "signed_out.html")
    return page


def _local(path: str) -> str:
    """Return a path of the portal: never another site's address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
