"""
A stand-in for a Label Studio server: the five calls that ours makes, as version 1.23.2 answers them.

The answers' shapes were taken from a real server; tests/e2e/test_label_studio.py asks one, where one is installed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: a legacy token, and a personal access token with the short-lived one that it is exchanged for.
TOKEN, JWT, ACCESS = "a" * 40, "head.refresh.sign", "head.access.sign"


class StandIn:
    """The projects and tasks of the server, and the requests that it got."""

    def __init__(self) -> None:
        self.projects: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.requests: list[str] = []
        #: statuses that the next requests are answered with.
        self.failures: list[int] = []
        self.url = ""

    def annotate(self, review: str, label: str | None, by: int, second: int = 0) -> None:
        """What a person does: choose a label for a task, or skip it."""
        task = next(each for each in self.tasks if each["data"]["review_id"] == review)
        at = f"2026-05-01T10:00:{second:02d}.123456Z"
        chosen = [{"from_name": "sentiment", "type": "choices", "value": {"choices": [label]}}] if label else []
        annotation = {"completed_by": by, "result": chosen, "was_cancelled": label is None, "lead_time": 3.5}
        task["annotations"].append({**annotation, "created_at": at, "updated_at": at})

    def answer(self, method: str, path: str, body: Any, authorization: str | None) -> tuple[int, Any]:
        place, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        self.requests.append(f"{method} {place}")
        if self.failures:
            return self.failures.pop(0), {"detail": "asked to fail"}
        if place == "/api/token/refresh/":
            return (200, {"access": ACCESS}) if body == {"refresh": JWT} else (401, {"detail": "Token is invalid"})
        if authorization not in (f"Token {TOKEN}", f"Bearer {ACCESS}"):
            return 401, {"detail": "Authentication credentials were not provided."}
        if place == "/api/projects/" and method == "GET":
            # As the real one: the title is searched for, and need not be the same.
            found = [each for each in self.projects if query["title"][0] in each["title"]]
            return 200, {"count": len(found), "next": None, "previous": None, "results": found}
        if place == "/api/projects/":
            self.projects.append({"id": len(self.projects) + 1, **body})
            return 201, self.projects[-1]
        if place.endswith("/import"):
            for each in body:
                task = {"id": len(self.tasks) + 1, "project": int(place.split("/")[3]), "annotations": []}
                self.tasks.append({**task, **each})
            return 201, {"task_count": len(body)}
        if place == "/api/tasks/":
            mine = [task for task in self.tasks if task["project"] == int(query["project"][0])]
            size, page = int(query["page_size"][0]), int(query["page"][0])
            found = mine[(page - 1) * size : page * size]
            if not found and page > 1:
                return 404, {"detail": "Invalid page."}
            return 200, {"total": len(mine), "tasks": found}
        return 404, {"detail": "Not found."}


@contextmanager
def serve() -> Iterator[StandIn]:
    """A stand-in that listens on a free port."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, content = stand_in.answer(self.command, self.path, body, self.headers.get("Authorization"))
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
