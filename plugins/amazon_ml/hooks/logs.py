"""CloudWatch Logs: the last lines of a job."""

from __future__ import annotations

import time
from typing import Any

from amazon_ml.hooks.base import ServiceHook

_STREAMS = 4
_LOOKS = 5
_PAUSE = 1.0


class LogsHook(ServiceHook):
    """Log streams, read to explain a failure."""

    service = "logs"

    def tail(self, group: str, stream_prefix: str, lines: int = 40) -> list[str]:
        """
        Return the last lines that the job wrote, of each of its instances (four at most), oldest first.

        The lines reach CloudWatch a little after they were written: looks until two looks see the same. Never raises
        for a log that is missing or closed to us: it is asked for to explain another failure.
        """
        tail: list[str] = []
        for _ in range(_LOOKS):
            before, tail = tail, self._lines(group, stream_prefix, lines)
            if tail and tail == before and not tail[-1].startswith("("):
                break
            time.sleep(_PAUSE)
        return tail

    def _lines(self, group: str, stream_prefix: str, lines: int) -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        tail: list[str] = []
        client: Any = self.conn
        try:
            found = client.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream_prefix)
            for stream in found["logStreams"][:_STREAMS]:
                name = stream["logStreamName"]
                asked = {"logGroupName": group, "logStreamName": name, "limit": lines, "startFromHead": False}
                events = client.get_log_events(**asked)["events"]
                tail.append(f"--- {group} {name}")
                tail.extend(event["message"].rstrip() for event in events[-lines:])
        except (ClientError, BotoCoreError) as error:
            return [*tail, f"(no log from {group} {stream_prefix}: {error})"]
        return tail or [f"(nothing in {group} {stream_prefix})"]
