"""From a request that the guard has let in to its answer: signature, router, then our own service or moto."""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import replace
from functools import partial
from typing import Protocol

from botocore.exceptions import UnknownServiceError

from localaws.core.context import Context
from localaws.core.credentials import issued
from localaws.core.errors import AwsError, NotImplementedByLocalAws
from localaws.core.job_client import DURABLE
from localaws.core.operations import (
    AROUND,
    DOCUMENTS,
    ELSEWHERE,
    LIVE,
    PAGES,
    UNSIGNED,
    Page,
    operation_model,
    service_model,
)
from localaws.gateway import guard, regions, s3_answers, s3_keys
from localaws.gateway.admission import MAX_DOCUMENT, MAX_OBJECT, MAX_UNSIGNED, Admission
from localaws.gateway.auth import sigv4
from localaws.gateway.calls import Calls
from localaws.gateway.protocol import faults
from localaws.gateway.protocol.http import HttpRequest, HttpResponse
from localaws.gateway.protocol.parse import parse
from localaws.gateway.protocol.serialize import serialize, serialize_error
from localaws.gateway.protocol.validate import validate
from localaws.gateway.router import Route, names_operation_in_body, route

log = logging.getLogger("localaws")

#: operations whose body is an object's content.
_OBJECTS = frozenset({("s3", "PutObject"), ("s3", "UploadPart")})
#: a path of this server's own, signed as S3's.
_DURABLE = Route("s3", "WaitUntilDurable")
#: what is for whoever asks, such as the public keys of a user pool.
_PAGE = "GetPage"
#: what operations answer URLs of, beside those of S3.
_DOCUMENT = "GetDocument"
_DOCUMENT_PATH = re.compile(r"/_localaws/([a-z0-9-]+)/([\w-]+)")


class Carrier(Protocol):
    """Does the operations that are not live: moto."""

    def carries(self, service: str, operation: str) -> bool:
        """Return True if it answers this operation."""

    def check(self, where: Route, request: HttpRequest) -> HttpRequest:
        """
        Check a request; return it as ``handle`` shall read it.

        :raises AwsError: it is malformed, in the words of its service.
        """

    def handle(self, service: str, operation: str, request: HttpRequest) -> HttpResponse:
        """
        Answer; what has changed is on disk when this returns.

        :raises NotImplementedError: it does not do what the request asks for.
        """

    def key(self, access_key: str) -> sigv4.Key | None:
        """Return the secret of a key that it has issued and that is still active."""


