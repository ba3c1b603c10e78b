"""What is not even looked at."""

from __future__ import annotations

import pytest

from localaws.gateway import guard
from localaws.gateway.protocol.http import Headers, HttpRequest


def request(*hosts: str, path: str = "/", **headers: str) -> HttpRequest:
    fields = [("Host", host) for host in hosts] + [(name.replace("_", "-"), text) for name, text in headers.items()]
    return HttpRequest("GET", path, "", Headers(fields), b"")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4566", "localhost:1", "[::1]:4566", "LOCALHOST", "b.localhost:1"]
)
def test_names_of_this_machine_are_let_in(host: str) -> None:
    guard.check(request(host))


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "localhost.example.com",
        "127.0.0.1.nip.io",
        "127.0.0.2",
        "0.0.0.0:4566",
        "localhost:4566@example.com",
        "localhost:x",
        "s3.amazonaws.com",
        "169.254.169.254",
        "",
        "localhost\n",
    ],
)
def test_foreign_names_are_refused(host: str) -> None:
    with pytest.raises(guard.Forbidden):
        guard.check(request(host))


def test_no_host_and_two_hosts_are_refused() -> None:
    for hosts in ((), ("localhost", "localhost")):
        with pytest.raises(guard.Forbidden):
            guard.check(request(*hosts))


def test_an_absolute_target_is_refused() -> None:
    with pytest.raises(guard.Forbidden):
        guard.check(request("localhost", path="http://example.com/"))


def test_a_bucket_in_the_host_is_found() -> None:
    assert guard.bucket_of_host(request("my.bucket-1.localhost:4566")) == "my.bucket-1"
    assert guard.bucket_of_host(request("localhost:4566")) is None
    assert guard.bucket_of_host(request("127.0.0.1:4566")) is None
