"""The code under which each service that moto carries refuses what its model forbids."""

from __future__ import annotations

import re

from localaws.core.errors import AwsError
from localaws.gateway.protocol.validate import Failure, summary

#: https://docs.aws.amazon.com/<service>/latest/APIReference/CommonErrors.html, and what the services answer. Glue,
#: Secrets Manager and Application Auto Scaling say ValidationException.
_CODES = {
    "iam": "ValidationError",
    "sts": "ValidationError",
    "cloudwatch": "ValidationError",
    "cognito-idp": "InvalidParameterException",
    "logs": "InvalidParameterException",
}


#: Glue's schema registry has a code of its own.
_REGISTRY = re.compile(r"(Create|Delete|Get|List|Put|Register|Update)(Registr|Schema)\w*")


def refusal(service: str, operation: str, found: list[Failure], *, is_form: bool) -> AwsError:
    """Return the error for a request that breaks its model's constraints."""
    missing = next((failure for failure in found if failure.missing), None)
    if service == "cloudwatch" and missing:
        code = "MissingParameter" if is_form else "MissingRequiredParameterException"
        return AwsError(f"The parameter {_as_parameter(missing.at)} is required.", code=code, status=400)
    if service == "glue" and _REGISTRY.fullmatch(operation):
        return AwsError(summary(found), code="InvalidInputException", status=400)
    return AwsError(summary(found), code=_CODES.get(service, "ValidationException"), status=400)


def _as_parameter(at: str) -> str:
    """``metricData.1.member.metricName`` as a form has it: ``MetricData.member.1.MetricName``."""
    parts = [part[0].upper() + part[1:] for part in at.split(".") if part and part != "member"]
    return ".".join(f"member.{part}" if part.isdecimal() else part for part in parts)
