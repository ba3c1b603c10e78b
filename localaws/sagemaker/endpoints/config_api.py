"""SageMaker endpoint configs: which models an endpoint serves, on how many instances, and with what share each."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.endpoints import publishing
from localaws.sagemaker.models import api as model
from localaws.sagemaker.tags import api as tags

endpoint_config = Service("sagemaker", resource="endpoint-config")

_KIND = "endpoint-config"
#: what nothing here does, and would be missed.
_UNSUPPORTED = ("AsyncInferenceConfig", "ExplainerConfig")
_UNSUPPORTED_OF_VARIANT = ("ServerlessConfig", "InstancePools", "CoreDumpConfig", "AcceleratorType")


def arn(ctx: Context, name: str) -> str:
    """Return the endpoint config's ARN, with the name in lower case as on AWS."""
    return ctx.arn("sagemaker", f"endpoint-config/{name}")


def find(ctx: Context, name: str) -> dict[str, Any]:
    """
    Return the record of an endpoint config.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.get(_KIND, name)
    if record is None:
        raise ValidationException(f'Could not find endpoint configuration "{arn(ctx, name)}".')
    return record


@endpoint_config.operation
def create_endpoint_config(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Register which models are to be served, and how."""
    _check(request, ctx)
    name = request["EndpointConfigName"]
    record = {key: value for key, value in request.items() if key != "Tags"}
    record |= {"EndpointConfigArn": arn(ctx, name), "CreationTime": ctx.now()}
    for member in ("ProductionVariants", "ShadowProductionVariants"):
        if member in request:
            record[member] = [{"InitialVariantWeight": 1.0, **variant} for variant in request[member]]
    with ctx.store.transaction():
        if not ctx.store.insert(_KIND, name, record):
            raise ValidationException(
                f'Cannot create already existing endpoint configuration "{record["EndpointConfigArn"]}".'
            )
        tags.put(ctx, record["EndpointConfigArn"], request.get("Tags", []))
    return {"EndpointConfigArn": record["EndpointConfigArn"]}


def _check(request: dict[str, Any], ctx: Context) -> None:
    for member in _UNSUPPORTED:
        if request.get(member):
            raise NotImplementedByLocalAws(f"CreateEndpointConfig with {member} is not implemented by localaws.")
    publishing.check(request.get("MetricsConfig", {}))
    variants, shadows = request["ProductionVariants"], request.get("ShadowProductionVariants", [])
    if shadows and (len(shadows) > 1 or len(variants) > 1):
        raise ValidationException("One shadow variant may be given, and one production variant with it.")
    names = [variant["VariantName"] for variant in (*variants, *shadows)]
    if len(set(names)) < len(names):
        raise ValidationException("Production variant names must be unique within an endpoint configuration.")
    for variant in (*variants, *shadows):
        _check_variant(variant, ctx)
    if not any(variant.get("InitialVariantWeight", 1.0) for variant in variants):
        raise ValidationException("At least one production variant must have a weight greater than 0.")


def _check_variant(variant: dict[str, Any], ctx: Context) -> None:
    for member in _UNSUPPORTED_OF_VARIANT:
        if variant.get(member):
            raise NotImplementedByLocalAws(f"A production variant with {member} is not implemented by localaws.")
    if variant.get("ManagedInstanceScaling", {}).get("Status") == "ENABLED":
        raise NotImplementedByLocalAws(
            "A production variant with ManagedInstanceScaling is not implemented by localaws."
        )
    if variant.get("RoutingConfig", {}).get("RoutingStrategy") == "PREFIX_AWARE":
        raise NotImplementedByLocalAws("RoutingStrategy PREFIX_AWARE is not implemented by localaws.")
    missing = [member for member in ("ModelName", "InstanceType", "InitialInstanceCount") if member not in variant]
    if missing:
        raise ValidationException(f"Production variant {variant['VariantName']} must have {' and '.join(missing)}.")
    model.find(ctx, variant["ModelName"])


@endpoint_config.operation
def describe_endpoint_config(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all that was given at creation."""
    return find(ctx, request["EndpointConfigName"])


@endpoint_config.operation
def list_endpoint_configs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Endpoint configs by name and time."""
    chosen = pagination.select(ctx.store.all(_KIND), request, name="EndpointConfigName")
    page, more = pagination.page(chosen, request)
    return {"EndpointConfigs": page, **more}


@endpoint_config.operation
def delete_endpoint_config(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete the record; an endpoint that was made from it stays."""
    record = find(ctx, request["EndpointConfigName"])
    ctx.store.delete(_KIND, record["EndpointConfigName"])
    tags.forget(ctx, record["EndpointConfigArn"])
    return {}
