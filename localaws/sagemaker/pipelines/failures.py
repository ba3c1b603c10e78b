"""Why a step failed, and which retry policies that concerns."""

from __future__ import annotations

from typing import Any

from localaws.core.errors import AwsError

#: SageMaker's own limits on the two kinds of FailureReason.
STEP_REASON, EXECUTION_REASON = 1024, 1300

SERVICE_FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR, RESOURCE_LIMIT = "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"

#: how the FailureReason of a job begins -> what retry policies call it.
_OF_JOBS = {
    "InternalServerError": INTERNAL_ERROR,
    "CapacityError": CAPACITY_ERROR,
    "InsufficientCapacity": CAPACITY_ERROR,
    "ResourceLimitExceeded": RESOURCE_LIMIT,
}
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501


class StepFailure(Exception):
    """
    A step fails.

    :param kind: what retry policies call it, where they know it.
    :param metadata: what the step shows beside the reason, in place of what it showed before.
    """

    def __init__(self, reason: str, kind: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.metadata = metadata


def of_call(operation: str, error: AwsError) -> StepFailure:
    """Return the failure of a step whose call was refused."""
    reason = f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
    return StepFailure(reason, _kind(error))


def of_job(reason: str) -> StepFailure:
    """Return the failure of a step whose job has failed."""
    return StepFailure(reason, next((kind for start, kind in _OF_JOBS.items() if reason.startswith(start)), None))


def _kind(error: AwsError) -> str | None:
    if error.code == "ResourceLimitExceeded":
        return RESOURCE_LIMIT
    if "Throttl" in error.code:
        return THROTTLING
    return SERVICE_FAULT if error.status >= _SERVER_ERROR and error.status != _NOT_IMPLEMENTED else None
