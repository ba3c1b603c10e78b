"""Endpoints: their variants, metrics, logs and scaling, and a form that invokes one. Models and configs, too."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from localaws.console import words
from localaws.console.access import FIELD
from localaws.console.pages import alarms, logs, metrics
from localaws.console.pages.buckets import uri_link
from localaws.console.pages.shared import SIZE, found, given, next_page, page, told, whole
from localaws.console.parts import (
    Cell,
    Facts,
    Link,
    Note,
    Page,
    Part,
    Search,
    Section,
    Status,
    Table,
    Text,
    TryIt,
    href,
)
from localaws.core.context import Context

_TRAIL = Link("Endpoints", "/endpoints")
_NAMESPACE = "AWS/SageMaker"
#: bytes of an answer that are shown.
_MOST = 64 * 1024
#: invocations from here at a time: a model may take a minute, and the pages are answered by the same threads.
_slots = threading.Semaphore(4)


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [
        page("/endpoints", _list),
        page("/endpoints/{name}", _endpoint),
        Route("/endpoints/{name}/invoke", _invoke, methods=["POST"]),
        page("/endpoint-configs/{name}", _config),
        page("/models/{name}", _model),
    ]


def _list(request: Request, ctx: Context) -> Page:
    name = request.query_params.get("name", "")

    def build() -> list[Part]:
        asked = given(NextToken=request.query_params.get("next"), NameContains=name)
        found = ctx.client("sagemaker").list_endpoints(
            MaxResults=SIZE, SortBy="CreationTime", SortOrder="Descending", **asked
        )
        rows = [
            (
                Link(each["EndpointName"], href("endpoints", each["EndpointName"])),
                Status(each["EndpointStatus"]),
                each["CreationTime"],
                each["LastModifiedTime"],
            )
            for each in found["Endpoints"]
        ]
        more = next_page(request, "endpoints", token=found.get("NextToken"))
        return [Table(("Endpoint", "Status", "Created", "Changed"), rows, "There is no endpoint.", more)]

    sections = [
        Section("", lambda: [Search("name", "Name contains", name)]),
        Section("", build, live=True),
    ]
    return Page("Endpoints", sections, live=True)


def _endpoint(request: Request, ctx: Context, tried: TryIt | None = None) -> Page:
    name = request.path_params["name"]
    endpoint = ctx.client("sagemaker").describe_endpoint(EndpointName=name)
    variants = [each["VariantName"] for each in endpoint.get("ProductionVariants", [])]
    form = TryIt(
        href("endpoints", name, "invoke"),
        variants,
        tried.sent if tried else {},
        tried.answer if tried else (),
    )
    group = f"/aws/sagemaker/Endpoints/{name}"
    sections = [
        Section("", lambda: _facts(endpoint), live=True),
        Section("Variants", lambda: _variants(endpoint), live=True),
        Section("Try it", lambda: [form]),
        Section("Last hour", lambda: _metrics(ctx, name, variants), live=True),
        Section("Scaling", lambda: alarms.scaling_parts(ctx, [f"endpoint/{name}/variant/{each}" for each in variants])),
        Section("Log", lambda: logs.stream_parts(request, ctx, group, "", live=True), live=True),
        Section("Description", lambda: whole(endpoint)),
    ]
    return Page(name, sections, [_TRAIL], Status(endpoint["EndpointStatus"]), live=True)


def _facts(endpoint: dict[str, Any]) -> list[Part]:
    config = endpoint.get("EndpointConfigName", "")
    rows: list[tuple[str, Cell]] = [
        ("Created", endpoint["CreationTime"]),
        ("Changed", endpoint["LastModifiedTime"]),
        ("Config", Link(config, href("endpoint-configs", config)) if config else None),
    ]
    return told(rows, endpoint.get("FailureReason"))


def _variants(endpoint: dict[str, Any]) -> list[Part]:
    found = endpoint.get("ProductionVariants", [])
    total = sum(each.get("CurrentWeight", 0.0) for each in found)
    rows = [
        (
            each["VariantName"],
            each.get("CurrentWeight"),
            f"{each.get('CurrentWeight', 0.0) / total:.0%}" if total else None,
            _change(each.get("CurrentInstanceCount"), each.get("DesiredInstanceCount")),
        )
        for each in found
    ]
    return [Table(("Variant", "Weight", "Share", "Instances"), rows, "No variant serves yet.")]


def _change(now: int | None, wanted: int | None) -> str | None:
    if now is None or wanted in (None, now):
        return None if now is None else str(now)
    return f"{now} → {wanted}"


def _metrics(ctx: Context, name: str, variants: list[str]) -> list[Part]:
    begin = datetime.now(UTC) - timedelta(hours=1)
    parts: list[Part] = []
    for metric, statistic, title in (
        ("Invocations", "Sum", "Invocations"),
        ("ModelLatency", "Average", "Latency of the model, microseconds"),
        ("Invocation5XXErrors", "Sum", "Errors"),
    ):
        of_variants = [
            (each, _NAMESPACE, metric, {"EndpointName": name, "VariantName": each}, statistic) for each in variants
        ]
        parts += metrics.parts(ctx, title, of_variants, begin, None)
    return parts or [Note("It was not invoked in the last hour.")]


async def _invoke(request: Request) -> Response:
    """Invoke the endpoint with what the form has; the endpoint's page with the answer."""
    async with request.form(max_fields=20, max_files=0) as data:
        form = {key: value for key, value in data.items() if isinstance(value, str)}
    request.app.state.keys.check_form(form.pop(FIELD, ""))
    return await run_in_threadpool(_invoked, request, form)


