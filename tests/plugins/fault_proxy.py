"""A proxy in front of localaws that notes each SageMaker call and answers some of them itself, badly."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Faults:
    """What the proxy does: ``plan["CreateTrainingJob"]`` is a list of (status, error code), a fault each, in turn."""

    upstream: int
    plan: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next_fault(self, operation: str) -> tuple[int, str] | None:
        self.seen[operation] += 1
        planned = self.plan.get(operation, [])
        return planned.pop(0) if planned else None


@contextmanager
def fault_proxy(upstream: int) -> Iterator[Faults]:
    """A running proxy to the localaws on port ``upstream``."""
    faults = Faults(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or f"{self.command} {self.path}"
            if fault := faults.next_fault(operation):
                status, code = fault
                answer = json.dumps({"__type": code, "message": f"{code} by the proxy"}).encode()
                self.answer(status, {"Content-Type": "application/x-amz-json-1.1"}, answer)
                return
            connection = http.client.HTTPConnection("127.0.0.1", faults.upstream, timeout=60)
            # The Host header goes on as it is: it is part of what was signed.
            connection.request(self.command, self.path, body=body, headers=dict(self.headers))
            response = connection.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}
            }
            self.answer(response.status, headers, response.read(), response.getheader("Content-Length"))
            connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

        def answer(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    faults.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