class Application:
    """Answers requests. Safe for threads."""

    def __init__(self, context: Context, moto: Carrier) -> None:
        self._context = context
        self._moto = moto
        self._id = uuid.uuid4().hex
        self._calls = Calls(context.home / "calls.txt", context.credentials.access_key)

    def admit(self, request: HttpRequest) -> Admission:
        """
        Let a request in by its head: its signature, and that what it asks for is done here at all.

        :raises Refused: the signature is not good, or another service's or region's.
        :raises AwsError: nobody does this, or not so.
        """
        proof = sigv4.authenticate(request, self._key)
        if proof is not None:
            regions.check(proof, self._context.region)
        request = _with_bucket_in_path(request, proof)
        where = self._head_route(request, proof)
        if where is None:
            return Admission(request, proof, None, MAX_DOCUMENT)
        self._check_let_in(where, request, proof)
        if where.service == "s3":
            s3_keys.check(request, where.uri.get("Key", ""))
        if (where.service, where.operation) in _OBJECTS:
            return Admission(request, proof, where, MAX_OBJECT, is_object=True)
        return Admission(request, proof, where, MAX_DOCUMENT if proof else MAX_UNSIGNED)

    def handle(self, admission: Admission) -> HttpResponse:
        """Answer a request whose body is there; never raises."""
        request = admission.request
        try:
            where = admission.where
            if where is None:
                where = route(request, admission.proof.service if admission.proof else "")
                self._check_let_in(where, request, admission.proof)
            if not _is_no_operation(where):
                self._calls.note(request, admission.proof, where.service, where.operation)
            return self._dispatch(where, request, admission.proof.region if admission.proof else "")
        except Exception as error:
            return self.fault(error, request)

    def fault(self, error: Exception, request: HttpRequest) -> HttpResponse:
        """Answer a request that was not let in, or whose body was not as it should be."""
        service = sigv4.claimed_service(request)
        if isinstance(error, sigv4.Refused):
            return faults.refusal(error, service, request)
        if isinstance(error, AwsError):
            return faults.fault(error, service, request)
        log.error("%s %s failed (%s)", request.method, request.path, request.request_id, exc_info=error)
        return faults.fault(_internal_failure(), service, request)

    def _check_let_in(self, where: Route, request: HttpRequest, proof: sigv4.Proof | None) -> None:
        """Refuse what is not signed as its service wants it, and what nobody does here."""
        _check_signed(where, proof)
        if "smithy-protocol" in request.headers:
            protocol = request.headers.get("smithy-protocol")
            raise NotImplementedByLocalAws(f"localaws does not implement the protocol {protocol}.")
        known = _is_no_operation(where) or (where.service, where.operation) in LIVE
        if not known and not self._moto.carries(where.service, where.operation):
            raise _not_implemented(where, request)

    def _key(self, access_key: str) -> sigv4.Key | None:
        root = self._context.credentials
        if access_key == root.access_key:
            return sigv4.Key(root.secret_key)
        secret = issued(self._context.home, access_key)
        return sigv4.Key(secret) if secret else self._moto.key(access_key)

    @staticmethod
    def _head_route(request: HttpRequest, proof: sigv4.Proof | None) -> Route | None:
        """Return what the request asks for; ``None`` where only its body tells."""
        if request.path == DURABLE:
            return _DURABLE
        if proof is None and request.method == "GET" and _page(request.path):
            return Route("", _PAGE)
        document = _DOCUMENT_PATH.fullmatch(request.path)
        if proof is not None and document and document[1] in DOCUMENTS and request.method == "GET":
            return Route("sagemaker", _DOCUMENT, {"kind": document[1], "name": document[2]})
        service = proof.service if proof else ""
        return None if names_operation_in_body(request, service) else route(request, service)

    def _dispatch(self, where: Route, request: HttpRequest, region: str) -> HttpResponse:
        if where == _DURABLE:
            return self._durable(request)
        if where.operation == _PAGE and (page := _page(request.path)):
            return page(request.path, self._context)
        if where.operation == _DOCUMENT:
            return self._document(where)
        if (where.service, where.operation) in LIVE:
            return self._ours(where, request, region)
        return self._theirs(where, request)

    def _durable(self, request: HttpRequest) -> HttpResponse:
        """
        Name this server, for the supervisors of jobs.

        What it has acknowledged is on disk in any case; supervisors that an older version began ask for it by a POST.
        """
        return HttpResponse(200, [("Content-Type", "text/plain")], self._id.encode())

    def _document(self, where: Route) -> HttpResponse:
        body = DOCUMENTS[where.uri["kind"]](where.uri["name"], self._context)
        if body is None:
            return HttpResponse(404, [("Content-Type", "text/plain")], b"This document no longer exists.")
        # Never as a page of this address: what is in it came from outside.
        return HttpResponse(200, [("Content-Type", "text/plain; charset=utf-8")], body)

    def _ours(self, where: Route, request: HttpRequest, region: str) -> HttpResponse:
        operation = operation_model(where.service, where.operation)
        try:
            parameters = parse(operation, request, where.uri)
            validate(operation, parameters)
            served = self._context.region
            if region not in ("", served) and where.service in ELSEWHERE:
                answer = ELSEWHERE[where.service](where.operation, parameters, region, served)
            else:
                answer = LIVE[where.service, where.operation](parameters, self._context)
            return serialize(operation, answer or {}, request.request_id)
        except AwsError as error:
            return serialize_error(operation, error, request.request_id)
        except Exception:
            log.exception("%s %s failed (%s)", where.service, where.operation, request.request_id)
            return serialize_error(operation, _internal_failure(), request.request_id)

    def _theirs(self, where: Route, request: HttpRequest) -> HttpResponse:
        request = self._moto.check(where, request)
        try:
            if where.service in AROUND:
                return AROUND[where.service](where.operation, request, self._moto.handle)
            if where.service == "s3":
                ask = partial(self._moto.handle, "s3", where.operation)
                return s3_answers.answered(where.operation, request, ask)
            return self._moto.handle(where.service, where.operation, request)
        except NotImplementedError as error:
            raise _not_implemented(where, request) from error


def _is_no_operation(where: Route) -> bool:
    """Return whether a path of this server's own is asked for, which AWS does not have."""
    return where == _DURABLE or where.operation in (_PAGE, _DOCUMENT)


def _internal_failure() -> AwsError:
    return AwsError("An internal error occurred. The server's log has the details under this request's id.")


def _not_implemented(where: Route, request: HttpRequest) -> AwsError:
    name = where.operation or f"{request.method} {request.path}"
    return NotImplementedByLocalAws(f"localaws does not implement {where.service} {name}.")


def _check_signed(where: Route, proof: sigv4.Proof | None) -> None:
    if proof is None:
        if where.operation != _PAGE and (where.service, where.operation) not in UNSIGNED:
            raise sigv4.Refused("unsigned")
        return
    expected = _signing_name(where.service)
    if expected and proof.service != expected:
        raise sigv4.Refused("wrong_service", expected)


def _page(path: str) -> Page | None:
    return next((page for pattern, page in PAGES.items() if pattern.fullmatch(path)), None)


def _signing_name(service: str) -> str | None:
    try:
        return str(service_model(service).signing_name)
    except UnknownServiceError:
        return None


def _with_bucket_in_path(request: HttpRequest, proof: sigv4.Proof | None) -> HttpRequest:
    bucket = guard.bucket_of_host(request)
    if bucket is None or (proof is not None and proof.service != "s3"):
        return request
    return replace(request, path=f"/{bucket}{request.path}")
