"""
Malformed requests to every live operation: none may meet a 500, and none that botocore's model forbids a success.

    python -m benchmarks.malformed [--number 50000] [--seed 1] [--services s3,iam] [--report FILE] [--attacks 0.2]

Runs in the jobs' environment against a localaws of its own, on a free port and in a temporary home. Hypothesis draws
each request from the operation's model: a plausible one, with names of things that are there, and one fault in it. A
part of them is changed beneath the model too: methods, keys, headers, chunks, documents, signatures. Prints counts, and
for each 500 and each success a reproducer.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import botocore.serialize
import hypothesis
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import strategies as st

from benchmarks.malformed_attacks import Wire, attacks
from benchmarks.malformed_cases import Case, case
from localaws.core.operations import LIVE, load_all, operation_model, service_model
from localaws.moto_bridge import carried

ROOT = Path(__file__).parent.parent
#: resources that a mutated request may delete are made again after this many requests.
_AGAIN = 400
#: how long one request may take: some operations wait for a moment of their own.
_PATIENCE = 60


@dataclass
class Tally:
    """What the requests met."""

    statuses: collections.Counter[tuple[str, str, int]] = field(default_factory=collections.Counter)
    failed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def count(self, case: Case, sent: Sent, status: int, answer: bytes) -> None:
        """Note one answer."""
        self.statuses[case.service, case.operation, status] += 1
        if status == 501 or (status < 500 and not (status < 400 and case.forbidden)):
            return
        what = f"{status} {case.service} {case.operation}: {case.fault}\n    {sent}\n    -> {answer[:300]!r}"
        (self.failed if status >= 500 else self.accepted).append(what)


@dataclass
class Sent:
    """A request before its signature."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    #: headers that are changed once it is signed.
    after: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.target} {self.headers} {self.body[:1500]!r}"


class Client:
    """Signs and sends, on one kept connection."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self._host = urlsplit(url).netloc
        self._credentials = Credentials(key, secret)
        self._connection = http.client.HTTPConnection(self._host, timeout=_PATIENCE)

    def send(self, sent: Sent, signing_name: str) -> tuple[int, bytes]:
        """Status and body of the answer."""
        signer = botocore.auth.S3SigV4Auth if signing_name == "s3" else botocore.auth.SigV4Auth
        request = AWSRequest(
            method=sent.method, url=f"http://{self._host}{sent.target}", data=sent.body, headers=dict(sent.headers)
        )
        signer(self._credentials, signing_name, "us-east-1").add_auth(request)
        for name, value in sent.after.items():
            del request.headers[name]
            request.headers[name] = value
        try:
            self._connection.putrequest(sent.method, sent.target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                self._connection.putheader(name, value.encode("utf-8") if isinstance(value, str) else value)
            self._connection.putheader("Content-Length", str(len(sent.body)))
            self._connection.endheaders(sent.body)
            response = self._connection.getresponse()
            answer = response.read()
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            # Refused by its head, and closed while the body was on its way.
            self._connection.close()
            return 400, b""
        if response.will_close:
            self._connection.close()
        return response.status, answer


def encode(case: Case) -> Sent | None:
    """The HTTP request of a case, or ``None`` where botocore has no way to write it down."""
    operation = operation_model(case.service, case.operation)
    protocol = operation.service_model.resolved_protocol
    if protocol == "json":
        headers = {
            "X-Amz-Target": f"{operation.metadata['targetPrefix']}.{operation.name}",
            "Content-Type": f"application/x-amz-json-{operation.metadata.get('jsonVersion', '1.1')}",
            **case.headers,
        }
        return Sent("POST", "/", headers, _body(case, json.dumps(case.parameters, default=str).encode()))
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    try:
        wire = serializer.serialize_to_request(case.parameters, operation)
    except Exception:
        return None
    written = AWSRequest(
        method=wire["method"],
        url=f"http://h{wire['url_path']}",
        data=wire["body"],
        params=wire["query_string"],
        headers=dict(wire["headers"]),
    )
    prepared = written.prepare()
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    headers = {name: _text(value) for name, value in wire["headers"].items()} | case.headers
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if any("\n" in text or "\r" in text for text in (*headers.values(), *headers)):
        return None
    return Sent(wire["method"], target, headers, _body(case, body))


def _text(value: Any) -> str:
    return (
        value.decode("latin-1")
        if isinstance(value, bytes)
        else str(value).encode("latin-1", "replace").decode("latin-1")
    )


def _body(case: Case, body: bytes) -> bytes:
    return case.damage(body) if case.damage else body


def operations(names: list[str]) -> list[tuple[str, str]]:
    """Every live operation, ours and moto's."""
    load_all()
    known = {*LIVE, *((service, name) for service, ops in carried.CARRIED.items() for name in ops)}
    return sorted(pair for pair in known if not names or pair[0] in names)


