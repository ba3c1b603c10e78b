"""CloudWatch's errors."""

from __future__ import annotations

from localaws.core.errors import AwsError


class ValidationError(AwsError):
    """The request contradicts itself or lacks something."""

    code = "ValidationError"
    status = 400


class ResourceNotFound(AwsError):
    """There is no such alarm."""

    code = "ResourceNotFound"
    status = 404


class ResourceNotFoundException(AwsError):
    """There is no such alarm to tag: CloudWatch has another code for that."""

    code = "ResourceNotFoundException"
    status = 404


class InvalidNextToken(AwsError):
    """The token is not one that it gave."""

    code = "InvalidNextToken"
    status = 400