def _invoked(request: Request, form: dict[str, str]) -> Response:
    if not _slots.acquire(blocking=False):
        raise HTTPException(429, "Other invocations of this form are still under way: wait for one of them.")
    try:
        answer = _answer(request.app.state.ctx, request.path_params["name"], form)
    finally:
        _slots.release()
    tried = TryIt("", (), form, answer)
    view = found(lambda request, ctx: _endpoint(request, ctx, tried), request)
    page: Response = request.app.state.views.answer(request, view)
    return page


def _answer(ctx: Context, name: str, form: dict[str, str]) -> list[Part]:
    # A browser sends the lines of a field with CRLF, whatever was put into it.
    body = form.get("body", "").replace("\r\n", "\n")
    asked = given(
        ContentType=form.get("content_type", "").strip(),
        Accept=form.get("accept", "").strip(),
        TargetVariant=form.get("variant", ""),
    )
    began = time.monotonic()
    try:
        answer = ctx.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=body.encode(), **asked)
    except ClientError as error:
        detail = error.response["Error"]
        return [Note(f"{detail['Code']}: {detail['Message']}", bad=True)]
    except BotoCoreError as error:
        return [Note(str(error), bad=True)]
    with answer["Body"] as stream:
        content = stream.read(_MOST + 1)
    seconds = time.monotonic() - began
    facts: list[tuple[str, Cell]] = [
        ("Variant", answer.get("InvokedProductionVariant")),
        ("Content type", answer.get("ContentType")),
        ("Took", f"{seconds * 1000:,.0f} ms"),
    ]
    note = f"The first {words.size(_MOST)} of the answer." if len(content) > _MOST else ""
    return [Facts(facts), Text(content[:_MOST].decode("utf-8", "replace"), note)]


def _config(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    config = ctx.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    rows = [
        (
            each["VariantName"],
            Link(each["ModelName"], href("models", each["ModelName"])) if "ModelName" in each else None,
            each.get("InstanceType"),
            each.get("InitialInstanceCount"),
            each.get("InitialVariantWeight"),
        )
        for each in config["ProductionVariants"]
    ]
    table = Table(("Variant", "Model", "Instance type", "Instances", "Weight"), rows)
    sections = [Section("Variants", lambda: [table]), Section("Description", lambda: whole(config))]
    return Page(name, sections, [_TRAIL])


def _model(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    model = ctx.client("sagemaker").describe_model(ModelName=name)
    containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", [])
    rows = [(each.get("Image", "").rpartition("/")[2], uri_link(each.get("ModelDataUrl", ""))) for each in containers]
    sections = [
        Section("", lambda: [Facts([("Created", model["CreationTime"])]), Table(("Image", "Model data"), rows)]),
        Section("Description", lambda: whole(model)),
    ]
    return Page(name, sections, [_TRAIL])
