"""SageMaker Runtime: inferences by the models in service. Everything here is on the path of each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError, ValidationError
from localaws.core.operations import Service
from localaws.sagemaker.endpoints.capture import Message
from localaws.sagemaker.endpoints.channel import Answer, Lost, TimedOut
from localaws.sagemaker.endpoints.deployment import Deployment, NoInstance, NoVariant, Retired
from localaws.sagemaker.endpoints.fleet import fleet
from localaws.sagemaker.endpoints.plan import VariantPlan
from localaws.sagemaker.endpoints.worker import Worker

runtime = Service("sagemaker-runtime", resource="runtime")

#: seconds that a model has for its answer; SAGEMAKER_MODEL_SERVER_TIMEOUT may ask for less.
MODEL_TIMEOUT = 60.0
#: bytes of an answer that are passed on.
MAXIMUM_BODY = 6 * 1024 * 1024

_CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
#: member of the request -> header of the container's request.
_HEADERS = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": _CUSTOM_ATTRIBUTES,
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
}
_UNSUPPORTED = (
    "TargetModel",
    "TargetContainerHostname",
    "InferenceComponentName",
    "EnableExplanations",
    "SessionId",
    "PrefixAwareId",
)


class ModelError(AwsError):
    """The model answered with an error, or did not answer."""

    code = "ModelError"
    status = 424


class ServiceUnavailable(AwsError):
    """No instance is healthy; another try may find one."""

    code = "ServiceUnavailable"
    status = 503


@dataclass(frozen=True)
class _Outcome:
    """How one instance took the request: ``answer`` is ``None``, and ``problem`` says why, where it did not answer."""

    variant: VariantPlan
    instance: str
    sent: float
    answer: Answer | None
    problem: str = ""
    ended: float = field(default_factory=time.perf_counter)

    @property
    def status(self) -> int:
        return self.answer.status if self.answer else 0


@runtime.operation
def invoke_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Let a model answer: the weights choose the variant, where the request does not."""
    began = time.perf_counter()
    name = request["EndpointName"]
    _serving(ctx, name, None)
    for member in _UNSUPPORTED:
        if member in request:
            raise ValidationError(f"Endpoint {name} does not support {member}.")
    headers = {header: request[member] for member, header in _HEADERS.items() if request.get(member)}
    outcome = None
    while outcome is None:
        deployment = _serving(ctx, name, request.get("TargetVariant"))
        outcome = _ask(deployment, deployment.acquire, request, headers)
    _measure(ctx, deployment, outcome, outcome.sent - began)
    _capture(ctx, deployment, outcome, request)
    _copy_to_shadows(ctx, deployment, request, headers)
    return _result(ctx, name, outcome)


def _measure(ctx: Context, deployment: Deployment, outcome: _Outcome, overhead: float) -> None:
    fleet(ctx).metrics.record(
        deployment.endpoint,
        outcome.variant.name,
        fleet(ctx).new_config(deployment.endpoint, deployment),
        instances=outcome.variant.count,
        instance=outcome.instance if deployment.plan.publishing.enhanced else "",
        status=outcome.status,
        model=outcome.ended - outcome.sent,
        overhead=overhead,
    )


def _capture(ctx: Context, deployment: Deployment, outcome: _Outcome, request: dict[str, Any]) -> None:
    config = deployment.plan.capture
    if config is None:
        return
    answer = outcome.answer
    fleet(ctx).capture.take(
        config,
        deployment.endpoint,
        outcome.variant.name,
        Message(request.get("ContentType", ""), request["Body"]),
        Message(answer.headers.get("content-type", ""), answer.body) if answer else None,
        request,
    )


def _copy_to_shadows(ctx: Context, deployment: Deployment, request: dict[str, Any], headers: dict[str, str]) -> None:
    """Send copies to the shadows of the one production variant, by their weights relative to its."""
    for shadow in deployment.plan.shadows:

        def copy(name: str = shadow.name) -> None:
            outcome = _ask(deployment, lambda _: deployment.acquire_shadow(name), request, headers)
            if outcome is not None:
                _measure(ctx, deployment, outcome, 0.0)
                _capture(ctx, deployment, outcome, request)

        weight = deployment.plan.variants[0].weight
        fleet(ctx).shadows.send(min(1.0, shadow.weight / weight) if weight else 0.0, copy)


def _serving(ctx: Context, name: str, target: str | None) -> Deployment:
    deployment = fleet(ctx).serving(name, target)
    if deployment is None:
        # So says AWS of an endpoint that is not in service yet, or no more, as well.
        raise ValidationError(f"Endpoint {name} of account {ctx.account_id} not found.")
    return deployment


def _ask(
    deployment: Deployment,
    acquire: Callable[[str | None], tuple[VariantPlan, Worker]],
    request: dict[str, Any],
    headers: dict[str, str],
) -> _Outcome | None:
    """Give the request to one instance; ``None`` where it never got there, and another may be asked."""
    try:
        variant, worker = acquire(request.get("TargetVariant"))
    except Retired:
        return None
    except NoVariant as error:
        raise ValidationError(f"Variant {error} not found for Endpoint {deployment.endpoint}.") from error
    except NoInstance as error:
        raise ServiceUnavailable(f"No instance of variant {error} is healthy. Try your call again.") from error
    timeout = min(MODEL_TIMEOUT, float(variant.environment.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", MODEL_TIMEOUT)))
    sent = time.perf_counter()
    try:
        return _Outcome(variant, worker.id, sent, worker.invoke(request["Body"], headers, timeout=timeout))
    except Lost as lost:
        if not lost.delivered:
            return None
        return _Outcome(variant, worker.id, sent, None, "The container ended before it had answered.")
    except TimedOut:
        return _Outcome(
            variant,
            worker.id,
            sent,
            None,
            "Your invocation timed out while waiting for a response from container primary. Review the latency metrics"
            " for each container in Amazon CloudWatch, resolve the issue, and try again.",
        )
    finally:
        deployment.release(worker)


def _result(ctx: Context, name: str, outcome: _Outcome) -> dict[str, Any]:
    answer = outcome.answer
    if answer is None or not 200 <= answer.status < 300:
        message = outcome.problem if answer is None else answer.body.decode("utf-8", "replace")
        raise _model_error(ctx, name, outcome.status, message)
    if len(answer.body) > MAXIMUM_BODY:
        raise _model_error(ctx, name, 500, f"The response has {len(answer.body)} bytes, more than {MAXIMUM_BODY}.")
    return {
        "Body": answer.body,
        "ContentType": answer.headers.get("content-type"),
        "InvokedProductionVariant": outcome.variant.name,
        "CustomAttributes": answer.headers.get(_CUSTOM_ATTRIBUTES.lower()),
    }


def _model_error(ctx: Context, name: str, status: int, message: str) -> ModelError:
    group = f"/aws/sagemaker/Endpoints/{name}"
    console = (
        f"https://{ctx.region}.console.aws.amazon.com/cloudwatch/home?region={ctx.region}#logEventViewer:group={group}"
    )
    kind = "client" if 400 <= status < 500 else "server"
    return ModelError(
        f'Received {kind} error ({status}) from primary with message "{message}". See {console} in account'
        f" {ctx.account_id} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=ctx.arn("logs", f"log-group:{group}"),
    )
