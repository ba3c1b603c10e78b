"""Nothing that a client sends begins a line of the log, or a control sequence in the terminal that shows it."""

from __future__ import annotations

import logging
import re
import sys

import pytest
from front_kit import call, client, send, signed_headers
from localaws_kit import LocalAws

from localaws.gateway.log_lines import LineFormatter, printable

FORGED = "2026-01-01 00:00:00,000 INFO localaws.access forged"
BREAKS = {
    "LF": "\n",
    "CR": "\r",
    "CRLF": "\r\n",
    "ESC": "\x1b[2J",
    "NUL": "\x00",
    "DEL": "\x7f",
    "NEL": "\x85",
    "VT": "\x0b",
    "LINE SEPARATOR": "\u2028",
    "PARAGRAPH SEPARATOR": "\u2029",
    "RIGHT-TO-LEFT OVERRIDE": "\u202e",
    "lone surrogate": "\ud800",
}


def formatted(text: str, error: Exception | None = None) -> str:
    record = logging.LogRecord("localaws", logging.INFO, __file__, 1, "%s", (text,), None)
    if error is not None:
        try:
            raise error
        except Exception:
            record.exc_info = sys.exc_info()
    return LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s").format(record)


@pytest.mark.parametrize("name", BREAKS)
def test_a_record_is_one_line(name: str) -> None:
    line = formatted(f"/bucket/{BREAKS[name]}{FORGED}")
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert FORGED in line


@pytest.mark.parametrize("name", BREAKS)
def test_a_traceback_that_quotes_a_client_is_marked_line_by_line(name: str) -> None:
    first, *others = formatted("failed", ValueError(f"bad{BREAKS[name]}{FORGED}")).split("\n")
    assert first.endswith("failed")
    assert all(line.startswith("    | ") and line.isprintable() for line in others)
    assert any("ValueError" in line for line in others)


def test_a_line_has_a_bounded_length() -> None:
    assert len(formatted("x" * 100_000)) < 5000
    assert printable("ü 漢字 🎈 'quoted' \\n") == "ü 漢字 🎈 'quoted' \\n"


def test_no_request_begins_a_line_of_the_servers_log(localaws: LocalAws) -> None:
    log = localaws.home / "localaws" / "server.log"
    before = len(log.read_bytes())
    s3 = client("s3")
    s3.create_bucket(Bucket="logged")
    for text in BREAKS.values():
        if text != "\ud800":
            s3.put_object(Bucket="logged", Key=f"{text}{FORGED}", Body=b"x")
            s3.get_object(Bucket="logged", Key=f"{text}{FORGED}")
        wire = f"A.B{text}{FORGED}".encode("utf-8", "replace").decode("latin-1")
        try:
            send(localaws, "POST", "/", b"{}", {"X-Amz-Target": wire})
            send(localaws, headers={"Host": f"x{wire}"})
        except ValueError:
            # The client library's own check.
            assert "\n" in text or "\r" in text
    call(localaws, "sagemaker", "SageMaker.DescribeModel", f'{{"ModelName": "a\\n{FORGED}"}}'.encode())
    target = f"/logged/%0a{FORGED.replace(' ', '%20')}?partNumber=x%0ay"
    send(localaws, "GET", target, headers=signed_headers(localaws, "s3", "GET", target))
    lines = log.read_bytes()[before:].decode().split("\n")[:-1]
    assert len(lines) > 20
    for line in lines:
        assert line.isprintable()
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ localaws|    \| ", line)
        assert not line.startswith(FORGED)
