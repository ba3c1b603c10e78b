"""Work teams: groups of a workforce's people that tasks are given to."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ResourceLimitExceeded, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.workforce import checks, records

workteam = Service("sagemaker", resource="workteam")

#: AWS's own limit of an account and region.
LIMIT = 25
#: the name of the workforce that a region's first work team brings with it.
_DEFAULT = "default"
_SETTINGS = ("MemberDefinitions", "Description", "NotificationConfiguration", "WorkerAccessConfiguration")


def arn(ctx: Context, name: str) -> str:
    """Return the ARN of a private work team."""
    return ctx.arn("sagemaker", f"workteam/private-crowd/{name}")


@workteam.operation
def create_workteam(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make a work team of one to ten groups. Notifications are stored: SNS has none of A2I's tasks on AWS either."""
    name = request["WorkteamName"]
    checks.kind_of(request["MemberDefinitions"])
    now = ctx.now()
    with ctx.store.transaction():
        workforce = _workforce(ctx, request)
        checks.check_members(request["MemberDefinitions"], workforce)
        if len(records.workteams(ctx)) >= LIMIT and ctx.store.get(records.WORKTEAM, name) is None:
            raise ResourceLimitExceeded(
                f"The account-level service limit 'Number of work teams' is {LIMIT} work teams, with current"
                f" utilization of {LIMIT} work teams and a request delta of 1 work team."
            )
        record = {
            "WorkteamName": name,
            "WorkteamArn": arn(ctx, name),
            "WorkforceArn": workforce["WorkforceArn"],
            "NotificationConfiguration": {},
            **{key: request[key] for key in _SETTINGS if key in request},
            "CreateDate": now,
            "LastUpdatedDate": now,
        }
        if not ctx.store.insert(records.WORKTEAM, name, record):
            raise ResourceInUse(f"The work team {name} already exists.")
        tags.put(ctx, record["WorkteamArn"], request.get("Tags", []))
    return {"WorkteamArn": record["WorkteamArn"]}


def _workforce(ctx: Context, request: dict[str, Any]) -> records.Record:
    """Return the team's workforce: the named one, that of the region, or a new one of the members' client."""
    if "WorkforceName" in request:
        return records.workforce(ctx, request["WorkforceName"])
    found = records.workforce_of_region(ctx)
    if found is not None:
        return found
    member = request["MemberDefinitions"][0].get("CognitoMemberDefinition")
    if member is None:
        raise ValidationException(f"No workforce found for account {ctx.account_id}: create one with CreateWorkforce.")
    config = {"UserPool": member["UserPool"], "ClientId": member["ClientId"]}
    made = {"WorkforceName": _DEFAULT, "CognitoConfig": config}
    checks.check_workforce(made)
    return records.insert_workforce(ctx, made)


@workteam.operation
def describe_workteam(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe it; SubDomain is where its members sign in."""
    return {"Workteam": records.described(ctx, records.workteam(ctx, request["WorkteamName"]))}


@workteam.operation
def list_workteams(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List work teams by name or time."""
    page, more = records.listed(ctx, records.workteams(ctx), request, name="WorkteamName")
    return {"Workteams": page, **more}


@workteam.operation
def update_workteam(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change members, description and the other settings; what is not given stays."""
    with ctx.store.transaction():
        record = records.workteam(ctx, request["WorkteamName"])
        if "MemberDefinitions" in request:
            workforce = records.workforce_of_region(ctx)
            if workforce is None:
                raise ValidationException(f"No workforce found for account {ctx.account_id}.")
            checks.check_members(request["MemberDefinitions"], workforce)
        record |= {key: request[key] for key in _SETTINGS if key in request}
        record["LastUpdatedDate"] = ctx.now()
        ctx.store.put(records.WORKTEAM, record["WorkteamName"], record)
    return {"Workteam": records.described(ctx, record)}


@workteam.operation
def delete_workteam(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete it: its members see none of its tasks from now on."""
    with ctx.store.transaction():
        record = records.workteam(ctx, request["WorkteamName"])
        ctx.store.delete(records.WORKTEAM, record["WorkteamName"])
        tags.forget(ctx, record["WorkteamArn"])
    return {"Success": True}
