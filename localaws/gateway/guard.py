"""What is refused before anything looks at it: a foreign Host, a target that is not a path."""

from __future__ import annotations

import re

from localaws.core.errors import AwsError
from localaws.gateway.protocol.http import HttpRequest

#: A page on the web that has a name of its own resolve to 127.0.0.1 must not reach this server: only names that no
#: resolver gives to anybody else are answered to.
_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]*)\.)?(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.I)


class Forbidden(AwsError):
    """Not answered at all."""

    code = "AccessDenied"
    status = 403


def check(request: HttpRequest) -> None:
    """
    Let only requests in that were meant for this server.

    :raises Forbidden: a foreign Host, or a target that is not a path.
    """
    hosts = request.headers.all("host")
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        raise Forbidden("Requests are answered for localhost and 127.0.0.1 only.")
    if not request.path.startswith("/"):
        raise Forbidden("The request's target must be a path.")


def bucket_of_host(request: HttpRequest) -> str | None:
    """Return the bucket of ``<bucket>.localhost``, which clients make of ``http://localhost`` (virtual hosts)."""
    found = _HOST.fullmatch(request.headers.get("host"))
    return found["bucket"] if found else None
