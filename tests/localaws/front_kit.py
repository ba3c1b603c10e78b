"""Raw HTTP to a localaws, and requests signed outside boto3."""

from __future__ import annotations

import configparser
import http.client
import json
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from localaws_kit import LocalAws

#: a role's trust policy that lets anybody of the account assume it.
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def credentials(server: LocalAws) -> Credentials:
    """The root keys of a server."""
    parser = configparser.ConfigParser()
    parser.read(server.home / "credentials")
    profile = parser["default"]
    return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"])


def client(service: str, **config: Any) -> Any:
    """A client that does not try again, so that a test sees the first answer."""
    settings = Config(retries={"total_max_attempts": 1}, **config)
    return boto3.Session().client(service, config=settings)


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def send(
    server: LocalAws, method: str = "GET", target: str = "/", body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """One raw request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, target, body=body or None, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def signed_headers(
    server: LocalAws,
    service: str,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    keys: Credentials | None = None,
) -> dict[str, str]:
    """The headers of a well signed request."""
    request = AWSRequest(method=method, url=f"{server.url}{target}", data=body, headers=headers or {})
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(keys or credentials(server), service, "us-east-1").add_auth(request)
    return {name: item.decode() if isinstance(item, bytes) else str(item) for name, item in request.headers.items()}


def call(server: LocalAws, service: str, target_header: str, body: bytes = b"{}", **others: Any) -> Answer:
    """A signed request of a JSON service."""
    headers = {"X-Amz-Target": target_header, "Content-Type": "application/x-amz-json-1.1"}
    return send(server, "POST", "/", body, signed_headers(server, service, body=body, headers=headers, **others))
