"""Athena's view of the Glue catalog: the catalog itself, its databases and its tables."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from localaws.athena.catalog import Catalog
from localaws.athena.paging import invalid, page
from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.core.operations import Service

data_catalog = Service("athena", resource="data-catalog")

_NAME = "AwsDataCatalog"


class MetadataException(AwsError):
    """Athena: the catalog has no such thing."""

    code = "MetadataException"
    status = 400


@data_catalog.operation
def list_data_catalogs(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List the one catalog."""
    listed, more = page([{"CatalogName": _NAME, "Type": "GLUE"}], request)
    return {"DataCatalogsSummary": listed, **more}


@data_catalog.operation
def get_data_catalog(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Describe the catalog of this account."""
    _check(request["Name"])
    described = {"Name": _NAME, "Type": "GLUE", "Parameters": {"catalog-id": ctx.account_id}}
    return {"DataCatalog": described}


def _check(name: str) -> None:
    if name.lower() != _NAME.lower():
        raise invalid(f"Data catalog {name} was not found", "DATACATALOG_NOT_FOUND")


@data_catalog.operation
def list_databases(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all databases by name."""
    _check(request["CatalogName"])
    pages = ctx.client("glue").get_paginator("get_databases").paginate()
    found = [_database(database) for answer in pages for database in answer["DatabaseList"]]
    listed, more = page(sorted(found, key=lambda database: database["Name"]), request)
    return {"DatabaseList": listed, **more}


def _database(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": found["Name"],
        "Description": found.get("Description"),
        "Parameters": found.get("Parameters"),
    }


@data_catalog.operation
def get_database(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one database."""
    _check(request["CatalogName"])
    try:
        found = ctx.client("glue").get_database(Name=request["DatabaseName"])["Database"]
    except ClientError as error:
        raise _missing(error) from error
    return {"Database": _database(found)}


def _missing(error: ClientError) -> AwsError:
    """Turn Glue's error into the one that Athena raises for it."""
    detail = error.response["Error"]
    return MetadataException(
        f"{detail['Message']} (Service: AmazonDataCatalog; Status Code: 400; Error Code: {detail['Code']})"
    )


@data_catalog.operation
def list_table_metadata(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """List a database's tables by name, filtered by the regular expression in Expression."""
    _check(request["CatalogName"])
    try:
        expression = re.compile(request.get("Expression") or ".*")
    except re.error as error:
        raise invalid(f"Invalid expression: {request['Expression']}") from error
    catalog = Catalog(ctx.client("glue"))
    if not catalog.has_database(request["DatabaseName"].lower()):
        raise MetadataException(f"Database {request['DatabaseName']} not found.")
    found = [t for t in catalog.tables(request["DatabaseName"].lower()) if expression.fullmatch(t["Name"])]
    listed, more = page(found, request)
    return {"TableMetadataList": [_table(table) for table in listed], **more}


@data_catalog.operation
def get_table_metadata(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one table."""
    _check(request["CatalogName"])
    try:
        answer = ctx.client("glue").get_table(DatabaseName=request["DatabaseName"], Name=request["TableName"])
    except ClientError as error:
        raise _missing(error) from error
    return {"TableMetadata": _table(answer["Table"])}


def _table(found: dict[str, Any]) -> dict[str, Any]:
    descriptor = found.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    parameters = {
        **(found.get("Parameters") or {}),
        "location": descriptor.get("Location", ""),
        "inputformat": descriptor.get("InputFormat", ""),
        "outputformat": descriptor.get("OutputFormat", ""),
        "serde.serialization.lib": serde.get("SerializationLibrary", ""),
        **{f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()},
    }
    return {
        "Name": found["Name"],
        "CreateTime": found.get("CreateTime"),
        "LastAccessTime": found.get("LastAccessTime"),
        "TableType": found.get("TableType"),
        "Columns": [_column(column) for column in descriptor.get("Columns") or ()],
        "PartitionKeys": [_column(column) for column in found.get("PartitionKeys") or ()],
        "Parameters": parameters,
    }


def _column(found: dict[str, Any]) -> dict[str, Any]:
    return {"Name": found["Name"], "Type": found.get("Type"), "Comment": found.get("Comment")}
