"""What SageMaker makes by itself of endpoints: a context for each, and an action for each deployment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial

from localaws.core.context import Context
from localaws.sagemaker.endpoints.events import DEPLOYING, SETTLED
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import ACTION, CONTEXT, Record, artifact
from localaws.sagemaker.models.containers import model_data

#: the endpoint config, in the record of an action that was made here.
_CONFIG = "_Config"
#: statuses of an endpoint whose deployment is under way.
_UNDER_WAY = {"Creating", "Updating"}


@DEPLOYING.listen
def deploying(endpoint: Record, config: str, models: Iterable[Record], ctx: Context) -> None:
    """
    Make the entities of a deployment that begins, inside the endpoint's own transaction.

    :param config: name of the endpoint config that is to be served.
    :param models: the records of the models in it.
    """
    source = {"SourceUri": endpoint["EndpointArn"], "SourceType": "ARN"}
    name = _name(endpoint, config)
    members = {
        "ActionName": name,
        "ActionType": "ModelDeployment",
        "Status": "InProgress",
        "Source": source,
        "Properties": {"EndpointConfigName": config},
        _CONFIG: config,
    }
    action = ACTION.ensure(ctx, name, members)
    # A config that is deployed again is in progress again.
    ACTION.update(name, ctx, lambda record: record.update(Status="InProgress"))
    for container in (each for model in models for each in _containers(model)):
        for uri, kind in _parts(container):
            associations.derive(ctx, artifact(ctx, uri, kind), action, "ContributedTo")
    context = _name(endpoint)
    members = {"ContextName": context, "ContextType": "Endpoint", "Source": source}
    associations.derive(ctx, action, CONTEXT.ensure(ctx, context, members), "AssociatedWith")


@SETTLED.listen
def settle(ctx: Context) -> None:
    """Note what has become of the deployments that were under way."""
    # The actions first: each was written with its endpoint, which so is found unless it was deleted.
    waiting = [each for each in ctx.store.all(ACTION.kind) if _CONFIG in each and each.get("Status") == "InProgress"]
    endpoints = {record["EndpointArn"]: record for record in ctx.store.all("endpoint")} if waiting else {}
    for action in waiting:
        outcome = {"Status": _outcome(action, endpoints.get(action["Source"]["SourceUri"]))}
        if outcome["Status"] != action["Status"]:
            ACTION.update(action["ActionName"], ctx, partial(dict.update, **outcome))


def _outcome(action: Record, endpoint: Record | None) -> str:
    if endpoint is None or _name(endpoint, action[_CONFIG]) != action["ActionName"]:
        return "Stopped"
    if endpoint["EndpointStatus"] in _UNDER_WAY:
        return "InProgress"
    serves = endpoint["EndpointStatus"] != "Failed" and endpoint["EndpointConfigName"] == action[_CONFIG]
    return "Completed" if serves else "Failed"


def _name(endpoint: Record, config: str | None = None) -> str:
    """Return the name of the action or of the context. It differs for an endpoint recreated under the same name."""
    made = f"{endpoint['EndpointName']}-{int(endpoint['CreationTime'].timestamp())}"
    return f"{made}-aws-endpoint" if config is None else f"{made}-{_short(config)}-aws-endpoint"


def _short(config: str) -> str:
    # Two names of 63 characters are more than the 120 of an action's.
    return hashlib.sha256(config.encode()).hexdigest()[:12]


def _containers(model: Record) -> list[Record]:
    found: list[Record] = model.get("Containers") or [model["PrimaryContainer"]]
    return found


def _parts(container: Record) -> list[tuple[str, str]]:
    parts = [(container.get("ModelPackageName"), "ModelPackage"), (container.get("Image"), "Image")]
    return [(uri, kind) for uri, kind in [*parts, (model_data(container), "Model")] if uri]
