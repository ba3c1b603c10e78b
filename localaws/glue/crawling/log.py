"""A crawl's log lines in CloudWatch Logs: group /aws-glue/crawlers, one stream a crawler, as with Glue."""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

GROUP = "/aws-glue/crawlers"
_SERVER_LOG = logging.getLogger(__name__)
_LONGEST_LINE = 8_000
_FULL = 200


class CrawlLog:
    """
    Collects lines and sends them in batches.

    :param logs: a boto3 CloudWatch Logs client.
    :param crawl_id: stands in brackets before each line (LastCrawl's MessagePrefix).
    """

    def __init__(self, logs: Any, crawler: str, crawl_id: str) -> None:
        self._logs = logs
        self._stream = crawler
        self._crawl_id = crawl_id
        self._lines: list[dict[str, Any]] = []
        self._stream_is_there = False

    def __call__(self, level: str, message: str) -> None:
        """Add a line; ``level`` is ``BENCHMARK``, ``INFO``, ``WARN`` or ``ERROR``."""
        if len(message) > _LONGEST_LINE:
            message = f"{message[:_LONGEST_LINE]}... ({len(message)} characters)"
        line = f"[{self._crawl_id}] {level} : {message}"
        self._lines.append({"timestamp": time.time_ns() // 1_000_000, "message": line})
        if len(self._lines) >= _FULL:
            self.flush()

    def flush(self) -> None:
        """Send what was collected. Where Logs cannot be reached the lines go to the server's own log instead."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            self._make_stream()
            self._logs.put_log_events(logGroupName=GROUP, logStreamName=self._stream, logEvents=lines)
        except (BotoCoreError, ClientError) as error:
            _SERVER_LOG.warning("crawl log not sent to CloudWatch Logs (%s):", error)
            for line in lines:
                _SERVER_LOG.warning("%s", line["message"])

    def _make_stream(self) -> None:
        if self._stream_is_there:
            return
        for create, names in (
            (self._logs.create_log_group, {"logGroupName": GROUP}),
            (self._logs.create_log_stream, {"logGroupName": GROUP, "logStreamName": self._stream}),
        ):
            try:
                create(**names)
            except self._logs.exceptions.ResourceAlreadyExistsException:
                continue
        self._stream_is_there = True
