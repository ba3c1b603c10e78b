"""From a request that the guard has let in to its answer: signature, router, then our own service or moto."""

from __future__ import annotations

import logging
import re
import traceback
import uuid
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from botocore.exceptions import UnknownServiceError

from localaws import guard, object_key
from localaws.context import Context
from localaws.errors import AwsError, NotImplementedByLocalAws
from localaws.jobs.aws import DURABLE
from localaws.moto_bridge import Moto, carries
from localaws.router import Route, route
from localaws.services.registry import LIVE, operation_model, service_model
from localaws.wire import chunked, faults, sigv4
from localaws.wire.http import HttpRequest, HttpResponse
from localaws.wire.parse import parse
from localaws.wire.serialize import serialize, serialize_error
from localaws.wire.validate import validate

log = logging.getLogger("localaws")

#: Cognito's operations for an application's own users carry no AWS signature, by design.
_UNSIGNED = frozenset(
    ("cognito-idp", operation)
    for operation in (
        "ChangePassword",
        "ConfirmForgotPassword",
        "ConfirmSignUp",
        "ForgotPassword",
        "GetUser",
        "GlobalSignOut",
        "InitiateAuth",
        "ResendConfirmationCode",
        "RespondToAuthChallenge",
        "RevokeToken",
        "SignUp",
        "UpdateUserAttributes",
    )
)
#: the public keys of a user pool, for whoever checks its tokens.
_WELL_KNOWN = re.compile(r"/[\w-]+_\w+/\.well-known/(?:jwks\.json|openid-configuration)")


class Application:
    """Answers requests. Safe for threads."""

    def __init__(self, context: Context, moto: Moto) -> None:
        self._context = context
        self._moto = moto
        self._id = uuid.uuid4().hex

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The answer to one request; never raises."""
        signing_name = ""
        try:
            signature = sigv4.verify(request, self._key)
            signing_name = signature.service if signature else ""
            request = _plain(request, signature)
            return self._dispatch(request, signature)
        except sigv4.Refused as refused:
            return faults.refusal(refused, signing_name or sigv4.claimed_service(request), request)
        except AwsError as error:
            return faults.fault(error, signing_name or sigv4.claimed_service(request), request)
        except Exception:
            log.error(
                "%s %s failed (%s):\n%s", request.method, request.path, request.request_id, traceback.format_exc()
            )
            return faults.fault(_internal_failure(), signing_name, request)

    def _key(self, access_key: str) -> sigv4.Key | None:
        root = self._context.credentials
        if access_key == root.access_key:
            return sigv4.Key(root.secret_key)
        return self._moto.key(access_key)

    def _dispatch(self, request: HttpRequest, signature: sigv4.Signature | None) -> HttpResponse:
        if request.path == DURABLE:
            return self._durable(request, signature)
        if signature is None and _WELL_KNOWN.fullmatch(request.path) and request.method == "GET":
            return self._moto.handle("cognito-idp", "GetSigningCertificate", request)
        where = route(request, signature.service if signature else "")
        _check_signed(where, signature)
        if "smithy-protocol" in request.headers:
            protocol = request.headers.get("smithy-protocol")
            raise NotImplementedByLocalAws(f"localaws does not implement the protocol {protocol}.")
        if (where.service, where.operation) in LIVE:
            return self._ours(where, request)
        if carries(where.service, where.operation):
            return self._theirs(where, request)
        raise _not_implemented(where, request)

    def _durable(self, request: HttpRequest, signature: sigv4.Signature | None) -> HttpResponse:
        """This server's id; to a POST once all that it has acknowledged is on disk. For the supervisors of jobs."""
        _check_signed(Route("s3", ""), signature)
        if request.method == "POST":
            self._moto.state.write()
        return HttpResponse(200, [("Content-Type", "text/plain")], self._id.encode())

    def _ours(self, where: Route, request: HttpRequest) -> HttpResponse:
        operation = operation_model(where.service, where.operation)
        try:
            parameters = parse(operation, request, where.uri)
            validate(operation, parameters)
            answer = LIVE[where.service, where.operation](parameters, self._context)
            return serialize(operation, answer or {}, request.request_id)
        except AwsError as error:
            return serialize_error(operation, error, request.request_id)
        except Exception:
            names = (where.service, where.operation, request.request_id)
            log.error("%s %s failed (%s):\n%s", *names, traceback.format_exc())
            return serialize_error(operation, _internal_failure(), request.request_id)

    def _theirs(self, where: Route, request: HttpRequest) -> HttpResponse:
        if where.service == "s3":
            object_key.check(request, where.uri.get("Key", ""))
        try:
            return self._moto.handle(where.service, where.operation, request)
        except NotImplementedError as error:
            raise _not_implemented(where, request) from error


def _internal_failure() -> AwsError:
    return AwsError("An internal error occurred. The server's log has the details under this request's id.")


def _not_implemented(where: Route, request: HttpRequest) -> AwsError:
    name = where.operation or f"{request.method} {request.path}"
    return NotImplementedByLocalAws(f"localaws does not implement {where.service} {name}.")


def _check_signed(where: Route, signature: sigv4.Signature | None) -> None:
    if signature is None:
        if (where.service, where.operation) not in _UNSIGNED:
            raise sigv4.Refused("unsigned")
        return
    expected = _signing_name(where.service)
    if expected and signature.service != expected:
        raise sigv4.Refused("wrong_service", expected)


def _signing_name(service: str) -> str | None:
    try:
        return str(service_model(service).signing_name)
    except UnknownServiceError:
        return None


def _plain(request: HttpRequest, signature: sigv4.Signature | None) -> HttpRequest:
    """The request as the services want it: no S3 chunk framing, the bucket in the path."""
    if signature is not None and chunked.is_chunked(request):
        request = chunked.plain(request, signature)
    bucket = guard.bucket_of_host(request)
    if bucket is None or (signature is not None and signature.service != "s3"):
        return request
    path = f"/{bucket}{request.path}"
    target = f"{path}?{request.query_string}" if request.query_string else path
    decoded = unquote_to_bytes(path).decode("latin-1")
    environ = {**request.environ, "PATH_INFO": decoded, "RAW_URI": target, "REQUEST_URI": target}
    return replace(request, path=path, environ=environ)
