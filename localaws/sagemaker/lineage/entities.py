"""The kinds of entity: how each is named, kept and found. Kinds of the store are the resource types of the ARNs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ResourceNotFound, ValidationException
from localaws.sagemaker.tags import api as tags

Record = dict[str, Any]

#: AWS's own limit of an entity.
_MOST_PROPERTIES = 30


@dataclass(frozen=True)
class EntityType:
    """
    What the operations of all entities have in common.

    :param kind: in the store, and in ARNs.
    :param prefix: of the members for name, ARN and type: ``TrialComponent``.
    :param words: what messages call it.
    :param lineage_type: as QueryLineage has it; experiments and trials are no vertices of a type.
    """

    kind: str
    prefix: str
    words: str
    lineage_type: str | None = None

    def arn(self, ctx: Context, key: str) -> str:
        """Return the ARN, with the name in lower case as on AWS, so that no two differ by case alone."""
        return ctx.arn("sagemaker", f"{self.kind}/{key}")

    def get(self, ctx: Context, name_or_arn: str) -> Record | None:
        """Return the record by name or ARN, or ``None``."""
        key = name_or_arn.rpartition("/")[2].lower()
        known = not name_or_arn.startswith("arn:") or name_or_arn.lower() == self.arn(ctx, key)
        return ctx.store.get(self.kind, key) if known else None

    def find(self, ctx: Context, name_or_arn: str) -> Record:
        """
        Return the record by name or ARN.

        :raises ResourceNotFound: there is none.
        """
        record = self.get(ctx, name_or_arn)
        if record is None:
            raise ResourceNotFound(f"{self.words} '{name_or_arn}' does not exist.")
        return record

    def ensure(self, ctx: Context, key: str, members: Record, now: Any = None) -> str:
        """Keep an entity unless it is there already; its ARN either way."""
        self._insert(ctx, key, members, now or ctx.now())
        return self.arn(ctx, key)

    def create(self, request: Record, ctx: Context, key: str, taken: str) -> str:
        """
        Keep what a Create operation gives; its ARN.

        :raises ValidationException: with the text ``taken``: it is there already.
        """
        with ctx.store.transaction():
            members = {name: value for name, value in request.items() if name != "Tags"}
            if not self._insert(ctx, key, members, ctx.now()):
                raise ValidationException(taken)
            tags.put(ctx, self.arn(ctx, key), request.get("Tags", []))
        return self.arn(ctx, key)

    def create_named(self, request: Record, ctx: Context) -> str:
        """
        Keep what a Create operation gives, by its name; its ARN.

        :raises ValidationException: the name is taken.
        """
        name = request[f"{self.prefix}Name"]
        return self.create(
            request,
            ctx,
            name,
            f"{self.words} names must be unique within an AWS account and region. "
            f"{self.words} with name ({name}) already exists.",
        )

    def update(self, name_or_arn: str, ctx: Context, change: Callable[[Record], None]) -> str:
        """
        Change one; its ARN.

        :raises ResourceNotFound: there is none.
        """
        with ctx.store.transaction():
            record = self.find(ctx, name_or_arn)
            change(record)
            record["LastModifiedTime"] = ctx.now()
            ctx.store.put(self.kind, self._key(record), record)
        return str(record[f"{self.prefix}Arn"])

    def delete(self, record: Record, ctx: Context) -> None:
        """Forget one, and its tags."""
        ctx.store.delete(self.kind, self._key(record))
        tags.forget(ctx, record[f"{self.prefix}Arn"])

    def page(self, records: Iterable[Record], request: Record) -> tuple[list[Record], dict[str, str]]:
        """Return a page of a List operation by CreatedAfter, CreatedBefore, SortBy and SortOrder."""
        bounds = {f"CreationTime{end}": request.get(f"Created{end}") for end in ("After", "Before")}
        chosen = pagination.select(
            records, {**request, **bounds}, name=f"{self.prefix}Arn", sort_keys=self._sort_keys()
        )
        return pagination.page(chosen, request)

    def page_by_type(self, request: Record, ctx: Context) -> tuple[list[Record], dict[str, str]]:
        """Return a page of the records of a SourceUri and a type, if the request names these."""
        kind = f"{self.prefix}Type"
        uri, wanted = request.get("SourceUri"), request.get(kind)
        found = [
            record
            for record in ctx.store.all(self.kind)
            if (uri is None or same_source(uri, record["Source"]["SourceUri"])) and wanted in (None, record[kind])
        ]
        return self.page(found, request)

    def _sort_keys(self) -> dict[str, str]:
        return {"Name": f"{self.prefix}Name"}

    def _insert(self, ctx: Context, key: str, members: Record, now: Any) -> bool:
        arn = self.arn(ctx, key)
        own = {f"{self.prefix}Arn": arn, "CreationTime": now, "LastModifiedTime": now, "CreatedBy": {}}
        return ctx.store.insert(self.kind, key.lower(), {**members, **own, "LastModifiedBy": {}})

    def _key(self, record: Record) -> str:
        return str(record[f"{self.prefix}Arn"]).rpartition("/")[2]


ARTIFACT = EntityType("artifact", "Artifact", "Artifact", "Artifact")
ACTION = EntityType("action", "Action", "Action", "Action")
CONTEXT = EntityType("context", "Context", "Context", "Context")
EXPERIMENT = EntityType("experiment", "Experiment", "Experiment")
TRIAL = EntityType("experiment-trial", "Trial", "Trial")
COMPONENT = EntityType("experiment-trial-component", "TrialComponent", "Trial Component", "TrialComponent")

#: what associations may connect, by the resource type in their ARNs.
ASSOCIABLE = {noun.kind: noun for noun in (ARTIFACT, ACTION, CONTEXT, EXPERIMENT, COMPONENT)}


def same_source(one: str, other: str) -> bool:
    """Return True if two sources are the same; ARNs are compared without regard to case."""
    return one == other or (one.startswith("arn:") and one.lower() == other.lower())


def source_key(source: Record) -> str:
    """Return the key of an artifact, which is one for each source (URI and ids)."""
    ids = sorted((each["SourceIdType"], each["Value"]) for each in source.get("SourceTypes", []))
    return hashlib.sha256(json.dumps([source["SourceUri"], ids]).encode()).hexdigest()[:32]


def artifact(ctx: Context, uri: str, kind: str, name: str | None = None) -> str:
    """Return the ARN of a URI's artifact, and make the artifact if it does not exist."""
    source = {"SourceUri": uri}
    members = {"Source": source, "ArtifactType": kind, **({"ArtifactName": name} if name else {})}
    return ARTIFACT.ensure(ctx, source_key(source), members)


def entity_type(record: Record) -> str:
    """Return what QueryLineage and ListAssociations call an entity's type, such as DataSet, TrainingJob or Endpoint."""
    for noun in (ARTIFACT, ACTION, CONTEXT):
        if f"{noun.prefix}Type" in record:
            return str(record[f"{noun.prefix}Type"])
    if "ExperimentArn" in record:
        return "Experiment"
    source = record.get("Source", {}).get("SourceType", "TrialComponent")
    return str(source).removeprefix("SageMaker")


def change_properties(record: Record, request: Record) -> None:
    """
    Properties and PropertiesToRemove of an Update operation.

    :raises ValidationException: more than 30 would be left.
    """
    properties = {**record.get("Properties", {}), **request.get("Properties", {})}
    for key in request.get("PropertiesToRemove", []):
        properties.pop(key, None)
    if len(properties) > _MOST_PROPERTIES:
        raise ValidationException(f"An entity has at most {_MOST_PROPERTIES} Properties.")
    record["Properties"] = properties
