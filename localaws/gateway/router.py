"""Which operation of which service a request asks for, by the means that AWS's own front has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel

from localaws.core.once import once
from localaws.core.operations import service_model
from localaws.gateway.protocol.http import HttpRequest

#: services whose operations a target header names (the JSON protocols).
_TARGET_SERVICES = (
    "sagemaker",
    "athena",
    "glue",
    "logs",
    "cognito-idp",
    "application-autoscaling",
    "secretsmanager",
    "cloudwatch",
    "resourcegroupstaggingapi",
)
#: services whose operations a form's Action names (the query protocol), by signing name.
_QUERY_SERVICES = {"iam": "iam", "sts": "sts", "monitoring": "cloudwatch", "sns": "sns"}
#: services whose operations a path names, by signing name. SageMaker's planes share one name, and no route collides.
_REST_SERVICES = {
    "sagemaker": (
        "sagemaker-runtime",
        "sagemaker-featurestore-runtime",
        "sagemaker-a2i-runtime",
        "sagemaker-metrics",
        "sagemaker-edge",
    ),
    "s3": ("s3",),
}


@dataclass(frozen=True)
class Route:
    """
    What a request asks for.

    :param service: botocore's name of the service, or the signing name where botocore's is not known.
    :param operation: the operation's name, or ``""`` where the request names none.
    :param uri: the decoded labels of the path.
    """

    service: str
    operation: str
    uri: Mapping[str, str] = field(default_factory=dict)


def route(request: HttpRequest, signing_name: str) -> Route:
    """
    Find the operation.

    :param signing_name: the service in the signature's scope, ``""`` for an unsigned request.
    """
    target = request.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.rpartition(".")
        return Route(_by_target().get(prefix, prefix), operation)
    name = signing_name or "s3"
    if name not in _REST_SERVICES:
        return Route(_QUERY_SERVICES.get(name, name), _action(request))
    for service in _REST_SERVICES[name]:
        found = match(service, request)
        if found:
            return found
    return Route(name, "")


def prepare(service: str) -> None:
    """Read the bindings of a REST service's operations, so that its first request need not."""
    _templates(service)


def names_operation_in_body(request: HttpRequest, signing_name: str) -> bool:
    """Return True if only the body, a form, names the operation."""
    return "x-amz-target" not in request.headers and (signing_name or "s3") not in _REST_SERVICES


@cache
def _by_target() -> dict[str, str]:
    return {service_model(service).metadata["targetPrefix"]: service for service in _TARGET_SERVICES}


def _action(request: HttpRequest) -> str:
    form = dict(parse_qsl(request.body[:100_000].decode("utf-8", "replace"))) if request.body else {}
    return form.get("Action") or dict(request.query).get("Action", "")


@dataclass(frozen=True)
class _Template:
    """The HTTP binding of one operation, ready to match."""

    operation: str
    method: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]

    @property
    def weight(self) -> tuple[int, int, int]:
        """The more a binding asks for, the better it fits a request that has it all."""
        return len(self.labels), len(self.query) + len(self.required_query), len(self.required_headers)

    def fits(self, request: HttpRequest, query: Mapping[str, str]) -> bool:
        """Return True if the request has all that the binding asks for beyond method and path."""
        if any(query.get(name) != value for name, value in self.query):
            return False
        return self.required_query <= query.keys() and all(name in request.headers for name in self.required_headers)


def match(service: str, request: HttpRequest) -> Route | None:
    """Return the operation of a REST service that the request's method, path, query and headers stand for."""
    query = dict(request.query)
    for template in _templates(service):
        if template.method != request.method or not template.fits(request, query):
            continue
        found = template.path.fullmatch(request.path)
        if found:
            values = (unquote(value) for value in found.groups())
            return Route(service, template.operation, dict(zip(template.labels, values, strict=True)))
    return None


@once
def _templates(service: str) -> tuple[_Template, ...]:
    model = service_model(service)
    # Of two names for one route, such as S3's PutBucketLifecycle and PutBucketLifecycleConfiguration, the present one.
    operations = sorted(map(model.operation_model, model.operation_names), key=lambda operation: operation.deprecated)
    return tuple(sorted(map(_template, operations), key=lambda template: template.weight, reverse=True))


def _template(operation: OperationModel) -> _Template:
    path, _, query = operation.http["requestUri"].partition("?")
    labels = re.findall(r"\{(\w+)\+?\}", path)
    # x-id only repeats the operation's name: requests without it are as good.
    pairs = tuple(pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "x-id")
    return _Template(
        operation.name,
        operation.http["method"],
        _pattern(path),
        tuple(labels),
        pairs,
        _required(operation, "querystring"),
        frozenset(name.lower() for name in _required(operation, "header")),
    )


def _pattern(path: str) -> re.Pattern[str]:
    pattern = ""
    for part in re.split(r"(\{\w+\+?\})", path):
        if part.startswith("{"):
            pattern += "(.+)" if part.endswith("+}") else "([^/]+)"
        else:
            pattern += re.escape(part)
    return re.compile(f"{pattern}/?" if not path.endswith("+}") else pattern, re.DOTALL)


def _required(operation: OperationModel, place: str) -> frozenset[str]:
    shape = operation.input_shape
    if shape is None:
        return frozenset()
    return frozenset(
        shape.members[name].serialization.get("name", name)
        for name in shape.required_members
        if shape.members[name].serialization.get("location") == place
    )
