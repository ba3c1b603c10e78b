"""CloudWatch Logs: the last lines of a job, and the groups that logs are in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from amazon_ml.hooks.base import ServiceHook

_STREAMS = 4
_LOOKS = 5
_PAUSE = 1.0


class LogsHook(ServiceHook):
    """Log streams, read to explain a failure, and log groups."""

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

    def groups(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield what AWS tells of the log groups whose names begin with a prefix."""
        for page in self._follow("describe_log_groups", member="nextToken", logGroupNamePrefix=prefix):
            yield from page["logGroups"]

    def last_event(self, group: str) -> datetime | None:
        """Return when a log group was last written to; None where nothing was, or the group is gone."""
        asked = {"logGroupName": group, "orderBy": "LastEventTime", "descending": True, "limit": 1}
        page = self._call_unless({"ResourceNotFoundException"}, "describe_log_streams", **asked)
        last = [
            each["lastEventTimestamp"] for each in (page or {}).get("logStreams", []) if "lastEventTimestamp" in each
        ]
        return datetime.fromtimestamp(last[0] / 1000, UTC) if last else None

    def set_retention(self, group: str, days: int) -> bool:
        """Set the days that events are kept, one of the numbers that AWS takes, and return False without the group."""
        request = {"logGroupName": group, "retentionInDays": days}
        return self._call_unless({"ResourceNotFoundException"}, "put_retention_policy", **request) is not None

    def delete_log_group(self, group: str) -> bool:
        """Delete a log group and its events; False where there was none."""
        return self._call_unless({"ResourceNotFoundException"}, "delete_log_group", logGroupName=group) is not None

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
