"""Clients that are slow, many, impatient or gone; and what is left of them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from gateway_kit import Front, front, rest, statuses
from signed_kit import signed
from waiting_kit import until

from localaws.gateway.protocol.http import HttpRequest

GET = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"
MIB = 1024**2


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Front]:
    with front(tmp_path, linger_seconds=0.3) as started:
        yield started


def wire(request: HttpRequest, *more: str, body: bytes | None = None) -> bytes:
    """A request as it is sent, with the length of its own body."""
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
    if not any(line.lower().startswith("content-length") for line in lines):
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join([*lines, *more, "", ""]).encode() + (request.body if body is None else body)


def put(body: bytes, **others: str) -> HttpRequest:
    return signed(S3SigV4Auth, "PUT", "/bucket/key", body=body, **others)


def told(answer: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.rpartition(b"\r\n\r\n")[2])
    return found


def spooled(running: Front) -> list[Path]:
    return list(running.spool.iterdir())


@pytest.mark.parametrize(("size", "on_disk"), [(0, False), (64 * 1024, False), (64 * 1024 + 1, True), (5 * MIB, True)])
def test_an_object_over_64_kib_is_a_file_until_it_is_answered(running: Front, size: int, on_disk: bool) -> None:
    request = put(bytes(size))
    answer = told(running.talk(wire(request)))
    assert (answer["size"], answer["on_disk"], answer["md5_fits"]) == (size, on_disk, True)
    assert spooled(running) == []


def test_another_body_than_the_signed_one_is_refused_and_leaves_nothing(running: Front) -> None:
    for size in (10, MIB):
        answer = running.talk(wire(put(b"a" * size), body=b"b" * size))
        assert statuses(answer) == [400]
        assert b"XAmzContentSHA256Mismatch" in answer
    assert (running.echo.seen, spooled(running)) == ([], [])


def test_a_document_whose_hash_was_not_sent_is_checked_when_it_is_there(running: Front) -> None:
    for size in (10, MIB):
        request = signed(SigV4Auth, "POST", "/", body=b"a" * size, arguments=("athena", "us-east-1"))
        assert told(running.talk(wire(request)))["size"] == size
        answer = running.talk(wire(request, body=b"b" * size))
        assert statuses(answer) == [403]
        assert b"SignatureDoesNotMatch" in answer
    assert spooled(running) == []


def test_an_interim_answer_asks_for_a_body_that_is_wanted(running: Front) -> None:
    request = put(b"x" * MIB)
    with running.connect() as connection:
        connection.sendall(wire(request, "Expect: 100-continue", body=b""))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(request.body)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(rest(connection)) == [200]


def test_a_body_that_is_not_wanted_is_not_asked_for(running: Front) -> None:
    refused = signed(S3SigV4Auth, "PUT", "/bucket/key", body=b"x" * MIB, secret="other")
    too_large = put(b"")
    for request, status, *more in (
        (refused, 403, "Expect: 100-continue"),
        (too_large, 413, f"Content-Length: {6 * 1024**3}", "Expect: 100-continue"),
    ):
        head = wire(request, *more, body=b"")
        if status == 413:
            head = head.replace(b"Content-Length: 0\r\n", b"")
        with running.connect() as connection:
            connection.sendall(head)
            answer = rest(connection)
            assert statuses(answer) == [status]
            assert b"Connection: close" in answer


def test_a_large_body_that_nobody_wants_does_not_cost_the_client_its_answer(running: Front) -> None:
    refused = signed(S3SigV4Auth, "PUT", "/bucket/key", body=b"x" * 20 * MIB, secret="other")
    answer = running.talk(wire(refused))
    assert statuses(answer) == [403]
    assert b"SignatureDoesNotMatch" in answer


def test_the_connection_outlives_a_refusal_of_a_small_body(running: Front) -> None:
    unsigned = b"POST /closed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
    chunked = b"POST /closed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert statuses(running.talk(unsigned + chunked + wire(put(b"a"), body=b"b") + GET)) == [403, 403, 400, 200]


def test_requests_may_be_sent_before_the_answers_are_read(running: Front) -> None:
    good = wire(put(b"x" * 1000))
    assert statuses(running.talk((GET + good) * 50)) == [200] * 100


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_any_method_is_answered_within_its_frame(running: Front, method: str) -> None:
    for path in ("/open", "/closed"):
        answer = running.talk(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + GET)
        assert len(statuses(answer)) == 2
        assert statuses(answer)[1] == 200


def test_a_slow_head_ends_in_time(tmp_path: Path) -> None:
    with front(tmp_path, head_seconds=0.3, linger_seconds=0.1) as running, running.connect() as connection:
        began = time.monotonic()
        for byte in GET[:-2]:
            with contextlib.suppress(OSError):
                connection.sendall(bytes([byte]))
            time.sleep(0.02)
            if time.monotonic() - began > 0.6:
                break
        assert statuses(rest(connection)) == [408]
        until(lambda: len(running.server.connections) == 0)


def test_a_slow_body_ends_in_time_and_a_steady_one_does_not(tmp_path: Path) -> None:
    limits = {"body_seconds": 0.3, "body_rate": 1000.0, "unproven_seconds": 0.3, "unproven_rate": 1000.0}
    document = signed(SigV4Auth, "POST", "/", body=b"x" * 1000, arguments=("athena", "us-east-1"))
    with front(tmp_path, linger_seconds=0.1, **limits) as running:
        for request in (put(b"x" * 100_000), document):
            with running.connect() as connection:
                connection.sendall(wire(request, body=b"x"))
                answer = rest(connection)
                assert statuses(answer) == [408]
                assert b"RequestTimeout" in answer
        assert spooled(running) == []
        with running.connect() as connection:
            connection.sendall(wire(put(b"x" * 1000), body=b""))
            for _ in range(10):
                connection.sendall(b"x" * 100)
                time.sleep(0.05)
            connection.shutdown(socket.SHUT_WR)
            assert statuses(rest(connection)) == [200]


def test_strangers_who_wait_make_room_for_a_client(tmp_path: Path) -> None:
    before = threading.active_count()
    with front(tmp_path, connections=20, linger_seconds=0.1) as running, contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(running.connect()).sendall(GET[:20])
        for _ in range(3):
            assert statuses(running.talk(wire(put(b"x" * 100_000)))) == [200]
        # Strangers of the last quarter of a second are left alone, so up to as many again may be open for a while.
        assert len(running.server.connections) <= 40
        time.sleep(0.3)
        assert statuses(running.talk(wire(put(b"x")))) == [200]
        assert len(running.server.connections) <= 20
        until(lambda: threading.active_count() - before <= 22)


def test_idle_clients_make_room_and_busy_ones_never(tmp_path: Path) -> None:
    with front(tmp_path, connections=4, linger_seconds=0.1) as running, contextlib.ExitStack() as stack:
        good = wire(put(b"x"))
        idle = [stack.enter_context(running.connect()) for _ in range(4)]
        for connection in idle:
            connection.sendall(good)
            assert statuses(connection.recv(10_000)) == [200]
        running.echo.pause = 0.5
        busy = [stack.enter_context(running.connect()) for _ in range(6)]
        for connection in busy:
            connection.sendall(good)
            time.sleep(0.02)
        assert [connection.recv(10) for connection in idle] == [b""] * 4
        for connection in busy:
            assert statuses(connection.recv(10_000)) == [200], "a request in hand is never cut off for another"


def test_who_finds_no_place_at_all_waits_and_is_answered(tmp_path: Path) -> None:
    with front(tmp_path, connections=2) as running, contextlib.ExitStack() as stack:
        running.echo.pause = 0.2
        waiting = [stack.enter_context(running.connect()) for _ in range(12)]
        for connection in waiting:
            connection.sendall(wire(put(b"x"), "Connection: close"))
        assert [statuses(rest(connection)) for connection in waiting] == [[200]] * 12


def test_a_client_that_leaves_in_mid_body_leaves_nothing(running: Front) -> None:
    for _ in range(5):
        with running.connect() as connection:
            connection.sendall(wire(put(b"x" * MIB))[: MIB // 2])
            until(lambda: len(spooled(running)) == 1)
    until(lambda: len(running.server.connections) == 0)
    assert (spooled(running), running.echo.seen) == ([], [])


def test_a_stop_ends_idle_clients_at_once_and_uploads_soon(tmp_path: Path) -> None:
    with front(tmp_path) as running, running.connect() as idle, running.connect() as upload:
        idle.sendall(GET)
        assert statuses(idle.recv(10_000)) == [200]
        upload.sendall(wire(put(b"x" * MIB))[: MIB // 2])
        until(lambda: len(spooled(running)) == 1)
        began = time.monotonic()
        running.server.stop(0.5)
        assert time.monotonic() - began < 3
        until(lambda: spooled(running) == [])
        assert idle.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            running.connect()


def test_a_request_in_hand_at_a_stop_is_answered(tmp_path: Path) -> None:
    with front(tmp_path) as running, running.connect() as connection:
        running.echo.pause = 0.4
        connection.sendall(GET)
        until(lambda: bool(running.echo.seen))
        assert running.server.stop(5)
        assert statuses(rest(connection)) == [200]


def test_bodies_that_wait_for_their_signatures_are_bounded_together(tmp_path: Path) -> None:
    request = signed(SigV4Auth, "POST", "/", body=b"x" * MIB, arguments=("athena", "us-east-1"))
    with front(tmp_path, linger_seconds=0.1) as running:
        running.server.spool.take(1024**3 - 2 * MIB)
        with running.connect() as first, running.connect() as second:
            for connection in (first, second):
                connection.sendall(wire(request)[:-1000])
            until(lambda: sum(path.stat().st_size for path in spooled(running)) > 2 * MIB - 4096)
            answer = running.talk(wire(request))
            assert statuses(answer) == [503]
            assert b"SlowDown" in answer
        until(lambda: spooled(running) == [])
        assert statuses(running.talk(wire(request))) == [200]
