"""The errors of Application Auto Scaling."""

from __future__ import annotations

from localaws.core.errors import AwsError


class ObjectNotFoundException(AwsError):
    """No such scalable target, policy or scheduled action."""

    code = "ObjectNotFoundException"
    status = 400


class InvalidNextTokenException(AwsError):
    """The token is not one that was given."""

    code = "InvalidNextTokenException"
    status = 400


class LimitExceededException(AwsError):
    """Over a quota."""

    code = "LimitExceededException"
    status = 400


class ResourceNotFoundException(AwsError):
    """No such ARN, for the operations of tags."""

    code = "ResourceNotFoundException"
    status = 400
