"""Errors of the front itself, each in the protocol and the words of the service that was asked."""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape

from localaws.core.errors import AwsError
from localaws.gateway.auth.sigv4 import Refused
from localaws.gateway.protocol import query_answer
from localaws.gateway.protocol.http import HttpRequest, HttpResponse
from localaws.gateway.protocol.serialize import error_response

_BAD_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_UNKNOWN_CALLER = "The security token included in the request is invalid."
_LATE_CALLER = "The security token included in the request is expired"


class _Words(NamedTuple):
    code: str
    status: int
    text: str


class _Refusal(NamedTuple):
    """One refusal in the three families: S3's XML, the JSON protocols, the query protocol."""

    s3: _Words
    json: _Words
    query: _Words


def _same(code: str, status: int, text: str) -> _Refusal:
    words = _Words(code, status, text)
    return _Refusal(words, words, words)


#: a refusal's reason -> what each protocol family answers. ``{detail}`` is the refusal's own.
REFUSALS: dict[str, _Refusal] = {
    "unsigned": _Refusal(
        _Words("AccessDenied", 403, "Access Denied"),
        _Words("MissingAuthenticationTokenException", 403, "Missing Authentication Token"),
        _Words("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    ),
    "unknown_key": _Refusal(
        _Words("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
        _Words("UnrecognizedClientException", 403, _UNKNOWN_CALLER),
        _Words("InvalidClientTokenId", 403, _UNKNOWN_CALLER),
    ),
    "bad_signature": _Refusal(
        _Words(
            "SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        ),
        _Words("InvalidSignatureException", 403, _BAD_SIGNATURE),
        _Words("SignatureDoesNotMatch", 403, _BAD_SIGNATURE),
    ),
    "wrong_service": _Refusal(
        _Words("AuthorizationHeaderMalformed", 400, "Credential should be scoped to correct service: '{detail}'."),
        _Words("InvalidSignatureException", 403, "Credential should be scoped to correct service: '{detail}'. "),
        _Words("SignatureDoesNotMatch", 403, "Credential should be scoped to correct service: '{detail}'. "),
    ),
    "skewed": _Refusal(
        _Words(
            "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."
        ),
        _Words("InvalidSignatureException", 403, "Signature expired or not yet current: {detail}"),
        _Words("SignatureDoesNotMatch", 403, "Signature expired or not yet current: {detail}"),
    ),
    "expired": _Refusal(
        _Words("AccessDenied", 403, "{detail}"),
        _Words("InvalidSignatureException", 403, "{detail}"),
        _Words("SignatureDoesNotMatch", 403, "{detail}"),
    ),
    "bad_token": _Refusal(
        _Words("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
        _Words("UnrecognizedClientException", 403, _UNKNOWN_CALLER),
        _Words("InvalidClientTokenId", 403, _UNKNOWN_CALLER),
    ),
    "expired_token": _Refusal(
        _Words("ExpiredToken", 400, "The provided token has expired."),
        _Words("ExpiredTokenException", 403, _LATE_CALLER),
        _Words("ExpiredToken", 403, _LATE_CALLER),
    ),
    "malformed": _Refusal(
        _Words("AuthorizationHeaderMalformed", 400, "The authorization header is malformed; {detail}"),
        _Words("IncompleteSignatureException", 403, "{detail}"),
        _Words("IncompleteSignature", 403, "{detail}"),
    ),
    "malformed_query": _Refusal(
        _Words("AuthorizationQueryParametersError", 400, "{detail}"),
        _Words("IncompleteSignatureException", 403, "{detail}"),
        _Words("IncompleteSignature", 403, "{detail}"),
    ),
    "unsupported": _Refusal(
        _Words(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        _Words("IncompleteSignatureException", 403, "Unsupported AWS 'algorithm': '{detail}'."),
        _Words("IncompleteSignature", 403, "Unsupported AWS 'algorithm': '{detail}'."),
    ),
    "unsigned_header": _Refusal(
        _Words("AccessDenied", 403, "There were headers present in the request which were not signed: {detail}"),
        _Words("InvalidSignatureException", 403, "The header {detail} must be signed."),
        _Words("SignatureDoesNotMatch", 403, "The header {detail} must be signed."),
    ),
    "no_hash": _same("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"),
    "no_such_hash": _Refusal(
        _Words(
            "InvalidArgument",
            400,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
            " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        ),
        _Words("InvalidSignatureException", 403, _BAD_SIGNATURE),
        _Words("SignatureDoesNotMatch", 403, _BAD_SIGNATURE),
    ),
    "bad_hash": _Refusal(
        _Words(
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        _Words("InvalidSignatureException", 403, _BAD_SIGNATURE),
        _Words("SignatureDoesNotMatch", 403, _BAD_SIGNATURE),
    ),
    "wrong_region": _Refusal(
        _Words("AuthorizationHeaderMalformed", 400, "The authorization header is malformed; {detail}"),
        _Words("InvalidSignatureException", 403, "{detail}"),
        _Words("SignatureDoesNotMatch", 403, "{detail}"),
    ),
    "bad_trailer": _same(
        "MalformedTrailerError",
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
    "incomplete_body": _same(
        "IncompleteBody", 400, "The request body terminated unexpectedly or is not what was announced: {detail}"
    ),
}


def refusal(refused: Refused, signing_name: str, request: HttpRequest) -> HttpResponse:
    """Answer a request that is not let in."""
    families = REFUSALS[refused.reason]
    family = _family(signing_name, request)
    words = {"s3": families.s3, "json": families.json, "query": families.query}[family]
    text = words.text.replace("{detail}", refused.detail)
    return fault(AwsError(text, code=words.code, status=words.status), signing_name, request)


def fault(error: AwsError, signing_name: str, request: HttpRequest) -> HttpResponse:
    """Answer an error of the gateway, in the protocol that the client of that service reads."""
    family = _family(signing_name, request)
    if family == "json":
        content_type = "application/x-amz-json-1.1" if "x-amz-target" in request.headers else "application/json"
        return error_response(error, content_type=content_type, request_id=request.request_id)
    if family == "query":
        return query_answer.serialize_error(error, request.request_id)
    text = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    text += "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.members.items())
    body = (
        f"<Error>{text}<Resource>{escape(request.path)}</Resource><RequestId>{request.request_id}</RequestId></Error>"
    )
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", request.request_id)]
    return HttpResponse(error.status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode())


def _family(signing_name: str, request: HttpRequest) -> str:
    if "x-amz-target" in request.headers:
        return "json"
    # Ahead of the form: curl calls any body one, an object too.
    if signing_name == "s3":
        return "s3"
    if request.headers.get("content-type").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "json" if signing_name else "s3"
