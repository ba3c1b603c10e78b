"""SageMaker Runtime: inferences by the models in service. Everything here is on the path of each request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from localaws.context import Context
from localaws.endpoints.channel import Answer, Lost, TimedOut
from localaws.endpoints.deployment import Deployment, NoInstance, NoVariant, Retired
from localaws.endpoints.fleet import fleet
from localaws.endpoints.plan import VariantPlan
from localaws.errors import AwsError, ValidationError
from localaws.services.registry import Service

runtime = Service("sagemaker-runtime", noun="runtime")

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
    sent: float
    answer: Answer | None
    problem: str = ""

    @property
    def status(self) -> int:
        return self.answer.status if self.answer else 0


@runtime.operation
def invoke_endpoint(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Let a model answer: the weights choose the variant, where the request does not."""
    began = time.perf_counter()
    name = request["EndpointName"]
    for member in _UNSUPPORTED:
        if member in request:
            raise ValidationError(f"Endpoint {name} does not support {member}.")
    headers = {header: request[member] for member, header in _HEADERS.items() if request.get(member)}
    outcome = None
    while outcome is None:
        outcome = _ask(_serving(ctx, name), request, headers)
    fleet(ctx).metrics.record(
        name,
        outcome.variant.name,
        instances=outcome.variant.count,
        status=outcome.status,
        model=time.perf_counter() - outcome.sent,
        overhead=outcome.sent - began,
    )
    return _result(ctx, name, outcome)


def _serving(ctx: Context, name: str) -> Deployment:
    deployment = fleet(ctx).serving(name)
    if deployment is None:
        # So says AWS of an endpoint that is not in service yet, or no more, as well.
        raise ValidationError(f"Endpoint {name} of account {ctx.account_id} not found.")
    return deployment


def _ask(deployment: Deployment, request: dict[str, Any], headers: dict[str, str]) -> _Outcome | None:
    """Give the request to one instance; ``None`` where it never got there, and another may be asked."""
    try:
        variant, worker = deployment.acquire(request.get("TargetVariant"))
    except Retired:
        return None
    except NoVariant as error:
        raise ValidationError(f"Variant {error} not found for Endpoint {deployment.endpoint}.") from error
    except NoInstance as error:
        raise ServiceUnavailable(f"No instance of variant {error} is healthy. Try your call again.") from error
    timeout = min(MODEL_TIMEOUT, float(variant.environment.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", MODEL_TIMEOUT)))
    sent = time.perf_counter()
    try:
        return _Outcome(variant, sent, worker.invoke(request["Body"], headers, timeout=timeout))
    except Lost as lost:
        if not lost.delivered:
            return None
        return _Outcome(variant, sent, None, "The container ended before it had answered.")
    except TimedOut:
        return _Outcome(
            variant,
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
