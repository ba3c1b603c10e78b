"""Cognito: what each sign-in needs beyond what the model asks for."""

from __future__ import annotations

from typing import Any

from localaws.core.errors import AwsError, NotImplementedByLocalAws


class InvalidParameterException(AwsError):
    """A parameter is missing, or has a value that it cannot have."""

    code = "InvalidParameterException"
    status = 400


#: what a flow needs in AuthParameters.
_NEEDED = {
    "USER_PASSWORD_AUTH": ("USERNAME", "PASSWORD"),
    "ADMIN_USER_PASSWORD_AUTH": ("USERNAME", "PASSWORD"),
    "ADMIN_NO_SRP_AUTH": ("USERNAME", "PASSWORD"),
    "REFRESH_TOKEN": ("REFRESH_TOKEN",),
    "REFRESH_TOKEN_AUTH": ("REFRESH_TOKEN",),
}


#: flows in which moto verifies nothing: it would let in whoever knows a name.
_NOT_DONE = ("USER_SRP_AUTH", "CUSTOM_AUTH", "USER_AUTH")


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check a request of Cognito's.

    :raises InvalidParameterException: an attribute has no value, or a parameter that the flow needs is missing.
    :raises NotImplementedByLocalAws: moto would take it, and not do what AWS does.
    """
    for attribute in parameters.get("UserAttributes", ()):
        if "Value" not in attribute:
            raise InvalidParameterException(f"Attribute {attribute['Name']} has no value")
    for attribute in (*parameters.get("CustomAttributes", ()), *parameters.get("Schema", ())):
        if "Name" not in attribute:
            raise InvalidParameterException("An attribute of the schema has no name")
    if operation == "SignUp" and "Password" not in parameters:
        # Pools without passwords are not to be had here.
        raise InvalidParameterException("Missing required parameter PASSWORD")
    if operation == "AdminCreateUser" and parameters.get("MessageAction") == "RESEND":
        # moto would put a new user in the place of the one that is there.
        raise NotImplementedByLocalAws("AdminCreateUser with MessageAction RESEND is not implemented by localaws.")
    if operation in ("InitiateAuth", "AdminInitiateAuth"):
        _check_flow(operation, parameters)
    if operation in ("RespondToAuthChallenge", "AdminRespondToAuthChallenge"):
        _check_challenge(operation, parameters)


def _check_flow(operation: str, parameters: dict[str, Any]) -> None:
    flow = parameters["AuthFlow"]
    if flow in _NOT_DONE:
        raise NotImplementedByLocalAws(
            f"{operation} with {flow} is not implemented by localaws: use USER_PASSWORD_AUTH,"
            " ADMIN_USER_PASSWORD_AUTH or the hosted pages."
        )
    _check_given(parameters.get("AuthParameters", {}), _NEEDED.get(flow, ()))


def _check_challenge(operation: str, parameters: dict[str, Any]) -> None:
    name = parameters["ChallengeName"]
    if name != "NEW_PASSWORD_REQUIRED":
        raise NotImplementedByLocalAws(f"{operation} with {name} is not implemented by localaws.")
    if "Session" not in parameters:
        raise InvalidParameterException("Missing required parameter Session")
    _check_given(parameters.get("ChallengeResponses", {}), ("USERNAME", "NEW_PASSWORD"))


def _check_given(given: dict[str, str], needed: tuple[str, ...]) -> None:
    for name in needed:
        if name not in given:
            raise InvalidParameterException(f"Missing required parameter {name}")
