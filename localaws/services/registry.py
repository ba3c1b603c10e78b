"""Which operations are live, and the functions that do them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel

from localaws.context import Context

Handler = Callable[[dict[str, Any], Context], dict[str, Any]]
Hook = Callable[[Context], None]

#: (botocore service name, operation name) -> its handler. The coverage table in docs/localaws.md is made from this.
LIVE: dict[tuple[str, str], Handler] = {}
#: (botocore service name, operation name) -> the noun of the module that registered it.
NOUNS: dict[tuple[str, str], str] = {}
#: called once, in order of registration, when the server has started answering: pick up what a stop interrupted.
ON_START: list[Hook] = []
#: called at an orderly stop, before the process ends.
ON_STOP: list[Hook] = []


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's bundled model of a service: the authority on shapes, names, routes and errors."""
    return botocore.session.get_session().get_service_model(service)


@cache
def _operations_by_python_name(service: str) -> dict[str, str]:
    return {xform_name(name): name for name in service_model(service).operation_names}


def operation_model(service: str, operation: str) -> OperationModel:
    """The model of one operation."""
    return service_model(service).operation_model(operation)


class Service:
    """
    One noun of one AWS service; its decorators put functions into the registry.

    :param service: botocore's name of the service: ``sagemaker``, ``sagemaker-runtime``, ``athena``, ``glue``...
    :param noun: what the module is about, for the coverage table.
    """

    def __init__(self, service: str, *, noun: str) -> None:
        self.service = service
        self.noun = noun

    def operation(self, function: Handler) -> Handler:
        """Register ``function`` as the operation whose boto3 method has the same name (``create_training_job``)."""
        operation = _operations_by_python_name(self.service).get(function.__name__)
        if operation is None:
            raise LookupError(f"{self.service} has no operation {function.__name__}")
        if (self.service, operation) in LIVE:
            raise LookupError(f"{self.service} {operation} is registered twice")
        LIVE[(self.service, operation)] = function
        NOUNS[(self.service, operation)] = self.noun
        return function

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
