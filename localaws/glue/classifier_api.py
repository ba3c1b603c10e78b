"""Glue classifiers: CSV and JSON ones; Grok and XML are refused by name."""

from __future__ import annotations

from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AlreadyExistsException, AwsError, EntityNotFoundException, NotImplementedByLocalAws
from localaws.core.operations import Service
from localaws.core.pagination import page
from localaws.glue.crawling import json_format

classifier = Service("glue", resource="classifier")

_KINDS = ("CsvClassifier", "JsonClassifier")
_REFUSED = ("GrokClassifier", "XMLClassifier")


@classifier.operation
def create_classifier(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Store a classifier; its kind is the one member of the request that is set."""
    kind = _kind(request)
    now = ctx.now()
    record = {kind: {**request[kind], "CreationTime": now, "LastUpdated": now, "Version": 1}}
    _check(kind, record[kind])
    name = request[kind]["Name"]
    if not ctx.store.insert("classifier", name, record):
        raise AlreadyExistsException(f"Classifier with name {name} already exists")
    return {}


@classifier.operation
def update_classifier(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the members that the request has; the kind stays."""
    kind = _kind(request)
    name = request[kind]["Name"]

    def change(record: dict[str, Any]) -> None:
        if kind not in record:
            raise _invalid(f"Classifier {name} is not a {kind}")
        record[kind].update(request[kind], LastUpdated=ctx.now(), Version=record[kind]["Version"] + 1)
        _check(kind, record[kind])

    if ctx.store.update("classifier", name, change) is None:
        raise _not_found(name)
    return {}


@classifier.operation
def get_classifier(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return one classifier."""
    record = ctx.store.get("classifier", request["Name"])
    if record is None:
        raise _not_found(request["Name"])
    return {"Classifier": record}


@classifier.operation
def get_classifiers(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Return all classifiers, paged."""
    records, more = page(ctx.store.all("classifier"), request, default_size=100)
    return {"Classifiers": records, **more}


@classifier.operation
def delete_classifier(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Remove a classifier; a crawler that names it fails at its next crawl."""
    if not ctx.store.delete("classifier", request["Name"]):
        raise _not_found(request["Name"])
    return {}


def _kind(request: dict[str, Any]) -> str:
    for kind in _REFUSED:
        if kind in request:
            raise NotImplementedByLocalAws(f"glue {kind} is not implemented by localaws: use a CSV or JSON classifier")
    kinds = [kind for kind in _KINDS if kind in request]
    if len(kinds) != 1:
        raise _invalid("Exactly one classifier must be specified")
    return kinds[0]


def _check(kind: str, settings: dict[str, Any]) -> None:
    if kind == "JsonClassifier":
        try:
            json_format.parse_path(settings["JsonPath"])
        except ValueError as error:
            raise _invalid(str(error)) from error
        return
    if settings.get("CustomDatatypeConfigured") or settings.get("CustomDatatypes"):
        raise NotImplementedByLocalAws("CustomDatatypes of a CSV classifier are not implemented by localaws")
    if settings.get("Delimiter") and settings.get("Delimiter") == settings.get("QuoteSymbol"):
        raise _invalid("Delimiter and QuoteSymbol must not be the same character")


def _invalid(message: str) -> AwsError:
    return AwsError(message, code="InvalidInputException", status=400)


def _not_found(name: str) -> EntityNotFoundException:
    return EntityNotFoundException(f"Classifier entry with name {name} does not exist")
