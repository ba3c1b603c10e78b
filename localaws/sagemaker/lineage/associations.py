"""Associations: which entity had a part in which other one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import ResourceNotFound, ValidationException
from localaws.sagemaker.lineage.entities import ASSOCIABLE, Record

KIND = "association"


def entity(ctx: Context, arn: str) -> Record | None:
    """Return the record of an entity that associations may connect, by its ARN, or ``None``."""
    noun = ASSOCIABLE.get(arn.split(":", 5)[-1].partition("/")[0])
    return noun.get(ctx, arn) if noun else None


def find_entity(ctx: Context, arn: str) -> Record:
    """
    Return the record of an entity that associations may connect.

    :raises ResourceNotFound: there is none of that ARN.
    """
    record = entity(ctx, arn)
    if record is None:
        raise ResourceNotFound(f"Resource '{arn}' does not exist.")
    return record


def everything(ctx: Context) -> list[Record]:
    """Return all associations, oldest first."""
    return ctx.store.all(KIND)


def derive(ctx: Context, source: str, destination: str, kind: str) -> None:
    """
    Note an association that follows from what happened, unless it is there.

    What happened is not refused, and a job that writes to where it reads from is a cycle: queries bear that.
    """
    ctx.store.insert(KIND, _key(source, destination), _record(ctx, source, destination, kind))


def add(ctx: Context, source: str, destination: str, kind: str | None) -> None:
    """
    Add the association that a caller asks for.

    :raises ResourceNotFound: one of the two is not there.
    :raises ValidationException: it is there already, or closes a cycle.
    """
    with ctx.store.transaction():
        for arn in (source, destination):
            find_entity(ctx, arn)
        if source == destination:
            raise ValidationException(f"An entity cannot be associated with itself: {source}")
        if source in _descendants(ctx, destination):
            raise ValidationException(
                f"The association from {source} to {destination} is not allowed: it would create a cycle."
            )
        if not ctx.store.insert(KIND, _key(source, destination), _record(ctx, source, destination, kind)):
            raise ValidationException(f"The association from {source} to {destination} already exists.")


def delete(ctx: Context, source: str, destination: str) -> None:
    """
    Delete an association.

    :raises ResourceNotFound: there is none.
    """
    if not ctx.store.delete(KIND, _key(source, destination)):
        raise ResourceNotFound(f"The association from {source} to {destination} does not exist.")


def require_none(ctx: Context, arn: str) -> None:
    """
    Go on only where an entity is associated with nothing.

    :raises ValidationException: it is.
    """
    if any(arn in (each["SourceArn"], each["DestinationArn"]) for each in everything(ctx)):
        raise ValidationException(f"The entity {arn} has associations: delete these first.")


def forget(ctx: Context, arn: str) -> None:
    """Delete all associations of an entity."""
    for each in everything(ctx):
        if arn in (each["SourceArn"], each["DestinationArn"]):
            ctx.store.delete(KIND, _key(each["SourceArn"], each["DestinationArn"]))


def _descendants(ctx: Context, arn: str) -> set[str]:
    following = defaultdict(list)
    for each in everything(ctx):
        following[each["SourceArn"]].append(each["DestinationArn"])
    found, ahead = set(), [arn]
    while ahead:
        for next_one in following[ahead.pop()]:
            if next_one not in found:
                found.add(next_one)
                ahead.append(next_one)
    return found


def _key(source: str, destination: str) -> str:
    return f"{source} {destination}"


def _record(ctx: Context, source: str, destination: str, kind: str | None) -> dict[str, Any]:
    record = {"SourceArn": source, "DestinationArn": destination, "CreationTime": ctx.now(), "CreatedBy": {}}
    return {**record, "AssociationType": kind} if kind else record
