"""The portal's server: where it listens, what it lets in, and what every answer has."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from localaws_kit import JOBS_PYTHON, ROOT, LocalAws, start
from portal_kit import address, browser


def test_a_page_is_answered_on_the_announced_address(localaws: LocalAws) -> None:
    with browser(localaws) as portal:
        page = portal.get("/style-is-elsewhere")
    assert page.status_code == 404
    assert "There is no such page here." in page.text
    assert address(localaws).startswith("http://127.0.0.1:")


def test_importing_every_service_imports_no_web_framework() -> None:
    code = (
        "import sys; from localaws.core import operations; operations.load_all();"
        "print([name for name in ('starlette', 'uvicorn', 'liquid') if name in sys.modules])"
    )
    loaded = subprocess.run([JOBS_PYTHON, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", ""])
def test_a_foreign_host_is_refused(localaws: LocalAws, host: str) -> None:
    with browser(localaws) as portal:
        assert portal.get("/", headers={"Host": host}).status_code in (400, 403)


def test_a_form_from_another_origin_is_refused(localaws: LocalAws) -> None:
    with browser(localaws) as portal:
        answer = portal.post("/logout", headers={"Origin": "http://127.0.0.1:1"})
    assert answer.status_code == 403
    assert "another site" in answer.text


def test_a_form_without_its_token_is_refused(localaws: LocalAws) -> None:
    with browser(localaws) as portal:
        assert portal.post("/logout", data={"csrf": "0" * 64}).status_code == 403


@pytest.mark.parametrize("path", ["/static/portal.css", "/no-such-page"])
def test_every_answer_has_the_security_headers(localaws: LocalAws, path: str) -> None:
    with browser(localaws) as portal:
        headers = portal.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"])
def test_static_files_end_at_their_folder(localaws: LocalAws, path: str) -> None:
    host, port = address(localaws).removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in raw.recv(4096).splitlines()[0]


def test_a_body_over_the_limit_is_refused(localaws: LocalAws) -> None:
    with browser(localaws) as portal:
        declared = portal.post("/logout", content=b"a=" + b"b" * 5 * 1024**2)

        def pieces() -> object:
            for _ in range(6):
                yield b"b=" + b"c" * (1024**2 - 100) + b"&"

        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        chunked = portal.post("/logout", content=pieces(), headers=kind)  # type: ignore[arg-type]
    assert [declared.status_code, chunked.status_code] == [413, 413]


def test_the_port_is_the_same_after_a_restart(own_localaws: LocalAws) -> None:
    before = address(own_localaws)
    assert httpx.get(f"{before}/static/portal.css").status_code == 200
    own_localaws.kill()
    own_localaws.restart()
    assert address(own_localaws) == before
    assert httpx.get(f"{before}/static/portal.css").status_code == 200
    own_localaws.stop()
    assert not (own_localaws.home / "localaws" / "portal.json").exists()


def test_a_taken_port_that_was_asked_for_is_said_in_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(tmp_path / "home", LOCALAWS_PORTAL_PORT=str(port))
        try:
            log = (server.home / "localaws" / "server.log").read_text()
        finally:
            server.stop()
    assert f"LOCALAWS_PORTAL_PORT is {port}, which another program has" in log
    assert not (server.home / "localaws" / "portal.json").exists()


def test_the_port_is_that_of_the_variable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start(tmp_path / "home", LOCALAWS_PORTAL_PORT=str(port))
    try:
        facts = json.loads((server.home / "localaws" / "portal.json").read_text())
    finally:
        server.stop()
    assert facts == {"port": port, "pid": server.process.pid, "url": f"http://127.0.0.1:{port}"}


def test_the_cookie_key_is_readable_by_its_user_alone(localaws: LocalAws) -> None:
    httpx.get(f"{address(localaws)}/static/portal.css")
    key = localaws.home / "localaws" / "portal" / "cookie.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32


def test_no_answer_waits_for_the_other_sides_acknowledgement(localaws: LocalAws) -> None:
    # Nagle's algorithm and a delayed acknowledgement make 40 ms of each; a busy machine does not do so of all.
    with browser(localaws) as portal:
        seconds = [portal.get("/no-such-page").elapsed.total_seconds() for _ in range(20)]
    assert min(seconds) < 0.03
