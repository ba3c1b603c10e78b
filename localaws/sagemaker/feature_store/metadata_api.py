"""SageMaker feature metadata: a description of one feature and parameters of the user's own."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.feature_store import groups
from localaws.sagemaker.feature_store.groups import Group

feature_metadata = Service("sagemaker", resource="feature-metadata", metadata_only="a record alone, as on AWS")

#: AWS's own limit of a feature.
_MOST = 25


def _feature(group: Group, name: str) -> dict[str, Any]:
    for definition in group["FeatureDefinitions"]:
        if definition["FeatureName"] == name:
            found: dict[str, Any] = definition
            return found
    raise ResourceNotFound(f"Resource Not Found: FeatureGroup {group['FeatureGroupName']} has no feature {name}.")


@feature_metadata.operation
def describe_feature_metadata(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe one feature."""
    group = groups.find(ctx, request["FeatureGroupName"])
    feature = _feature(group, request["FeatureName"])
    known = group["_metadata"].get(feature["FeatureName"], {})
    times = {"CreationTime": group["CreationTime"], "LastModifiedTime": group["CreationTime"]}
    names = {"FeatureGroupArn": group["FeatureGroupArn"], "FeatureGroupName": group["FeatureGroupName"]}
    parameters = [{"Key": key, "Value": value} for key, value in known.get("parameters", {}).items()]
    return {**names, **feature, **times, **known, "Parameters": parameters}


@feature_metadata.operation
def update_feature_metadata(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the description; add, replace and remove parameters."""
    group = groups.find(ctx, request["FeatureGroupName"])
    name = _feature(group, request["FeatureName"])["FeatureName"]
    added = {each["Key"]: each["Value"] for each in request.get("ParameterAdditions", [])}

    def change(record: Group) -> None:
        known = record["_metadata"].setdefault(name, {})
        if "Description" in request:
            known["Description"] = request["Description"]
        parameters = {**known.get("parameters", {}), **added}
        for key in request.get("ParameterRemovals", []):
            parameters.pop(key, None)
        if len(parameters) > _MOST:
            raise ValidationException(f"Validation Error: a feature has at most {_MOST} parameters.")
        known |= {"parameters": parameters, "LastModifiedTime": ctx.now()}

    ctx.store.update(groups.KIND, group["FeatureGroupName"], change)
    return {}
