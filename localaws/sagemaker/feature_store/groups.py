"""Feature groups as the other modules see them: the record, found by name or ARN, and what follows from it."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ResourceNotFound

KIND = "feature-group"

Group = dict[str, Any]


def arn(ctx: Context, name: str) -> str:
    """Return the group's ARN, with the name in lower case as on AWS."""
    return ctx.arn("sagemaker", f"feature-group/{name}")


def lookup(ctx: Context, name_or_arn: str) -> Group | None:
    """Return the record of a group, or ``None``, also for an ARN of another account or region."""
    if not name_or_arn.startswith("arn:"):
        return ctx.store.get(KIND, name_or_arn)
    return next((group for group in ctx.store.all(KIND) if group["FeatureGroupArn"] == name_or_arn.lower()), None)


def find(ctx: Context, name_or_arn: str) -> Group:
    """
    Return the record of a group.

    :raises ResourceNotFound: there is none, in AWS's words.
    """
    group = lookup(ctx, name_or_arn)
    if group is None:
        raise ResourceNotFound(missing(name_or_arn))
    return group


def missing(name: str) -> str:
    """AWS's words for a group that is not there."""
    return (
        f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}. Please use a valid"
        " FeatureGroup name and try again."
    )


def online(group: Group) -> bool:
    """Return True if the group has an online store."""
    return bool(group.get("OnlineStoreConfig", {}).get("EnableOnlineStore"))


def offline(group: Group) -> bool:
    """Return True if the group has an offline store."""
    return "OfflineStoreConfig" in group


def types(group: Group) -> dict[str, str]:
    """Feature -> Integral, Fractional or String, in the order of definition."""
    return {each["FeatureName"]: each["FeatureType"] for each in group["FeatureDefinitions"]}