def campaign(url: str, keys: tuple[str, str], number: int, seed: int, names: list[str], part: float = 0.0) -> Tally:
    """
    Send ``number`` requests, about as many to each operation.

    :param part: of them that are attacked too.
    """
    chance = random.Random(seed)
    client, tally = Client(url, *keys), Tally()
    pairs = operations(names)
    share, rest = divmod(number, len(pairs))
    sent = 0
    known = things(url, keys)
    for index, (service, operation) in enumerate(pairs):
        for each in draw(service, operation, known, share + (index < rest), seed):
            if sent % _AGAIN == 0:
                known.update(things(url, keys))
            wire = encode(each)
            if wire is None:
                continue
            if chance.random() < part:
                attack(each, wire, chance)
            sent += 1
            status, answer = client.send(wire, service_model(service).signing_name)
            tally.count(each, wire, status, answer)
    return tally


def attack(case: Case, sent: Sent, chance: random.Random) -> None:
    """Change a request beneath its model; whether it is one still, nobody knows then."""
    wire = Wire(sent.method, sent.target, dict(sent.headers), sent.body, {})
    protocol = service_model(case.service).resolved_protocol
    done = [change(wire, chance) for change in attacks(protocol, chance)]
    if not _writable(wire):
        return
    sent.method, sent.target, sent.headers, sent.body, sent.after = (
        *(wire.method, wire.target, wire.headers, wire.body, wire.after),
    )
    case.fault, case.forbidden = f"{case.fault}; attacked: {'; '.join(done)}", False


def _writable(wire: Wire) -> bool:
    """Whether Python's client writes it down at all."""
    texts = [text for pair in (*wire.headers.items(), *wire.after.items()) for text in pair]
    is_line = wire.target.isascii() and wire.target.isprintable() and " " not in wire.target
    return is_line and not any("\n" in text or "\r" in text for text in texts)


def draw(service: str, operation: str, known: dict[str, Any], number: int, seed: int) -> list[Case]:
    """Cases of one operation, the same for the same seed."""
    drawn: list[Case] = []
    if not number:
        return drawn

    @hypothesis.seed(f"{seed}/{service}/{operation}")
    @hypothesis.settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def collect(data: st.DataObject) -> None:
        drawn.append(data.draw(case(service, operation, known)))

    collect()
    return drawn[:number]


def things(url: str, keys: tuple[str, str]) -> dict[str, Any]:
    """Names of things that are there, by the members that name them."""
    from benchmarks.malformed_things import make

    return make(url, keys)


@contextmanager
def server() -> Iterator[tuple[str, tuple[str, str], Path]]:
    """A localaws of this campaign's own: its URL, its keys and its log."""
    with tempfile.TemporaryDirectory(prefix="malformed-") as folder:
        home = Path(folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with open(home / "out.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "localaws", "serve", "--home", str(home), "--port", "0"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            facts = _facts(home, process)
            yield facts["url"], _keys(home), home / "localaws" / "server.log"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _facts(home: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    path = home / "localaws" / "server.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            facts: dict[str, Any] = json.loads(path.read_text())
            return facts
        time.sleep(0.05)
    raise RuntimeError((home / "out.log").read_text()[-3000:])


def _keys(home: Path) -> tuple[str, str]:
    lines = dict(line.split(" = ", 1) for line in (home / "credentials").read_text().splitlines() if " = " in line)
    return lines["aws_access_key_id"].strip(), lines["aws_secret_access_key"].strip()


def main() -> int:
    """Run a campaign; the exit status says whether it found anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--services", default="")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--attacks", type=float, default=0.2, help="the part of the requests that is attacked")
    parser.add_argument("--log", type=Path, help="keep the server's log here")
    given = parser.parse_args()
    names = [name for name in given.services.split(",") if name]
    with server() as (url, keys, log):
        started = time.monotonic()
        tally = campaign(url, keys, given.number, given.seed, names, given.attacks)
        seconds = time.monotonic() - started
        if given.log:
            given.log.write_bytes(log.read_bytes())
    text = report(tally, given.seed, seconds)
    print(text)
    if given.report:
        given.report.write_text(text + "\n")
    return bool(tally.failed or tally.accepted)


def report(tally: Tally, seed: int, seconds: float) -> str:
    """The counts as Markdown, the reproducers after them."""
    total = sum(tally.statuses.values())
    lines = [
        f"{total} requests in {seconds:.0f} s, seed {seed}: {len(tally.failed)} x 500, {len(tally.accepted)} accepted."
    ]
    lines += ["", "| service | operation | requests | 2xx and 3xx | 4xx | 5xx |", "|---|---|---:|---:|---:|---:|"]
    for service, operation in sorted({key[:2] for key in tally.statuses}):
        found = {key[2]: count for key, count in tally.statuses.items() if key[:2] == (service, operation)}
        by_class = [
            sum(n for status, n in found.items() if low <= status < high)
            for low, high in ((200, 400), (400, 500), (500, 600))
        ]
        lines.append(f"| {service} | {operation} | {sum(found.values())} | {' | '.join(map(str, by_class))} |")
    for title, entries in (("500", tally.failed), ("accepted", tally.accepted)):
        lines += ["", f"## {title}", "", *entries]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
