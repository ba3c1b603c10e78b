"""Application Auto Scaling: the operations. :mod:`.engine` does the work."""

from __future__ import annotations

import uuid
from typing import Any

from localaws.autoscaling import activities, capacity, engine, policies, schedules
from localaws.autoscaling.capacity import TARGET
from localaws.autoscaling.engine import POLICY, PREFIX, policy_name
from localaws.autoscaling.errors import (
    InvalidNextTokenException,
    LimitExceededException,
    ObjectNotFoundException,
    ResourceNotFoundException,
)
from localaws.cloudwatch import api as alarms
from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import AwsError, ValidationException
from localaws.core.operations import Service

autoscaling = Service("application-autoscaling", resource="scalable-target")
autoscaling.only_kept("nothing acts on tags", "ListTagsForResource", "TagResource", "UntagResource")

Record = dict[str, Any]

_TAGS = "scalable-target-tags"
#: AWS's quotas of a scalable target.
_MOST_POLICIES, _MOST_ACTIONS = 50, 200
_NOT_SUSPENDED = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


# -- targets


@autoscaling.operation
def register_scalable_target(request: Record, ctx: Context) -> Record:
    """
    Let a variant be scaled between two bounds; what is out of them is brought into them.

    :raises ValidationException: The variant does not exist, or the bounds are not valid.
    """
    variant = _variant(request)
    resource = request["ResourceId"]
    _must_exist(variant, ctx)
    with ctx.store.transaction():
        before = ctx.store.get(TARGET, resource)
        record = before or _new_target(request, ctx)
        record |= {key: request[key] for key in ("MinCapacity", "MaxCapacity", "RoleARN") if key in request}
        record["SuspendedState"] = {**record["SuspendedState"], **request.get("SuspendedState", {})}
        _check_bounds(record)
        ctx.store.put(TARGET, resource, record)
        if before is None:
            ctx.store.put(_TAGS, record["ScalableTargetARN"], {"Tags": request.get("Tags", {})})
    return {"ScalableTargetARN": record["ScalableTargetARN"]}


