"""What the model servers print, on its way to CloudWatch Logs: one thread reads all their files, in batches."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.context import Context

log = logging.getLogger(__name__)

#: seconds between two looks.
INTERVAL = 1.0
#: bytes that a stream takes at once, and each second: the server keeps events in memory. What a model prints beyond
#: that is passed over, but for its end, and the stream says so.
BURST, RATE = 4 << 20, 8 << 10
#: bytes of a file that are read in one look, or shown of its end where more is passed over.
BATCH, END = 256 << 10, 16 << 10
#: a file is cut to nothing once it is larger than this.
CUT = 8 << 20
#: characters of one event, and events and bytes of one request, that the service takes.
_EVENT, _EVENTS = 8000, 1000


class _Tail:
    """How far a file has been read; the place is kept beside it, for the server after this one."""

    def __init__(self, path: Path, group: str, stream: str) -> None:
        self.path = path
        self.group = group
        self.stream = stream
        self.made = False
        self._place = path.with_name("log.place")
        self._offset = self._saved()
        self._allowance: float = BURST
        self._looked = time.monotonic()

    def _saved(self) -> int:
        try:
            return int(self._place.read_text())
        except (FileNotFoundError, ValueError):
            # None yet, or what a power cut has left of it: better some lines twice than none.
            return 0

    def read(self, *, last: bool) -> list[str]:
        """Return the lines since the last call; an unfinished one only if this is the ``last`` call."""
        if not self.path.exists():
            return []
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._looked) * RATE)
        self._looked = now
        size = self.path.stat().st_size
        if size < self._offset:
            self._offset = 0
        limit = max(END, min(BATCH, int(self._allowance)))
        passed_over = size - self._offset - limit
        if passed_over > 0:
            self._offset = size - limit
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            data = file.read(limit)
        if not last:
            data = data[: data.rfind(b"\n") + 1] or (data if len(data) == limit else b"")
        self._offset += len(data)
        self._allowance -= len(data)
        lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        if passed_over > 0:
            lines.insert(0, f"[localaws] {passed_over} bytes are left out here: too many at once")
        return lines

    def done(self) -> None:
        """Note that what was read has been sent."""
        if not self.path.parent.exists():
            return
        if self.path.stat().st_size > CUT:
            # The process appends, so it goes on at the new end. A line that it wrote just now is lost with the rest.
            with open(self.path, "r+b") as file:
                file.truncate(0)
            self._offset = 0
        part = self._place.with_suffix(".part")
        part.write_text(str(self._offset))
        part.replace(self._place)


class LogShipper:
    """Follows files until told to leave them. What cannot be sent is dropped, and the server's log says so."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._tails: dict[Path, _Tail] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._idle = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-logs", daemon=True)
        self._thread.start()

    def follow(self, path: Path, group: str, stream: str) -> None:
        """Send what is, and what will be, in a file to a stream; the two are made if need be."""
        with self._lock:
            self._tails[path] = _Tail(path, group, stream)
            self._idle.set()

    def leave(self, path: Path) -> None:
        """Send the rest and forget the file."""
        with self._lock:
            tail = self._tails.pop(path, None)
        if tail is not None:
            self._ship(tail, last=True)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._idle.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            self._idle.wait()
            with self._lock:
                tails = list(self._tails.values())
                if not tails:
                    self._idle.clear()
            for tail in tails:
                self._ship(tail)

    def _ship(self, tail: _Tail, *, last: bool = False) -> None:
        with self._sending:
            try:
                lines = tail.read(last=last)
                if lines:
                    self._send(tail, lines)
                    tail.done()
            except (BotoCoreError, ClientError, OSError):
                log.exception("cannot send %s to the log stream %s", tail.path, tail.stream)

    def _send(self, tail: _Tail, lines: list[str]) -> None:
        client = self._ctx.client("logs")
        if not tail.made:
            _make(client.create_log_group, logGroupName=tail.group)
            _make(client.create_log_stream, logGroupName=tail.group, logStreamName=tail.stream)
            tail.made = True
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line[:_EVENT]} for line in lines]
        for start in range(0, len(events), _EVENTS):
            client.put_log_events(
                logGroupName=tail.group, logStreamName=tail.stream, logEvents=events[start : start + _EVENTS]
            )


def _make(create: object, **names: str) -> None:
    try:
        create(**names)  # type: ignore[operator]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
