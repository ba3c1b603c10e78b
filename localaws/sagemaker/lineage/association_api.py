"""SageMaker associations between lineage entities."""

from __future__ import annotations

from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.operations import Service
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import ASSOCIABLE, entity_type

association = Service("sagemaker", resource="association")

_ENDS = ("Source", "Destination")


@association.operation
def add_association(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Connect two entities that are there; what leads back to its own source is refused."""
    source, destination = request["SourceArn"], request["DestinationArn"]
    associations.add(ctx, source, destination, request.get("AssociationType"))
    return {"SourceArn": source, "DestinationArn": destination}


@association.operation
def delete_association(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Disconnect two entities."""
    source, destination = request["SourceArn"], request["DestinationArn"]
    associations.delete(ctx, source, destination)
    return {"SourceArn": source, "DestinationArn": destination}


@association.operation
def list_associations(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return associations by their ends, by the types of these and by time."""
    found = [shown for each in associations.everything(ctx) if _wanted(shown := _shown(each, ctx), request)]
    bounds = {f"CreationTime{end}": request.get(f"Created{end}") for end in ("After", "Before")}
    keys = {f"{end}{member}": f"{end}{member}" for end in _ENDS for member in ("Arn", "Type")}
    chosen = pagination.select(found, {**request, **bounds}, name="SourceArn", sort_keys=keys)
    page, more = pagination.page(chosen, request)
    return {"AssociationSummaries": page, **more}


def _shown(record: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return an association with types and names of its ends, and with the lineage types under private keys."""
    shown = dict(record)
    for end in _ENDS:
        arn = record[f"{end}Arn"]
        noun = ASSOCIABLE[arn.split(":", 5)[-1].partition("/")[0]]
        entity = associations.find_entity(ctx, arn)
        shown |= {
            f"{end}Type": entity_type(entity),
            f"{end}Name": entity.get(f"{noun.prefix}Name"),
            f"_{end}LineageType": noun.lineage_type,
        }
    return shown


def _wanted(shown: dict[str, Any], request: dict[str, Any]) -> bool:
    for member in ("SourceArn", "DestinationArn", "AssociationType"):
        if member in request and shown.get(member) != request[member]:
            return False
    # The SDK asks for "Model" as well as for "Action".
    return all(request.get(f"{end}Type") in (None, shown[f"{end}Type"], shown[f"_{end}LineageType"]) for end in _ENDS)
