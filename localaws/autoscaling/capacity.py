"""The instance count of an endpoint's variant: what Application Auto Scaling reads and sets."""

from __future__ import annotations

import re
from typing import NamedTuple

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.endpoints import api as endpoint
from localaws.sagemaker.endpoints.fleet import KIND as ENDPOINT

NAMESPACE = "sagemaker"
#: Scalable targets in the store, by their resource id.
TARGET = "scalable-target"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"

_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")


class Variant(NamedTuple):
    """A scalable resource."""

    endpoint: str
    name: str


class Capacity(NamedTuple):
    """
    Instances of a variant.

    :param current: Those that serve.
    :param desired: Those that are to serve; another number while the endpoint is updated.
    :param settled: Whether the endpoint is in service, and so can be updated.
    :param failure: Why its last update failed, if it did.
    """

    current: int
    desired: int
    settled: bool
    failure: str = ""


def variant_of(namespace: str, resource: str, dimension: str) -> Variant:
    """
    Return the variant that a request names.

    :raises NotImplementedByLocalAws: It names another service or dimension.
    :raises ValidationException: The resource id is not of a variant.
    """
    if namespace != NAMESPACE or dimension != DIMENSION:
        raise NotImplementedByLocalAws(
            f"Application Auto Scaling of {dimension} ({namespace}) is not implemented by localaws: "
            f"it scales {DIMENSION}."
        )
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        raise ValidationException(
            f"Unsupported service namespace, resource type or scalable dimension: the resource ID of a variant is "
            f"endpoint/my-endpoint/variant/my-variant, and not {resource}"
        )
    return Variant(found[1], found[2])


def read(variant: Variant, ctx: Context) -> Capacity | None:
    """Return the capacity of a variant; ``None`` where the endpoint has none of that name, or is not there."""
    record = ctx.store.get(ENDPOINT, variant.endpoint)
    for each in (record or {}).get("ProductionVariants", []):
        if each["VariantName"] == variant.name:
            assert record is not None
            settled = record["EndpointStatus"] == "InService"
            current, desired = each["CurrentInstanceCount"], each["DesiredInstanceCount"]
            return Capacity(current, desired, settled, record.get("FailureReason", ""))
    return None


def set_desired(variant: Variant, count: int, ctx: Context) -> None:
    """
    Begin to add or end instances.

    :raises ValidationException: The endpoint is being updated, or is not there.
    """
    wanted = {"VariantName": variant.name, "DesiredInstanceCount": count}
    request = {"EndpointName": variant.endpoint, "DesiredWeightsAndCapacities": [wanted]}
    endpoint.update_endpoint_weights_and_capacities(request, ctx)
