"""Who gets into the console: the token's address, the cookie, and what is refused."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console_kit import address, csrf, insider, outsider, token_url
from endpoint_kit import Hosting
from localaws_kit import JOBS_PYTHON, ROOT, LocalAws, start

SENTENCE = "Open the console by the address that `make status` prints"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    started = start(tmp_path_factory.mktemp("access") / "home")
    yield started
    started.stop()


def token(server: LocalAws) -> str:
    return token_url(server).rpartition("=")[2]


def test_the_tokens_address_sets_a_cookie_and_leads_to_one_without_the_token(server: LocalAws) -> None:
    with outsider(server) as client:
        answer = client.get(token_url(server))
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        assert answer.headers["referrer-policy"] == "no-referrer"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Domain" not in cookie
        assert token(server) not in cookie
        assert client.get("/").status_code == 200


def test_the_token_opens_any_page_and_keeps_the_rest_of_its_address(server: LocalAws) -> None:
    with outsider(server) as client:
        answer = client.get("/queries", params={"group": "a&b", "token": token(server)})
    assert answer.headers["location"] == "/queries?group=a%26b"


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "///evil.example"])
def test_the_redirect_stays_on_this_server(server: LocalAws, path: str) -> None:
    host, port = address(server).removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        head = f"GET {path}?token={token(server)} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        raw.sendall(head.encode())
        answer = raw.makefile("rb").read().decode()
    found = re.search(r"(?im)^location: (.*)\r$", answer)
    if found:
        assert re.match(r"/[^/\\]", found[1])


@pytest.mark.parametrize(
    "path", ["/", "/jobs/training", "/logs/events?group=a&stream=b", "/nothing", "/sagemaker/home"]
)
@pytest.mark.parametrize("cookie", ["", "wrong", "ü"])
def test_nobody_else_gets_in(server: LocalAws, path: str, cookie: str) -> None:
    with outsider(server) as client:
        name = f"localaws_console_{address(server).rpartition(':')[2]}"
        answer = client.get(path, headers={"Cookie": f"{name}={cookie}".encode()})
    assert answer.status_code == 403
    assert SENTENCE in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("given", ["", "wrong", "ü", "a" * 1000])
def test_a_wrong_token_is_refused(server: LocalAws, given: str) -> None:
    with outsider(server) as client:
        answer = client.get("/", params={"token": given})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_token_itself_is_no_cookie(server: LocalAws) -> None:
    name = f"localaws_console_{address(server).rpartition(':')[2]}"
    with outsider(server) as client:
        assert client.get("/", headers={"Cookie": f"{name}={token(server)}"}).status_code == 403


def test_a_link_of_another_site_is_told_to_follow_it_from_here(server: LocalAws) -> None:
    with outsider(server) as client:
        page = client.get("/jobs/training", headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 403
    assert '<a href="/jobs/training">' in page.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80"])
def test_a_foreign_host_is_refused_with_the_cookie_too(server: LocalAws, host: str) -> None:
    with insider(server) as client:
        answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "localhost and 127.0.0.1 only" in answer.text


def test_the_token_is_of_no_use_under_a_foreign_host(server: LocalAws) -> None:
    with outsider(server) as client:
        answer = client.get("/", params={"token": token(server)}, headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.fixture(scope="module")
def endpoint(server: LocalAws) -> str:
    hosting = Hosting(server)
    return hosting.serve(hosting.model(2))


def test_a_form_without_the_cookie_is_refused(server: LocalAws, endpoint: str) -> None:
    with insider(server) as client:
        form = {"body": "1", "csrf": csrf(client.get(f"/endpoints/{endpoint}").text)}
    with outsider(server) as client:
        assert client.post(f"/endpoints/{endpoint}/invoke", data=form).status_code == 403


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "ü"}])
def test_a_form_without_its_token_invokes_nothing(server: LocalAws, endpoint: str, form: dict[str, str]) -> None:
    with insider(server) as client:
        answer = client.post(f"/endpoints/{endpoint}/invoke", data={"body": "1", **form})
    assert answer.status_code == 403
    assert "out of date" in answer.text


def test_a_form_of_another_origin_is_refused_with_its_token_too(server: LocalAws, endpoint: str) -> None:
    with insider(server) as client:
        form = {"body": "1", "csrf": csrf(client.get(f"/endpoints/{endpoint}").text)}
        answer = client.post(f"/endpoints/{endpoint}/invoke", data=form, headers={"Origin": "http://127.0.0.1:1"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/jobs/training", "/buckets", "/sagemaker/home"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_pages_are_only_read(server: LocalAws, path: str, method: str) -> None:
    with insider(server) as client:
        assert client.request(method, path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/console.css"])
def test_every_answer_has_the_security_headers(server: LocalAws, path: str) -> None:
    with insider(server) as client:
        headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_the_token_is_readable_by_its_user_alone_and_in_no_other_file(server: LocalAws) -> None:
    with insider(server) as client:
        client.get("/")
    file = server.home / "localaws" / "console.token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_bytes()) >= 43
    secret = file.read_bytes()
    holders = [path for path in server.home.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert holders == [file]


def test_it_listens_on_loopback_alone(server: LocalAws) -> None:
    assert address(server).startswith("http://127.0.0.1:")
    port = int(address(server).rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [fields[1] for fields in listening if fields[3] == "0A" and int(fields[1].partition(":")[2], 16) == port]
    assert [entry.partition(":")[0] for entry in found] == ["0100007F"]


def test_status_prints_the_address(server: LocalAws) -> None:
    argv = [JOBS_PYTHON, "-m", "localaws", "status", "--home", str(server.home)]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"console: {token_url(server)}\n" in said


@pytest.mark.parametrize("service", ["sagemaker", "a2i", "athena", "cloudwatch", "glue", "s3"])
def test_a_path_of_aws_console_leads_from_the_endpoint_to_the_console(server: LocalAws, service: str) -> None:
    answer = httpx.get(f"{server.url}/{service}/home?region=us-east-1")
    assert answer.status_code == 302
    # Without a "#" of its own: a browser then keeps that of the address.
    assert answer.headers["location"] == f"{address(server)}/{service}/home"


def test_the_token_and_the_port_outlive_a_restart(server: LocalAws, own_localaws: LocalAws) -> None:
    before = token_url(own_localaws)
    assert token(server) != token(own_localaws)
    own_localaws.kill()
    own_localaws.restart()
    assert token_url(own_localaws) == before
    with insider(own_localaws) as client:
        assert client.get("/").status_code == 200
    own_localaws.stop()
    assert not (own_localaws.home / "localaws" / "console.json").exists()


def test_a_taken_port_that_was_asked_for_is_said_in_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(tmp_path / "home", LOCALAWS_CONSOLE_PORT=str(port))
        try:
            log = (server.home / "localaws" / "server.log").read_text()
            answer = httpx.get(f"{server.url}/sagemaker/home")
        finally:
            server.stop()
    assert f"LOCALAWS_CONSOLE_PORT is {port}, which another program has" in log
    assert answer.status_code == 503
    assert "The console of localaws has not started" in answer.text


def test_the_facts_are_for_whoever_looks_for_the_port(server: LocalAws) -> None:
    facts = json.loads((server.home / "localaws" / "console.json").read_text())
    assert set(facts) == {"port", "pid", "url"}
    assert facts["pid"] == server.process.pid
