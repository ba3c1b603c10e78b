"""Framing by the letter: what two programs could read in two ways ends the connection, and nothing is smuggled."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pytest
from gateway_kit import Front, front, statuses

from localaws.gateway.framing import body_of
from localaws.gateway.head import BadRequest, read_head
from localaws.gateway.reader import Reader, Truncated

HOST = b"Host: localhost\r\n"
#: what must never be answered, where what is before it is malformed.
SMUGGLED = b"GET /open/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with front(tmp_path_factory.mktemp("front"), head_seconds=5, linger_seconds=0.2) as started:
        yield started


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /open HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
MALFORMED = {
    "two lengths": (post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc"), 400),
    "one length twice": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), 400),
    "a list of lengths": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    "a signed length": (post(b"Content-Length: +3\r\n", b"abc"), 400),
    "a length in other digits": (post("Content-Length: ٣\r\n".encode(), b"abc"), 400),
    "a length beyond all numbers": (post(b"Content-Length: " + b"9" * 40 + b"\r\n"), 400),
    "length and chunks": (post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"), 400),
    "chunked twice": (post(CHUNKED + CHUNKED, b"0\r\n\r\n"), 400),
    "chunked, chunked": (post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 400),
    "xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 400),
    "chunked after a control character": (post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    "chunks in HTTP/1.0": (b"POST /open HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a folded header": (post(b"X-A: b\r\n c\r\n"), 400),
    "a folded framing header": (post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), 400),
    "a blank before the colon": (post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    "a header without a name": (post(b": b\r\n"), 400),
    "a header without a colon": (post(b"X-A\r\n"), 400),
    "NUL in a value": (post(b"X-A: b\x00c\r\n"), 400),
    "NUL in a name": (post(b"X-\x00A: b\r\n"), 400),
    "CR in a value": (post(b"X-A: b\rX-B: c\r\n"), 400),
    "a header that ends with LF": (post(b"X-A: b\nContent-Length: 5\r\n"), 400),
    "a head that ends with LF": (b"GET /open HTTP/1.1\nHost: localhost\n\n", 400),
    "NUL in the target": (b"GET /op\x00en HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a blank in the target": (b"GET /open a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two blanks": (b"GET  /open HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab": (b"GET\t/open HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /open\r\n" + HOST + b"\r\n", 400),
    "HTTP/2.0": (b"GET /open HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "HTTP/1.10": (b"GET /open HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\n", 400),
    "a very long method": (b"G" * 100 + b" /open HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a very long request line": (b"GET /open" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a very long request line without an end": (b"GET /open" + b"a" * 200_000, 414),
    "a very long header": (post(b"X-A: " + b"b" * 70_000 + b"\r\n"), 431),
    "too many bytes of headers": (post((b"X-A: " + b"b" * 1000 + b"\r\n") * 100), 431),
    "too many headers": (post(b"X-A: b\r\n" * 200), 431),
    "an endless header": (b"GET /open HTTP/1.1\r\nX-A: " + b"b" * 200_000, 431),
    "a chunk size that is none": (post(CHUNKED, b"zz\r\n"), 400),
    "an empty chunk size": (post(CHUNKED, b"\r\n\r\n"), 400),
    "0x before a chunk's size": (post(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    "a negative chunk": (post(CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    "an underscore in a chunk's size": (post(CHUNKED, b"1_0\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size beyond all numbers": (post(CHUNKED, b"f" * 40 + b"\r\nabc"), 400),
    "a chunk size that ends with LF": (post(CHUNKED, b"3\nabc\r\n0\r\n\r\n"), 400),
    "a chunk that is longer": (post(CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    "a chunk that is longer by a CR": (post(CHUNKED, b"3\r\nabc\r\r\n0\r\n\r\n"), 400),
    "a chunk that ends with LF": (post(CHUNKED, b"3\r\nabc\n0\r\n\r\n"), 400),
    "a long extension": (post(CHUNKED, b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    "many extensions": (post(CHUNKED, (b"1;" + b"a" * 500 + b"\r\nx\r\n") * 100 + b"0\r\n\r\n"), 400),
    "NUL in an extension": (post(CHUNKED, b"3;\x00\r\nabc\r\n0\r\n\r\n"), 400),
    "a long trailer": (post(CHUNKED, b"0\r\n" + b"X-A: b\r\n" * 2000 + b"\r\n"), 400),
    "a trailer without a colon": (post(CHUNKED, b"0\r\nX-A\r\n\r\n"), 400),
    "a folded trailer": (post(CHUNKED, b"0\r\nX-A: b\r\n c\r\n\r\n"), 400),
    "another expectation": (post(b"Expect: a-miracle\r\n"), 417),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_framing_ends_the_connection(running: Front, name: str) -> None:
    data, status = MALFORMED[name]
    running.echo.seen.clear()
    answer = running.talk(data + SMUGGLED)
    assert statuses(answer) == [status]
    assert b"Connection: close" in answer
    assert not running.echo.seen, "nothing of a malformed request is answered, nor what follows it"


@pytest.mark.parametrize(
    "data",
    [
        post(b"", b""),
        post(b"Content-Length: 3\r\n", b"abc"),
        post(b"content-LENGTH:3\r\n", b"abc"),
        post(CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"),
        post(CHUNKED, b'00003;name="v;w" ; x\r\nabc\r\nA\r\n0123456789\r\n000\r\nX-A: b\r\n\r\n'),
        post(b"transfer-encoding:\t Chunked \r\n", b"0\r\n\r\n"),
        post("X-Text: über\r\nX-Empty:\r\n".encode()),
        b"\r\n" + post(b""),
        b"BREW /open HTTP/1.1\r\n" + HOST + b"\r\n",
        "GET /open/ü HTTP/1.1\r\n".encode() + HOST + b"\r\n",
    ],
)
def test_good_framing_leaves_the_connection_at_the_next_request(running: Front, data: bytes) -> None:
    assert statuses(running.talk(data + data + SMUGGLED)) == [200, 200, 200]


def test_a_body_that_breaks_off_is_answered_and_not_taken(running: Front) -> None:
    for data in (
        post(b"Content-Length: 5\r\n", b"abc"),
        post(CHUNKED, b"5\r\nabc"),
        post(CHUNKED, b"5\r\nabcde\r\n"),
        post(CHUNKED, b"5\r\nabcde\r\n0\r\n"),
        post(CHUNKED, b"1000000\r\n" + b"x" * 100_000),
    ):
        running.echo.seen.clear()
        answer = running.talk(data)
        assert (statuses(answer), running.echo.seen) == ([400], [])
        assert b"IncompleteBody" in answer


def test_a_client_of_http_1_0_is_answered_once(running: Front) -> None:
    answer = running.talk(b"GET /open HTTP/1.0\r\n" + HOST + b"\r\n" + SMUGGLED)
    assert statuses(answer) == [200]
    kept = b"GET /open HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n"
    assert statuses(running.talk(kept + SMUGGLED)) == [200, 200]


class Dribble:
    """Bytes in pieces of random sizes."""

    def __init__(self, data: bytes, seed: int) -> None:
        self._file = io.BytesIO(data)
        self._random = random.Random(seed)

    def readinto(self, view: memoryview) -> int:
        return self._file.readinto(view[: self._random.choice((1, 2, 7, 100, len(view)))])


def read_all(data: bytes, seed: int) -> list[bytes]:
    """The bodies of all requests in ``data``, as the front reads them."""
    reader = Reader(Dribble(data, seed).readinto)
    view = memoryview(bytearray(3000))
    found = []
    while reader.peek():
        head = read_head(reader)
        body = body_of(reader, head.length)
        content = b""
        while count := body.readinto(view):
            content += view[:count]
        found.append(content)
    return found


def good(random: random.Random) -> tuple[bytes, bytes]:
    """A request, and its body."""
    content = random.randbytes(random.choice((0, 1, 5, 300, 20_000)))
    if random.random() < 0.5:
        return post(b"Content-Length: %d\r\n" % len(content), content), content
    framed, at = b"", 0
    while at < len(content):
        size = random.choice((1, 2, 50, 9000))
        piece = content[at : at + size]
        framed += b"%x%s\r\n%s\r\n" % (len(piece), random.choice((b"", b"", b";a=b")), piece)
        at += size
    return post(CHUNKED, framed + b"0\r\n" + random.choice((b"", b"X-A: b\r\n")) + b"\r\n"), content


def test_bodies_arrive_however_the_network_cuts_them() -> None:
    for seed in range(60):
        random_ = random.Random(seed)
        requests = [good(random_) for _ in range(3)]
        assert read_all(b"".join(data for data, _ in requests), seed) == [content for _, content in requests]


def test_no_damage_to_a_request_is_more_than_a_refusal() -> None:
    pieces = (
        b"\r",
        b"\n",
        b"\x00",
        b"\r\n",
        b"0",
        b"ffffffff\r\n",
        b":",
        b" ",
        CHUNKED,
        b"Content-Length: 7\r\n",
        b";",
    )
    refused = 0
    for seed in range(3000):
        random_ = random.Random(seed)
        data = bytearray(good(random_)[0][:2000])
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(data))
            if random_.random() < 0.5:
                data[at : at + random_.randint(0, 5)] = random_.choice(pieces)
            else:
                data[at] = random_.randrange(256)
        try:
            read_all(bytes(data), seed)
        except (BadRequest, Truncated):
            refused += 1
    assert refused > 1000


def test_the_server_answers_on_after_many_damaged_requests(running: Front) -> None:
    for seed in range(150):
        random_ = random.Random(seed)
        data = bytearray(good(random_)[0][:3000])
        for _ in range(3):
            data[random_.randrange(len(data))] = random_.randrange(256)
        running.talk(bytes(data))
    assert statuses(running.talk(SMUGGLED)) == [200]
    assert list(running.spool.iterdir()) == []
