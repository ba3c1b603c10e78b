"""
What ``kill -9`` costs: clients write until the server is killed, and each write that was answered must be there.

    python -m benchmarks.durability [--rounds 20] [--writes 3000] [--clients 8] [--present 100000] [--services s3,glue]

Prints Markdown: the writes that were answered and those that were lost, the slowest request, how long a start takes
with what is there, and the server's memory. Exits with 1 where something was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).parent.parent
BUCKET = "durability"
SIZES = (100, 3_000, 20_000)
#: objects that are there before and were put one by one.
_PUT = 5_000


class Server:
    """A localaws of its own, which can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.started: list[float] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        facts = self.home / "localaws" / "server.json"
        facts.unlink(missing_ok=True)
        self.home.mkdir(exist_ok=True)
        began = time.monotonic()
        with open(self.home / "server.log", "ab") as log:
            command = [sys.executable, "-m", "localaws", "serve", "--home", str(self.home), "--port", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        while not facts.exists():
            if self.process.poll() is not None or time.monotonic() - began > 120:
                raise RuntimeError(f"localaws did not start: see {self.home / 'server.log'}")
            time.sleep(0.01)
        self.started.append(time.monotonic() - began)
        self.port = json.loads(facts.read_text())["port"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> tuple[int, int]:
        """Resident and peak MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        return tuple(int(fields[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]

    def client(self, service: str) -> Any:
        lines = (self.home / "credentials").read_text().splitlines()
        keys = dict(line.split(" = ", 1) for line in lines if " = " in line)
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=20, s3={"addressing_style": "path"})
        url = f"http://127.0.0.1:{self.port}"
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config, **keys)


@dataclass
class Service:
    """
    One kind of write and how to find what was written.

    :param prepare: makes what the writes need.
    :param write: a client's write of a name.
    :param found: the names that are there, of those given.
    """

    prepare: Callable[[Any], object]
    write: Callable[[Any, str], object]
    found: Callable[[Any, list[str]], set[str]]


def s3_found(client: Any, names: list[str]) -> set[str]:
    found = set()
    for name in names:
        try:
            body = client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        except client.exceptions.NoSuchKey:
            continue
        if body == content(name):
            found.add(name)
    return found


def content(name: str) -> bytes:
    return name.encode() * (random.Random(name).choice(SIZES) // len(name))


def pages(client: Any, operation: str, key: str, **parameters: Any) -> list[Any]:
    return [item for page in client.get_paginator(operation).paginate(**parameters) for item in page[key]]


def log_messages(client: Any, _: list[str]) -> set[str]:
    where = {"logGroupName": BUCKET, "logStreamName": "s", "startFromHead": True}
    found: set[str] = set()
    token: dict[str, str] = {}
    while True:
        page = client.get_log_events(**where, **token)
        found.update(event["message"] for event in page["events"])
        if token.get("nextToken") == page["nextForwardToken"]:
            return found
        token = {"nextToken": page["nextForwardToken"]}


def prepare_logs(client: Any) -> None:
    client.create_log_group(logGroupName=BUCKET)
    client.create_log_stream(logGroupName=BUCKET, logStreamName="s")


def put_log(client: Any, name: str) -> None:
    event = {"timestamp": int(time.time() * 1000), "message": name}
    client.put_log_events(logGroupName=BUCKET, logStreamName="s", logEvents=[event])


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


def iam_found(client: Any, _: list[str]) -> set[str]:
    return {role["RoleName"].replace("_", "/") for role in pages(client, "list_roles", "Roles")}


SERVICES = {
    "s3": Service(
        lambda client: client.create_bucket(Bucket=BUCKET),
        lambda client, name: client.put_object(Bucket=BUCKET, Key=name, Body=content(name)),
        s3_found,
    ),
    "glue": Service(
        lambda client: client.create_database(DatabaseInput={"Name": BUCKET}),
        lambda client, name: client.create_table(DatabaseName=BUCKET, TableInput={"Name": name}),
        lambda client, _: {table["Name"] for table in pages(client, "get_tables", "TableList", DatabaseName=BUCKET)},
    ),
    "logs": Service(prepare_logs, put_log, log_messages),
    "iam": Service(
        lambda client: None,
        lambda client, name: client.create_role(RoleName=name.replace("/", "_"), AssumeRolePolicyDocument=TRUST),
        iam_found,
    ),
    "secretsmanager": Service(
        lambda client: None,
        lambda client, name: client.create_secret(Name=name, SecretString=name),
        lambda client, _: {secret["Name"] for secret in pages(client, "list_secrets", "SecretList")},
    ),
}


@dataclass
class Round:
    """What one kill showed."""

    answered: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0
    lost: int = 0
    #: what a living server said to a write, if it took one not.
    refused: str = ""


def one_round(server: Server, clients: dict[str, Any], number: int, arguments: argparse.Namespace) -> Round:
    """Write, kill in the midst of the writing, start again, and look for what was answered."""
    done = Round()
    lock, ended = threading.Lock(), threading.Event()
    names = itertools.count()
    services = list(clients)

    def writer() -> None:
        while not ended.is_set():
            with lock:
                count = next(names)
            service = services[count % len(services)]
            name = f"round-{number}/{count}"
            began = time.monotonic()
            try:
                SERVICES[service].write(clients[service], name)
            except ClientError as error:
                done.refused = f"{service} refuses {name}: {error}"
                return
            except Exception:
                # The kill; what is not answered may be lost.
                return
            with lock:
                done.slowest = max(done.slowest, time.monotonic() - began)
                done.answered.append((service, name))

    writers = [threading.Thread(target=writer) for _ in range(arguments.clients)]
    for each in writers:
        each.start()
    while len(done.answered) < arguments.writes and any(each.is_alive() for each in writers):
        time.sleep(0.001)
    server.kill()
    ended.set()
    for each in writers:
        each.join()
    if done.refused:
        raise SystemExit(done.refused)
    server.start()
    for service in services:
        mine = [name for kind, name in done.answered if kind == service]
        done.lost += len(set(mine) - SERVICES[service].found(clients[service], mine))
    return done


def fill(server: Server, client: Any, count: int, clients: int) -> None:
    """
    Put a number of objects there.

    Of more than :data:`_PUT` the rest are copies of the rows that those have in the server's database, made while it is
    stopped: to put 100,000 takes longer than to kill the server twenty times.
    """
    names = iter(range(min(count, _PUT)))
    lock = threading.Lock()

    def writer() -> None:
        while True:
            with lock:
                number = next(names, None)
            if number is None:
                return
            client.put_object(Bucket=BUCKET, Key=_present(number), Body=b"x" * 1000)

    writers = [threading.Thread(target=writer) for _ in range(clients)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    if count > _PUT:
        server.kill()
        _copy_rows(server.home / "localaws" / "moto" / "moto.db", count)
        server.start()


def _present(number: int) -> str:
    return f"present/{number:07d}"


def _copy_rows(path: Path, count: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        first = _present(0).encode()
        query = "SELECT bucket, marker, size, kept FROM object WHERE name = ? AND files = ''"
        bucket, marker, size, kept = connection.execute(query, (first,)).fetchone()
        names = (_present(number).encode() for number in range(_PUT, count))
        rows = ((bucket, name, marker, size, kept.replace(first, name)) for name in names)
        query = "INSERT INTO object (bucket, name, marker, size, files, kept) VALUES (?, ?, ?, ?, '', ?)"
        connection.executemany(query, rows)
        connection.commit()


def large_upload(server: Server, megabytes: int) -> tuple[int, int, float]:
    """Upload one large object by boto3's transfer manager; the server's memory before and its peak, and seconds."""
    client = server.client("s3")
    with tempfile.NamedTemporaryFile(dir=server.home) as file:
        block = os.urandom(1 << 20)
        for _ in range(megabytes):
            file.write(block)
        file.flush()
        before, _ = server.memory()
        began = time.monotonic()
        client.upload_file(file.name, BUCKET, "large")
        seconds = time.monotonic() - began
    size = client.head_object(Bucket=BUCKET, Key="large")["ContentLength"]
    if size != megabytes << 20:
        raise RuntimeError(f"{size} bytes arrived of {megabytes} MiB")
    return before, server.memory()[1], seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writes", type=int, default=3000, help="answered writes of a round before the kill")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--present", type=int, default=0, help="objects that are there before")
    parser.add_argument("--services", default="s3", help=f"of {','.join(SERVICES)}; the writes go round them")
    parser.add_argument("--upload", type=int, default=0, help="MiB of one upload at the end, in a server started again")
    parser.add_argument("--home", type=Path, help="a folder for the server, kept; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(arguments.home or Path(folder) / "home")
        try:
            return campaign(server, arguments)
        finally:
            server.kill()


def campaign(server: Server, arguments: argparse.Namespace) -> int:
    clients = {service: server.client(service) for service in arguments.services.split(",")}
    for service, client in clients.items():
        SERVICES[service].prepare(client)
    if arguments.present:
        fill(server, clients["s3"], arguments.present, arguments.clients)
    rounds = []
    # Starts before the first kill do not count.
    del server.started[1:]
    for number in range(arguments.rounds):
        rounds.append(one_round(server, clients, number, arguments))
        print(f"round {number}: {rounds[-1].lost} lost of {len(rounds[-1].answered)}", file=sys.stderr, flush=True)
    answered, lost = sum(len(each.answered) for each in rounds), sum(each.lost for each in rounds)
    resident, peak = server.memory()
    print("| | |\n|---|---|")
    print(f"| rounds, clients, services | {len(rounds)}, {arguments.clients}, {arguments.services} |")
    print(f"| objects present | {arguments.present} |")
    print(f"| lost of answered writes | {lost} of {answered} |")
    print(f"| slowest request | {1000 * max(each.slowest for each in rounds):.0f} ms |")
    print(f"| start after a kill, slowest | {max(server.started[1:]):.2f} s |")
    print(f"| memory of the last server: resident, peak | {resident} MiB, {peak} MiB |")
    if arguments.present:
        began = time.monotonic()
        count = len(pages(clients["s3"], "list_objects_v2", "Contents", Bucket=BUCKET))
        seconds = time.monotonic() - began
        print(f"| list of {count} objects, 1,000 a page | {seconds:.1f} s, {1e6 * seconds / count:.0f} ms a page |")
    if arguments.upload:
        server.kill()
        server.start()
        before, most, seconds = large_upload(server, arguments.upload)
        print(f"| upload of {arguments.upload} MiB | {seconds:.1f} s, memory {before} MiB before, {most} MiB peak |")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
