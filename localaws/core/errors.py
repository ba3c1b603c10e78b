"""The errors that AWS services answer, as exceptions: raise one in a handler and the wire layer encodes it."""

from __future__ import annotations


class AwsError(Exception):
    """An answer that is an error: ``code`` is AWS's error code, ``status`` the HTTP status, the text its message."""

    code = "InternalFailure"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None, **members: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        #: further members of the modelled error shape, such as AthenaErrorCode or OriginalStatusCode.
        self.members = members


class ValidationException(AwsError):
    """A malformed request and, for most SageMaker jobs, an unknown resource."""

    code = "ValidationException"
    status = 400


class ValidationError(AwsError):
    """The name that SageMaker's runtimes have for :class:`ValidationException`."""

    code = "ValidationError"
    status = 400


class ResourceInUse(AwsError):
    """SageMaker: the name is taken, or the resource is busy."""

    code = "ResourceInUse"
    status = 400


class ResourceNotFound(AwsError):
    """SageMaker: no such resource, where the operation's model lists this error."""

    code = "ResourceNotFound"
    status = 400


class ResourceLimitExceeded(AwsError):
    """SageMaker: over a service quota."""

    code = "ResourceLimitExceeded"
    status = 400


class ConflictException(AwsError):
    """SageMaker's registry: the change does not fit what is there."""

    code = "ConflictException"
    status = 400


class EntityNotFoundException(AwsError):
    """Glue: no such entity."""

    code = "EntityNotFoundException"
    status = 400


class AlreadyExistsException(AwsError):
    """Glue: the name is taken."""

    code = "AlreadyExistsException"
    status = 400


class InvalidRequestException(AwsError):
    """Athena: something in the request is wrong or refers to nothing."""

    code = "InvalidRequestException"
    status = 400


class NotImplementedByLocalAws(AwsError):
    """The operation exists on AWS and not here: said loudly, with 501 so that botocore does not retry."""

    code = "NotImplemented"
    status = 501
