"""Glue: what a table, a partition and a schema need beyond what the model asks for."""

from __future__ import annotations

import json
from typing import Any

from moto.glue.models import glue_backends

from localaws.core.context import ACCOUNT_ID
from localaws.core.errors import AwsError, NotImplementedByLocalAws

#: under these a new version is never compared with those before it.
_UNCOMPARED = ("NONE", "DISABLED")
_DEFAULT_REGISTRY = "default-registry"
_AS_JSON = ("AVRO", "JSON")


class InvalidInputException(AwsError):
    """The input is not what the operation needs."""

    code = "InvalidInputException"
    status = 400


class EntityNotFoundException(AwsError):
    """There is no such entity."""

    code = "EntityNotFoundException"
    status = 400


def check(operation: str, parameters: dict[str, Any], region: str) -> None:
    """
    Check inputs of the catalog and definitions of the schema registry.

    :raises EntityNotFoundException: the default registry is meant, and no schema has made it yet.
    :raises InvalidInputException: a part that is needed is missing, or a definition is not what its format asks for.
    :raises NotImplementedByLocalAws: a new version of a schema would have to be compared with those before it.
    """
    _check_parts(operation, parameters)
    if operation in ("GetRegistry", "DeleteRegistry"):
        _check_default_registry(parameters["RegistryId"], region)
    if operation == "CreateSchema":
        if "SchemaDefinition" not in parameters:
            raise NotImplementedByLocalAws("localaws does not implement glue CreateSchema without a first version.")
        _check_syntax(parameters["DataFormat"], parameters["SchemaDefinition"])
    if operation == "RegisterSchemaVersion":
        schema = _schema(parameters["SchemaId"], region)
        if schema is not None:
            _check_version(schema, parameters["SchemaDefinition"])


def _check_parts(operation: str, parameters: dict[str, Any]) -> None:
    if operation in ("CreateTable", "UpdateTable") and "TableInput" not in parameters:
        raise InvalidInputException("TableInput must be specified.")
    inputs = [parameters, *parameters.get("Entries", ())] if operation.endswith("UpdatePartition") else []
    for each in inputs:
        if "PartitionInput" in each and "Values" not in each["PartitionInput"]:
            raise InvalidInputException("The number of partition keys do not match the number of partition values")
    pair = parameters.get("MetadataKeyValue", {})
    if operation == "PutSchemaVersionMetadata" and not {"MetadataKey", "MetadataValue"} <= pair.keys():
        raise InvalidInputException("Metadata key and value must be specified.")


def _check_default_registry(registry_id: dict[str, str], region: str) -> None:
    # moto takes the default registry to be there, whether it is or not.
    name = registry_id.get("RegistryName") or registry_id.get("RegistryArn", "").rpartition("/")[2] or _DEFAULT_REGISTRY
    if name == _DEFAULT_REGISTRY and name not in glue_backends[ACCOUNT_ID][region].registries:
        raise EntityNotFoundException(f"Registry is not found. RegistryName: {name}, RegistryArn: null")


def _check_syntax(data_format: str, definition: str) -> None:
    if not definition.strip():
        raise InvalidInputException("Schema definition must not be blank.")
    if data_format not in _AS_JSON:
        return
    try:
        json.loads(definition)
    except (ValueError, RecursionError) as error:
        raise InvalidInputException(f"Schema definition of {data_format} data format is invalid: {error}") from error


def _check_version(schema: Any, definition: str) -> None:
    _check_syntax(schema.data_format, definition)
    known = any(version.schema_definition == definition for version in schema.schema_versions.values())
    if not known and schema.compatibility not in _UNCOMPARED:
        raise NotImplementedByLocalAws(
            f"localaws does not implement glue RegisterSchemaVersion under compatibility {schema.compatibility}."
        )


def _schema(schema_id: dict[str, str], region: str) -> Any:
    registries = glue_backends[ACCOUNT_ID][region].registries
    for registry in registries.values():
        for schema in registry.schemas.values():
            named = (schema.schema_name, registry.name) == (
                schema_id.get("SchemaName"),
                schema_id.get("RegistryName", _DEFAULT_REGISTRY),
            )
            if named or ("SchemaArn" in schema_id and schema.schema_arn == schema_id["SchemaArn"]):
                return schema
    return None
