"""What a client of another region is told of alarms: there are none, and none can be made."""

from __future__ import annotations

from typing import Any

from localaws.cloudwatch.errors import ResourceNotFound, ResourceNotFoundException
from localaws.core.errors import NotImplementedByLocalAws

Record = dict[str, Any]

_EMPTY: dict[str, Record] = {
    "DescribeAlarms": {"MetricAlarms": [], "CompositeAlarms": []},
    "DescribeAlarmsForMetric": {"MetricAlarms": []},
    "DescribeAlarmHistory": {"AlarmHistoryItems": []},
    # They pass over names that do not exist.
    "EnableAlarmActions": {},
    "DisableAlarmActions": {},
}


def answer(operation: str, request: Record, region: str, served: str) -> Record:
    """
    Answer for a region other than the server's.

    :raises NotImplementedByLocalAws: An alarm is to be made.
    :raises ResourceNotFound: An alarm is named.
    :raises ResourceNotFoundException: Its tags are asked for.
    """
    if operation in _EMPTY:
        return _EMPTY[operation]
    if operation.startswith("Put"):
        raise NotImplementedByLocalAws(
            f"localaws keeps alarms of {served} only: {operation} of {region} is not implemented. Use that region, or "
            "start localaws with another AWS_DEFAULT_REGION."
        )
    if "ResourceARN" in request:
        raise ResourceNotFoundException(f"There is no alarm {request['ResourceARN']} in {region}.")
    named = request.get("AlarmName") or ", ".join(request.get("AlarmNames", []))
    raise ResourceNotFound(f"There is no alarm {named} in {region}.")
