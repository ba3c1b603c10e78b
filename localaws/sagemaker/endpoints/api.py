"""SageMaker endpoints: models in service. The work is that of :mod:`localaws.sagemaker.endpoints`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localaws.cloudwatch import engine as alarms
from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.endpoints import config_api as endpoint_config
from localaws.sagemaker.endpoints import guardrails
from localaws.sagemaker.endpoints.events import DEPLOYING
from localaws.sagemaker.endpoints.fleet import KIND, fleet
from localaws.sagemaker.endpoints.plan import Plan
from localaws.sagemaker.models import api as model
from localaws.sagemaker.tags import api as tags

endpoint = Service("sagemaker", resource="endpoint")


def arn(ctx: Context, name: str) -> str:
    """Return the endpoint's ARN, with the name in lower case as on AWS."""
    return ctx.arn("sagemaker", f"endpoint/{name}")


def find(ctx: Context, name: str) -> dict[str, Any]:
    """
    Return the record of an endpoint.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.get(KIND, name)
    if record is None:
        raise ValidationException(f'Could not find endpoint "{arn(ctx, name)}".')
    return record


@endpoint.operation
def create_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Begin to deploy what the endpoint config says."""
    name = request["EndpointName"]
    plan = _plan(ctx, request["EndpointConfigName"])
    _check_deployment(request.get("DeploymentConfig"), plan, ctx)
    now = ctx.now()
    record = {
        "EndpointName": name,
        "EndpointArn": arn(ctx, name),
        "EndpointConfigName": request["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "CreationTime": now,
        "LastModifiedTime": now,
        "_pending": plan.record(),
        # Kept for an update with RetainDeploymentConfig: there is nothing to shift traffic from now.
        **({"LastDeploymentConfig": request["DeploymentConfig"]} if "DeploymentConfig" in request else {}),
    }
    with ctx.store.transaction():
        if not ctx.store.insert(KIND, name, record):
            raise ValidationException(f'Cannot create already existing endpoint "{record["EndpointArn"]}".')
        tags.put(ctx, record["EndpointArn"], request.get("Tags", []))
        _note(ctx, record, request["EndpointConfigName"])
    fleet(ctx).deploy(name)
    return {"EndpointArn": record["EndpointArn"]}


@endpoint.operation
def describe_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return its status, and what it serves."""
    return find(ctx, request["EndpointName"])


@endpoint.operation
def list_endpoints(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return endpoints by name, status and time."""
    chosen = pagination.select(ctx.store.all(KIND), request, name="EndpointName", status="EndpointStatus")
    page, more = pagination.page(chosen, request)
    return {"Endpoints": page, **more}


@endpoint.operation
def update_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Begin to serve what another endpoint config says; requests are answered all along."""
    name, config = request["EndpointName"], request["EndpointConfigName"]
    plan = _plan(ctx, config)
    retained = request.get("RetainAllVariantProperties", False)
    excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", [])}

    def change(record: dict[str, Any]) -> None:
        _must_be_in_service(record)
        if record["EndpointConfigName"] == config:
            raise ValidationException(
                f'Cannot update endpoint with the currently in use endpoint configuration "{config}".'
            )
        now = Plan.load(record["_plan"]).variants
        chosen = plan
        names = [[variant.name for variant in variants] for variants in (now, plan.variants)]
        if retained and set(names[0]) != set(names[1]):
            raise ValidationException(
                "RetainAllVariantProperties needs the same variants in the current and the new endpoint configuration: "
                f"{', '.join(names[0])} and {', '.join(names[1])}."
            )
        if retained and "DesiredWeight" not in excluded:
            chosen = chosen.changed({variant.name: variant.weight for variant in now}, {})
        if retained and "DesiredInstanceCount" not in excluded:
            chosen = chosen.changed({}, {variant.name: variant.count for variant in now})
        if retained and "DataCaptureConfig" not in excluded:
            chosen = replace(chosen, capture=Plan.load(record["_plan"]).capture)
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = record.get("LastDeploymentConfig")
        _check_deployment(deployment, chosen, ctx)
        _begin(ctx, record, chosen)
        if deployment is not None:
            record["_deployment"] = deployment
        _note(ctx, record, config)

    _update(ctx, name, change)
    fleet(ctx).deploy(name)
    return {"EndpointArn": arn(ctx, name)}


@endpoint.operation
def update_endpoint_weights_and_capacities(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Begin to shift traffic between the variants, and to add or end instances."""
    name = request["EndpointName"]
    wanted = {each["VariantName"]: each for each in request["DesiredWeightsAndCapacities"]}
    if any("ServerlessUpdateConfig" in each for each in wanted.values()):
        raise NotImplementedByLocalAws("ServerlessUpdateConfig is not implemented by localaws.")

    def change(record: dict[str, Any]) -> None:
        _must_be_in_service(record)
        plan = Plan.load(record["_plan"])
        unknown = sorted(wanted.keys() - {variant.name for variant in plan.variants})
        if unknown:
            raise ValidationException(
                f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration'
                f' "{plan.config}".'
            )
        changed = plan.changed(_values(wanted, "DesiredWeight"), _values(wanted, "DesiredInstanceCount"))
        if not any(variant.weight for variant in changed.variants):
            raise ValidationException("At least one production variant must have a weight greater than 0.")
        if not all(variant.count for variant in changed.variants):
            raise ValidationException("DesiredInstanceCount must be at least 1.")
        _begin(ctx, record, changed)
        for variant in record["ProductionVariants"]:
            desired = wanted.get(variant["VariantName"], {})
            variant |= {key: desired[key] for key in ("DesiredWeight", "DesiredInstanceCount") if key in desired}

    _update(ctx, name, change)
    fleet(ctx).change(name)
    return {"EndpointArn": arn(ctx, name)}


@endpoint.operation
def delete_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Begin to take it out of service; its config and its models stay."""
    name = request["EndpointName"]

    def change(record: dict[str, Any]) -> None:
        _must_be_settled(record)
        record["EndpointStatus"] = "Deleting"
        record["LastModifiedTime"] = ctx.now()
        tags.forget(ctx, record["EndpointArn"])

    _update(ctx, name, change)
    fleet(ctx).delete(name)
    return {}


@endpoint.on_start
def start(ctx: Context) -> None:
    """Serve what was in service."""
    fleet(ctx).recover()


@endpoint.on_stop
def stop(ctx: Context) -> None:
    """End all model servers."""
    fleet(ctx).close()


def _values(wanted: dict[str, dict[str, Any]], member: str) -> dict[str, Any]:
    return {name: each[member] for name, each in wanted.items() if member in each}


def _plan(ctx: Context, config_name: str) -> Plan:
    return Plan.of(endpoint_config.find(ctx, config_name), _models(ctx, config_name))


def _models(ctx: Context, config_name: str) -> dict[str, dict[str, Any]]:
    config = endpoint_config.find(ctx, config_name)
    variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    names = {variant["ModelName"] for variant in variants}
    return {name: model.find(ctx, name) for name in names}


def _note(ctx: Context, record: dict[str, Any], config_name: str) -> None:
    """Tell what the endpoint is about to serve."""
    DEPLOYING.emit(record, config_name, _models(ctx, config_name).values(), ctx)


def _update(ctx: Context, name: str, change: Any) -> None:
    find(ctx, name)
    ctx.store.update(KIND, name, change)


def _begin(ctx: Context, record: dict[str, Any], plan: Plan) -> None:
    now = ctx.now()
    record["_pending"] = plan.record()
    record["EndpointStatus"] = "Updating"
    record["LastModifiedTime"] = now
    record["PendingDeploymentSummary"] = {
        "EndpointConfigName": plan.config,
        "StartTime": now,
        "ProductionVariants": [
            {
                "VariantName": variant.name,
                "DesiredWeight": variant.weight,
                "DesiredInstanceCount": variant.count,
                "VariantStatus": [{"Status": "Creating", "StartTime": now}],
            }
            for variant in plan.variants
        ],
    }


def _must_be_settled(record: dict[str, Any]) -> None:
    if record["EndpointStatus"] not in ("InService", "Failed"):
        raise ValidationException(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')


def _must_be_in_service(record: dict[str, Any]) -> None:
    _must_be_settled(record)
    if record["EndpointStatus"] == "Failed":
        raise ValidationException(f'Cannot update failed endpoint "{record["EndpointArn"]}".')


def _check_deployment(config: dict[str, Any] | None, plan: Plan, ctx: Context) -> None:
    if config is None:
        return
    guardrails.check(config, {variant.name: variant.count for variant in plan.variants})
    unknown = [name for name in guardrails.alarms(config) if alarms.find(ctx, name) is None]
    if unknown:
        raise ValidationException(f"Could not find the CloudWatch alarm(s) {', '.join(unknown)}.")
