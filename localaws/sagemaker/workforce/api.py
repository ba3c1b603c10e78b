"""Workforces: who may sign in to the worker portal. A region has one at most."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ConflictException, ResourceInUse, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.workforce import checks, client_secret, records

workforce = Service("sagemaker", resource="workforce")


@workforce.operation
def create_workforce(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Make the workforce of this region."""
    checks.check_workforce(request)
    with ctx.store.transaction():
        if records.workforce_of_region(ctx) is not None:
            raise ValidationException(
                f"Cannot create more than one workforce for account {ctx.account_id}. If you are trying to update"
                " existing workforce, please use UpdateWorkforce API"
            )
        record = records.insert_workforce(ctx, request)
    return {"WorkforceArn": record["WorkforceArn"]}


@workforce.operation
def describe_workforce(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe it, without the OIDC client's secret."""
    return {"Workforce": records.described(ctx, records.workforce(ctx, request["WorkforceName"]))}


@workforce.operation
def list_workforces(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the one that there is."""
    page, more = records.listed(ctx, ctx.store.all(records.WORKFORCE), request, name="WorkforceName")
    return {"Workforces": page, **more}


@workforce.operation
def update_workforce(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the IP address ranges; or the OIDC provider's settings while there is no work team."""
    checks.check_settings(request)
    with ctx.store.transaction():
        record = records.workforce(ctx, request["WorkforceName"])
        if "OidcConfig" in request:
            _check_oidc_update(ctx, record)
        record |= records.settings(request)
        record["LastUpdatedDate"] = ctx.now()
        ctx.store.put(records.WORKFORCE, record["WorkforceName"], record)
        records.keep_secret(ctx, {**request, "WorkforceName": record["WorkforceName"]})
    return {"Workforce": records.described(ctx, record)}


def _check_oidc_update(ctx: Context, record: records.Record) -> None:
    if "OidcConfig" not in record:
        raise ValidationException(
            f"The workforce {record['WorkforceName']} was created with CognitoConfig: OidcConfig cannot be updated."
        )
    if records.workteams(ctx):
        raise ConflictException("OidcConfig can only be updated while the workforce has no work teams.")


@workforce.operation
def delete_workforce(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Delete a workforce without work teams."""
    with ctx.store.transaction():
        record = records.workforce(ctx, request["WorkforceName"])
        if records.workteams(ctx):
            raise ResourceInUse(
                f"The workforce {record['WorkforceName']} has work teams: delete these first with DeleteWorkteam."
            )
        ctx.store.delete(records.WORKFORCE, record["WorkforceName"])
        client_secret.forget(ctx, record["WorkforceName"])
        tags.forget(ctx, record["WorkforceArn"])
    return {}
