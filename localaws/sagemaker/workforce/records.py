"""Workforces and work teams in the store, and as the API describes them."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination, portal_address
from localaws.core.context import Context
from localaws.core.errors import ValidationException
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.workforce import client_secret

WORKFORCE = "workforce"
WORKTEAM = "workteam"
_SETTINGS = ("SourceIpConfig", "OidcConfig", "IpAddressType")

Record = dict[str, Any]


def workforce_of_region(ctx: Context) -> Record | None:
    """Return the workforce of this region; ``None`` where there is none. AWS has one a region."""
    return next(iter(ctx.store.all(WORKFORCE)), None)


def insert_workforce(ctx: Context, request: dict[str, Any]) -> Record:
    """Store a workforce, whose name must be free."""
    name = request["WorkforceName"]
    now = ctx.now()
    record = {
        "WorkforceName": name,
        "WorkforceArn": ctx.arn("sagemaker", f"workforce/{name}"),
        "SourceIpConfig": {"Cidrs": []},
        **{key: request[key] for key in ("CognitoConfig",) if key in request},
        **settings(request),
        "CreateDate": now,
        "LastUpdatedDate": now,
        "Status": "Active",
    }
    ctx.store.insert(WORKFORCE, name, record)
    keep_secret(ctx, request)
    tags.put(ctx, record["WorkforceArn"], request.get("Tags", []))
    return record


def workforce(ctx: Context, name: str) -> Record:
    """
    Return a workforce by name.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.get(WORKFORCE, name)
    if record is None:
        raise ValidationException(f"No workforce found with name {name} for account {ctx.account_id}.")
    return record


def workteam(ctx: Context, name: str) -> Record:
    """
    Return a work team by name.

    :raises ValidationException: there is none, in AWS's words.
    """
    record = ctx.store.get(WORKTEAM, name)
    if record is None:
        raise ValidationException(f"The work team {name} does not exist.")
    return record


def workteam_by_arn(ctx: Context, arn: str) -> Record | None:
    """Return a work team by its ARN; ``None`` where there is none."""
    record = ctx.store.get(WORKTEAM, arn.rpartition("/")[2])
    return record if record is not None and record["WorkteamArn"] == arn else None


def workteams(ctx: Context) -> list[Record]:
    """Return all work teams, oldest first: 25 at most."""
    return ctx.store.all(WORKTEAM)


def described(ctx: Context, record: Record) -> Record:
    """Return a record as Describe and List answer it."""
    # Not stored: it is where the portal answers now.
    return {**record, "SubDomain": portal_address.sub_domain(ctx)}


def listed(
    ctx: Context, found: list[Record], request: dict[str, Any], *, name: str
) -> tuple[list[Record], dict[str, str]]:
    """
    Return a page of records as List answers them, and the NextToken where there is more.

    :param name: the record's key that NameContains looks in.
    """
    keys = {"CreateDate": "CreateDate"}
    chosen = pagination.select(found, request, name=name, sort_keys=keys, by="CreateDate", order="Ascending")
    page, more = pagination.page(chosen, request)
    return [described(ctx, each) for each in page], more


def keep_secret(ctx: Context, request: Record) -> None:
    """Keep the client secret of a request that creates or updates a workforce, if it has one."""
    if "OidcConfig" in request:
        client_secret.keep(ctx, request["WorkforceName"], request["OidcConfig"]["ClientSecret"])


def settings(request: Record) -> Record:
    """Return the members that CreateWorkforce and UpdateWorkforce share, as they are stored."""
    given = {key: request[key] for key in _SETTINGS if key in request}
    if "OidcConfig" in given:
        # Kept apart: client_secret has it.
        given["OidcConfig"] = {key: value for key, value in given["OidcConfig"].items() if key != "ClientSecret"}
    return given
