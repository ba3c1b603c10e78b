"""A headless Chromium for tests, and a page of crowd elements that no portal is around."""

from __future__ import annotations

import base64
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "localaws" / "portal" / "static"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NONCE = "of-the-test"
_POLICY = f"default-src 'none'; script-src 'nonce-{_NONCE}'; style-src 'self' 'unsafe-inline'; img-src data:"


def _png(width: int, height: int) -> str:
    rows = b"".join(b"\0" + b"\xdd\xee\xff" * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


#: 200 by 100 pixels.
PICTURE = _png(200, 100)


def chromium_path() -> str | None:
    """Where Debian, or another system, has its Chromium; the shell without windows takes half the processor time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip("no chromium on PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class _Handler(SimpleHTTPRequestHandler):
    templates: dict[str, str]

    def do_GET(self) -> None:
        template = self.templates.get(self.path)
        if template is None:
            super().do_GET()
            return
        body = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Task</title>"
            "<link rel='stylesheet' href='/crowd/crowd.css'>"
            f"<script type='module' nonce='{_NONCE}' src='/crowd/crowd.js'></script></head>"
            f"<body>{template}</body></html>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class CrowdPages:
    """Worker templates on a web server of the test's own, in a page with a strict policy."""

    def __init__(self, browser: Any, url: str, templates: dict[str, str]) -> None:
        self._url, self._templates = url, templates
        self._browser = browser

    @contextmanager
    def open(self, template: str, **context: Any) -> Iterator[Any]:
        """A page with the template; ``answers(page)`` has what its form gave. A script error fails the test."""
        self._templates["/task"] = template
        surroundings = self._browser.new_context(**context)
        page = surroundings.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(
            "window.answers = []; addEventListener('crowd-answer', (event) => window.answers.push(event.detail), true)"
        )
        page.goto(f"{self._url}/task")
        page.wait_for_function("customElements.get('crowd-form') !== undefined")
        yield page
        surroundings.close()
        assert faults == []


@contextmanager
def crowd_pages(browser: Any) -> Iterator[CrowdPages]:
    """Serve templates until the end of the block."""
    templates: dict[str, str] = {}
    handler = type("Handler", (_Handler,), {"templates": templates})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(STATIC)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield CrowdPages(browser, f"http://127.0.0.1:{server.server_port}", templates)
    finally:
        server.shutdown()
        server.server_close()


def answers(page: Any) -> list[dict[str, Any]]:
    """What the form of the page gave so far."""
    return page.evaluate("window.answers")


def submit(page: Any) -> None:
    page.get_by_role("button", name="Submit").click()


def accessibility_faults(page: Any) -> list[str]:
    """What axe-core finds, by rules of WCAG 2.2 AA and best practice, in the page and its frames."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"]
    ]
