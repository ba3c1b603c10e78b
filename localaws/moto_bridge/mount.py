"""moto's backends in this process, called as the WSGI applications that they are."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path
from typing import Any

from moto.iam.models import iam_backends
from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from moto.sts.models import sts_backends

from localaws.context import ACCOUNT_ID
from localaws.moto_bridge import series
from localaws.moto_bridge.bodies import Bodies, install
from localaws.moto_bridge.state import State
from localaws.wire.http import FileBody, HttpRequest, HttpResponse
from localaws.wire.sigv4 import Key

#: botocore's name of a service -> moto's.
_BACKENDS = {
    "s3": "s3",
    "iam": "iam",
    "sts": "sts",
    "glue": "glue",
    "cognito-idp": "cognitoidp",
    "cloudwatch": "cloudwatch",
    "logs": "logs",
    "application-autoscaling": "applicationautoscaling",
    "secretsmanager": "secretsmanager",
}


#: an operation that begins with none of these may have changed something.
_READING = ("BatchGet", "Describe", "Filter", "Get", "Head", "List")
#: backends that a change in one service changes too: STS registers the keys that it issues in IAM.
_CHANGES = {"sts": ("sts", "iam")}


class _AnyText(RegexConverter):
    """A part of a path, line breaks included: moto's own pattern would find no route for a key that has one."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{self.regex})"


class Moto:
    """
    moto, mounted: one Flask application a service, made when first needed.

    :param folder: where its state is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._apps: dict[str, Any] = {}
        self._lock = threading.Lock()
        bodies = Bodies(folder / "s3")
        install(bodies)
        series.install()
        werkzeug_app.RegexConverter = _AnyText  # type: ignore[misc,attr-defined]
        self.state = State(folder, sorted(_BACKENDS.values()), bodies)

    def handle(self, service: str, operation: str, request: HttpRequest) -> HttpResponse:
        """
        Let moto answer.

        :raises NotImplementedError: moto does not do what the request asks for.
        """
        with self.state.lock.shared():
            try:
                return self._call(self._app(service), request)
            finally:
                if not operation.startswith(_READING):
                    backend = _BACKENDS[service]
                    self.state.changed(*_CHANGES.get(backend, (backend,)))

    @staticmethod
    def _call(app: Any, request: HttpRequest) -> HttpResponse:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            if exc_info:
                raise exc_info[1]
            started[:] = [int(status.split(None, 1)[0]), headers]

        body = _join(app(_environ(request), start_response))
        status, headers = started
        if status >= 400 and isinstance(body, bytes) and body[:9].lower() == b"<!doctype":
            # No AWS error is a page: this one says that moto has no route for the request.
            raise NotImplementedError(f"{request.method} {request.path}")
        return HttpResponse(status, list(headers), body)

    def key(self, access_key: str) -> Key | None:
        """The secret of a key that moto's IAM or STS has issued and that is still active."""
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


def _environ(request: HttpRequest) -> dict[str, Any]:
    environ = dict(request.environ)
    environ["wsgi.input"] = io.BytesIO(request.body)
    environ["CONTENT_LENGTH"] = str(len(request.body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("wsgi.input_terminated", None)
    return environ


def _join(chunks: Iterable[bytes | FileBody]) -> bytes | FileBody:
    try:
        parts = list(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close:
            close()
    # The usual single part is passed on without a copy: an object may be large.
    return parts[0] if len(parts) == 1 else b"".join(part for part in parts if isinstance(part, bytes))
