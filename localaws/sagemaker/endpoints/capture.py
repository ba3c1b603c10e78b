"""
Data capture: requests to an endpoint and its answers, as JSON lines in S3.

Places and lines are those of
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html. Lines wait in memory for a
moment: as on AWS, capturing is not a promise that each of them is kept.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.context import Context

log = logging.getLogger(__name__)

Record = dict[str, Any]

#: Seconds that a line waits for others of its file.
INTERVAL = 2.0
#: Bytes that may wait: beyond them lines are dropped, as AWS stops capturing where its disk is full.
_MOST = 64 * 1024**2


@dataclass(frozen=True)
class Message:
    """A request's or an answer's body, and what it says that it is."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class _Line:
    bucket: str
    prefix: str
    time: datetime
    text: str


class Capture:
    """Takes messages down, and writes them in the background."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lines: list[_Line] = []
        self._size = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="data-capture", daemon=True)
        self._thread.start()

    def take(
        self,
        config: Record | None,
        endpoint: str,
        variant: str,
        request: Message,
        answer: Message | None,
        event: Mapping[str, Any],
    ) -> None:
        """
        Capture an invocation, if the sampling wants it.

        :param config: DataCaptureConfig; ``None`` where nothing is captured.
        :param answer: ``None`` where the model did not answer.
        :param event: InferenceId and CustomAttributes of the request, where it has them.
        """
        if config is None or random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        now = self._ctx.now()
        bucket, _, prefix = config["DestinationS3Uri"].partition("://")[2].partition("/")
        place = "/".join(part for part in (prefix.strip("/"), endpoint, variant) if part)
        line = _Line(bucket, place, now, _line(config, request, answer, event, now))
        with self._lock:
            if self._size + len(line.text) > _MOST:
                log.warning("data capture of %s falls behind: an invocation is not captured", endpoint)
                return
            self._lines.append(line)
            self._size += len(line.text)

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._closed.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL):
            self._write()

    def _write(self) -> None:
        with self._lock:
            lines, self._lines, self._size = self._lines, [], 0
        files: dict[tuple[str, str], list[_Line]] = defaultdict(list)
        for line in lines:
            files[line.bucket, f"{line.prefix}/{line.time:%Y/%m/%d/%H}"].append(line)
        for (bucket, folder), members in files.items():
            first = members[0].time
            key = f"{folder}/{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            body = "".join(f"{line.text}\n" for line in members).encode()
            try:
                self._ctx.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
            except (BotoCoreError, ClientError):
                log.exception("%d captured invocations are lost: s3://%s/%s was not written", len(members), bucket, key)


def _line(config: Record, request: Message, answer: Message | None, event: Mapping[str, Any], now: datetime) -> str:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    headers = config.get("CaptureContentTypeHeader", {})
    captured = {}
    if modes & {"Input", "InputAndOutput"}:
        captured["endpointInput"] = _part(request, "INPUT", headers)
    if answer is not None and modes & {"Output", "InputAndOutput"}:
        captured["endpointOutput"] = _part(answer, "OUTPUT", headers)
    metadata: Record = {"eventId": str(uuid.uuid4())}
    if event.get("CustomAttributes"):
        metadata["customAttributes"] = [event["CustomAttributes"]]
    if event.get("InferenceId"):
        metadata["inferenceId"] = event["InferenceId"]
    metadata["inferenceTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    document = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _part(message: Message, mode: str, headers: Record) -> Record:
    data, encoding = _encoded(message, headers)
    return {"observedContentType": message.content_type, "mode": mode, "data": data, "encoding": encoding}


def _encoded(message: Message, headers: Record) -> tuple[str, str]:
    """Return the body as text, and its encoding; Base64 unless the config lists the content type."""
    kind = message.content_type.partition(";")[0].strip().lower()
    for encoding, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if kind in (each.lower() for each in headers.get(member, [])):
            try:
                return message.body.decode(), encoding
            except UnicodeDecodeError:
                break
    return base64.b64encode(message.body).decode(), "BASE64"


def summary(config: Record) -> Record:
    """Return DataCaptureConfig as DescribeEndpoint has it."""
    return {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
