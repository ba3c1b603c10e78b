"""Which operations are live, and the functions that do them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel

import localaws
from localaws.core.context import Context
from localaws.core.once import once

if TYPE_CHECKING:
    from localaws.gateway.protocol.http import HttpRequest, HttpResponse

Handler = Callable[[dict[str, Any], Context], dict[str, Any]]
Hook = Callable[[Context], None]
#: Takes the operation, the request, its region and the server's.
Elsewhere = Callable[[str, dict[str, Any], str, str], dict[str, Any]]

#: Takes a document's name; ``None`` where there is none of that name.
Document = Callable[[str, Context], bytes | None]
#: Takes the path of a request that nobody has to sign.
Page = Callable[[str, Context], "HttpResponse"]
#: moto's entrance: takes the service, the operation and the request.
Forward = Callable[[str, str, "HttpRequest"], "HttpResponse"]
#: Takes the operation, the request and moto's entrance.
Around = Callable[[str, "HttpRequest", Forward], "HttpResponse"]

#: (botocore service name, operation name) -> its handler. docs/coverage.md is made from this.
LIVE: dict[tuple[str, str], Handler] = {}
#: (botocore service name, operation name) -> the kind of resource that it is of.
RESOURCES: dict[tuple[str, str], str] = {}
#: (botocore service name, operation name) -> why nothing acts on what it keeps. Other live operations do their work.
METADATA_ONLY: dict[tuple[str, str], str] = {}
#: botocore service name -> what answers for regions other than the server's, where a service lets their clients in.
ELSEWHERE: dict[str, Elsewhere] = {}
#: kind -> what answers a presigned GET of ``/_localaws/{kind}/{name}``: content to which an operation answers a URL.
DOCUMENTS: dict[str, Document] = {}
#: (botocore service name, operation name) of those that carry no AWS signature, by design.
UNSIGNED: set[tuple[str, str]] = set()
#: what a path is like -> what answers an unsigned GET of it.
PAGES: dict[re.Pattern[str], Page] = {}
#: botocore service name -> what answers its operations that are not live, with moto's help.
AROUND: dict[str, Around] = {}
#: called once, in order of registration, when the server has started answering: pick up what a stop interrupted.
ON_START: list[Hook] = []
#: called at an orderly stop, before the process ends.
ON_STOP: list[Hook] = []


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@once
def service_model(service: str) -> ServiceModel:
    """botocore's bundled model of a service: the authority on shapes, names, routes and errors."""
    return _session().get_service_model(service)


@once
def _operations_by_python_name(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in service_model(service).operation_names}


def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of one operation."""
    return service_model(service).operation_model(operation)


class Service:
    """
    A kind of resource of one AWS service; its decorators register the functions that do its operations.

    :param service: botocore's name of the service: ``sagemaker``, ``sagemaker-runtime``, ``athena``, ``glue``...
    :param resource: its name, for the coverage table.
    :param metadata_only: where nothing acts on the resource once it is kept: why.
    """

    def __init__(self, service: str, *, resource: str, metadata_only: str = "") -> None:
        self.service = service
        self.resource = resource
        self.metadata_only = metadata_only

    def operation(self, function: Handler) -> Handler:
        """Register ``function`` as the operation whose boto3 method has the same name (``create_training_job``)."""
        operation = _operations_by_python_name(self.service).get(function.__name__)
        if operation is None:
            raise LookupError(f"{self.service} has no operation {function.__name__}")
        if (self.service, operation) in LIVE:
            raise LookupError(f"{self.service} {operation} is registered twice")
        LIVE[(self.service, operation)] = function
        RESOURCES[(self.service, operation)] = self.resource
        if self.metadata_only:
            METADATA_ONLY[(self.service, operation)] = self.metadata_only
        return function

    def only_kept(self, reason: str, *operations: str) -> None:
        """Say of operations of this resource that nothing acts on what they keep, and why."""
        METADATA_ONLY.update({(self.service, operation): reason for operation in operations})

    def elsewhere(self, function: Elsewhere) -> None:
        """Register what answers this service's live operations for regions other than the server's."""
        ELSEWHERE[self.service] = function

    def unsigned(self, *operations: str) -> None:
        """Let operations in without a signature, whoever does them."""
        UNSIGNED.update((self.service, operation) for operation in operations)

    def around(self, function: Around) -> None:
        """Register what answers this service's operations that are not live, with moto's help."""
        AROUND[self.service] = function

    @staticmethod
    def page(pattern: str) -> Callable[[Page], Page]:
        """Register a function that answers unsigned GETs of the paths that match a pattern as a whole."""

        def register(function: Page) -> Page:
            PAGES[re.compile(pattern)] = function
            return function

        return register

    @staticmethod
    def document(kind: str) -> Callable[[Document], Document]:
        """Register a function that reads documents of a kind for whoever has a presigned URL."""

        def register(function: Document) -> Document:
            DOCUMENTS[kind] = function
            return function

        return register

    @staticmethod
    def on_start(function: Hook) -> Hook:
        """Register a function that runs when the server has started."""
        ON_START.append(function)
        return function

    @staticmethod
    def on_stop(function: Hook) -> Hook:
        """Register a function that runs at an orderly stop."""
        ON_STOP.append(function)
        return function


def load_all() -> None:
    """Import every slice's ``api`` and ``*_api`` modules, so that their operations are registered."""
    root = Path(localaws.__path__[0])
    for path in sorted(root.rglob("*api.py")):
        importlib.import_module(".".join(("localaws", *path.relative_to(root).with_suffix("").parts)))
