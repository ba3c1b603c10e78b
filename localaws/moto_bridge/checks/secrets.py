"""Secrets Manager: tags without a key, and the regions that a secret is to be copied to."""

from __future__ import annotations

from typing import Any

import botocore.session
from moto.secretsmanager.models import FakeSecret, secretsmanager_backends

from localaws.core.context import ACCOUNT_ID
from localaws.core.errors import AwsError, NotImplementedByLocalAws

#: the one key that there is.
_KEY = "alias/aws/secretsmanager"


class InvalidParameterException(AwsError):
    """A parameter has a value that the operation does not take."""

    code = "InvalidParameterException"
    status = 400


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check what the model leaves open.

    :raises InvalidParameterException: a tag or a filter has no key, or the secret cannot be copied to a region.
    :raises NotImplementedByLocalAws: a replica shall have a key of its own.
    """
    if any("Key" not in tag for tag in parameters.get("Tags", ())):
        raise InvalidParameterException("You must provide a value for the tag key.")
    for each in parameters.get("Filters", ()):
        if "Key" not in each:
            raise InvalidParameterException("Invalid filter key")
        if "Values" not in each:
            raise InvalidParameterException(f"Invalid filter values for key: {each['Key']}")
    added = parameters.get("AddReplicaRegions", ())
    if any(each.get("KmsKeyId", _KEY) != _KEY for each in added):
        raise NotImplementedByLocalAws(f"localaws does not implement KmsKeyId of secretsmanager {operation}.")
    _check_regions([each.get("Region", "") for each in added], parameters.get("SecretId", ""), region)


def _check_regions(added: list[str], secret_id: str, region: str) -> None:
    if not added:
        return
    session = botocore.session.get_session()
    known = session.get_available_regions("secretsmanager", session.get_partition_for_region(region))
    if region in added or len(set(added)) < len(added) or not set(added) <= set(known):
        raise InvalidParameterException("Invalid replica region.")
    secret = secretsmanager_backends[ACCOUNT_ID][region].secrets.get(secret_id)
    present = {replica.region for replica in secret.replicas} if isinstance(secret, FakeSecret) else set()
    for again in present & set(added):
        raise InvalidParameterException(f"The secret is replicated to region {again} already.")
