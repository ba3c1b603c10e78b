"""Human task UIs: worker task templates by name."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localaws.core import pagination
from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.sagemaker.human_review import templates
from localaws.sagemaker.tags import api as tags

task_ui = Service("sagemaker", resource="human-task-ui")

Record = dict[str, Any]

KIND = "human-task-ui"


def find(ctx: Context, name: str) -> Record:
    """
    Return a UI's record.

    :raises ResourceNotFound: There is none of that name.
    """
    record = ctx.store.get(KIND, name)
    if record is None:
        raise ResourceNotFound(f"Human task UI {ctx.arn('sagemaker', f'{KIND}/{name}')} does not exist.")
    return record


def by_arn(ctx: Context, arn: str) -> Record | None:
    """Return the record of a UI by its ARN."""
    record = ctx.store.get(KIND, arn.rpartition("/")[2])
    return record if record is not None and record["HumanTaskUiArn"] == arn else None


@task_ui.operation
def create_human_task_ui(request: Record, ctx: Context) -> Record:
    """Keep a template that can be answered."""
    name, content = request["HumanTaskUiName"], request["UiTemplate"]["Content"]
    checked = templates.check(content)
    if checked.problem is not None:
        raise ValidationException(f"UiTemplate of {name} cannot be used. {checked.problem.message}")
    arn = ctx.arn("sagemaker", f"{KIND}/{name}")
    record = {
        "HumanTaskUiName": name,
        "HumanTaskUiArn": arn,
        "HumanTaskUiStatus": "Active",
        "CreationTime": ctx.now(),
        "_Content": content,
        "_Categories": checked.categories,
    }
    with ctx.store.transaction():
        if not ctx.store.insert(KIND, name, record):
            raise ResourceInUse(f"Human task UI {arn} already exists.")
        tags.put(ctx, arn, request.get("Tags", []))
    return {"HumanTaskUiArn": arn}


@task_ui.operation
def describe_human_task_ui(request: Record, ctx: Context) -> Record:
    """Name and digest of a template."""
    record = find(ctx, request["HumanTaskUiName"])
    digest = hashlib.sha256(record["_Content"].encode()).hexdigest()
    return {**record, "UiTemplate": {"ContentSha256": digest, "Url": _url(ctx, record["HumanTaskUiName"])}}


def _url(ctx: Context, name: str) -> str:
    """Return where a template can be read for a while, without keys."""
    request = AWSRequest("GET", f"{ctx.endpoint_url}/_localaws/{KIND}/{name}")
    keys = Credentials(ctx.credentials.access_key, ctx.credentials.secret_key)
    SigV4QueryAuth(keys, "sagemaker", ctx.region, expires=templates.ACCESS_SECONDS).add_auth(request)
    return str(request.prepare().url)


@task_ui.document(KIND)
def read(name: str, ctx: Context) -> bytes | None:
    """Read a template for whoever has its URL."""
    record = ctx.store.get(KIND, name)
    return None if record is None else str(record["_Content"]).encode()


@task_ui.operation
def list_human_task_uis(request: Record, ctx: Context) -> Record:
    """List human task UIs by time."""
    chosen = pagination.select(ctx.store.all(KIND), request, name="HumanTaskUiName")
    page, more = pagination.page(chosen, request)
    return {"HumanTaskUiSummaries": page, **more}


@task_ui.operation
def delete_human_task_ui(request: Record, ctx: Context) -> Record:
    """Delete a template. Flow definitions that were made with it keep their copy."""
    record = find(ctx, request["HumanTaskUiName"])
    with ctx.store.transaction():
        ctx.store.delete(KIND, record["HumanTaskUiName"])
        tags.forget(ctx, record["HumanTaskUiArn"])
    return {}


@task_ui.operation
def render_ui_template(request: Record, ctx: Context) -> Record:
    """Show what a worker would see; what is wrong with the template is in Errors."""
    source = _source(request, ctx)
    content = request["Task"]["Input"]
    try:
        json.loads(content)
    except ValueError as error:
        raise ValidationException(f"Task.Input is not valid JSON: {error}") from error
    rendered = templates.render(source, content, ctx)
    problem = rendered.problem
    errors = [] if problem is None else [{"Code": problem.code, "Message": problem.message}]
    return {"RenderedContent": rendered.content, "Errors": errors}


def _source(request: Record, ctx: Context) -> str:
    given = [member for member in ("UiTemplate", "HumanTaskUiArn") if request.get(member)]
    if len(given) != 1:
        raise ValidationException("Give exactly one of UiTemplate and HumanTaskUiArn.")
    if given == ["UiTemplate"]:
        return str(request["UiTemplate"]["Content"])
    record = by_arn(ctx, request["HumanTaskUiArn"])
    if record is None:
        raise ResourceNotFound(f"Human task UI {request['HumanTaskUiArn']} does not exist.")
    return str(record["_Content"])
