"""The errors of the Augmented AI runtime, whose names and statuses differ from SageMaker's."""

from __future__ import annotations

from localaws.core.errors import AwsError


class ConflictException(AwsError):
    """The loop's name is taken by one with another input."""

    code = "ConflictException"
    status = 409


class ResourceNotFoundException(AwsError):
    """There is no such human loop."""

    code = "ResourceNotFoundException"
    status = 404
