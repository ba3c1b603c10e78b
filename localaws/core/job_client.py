"""
A signed HTTP client of this server: the few operations that a running job needs, by the standard library alone.

boto3 takes 0.4 s and 40 MB to begin with, and botocore's signer alone 0.05 s and 6 MB: a supervisor has neither to
spare. When the server is away (a restart) requests wait for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import secrets
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeVar

from localaws.core import signing
from localaws.core.credentials import Credentials, load, load_or_create

T = TypeVar("T")
#: Opens a file, again for each attempt.
Opener = Callable[[], BufferedReader]

#: where supervisors of an older version ask whether what they uploaded is on disk; it always is.
DURABLE = "/_localaws/durable"
_BLOCK = 1 << 20
_EMPTY = hashlib.sha256(b"").hexdigest()
#: seconds to try again with a server that is there and fails.
_FAILING_S = 30


class AwsRequestError(Exception):
    """The service refused: ``code`` is AWS's error code, ``status`` the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.transient = status in (429, 500, 502, 503, 504)


class ServerAway(Exception):
    """The server did not answer for as long as we were ready to wait."""


class Aws:
    """
    One server, one identity. Safe for threads: each has a connection of its own.

    :param home: ``ctx.home``; the port is read from its ``server.json`` again after each failure.
    :param patience: seconds to wait for a server that is away.
    """

    def __init__(self, home: Path, region: str, *, patience: float = 3600) -> None:
        self.region = region
        self.patience = patience
        self._home = home
        self._credentials: Credentials = load_or_create(home.parent / "credentials")
        self._fixed_port: int | None = None
        self._local = threading.local()

    @classmethod
    def from_environment(cls) -> Aws:
        """Return the client of a process in a sandbox: with its own key, and at the address that it was given."""
        aws = cls.__new__(cls)
        aws.region, aws.patience = os.environ["AWS_REGION"], 3600
        aws._credentials = load(Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]))
        aws._fixed_port = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).port
        aws._local = threading.local()
        return aws

    # --- S3 ---------------------------------------------------------------------------------------------------

    def list_objects(self, bucket: str, prefix: str) -> list[tuple[str, int]]:
        """Return all keys that begin with ``prefix``, in order, and their sizes."""
        found: list[tuple[str, int]] = []
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            body = self._request("s3", "GET", f"/{bucket}", query=query)
            root = ET.fromstring(body)  # noqa: S314 - our own server's answer
            for entry in root.iter():
                if entry.tag.endswith("}Contents") or entry.tag == "Contents":
                    fields = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
                    found.append((urllib.parse.unquote_plus(fields["Key"]), int(fields["Size"])))
            token = next((e.text for e in root.iter() if e.tag.endswith("NextContinuationToken")), None)
            if not token:
                return found
            query["continuation-token"] = token

    def get_object(self, bucket: str, key: str) -> bytes:
        """Return the content of a small object."""
        return self._request("s3", "GET", _object_path(bucket, key))

    def download(self, bucket: str, key: str, to: Path) -> None:
        """Write an object to a file, which appears whole or not at all."""
        # Not after the object's name, by which another object may be called.
        partial = to.with_name(f".{secrets.token_hex(8)}.part")

        def save(response: http.client.HTTPResponse) -> None:
            expected = int(response.headers.get("Content-Length", -1))
            written = 0
            with open(partial, "wb") as file:
                while block := response.read(_BLOCK):
                    written += file.write(block)
            if expected not in (-1, written):
                raise http.client.IncompleteRead(b"", expected - written)

        self._send("s3", "GET", _object_path(bucket, key), save)
        partial.replace(to)

    def upload(self, opened: Opener, bucket: str, key: str) -> None:
        """
        Put a file as an object; the server checks its SHA-256.

        :param opened: opens the file, again for each attempt.
        """

        def content() -> tuple[str, int, BinaryIO]:
            file = opened()
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            return digest, size, file

        self._send("s3", "PUT", _object_path(bucket, key), http.client.HTTPResponse.read, content=content)

    # --- the others -------------------------------------------------------------------------------------------

    def call(self, service: str, target: str, body: Mapping[str, object], *, version: str = "1.1") -> None:
        """One operation of a service with the JSON protocol, such as ``Logs_20140328.PutLogEvents``."""
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
        self._request(service, "POST", "/", headers=headers, body=json.dumps(body).encode())

    # --- how --------------------------------------------------------------------------------------------------

    def _request(
        self,
        service: str,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        def content() -> tuple[str, int, bytes]:
            return hashlib.sha256(body).hexdigest(), len(body), body

        return self._send(
            service, method, path, http.client.HTTPResponse.read, query=query, headers=headers, content=content
        )

    def _send(
        self,
        service: str,
        method: str,
        path: str,
        receive: Callable[[http.client.HTTPResponse], T],
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        content: Callable[[], tuple[str, int, bytes | BinaryIO]] = lambda: (_EMPTY, 0, b""),
    ) -> T:
        """Send until the server answers or patience ends; ``receive`` may run more than once."""
        away, failing = _pauses(self.patience), _pauses(_FAILING_S)
        while True:
            try:
                return self._send_once(service, method, path, receive, query or {}, headers or {}, content)
            except ConnectionRefusedError as error:
                self._disconnect()
                if not next(away):
                    raise ServerAway(f"{method} {path}: {error}") from error
                failing = _pauses(_FAILING_S)
            # Not OSError: a file of ours that is gone, or a full disk, is nothing that waiting would mend.
            except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
                self._disconnect()
                if not next(failing):
                    raise ServerAway(f"{method} {path}: {error or type(error).__name__}") from error
            except AwsRequestError as error:
                self._disconnect()
                if not error.transient or not next(failing):
                    raise

    def _send_once(
        self,
        service: str,
        method: str,
        path: str,
        receive: Callable[[http.client.HTTPResponse], T],
        query: dict[str, str],
        headers: dict[str, str],
        content: Callable[[], tuple[str, int, bytes | BinaryIO]],
    ) -> T:
        digest, length, body = content()
        with contextlib.ExitStack() as stack:
            if not isinstance(body, bytes):
                stack.enter_context(body)
            connection = self._connection()
            encoded = "&".join(f"{_quote(key)}={_quote(value)}" for key, value in sorted(query.items()))
            given = {"host": f"{connection.host}:{connection.port}", "x-amz-content-sha256": digest, **headers}
            signed = self._sign(service, method, path, encoded, given)
            connection.request(
                method,
                f"{path}?{encoded}" if encoded else path,
                body=body,
                headers={**signed, "content-length": str(length)},
            )
            response = connection.getresponse()
            if response.status >= 300:
                raise _error(response.status, response.read())
            return receive(response)

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=300, blocksize=_BLOCK)
            self._local.connection = connection
        return connection

    def _port(self) -> int:
        if self._fixed_port is not None:
            return self._fixed_port
        try:
            return int(json.loads((self._home / "server.json").read_text())["port"])
        except (FileNotFoundError, ValueError) as error:
            raise ConnectionRefusedError("server.json is not there: the server is away") from error

    def _disconnect(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _sign(self, service: str, method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, str]:
        """Signature version 4 over all headers, whose names are in lower case: they and the signature's own."""
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/{self.region}/{service}/aws4_request"
        signed = dict(sorted({**headers, "x-amz-date": moment}.items()))
        names = ";".join(signed)
        lines = [f"{name}:{value}" for name, value in signed.items()]
        canonical = "\n".join([method, path, query, *lines, "", names, headers["x-amz-content-sha256"]])
        key = signing.signing_key(self._credentials.secret_key, scope)
        signature = signing.signature(key, moment, scope, canonical)
        authorization = (
            f"Credential={self._credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return {**signed, "authorization": f"{signing.ALGORITHM} {authorization}"}


def _pauses(patience: float) -> Iterator[bool]:
    """Wait before each further attempt, longer each time; ``False`` when patience is at its end."""
    deadline = time.monotonic() + patience
    pause = 0.05
    while time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 2, 2)
        yield True
    while True:
        yield False


def _quote(text: str, safe: str = "-_.~") -> str:
    return urllib.parse.quote(text, safe=safe)


def _object_path(bucket: str, key: str) -> str:
    return f"/{bucket}/{_quote(key, '/-_.~')}"


def _error(status: int, body: bytes) -> AwsRequestError:
    text = body.decode("utf-8", "replace")
    code = re.search(r"<Code>(.*?)</Code>", text) or re.search(r'"(?:__type|code)": ?"([^"]*)"', text)
    message = re.search(r"<Message>(.*?)</Message>", text, re.S) or re.search(r'"[Mm]essage": ?"([^"]*)"', text)
    return AwsRequestError(code[1] if code else f"HTTP {status}", message[1] if message else text[:200], status)