def _new_target(request: Record, ctx: Context) -> Record:
    if "MinCapacity" not in request or "MaxCapacity" not in request:
        raise ValidationException(
            "Min capacity and max capacity must not be null when registering a new scalable target"
        )
    role = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    path = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    return {
        **{key: request[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")},
        "RoleARN": f"arn:aws:iam::{ctx.account_id}:role/{path}/{role}",
        "CreationTime": ctx.now(),
        "SuspendedState": dict(_NOT_SUSPENDED),
        "ScalableTargetARN": ctx.arn("application-autoscaling", f"scalable-target/{uuid.uuid4().hex}"),
    }


def _check_bounds(bounds: Record) -> None:
    least, most = bounds.get("MinCapacity"), bounds.get("MaxCapacity")
    if least is not None and least < 1:
        raise ValidationException(f"Min capacity of a variant on instances cannot be less than 1: {least}")
    if least is not None and most is not None and least > most:
        raise ValidationException(f"Max capacity {most} cannot be less than min capacity {least}")


@autoscaling.operation
def deregister_scalable_target(request: Record, ctx: Context) -> Record:
    """Let a variant be, and delete its policies, their alarms and its scheduled actions."""
    _variant(request)
    resource = request["ResourceId"]
    with ctx.store.transaction():
        record = _target(resource, ctx)
        for policy in engine.policies_of(resource, ctx):
            _delete_policy(policy, ctx)
        for action in schedules.of(resource, ctx):
            ctx.store.delete(schedules.KIND, schedules.name_of(resource, action["ScheduledActionName"]))
        ctx.store.delete(TARGET, resource)
        ctx.store.delete(_TAGS, record["ScalableTargetARN"])
    return {}


@autoscaling.operation
def describe_scalable_targets(request: Record, ctx: Context) -> Record:
    """Return scalable targets."""
    ids = request.get("ResourceIds")
    found = [each for each in _chosen(TARGET, request, ctx) if not ids or each["ResourceId"] in ids]
    page, more = _page(found, request)
    return {"ScalableTargets": page, **more}


# -- policies


@autoscaling.operation
def put_scaling_policy(request: Record, ctx: Context) -> Record:
    """
    Create or replace a policy; target tracking makes its two alarms.

    :raises ObjectNotFoundException: The variant is not registered as a scalable target.
    :raises ValidationException: The policy contradicts itself, or the variant does not exist any more.
    """
    variant = _variant(request)
    resource, name = request["ResourceId"], request["PolicyName"]
    _target(resource, ctx)
    _must_exist(variant, ctx)
    policies.check(request)
    with ctx.store.transaction():
        before = ctx.store.get(POLICY, policy_name(resource, name))
        if before is None and len(engine.policies_of(resource, ctx)) >= _MOST_POLICIES:
            raise LimitExceededException(f"A scalable target has at most {_MOST_POLICIES} scaling policies.")
        identity = before["PolicyARN"].split(":")[6] if before else str(uuid.uuid4())
        record = {
            "PolicyType": "StepScaling",
            **request,
            "PolicyARN": f"{PREFIX}{ctx.region}:{ctx.account_id}:scalingPolicy:{identity}"
            f":resource/sagemaker/{resource}:policyName/{name}",
            "CreationTime": before["CreationTime"] if before else ctx.now(),
            "Alarms": [],
        }
        if before:
            _delete_alarms(before, ctx)
        if record["PolicyType"] == "TargetTrackingScaling":
            record["Alarms"] = _make_alarms(record, ctx)
        ctx.store.put(POLICY, policy_name(resource, name), record)
    return {"PolicyARN": record["PolicyARN"], "Alarms": record["Alarms"]}


def _make_alarms(policy: Record, ctx: Context) -> list[Record]:
    config = policy["TargetTrackingScalingPolicyConfiguration"]
    target = config["TargetValue"]
    kinds = [("High", "GreaterThanThreshold", target, policies.HIGH_PERIODS)]
    if not config.get("DisableScaleIn"):
        kinds.append(("Low", "LessThanThreshold", target * policies.LOW_SHARE, policies.LOW_PERIODS))
    made = []
    for kind, comparison, threshold, periods in kinds:
        name = f"TargetTracking-{policy['ResourceId']}-Alarm{kind}-{uuid.uuid4()}"
        alarms.put_metric_alarm(
            {
                "AlarmName": name,
                "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
                "AlarmActions": [policy["PolicyARN"]],
                "ComparisonOperator": comparison,
                "Threshold": threshold,
                "EvaluationPeriods": periods,
                "Period": 60,
                **_metric(config, _variant(policy)),
            },
            ctx,
        )
        made.append({"AlarmName": name, "AlarmARN": alarms.arn(ctx, name)})
    return made


def _metric(config: Record, variant: capacity.Variant) -> Record:
    if "PredefinedMetricSpecification" in config:
        kind = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
        name, statistic = policies.PREDEFINED[kind]
        dimensions = [
            {"Name": "EndpointName", "Value": variant.endpoint},
            {"Name": "VariantName", "Value": variant.name},
        ]
        return {"Namespace": "AWS/SageMaker", "MetricName": name, "Statistic": statistic, "Dimensions": dimensions}
    return dict(config["CustomizedMetricSpecification"])


@autoscaling.operation
def describe_scaling_policies(request: Record, ctx: Context) -> Record:
    """Return policies and the alarms of target tracking."""
    names = request.get("PolicyNames")
    found = [
        each
        for each in _chosen(POLICY, request, ctx)
        # By name or by ARN: so says the API's reference.
        if not names or each["PolicyName"] in names or each["PolicyARN"] in names
    ]
    page, more = _page(found, request)
    return {"ScalingPolicies": page, **more}


@autoscaling.operation
def delete_scaling_policy(request: Record, ctx: Context) -> Record:
    """Delete a policy and the alarms that it made; alarms of your own stay."""
    _variant(request)
    resource, name = request["ResourceId"], request["PolicyName"]
    with ctx.store.transaction():
        policy = ctx.store.get(POLICY, policy_name(resource, name))
        if policy is None:
            raise ObjectNotFoundException(f"No scaling policy found for {_described(resource)}, policy name: {name}")
        _delete_policy(policy, ctx)
    return {}


def _delete_policy(policy: Record, ctx: Context) -> None:
    _delete_alarms(policy, ctx)
    ctx.store.delete(POLICY, policy_name(policy["ResourceId"], policy["PolicyName"]))


def _delete_alarms(policy: Record, ctx: Context) -> None:
    for alarm in policy["Alarms"]:
        alarms.delete(ctx, alarm["AlarmName"])


# -- scheduled actions


@autoscaling.operation
def put_scheduled_action(request: Record, ctx: Context) -> Record:
    """
    Create or change a scheduled action.

    :raises ObjectNotFoundException: The variant is not registered as a scalable target.
    :raises ValidationException: The schedule or its bounds are not valid, or the variant no longer exists.
    """
    variant = _variant(request)
    resource, name = request["ResourceId"], request["ScheduledActionName"]
    _target(resource, ctx)
    _must_exist(variant, ctx)
    with ctx.store.transaction():
        key = schedules.name_of(resource, name)
        before = ctx.store.get(schedules.KIND, key)
        if before is None and len(schedules.of(resource, ctx)) >= _MOST_ACTIONS:
            raise LimitExceededException(f"A scalable target has at most {_MOST_ACTIONS} scheduled actions.")
        arn = f"{PREFIX}{ctx.region}:{ctx.account_id}:scheduledAction:{uuid.uuid4()}"
        fresh = {
            "Timezone": "UTC",
            "CreationTime": ctx.now(),
            "ScheduledActionARN": f"{arn}:resource/sagemaker/{resource}:scheduledActionName/{name}",
        }
        record = {**fresh, **(before or {}), **request}
        if "Schedule" not in record or "ScalableTargetAction" not in record:
            raise ValidationException("Schedule and ScalableTargetAction must be given for a new scheduled action.")
        schedules.check(record["Schedule"], record["Timezone"])
        wanted = record["ScalableTargetAction"]
        if not wanted:
            raise ValidationException("At least one of min capacity and max capacity must be given.")
        _check_bounds(wanted)
        if "StartTime" in record and "EndTime" in record and record["StartTime"] >= record["EndTime"]:
            raise ValidationException("The start time must be before the end time.")
        ctx.store.put(schedules.KIND, key, record)
    return {}


@autoscaling.operation
def describe_scheduled_actions(request: Record, ctx: Context) -> Record:
    """Return scheduled actions."""
    names = request.get("ScheduledActionNames")
    found = [
        each for each in _chosen(schedules.KIND, request, ctx) if not names or each["ScheduledActionName"] in names
    ]
    page, more = _page(found, request)
    return {"ScheduledActions": page, **more}


@autoscaling.operation
def delete_scheduled_action(request: Record, ctx: Context) -> Record:
    """Delete a scheduled action."""
    _variant(request)
    resource, name = request["ResourceId"], request["ScheduledActionName"]
    if not ctx.store.delete(schedules.KIND, schedules.name_of(resource, name)):
        raise ObjectNotFoundException(
            f"No scheduled action found for {_described(resource)}, scheduled action name: {name}"
        )
    return {}


# -- activities and tags


@autoscaling.operation
def describe_scaling_activities(request: Record, ctx: Context) -> Record:
    """Return what was done, the newest first."""
    if "ScalableDimension" in request and "ResourceId" not in request:
        raise ValidationException("ResourceId must be given with ScalableDimension.")
    found = activities.of(request["ResourceId"], ctx) if "ResourceId" in request else activities.everything(ctx)
    found = [each for each in found if each["ServiceNamespace"] == request["ServiceNamespace"]]
    if not request.get("IncludeNotScaledActivities"):
        found = [each for each in found if "NotScaledReasons" not in each]
    found.sort(key=lambda each: each["StartTime"], reverse=True)
    page, more = _page(found, request)
    return {"ScalingActivities": page, **more}


@autoscaling.operation
def tag_resource(request: Record, ctx: Context) -> Record:
    """Add tags to a scalable target."""
    return _tagged(request, ctx, lambda record: record["Tags"].update(request["Tags"]))


@autoscaling.operation
def untag_resource(request: Record, ctx: Context) -> Record:
    """Remove tags from a scalable target."""

    def change(record: Record) -> None:
        record["Tags"] = {key: value for key, value in record["Tags"].items() if key not in request["TagKeys"]}

    return _tagged(request, ctx, change)


@autoscaling.operation
def list_tags_for_resource(request: Record, ctx: Context) -> Record:
    """Return the tags of a scalable target."""
    record = ctx.store.get(_TAGS, request["ResourceARN"])
    if record is None:
        raise _unknown(request["ResourceARN"])
    return {"Tags": record["Tags"]}


def _tagged(request: Record, ctx: Context, change: Any) -> Record:
    if ctx.store.update(_TAGS, request["ResourceARN"], change) is None:
        raise _unknown(request["ResourceARN"])
    return {}


def _unknown(arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"The scalable target {arn} does not exist.", ResourceName=arn)


_engines: dict[Any, engine.Engine] = {}


@autoscaling.on_start
def start(ctx: Context) -> None:
    """Act on alarms and schedules from now on."""
    _engines[ctx.home] = engine.Engine(ctx)
    _engines[ctx.home].start()


@autoscaling.on_stop
def stop(ctx: Context) -> None:
    """Act no more."""
    if found := _engines.pop(ctx.home, None):
        found.stop()


def _variant(request: Record) -> capacity.Variant:
    return capacity.variant_of(request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"])


def _must_exist(variant: capacity.Variant, ctx: Context) -> None:
    if capacity.read(variant, ctx) is None:
        raise ValidationException(
            f"SageMaker has no endpoint {variant.endpoint} in service with a variant {variant.name}."
        )


def _target(resource: str, ctx: Context) -> Record:
    record = ctx.store.get(TARGET, resource)
    if record is None:
        raise ObjectNotFoundException(f"No scalable target found for {_described(resource)}")
    return record


def _described(resource: str) -> str:
    return f"service namespace: {capacity.NAMESPACE}, resource ID: {resource}, scalable dimension: {capacity.DIMENSION}"


def _chosen(kind: str, request: Record, ctx: Context) -> list[Record]:
    """Return the records of a kind that the request's namespace, resource and dimension choose."""
    wanted = {key: request[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension") if key in request}
    return [each for each in ctx.store.all(kind) if all(each[key] == value for key, value in wanted.items())]


def _page(found: list[Record], request: Record) -> tuple[list[Record], dict[str, str]]:
    try:
        return pagination.page(found, request, default_size=50)
    except AwsError as error:
        raise InvalidNextTokenException(error.message) from error
