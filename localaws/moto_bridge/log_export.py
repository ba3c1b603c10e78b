"""
CreateExportTask of CloudWatch Logs, in AWS's layout.

moto exports the first 10,000 events of every stream, whatever logStreamNamePrefix says, with times of the machine's
zone and without milliseconds, into folders that do not have the task's id.
"""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime

from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.models import ExportTask, LogStream
from moto.logs.responses import LogsResponse
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends

#: What AWS writes first, to see whether it may.
_PROBE = ("aws-logs-write-test", b"Permission Check Successful")


def _create_export_task(response: LogsResponse) -> str:
    """
    Write the events of a log group's streams into a bucket.

    :raises InvalidParameterException: There is no such bucket, or the times are in the wrong order.
    :raises ResourceNotFoundException: There is no such log group.
    """
    backend = response.logs_backend
    group, bucket = response._get_param("logGroupName"), response._get_param("destination")
    since, until = response._get_param("from"), response._get_param("to")
    objects = s3_backends[backend.account_id][backend.partition]
    try:
        objects.get_bucket(bucket)
    except MissingBucket as error:
        raise InvalidParameterException(f"The bucket {bucket} does not exist.") from error
    if group not in backend.groups:
        raise ResourceNotFoundException()
    if since > until:
        raise InvalidParameterException(f"from, {since}, must not be after to, {until}.")
    prefix = response._get_param("destinationPrefix", "exportedlogs")
    task = ExportTask(str(uuid.uuid4()), response._get_param("taskName"), group, bucket, prefix, since, until)
    objects.put_object(bucket_name=bucket, key_name=_PROBE[0], value=_PROBE[1])
    chosen = response._get_param("logStreamNamePrefix", "")
    for name, stream in list(backend.groups[group].streams.items()):
        lines = _lines(stream, since, until) if name.startswith(chosen) else []
        if lines:
            key = f"{prefix}/{task.task_id}/{name.replace('/', '-')}/000000.gz"
            objects.put_object(bucket_name=bucket, key_name=key, value=gzip.compress("".join(lines).encode()))
    task.status = {"code": "COMPLETED", "message": "Completed successfully"}
    backend.export_tasks[task.task_id] = task
    return json.dumps({"taskId": task.task_id})


def _lines(stream: LogStream, since: int, until: int) -> list[str]:
    chosen = [each for each in stream.events if since <= each.timestamp <= until]
    events = sorted(chosen, key=lambda each: each.timestamp)
    return [f"{_stamp(each.timestamp)} {each.message}\n" for each in events]


def _stamp(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def install() -> None:
    """Have moto's Logs export so."""
    setattr(LogsResponse, "create_export_task", _create_export_task)  # noqa: B010 - mypy refuses the plain assignment
