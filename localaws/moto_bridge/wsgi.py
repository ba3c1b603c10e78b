"""A request as the WSGI environment that moto's Flask applications take."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)

from localaws.gateway.protocol.http import Headers, HttpRequest

#: of the connection, not of the request: its body is here already.
_FRAMING = frozenset({"content-length", "expect", "transfer-encoding"})


def environ(request: HttpRequest) -> dict[str, Any]:
    """Return the environment of a request whose body is in memory."""
    target = f"{request.path}?{request.query_string}" if request.query_string else request.path
    host, _, port = request.headers.get("host").rpartition(":")
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query_string,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": host or port,
        "SERVER_PORT": port if host else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        **_headers(request.headers),
    }


def _headers(headers: Headers) -> dict[str, Any]:
    """Return the headers and the names of S3's metadata: the environment does not tell ``a_b`` from ``a-b``."""
    found: dict[str, Any] = {}
    dashed = {environ_key_for_header(name) for name, _ in headers if "_" not in name}
    names: dict[str, str] = {}
    for name, value in headers:
        key = environ_key_for_header(name)
        if name.lower() in _FRAMING:
            continue
        if "_" in name:
            # One with an underscore must never stand in for one with a dash.
            if key in dashed or not should_preserve_original_header_name(name):
                continue
            names.setdefault(key, name)
        found[key] = f"{found[key]},{value}" if key in found else value
    found[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names
    return found
