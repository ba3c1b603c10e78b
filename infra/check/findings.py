"""What a check has found, and what an error of AWS means for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

OK, MISSING, UNKNOWN = "ok", "missing", "could not be checked"

#: AWS's codes for credentials that are not, or no longer, valid -> what they mean.
_CREDENTIALS = {
    "ExpiredToken": "the session has expired",
    "ExpiredTokenException": "the session has expired",
    "RequestExpired": "the request's time is too old: set this machine's clock",
    "InvalidClientTokenId": "AWS does not know the access key",
    "UnrecognizedClientException": "AWS does not know the access key",
    "InvalidAccessKeyId": "AWS does not know the access key",
    "SignatureDoesNotMatch": "the secret key is not that of the access key",
    "AuthFailure": "AWS does not accept the credentials",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "403", "Forbidden", "UnauthorizedOperation"}
_NOT_IMPLEMENTED = {"NotImplemented", "NotImplementedException", "501"}


@dataclass(frozen=True)
class Finding:
    """
    The outcome of one check.

    :param status: :data:`OK`, :data:`MISSING` or :data:`UNKNOWN`.
    :param what: was checked.
    :param detail: what was found, in a sentence.
    :param remedy: what to do about it; "" where nothing needs to be done.
    """

    status: str
    what: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.status:<21} {self.what}: {self.detail}{f'. {self.remedy}' if self.remedy else ''}"


class BadCredentials(Exception):
    """AWS does not take the credentials: nothing else can be asked."""


def ok(what: str, detail: str, remedy: str = "") -> Finding:
    """Return a finding that nothing is missing."""
    return Finding(OK, what, detail, remedy)


def missing(what: str, detail: str, remedy: str) -> Finding:
    """Return a finding that something is missing."""
    return Finding(MISSING, what, detail, remedy)


def unknown(what: str, detail: str, remedy: str = "") -> Finding:
    """Return a finding that nobody knows."""
    return Finding(UNKNOWN, what, detail, remedy)


def guarded(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """
    Yield the findings of a check, and one more where AWS does not answer it.

    :raises BadCredentials: AWS does not take the credentials.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from check()
    except (BotoCoreError, ClientError) as error:
        yield not_answered(what, error)


def not_answered(what: str, error: Any) -> Finding:
    """
    Return what an error of botocore or AWS means for a check.

    :raises BadCredentials: AWS does not take the credentials.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        return _refused(what, error)
    if isinstance(error, ConnectionError | HTTPClientError):
        return unknown(what, str(error), "Check the region, the network and its proxy")
    raise BadCredentials(f"{error}") from error


def code_of(error: Any) -> str:
    """Return AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_denied(error: Any) -> bool:
    """Say whether AWS has refused a call for lack of a permission."""
    return code_of(error) in _DENIED


def _refused(what: str, error: Any) -> Finding:
    code, operation = code_of(error), error.operation_name
    if code in _CREDENTIALS:
        raise BadCredentials(f"{_CREDENTIALS[code]} ({code})") from error
    if code in _NOT_IMPLEMENTED or error.response["ResponseMetadata"].get("HTTPStatusCode") == 501:
        return unknown(what, f"this endpoint has no {operation}")
    if code in _DENIED:
        return unknown(what, f"the caller may not call {operation}", "Run the check as somebody who may")
    return unknown(what, f"{operation} answers {code}: {error.response['Error'].get('Message', '')}")
