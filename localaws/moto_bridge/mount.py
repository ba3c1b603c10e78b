"""moto's backends in this process, called as the WSGI applications that they are."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Any

from moto.iam.models import iam_backends
from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from moto.sts.models import sts_backends

from localaws.core.context import ACCOUNT_ID
from localaws.gateway.auth.sigv4 import Key
from localaws.gateway.protocol.http import FileBody, HttpRequest, HttpResponse
from localaws.gateway.router import Route
from localaws.moto_bridge import (
    carried,
    checks,
    glue_pages,
    iam_pages,
    log_export,
    mended,
    metrics,
    object_store,
    percentiles,
    pool_keys,
    pool_rules,
    pool_sign_in,
    preconditions,
    quick_answers,
    secret_store,
    series,
    upload_lists,
)
from localaws.moto_bridge.state import State
from localaws.moto_bridge.wsgi import environ

#: botocore's name of a service -> moto's.
_BACKENDS = {
    "s3": "s3",
    "iam": "iam",
    "sts": "sts",
    "glue": "glue",
    "cognito-idp": "cognitoidp",
    "cloudwatch": "cloudwatch",
    "logs": "logs",
    "secretsmanager": "secretsmanager",
}


class _AnyText(RegexConverter):
    """A part of a path, line breaks included: moto's own pattern would find no route for a key that has one."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{self.regex})"


class Moto:
    """
    moto, mounted: one Flask application a service, made when first needed.

    :param folder: where its state is kept, in a home's folder of localaws.
    """

    def __init__(self, folder: Path) -> None:
        self._apps: dict[str, Any] = {}
        self._lock = threading.Lock()
        _install()
        pool_sign_in.install(pool_keys.of_home(folder.parent))
        self.state = State(folder, sorted(_BACKENDS.values()))

    @staticmethod
    def carries(service: str, operation: str) -> bool:
        """Return True if moto does this operation for us."""
        return carried.carries(service, operation)

    @staticmethod
    def check(where: Route, request: HttpRequest) -> HttpRequest:
        """
        Check a request; return it as moto shall read it.

        :raises AwsError: it is malformed, in the words of its service.
        """
        return checks.check(where, request)

    def handle(self, service: str, operation: str, request: HttpRequest) -> HttpResponse:
        """
        Let moto answer; what it has changed is on disk when this returns.

        :raises NotImplementedError: moto does not do what the request asks for.
        """
        return self.state.answer(service, operation, request, lambda: self._call(self._app(service), request))

    def prepare(self, service: str) -> None:
        """Make the application of a service, so that its first request need not."""
        self._app(service)

    @staticmethod
    def _call(app: Any, request: HttpRequest) -> HttpResponse:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            if exc_info:
                raise exc_info[1]
            started[:] = [int(status.split(None, 1)[0]), headers]

        body = _join(app(environ(request), start_response))
        status, headers = started
        if status >= 400 and isinstance(body, bytes) and body[:9].lower() == b"<!doctype":
            # No AWS error is a page: this one says that moto has no route for the request.
            raise NotImplementedError(f"{request.method} {request.path}")
        return HttpResponse(status, list(headers), body)

    def key(self, access_key: str) -> Key | None:
        """Return the secret of a key that moto's IAM or STS has issued and that is still active."""
        for regions in list(sts_backends.values()):
            for role in list(regions["aws"].assumed_roles):
                if role.access_key_id == access_key:
                    return Key(role.secret_access_key, role.session_token, role.expiration.replace(tzinfo=UTC))
        issued = iam_backends[ACCOUNT_ID]["aws"].access_keys.get(access_key)
        return Key(issued.secret_access_key) if issued and issued.status == "Active" else None

    def _app(self, service: str) -> Any:
        with self._lock:
            if service not in self._apps:
                self._apps[service] = werkzeug_app.create_backend_app(_BACKENDS[service])  # type: ignore[arg-type]
            return self._apps[service]


@functools.cache
def _install() -> None:
    """Change moto's code, once in a process."""
    object_store.install()
    series.install()
    glue_pages.install()
    iam_pages.install()
    secret_store.install()
    mended.install()
    preconditions.install()
    metrics.install()
    percentiles.install()
    pool_rules.install()
    log_export.install()
    quick_answers.install()
    upload_lists.install()
    werkzeug_app.RegexConverter = _AnyText  # type: ignore[misc,attr-defined]


def _join(chunks: Iterable[bytes | FileBody]) -> bytes | FileBody:
    try:
        parts = list(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    # The usual single part is passed on without a copy: an object may be large.
    return parts[0] if len(parts) == 1 else b"".join(part for part in parts if isinstance(part, bytes))
