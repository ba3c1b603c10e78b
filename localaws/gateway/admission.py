"""What is decided about a request by its head alone, before a byte of its body is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from localaws.gateway.auth.sigv4 import Proof
from localaws.gateway.protocol.http import HttpRequest, HttpResponse
from localaws.gateway.router import Route

#: S3 takes 5 GiB in one PUT; every other operation's body is small.
MAX_OBJECT = 5 * 1024**3
MAX_DOCUMENT = 32 * 1024**2
#: of Cognito's operations that anybody may call.
MAX_UNSIGNED = 128 * 1024


@dataclass
class Admission:
    """
    A request that is let in, unless its body turns out to be another than the one that was signed.

    :param proof: ``None`` for an operation that carries no signature.
    :param where: ``None`` where the body says which operation it is.
    :param limit: the most bytes that the body may have.
    :param is_object: whether the body is an object's content, which may go to disk.
    """

    request: HttpRequest
    proof: Proof | None
    where: Route | None
    limit: int
    is_object: bool = False

    @property
    def is_proven(self) -> bool:
        """Return True if the signature is verified without the body."""
        return self.proof is not None and self.proof.payload != ""


class Responder(Protocol):
    """What answers requests."""

    def admit(self, request: HttpRequest) -> Admission:
        """Let a request in by its head; :raises Exception: something that :meth:`fault` makes an answer of."""

    def handle(self, admission: Admission) -> HttpResponse:
        """Answer a request whose body is there; never raises."""

    def fault(self, error: Exception, request: HttpRequest) -> HttpResponse:
        """Answer a request that was not let in, or whose body was not as it should be."""
