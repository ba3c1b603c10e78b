"""What an A/B test has throughout: its form, its places in S3, its variants, and tasks that several parts have."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.endpoint_weights import EndpointWeightsOperator
from include import paths
from include.settings import settings

CHAMPION, CHALLENGER, CONTINUE = "champion", "challenger", "continue"
#: how often the experiment may end, and the challenger's percentages of the traffic when it has won.
LOOKS, STEPS = 3, (10, 50, 100)
#: an endpoint of its own, and the one that `train_sentiment` deploys to.
OWN, SHARED = f"{settings.endpoint_name}-ab", settings.endpoint_name
ENDPOINT = "{{ params.endpoint }}"
#: a run's traffic and answers, and its reports.
PLACE, REPORTS = f"{paths.AB_TRAFFIC}/{paths.RUN}", f"{paths.AB_REPORTS}/{paths.RUN}"
TWIN, LAST = "twin", "last"
#: the endpoint that others deploy to is never deleted.
KEEP = f"{{{{ params.keep_endpoint or params.endpoint == '{SHARED}' }}}}"
#: an instance more for every ``scaling_target`` invocations a minute.
SCALING = [
    {
        "PolicyName": "invocations",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": "{{ params.scaling_target }}",
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        },
    }
]


def params() -> dict[str, Param]:
    """Return the params of a run."""
    share: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
    within: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    above: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
    return {
        "endpoint": Param(
            OWN,
            type="string",
            enum=[OWN, SHARED],
            title="Endpoint",
            description=f"{OWN} is made for the run; {SHARED} serves both during the run and the winner after it.",
        ),
        "challenger": Param(
            TWIN,
            type="string",
            pattern=f"^({TWIN}|{LAST}|arn:.*)$",
            title="Challenger",
            description="twin: the champion in eight bits, by ONNX Runtime. last: the newest other approved version. "
            "Or the ARN of an approved version.",
        ),
        "design": Param(
            "random",
            type="string",
            enum=["random", "paired"],
            title="Design",
            description="random: the endpoint draws who answers a review. paired: both do, which finds smaller "
            "differences, but is no traffic that users could cause.",
        ),
        "reviews": Param(0, type="integer", minimum=0, title="Reviews at most", description="0: the whole test split."),
        "spending": Param(
            "obrien_fleming",
            type="string",
            enum=["obrien_fleming", "pocock"],
            title="Spending of the level on the looks",
        ),
        "alpha": Param(0.05, **within, title="Probability of a false winner"),
        "min_difference": Param(0.05, **within, title="Difference that the power is told for"),
        "min_speedup": Param(
            0.05,
            type="number",
            minimum=-10,
            maximum=1,
            title="Least speed-up that makes an equal challenger win",
            description="Share of the median latency. Negative: it may be slower by that, for it is cheaper.",
        ),
        "max_loss": Param(0.1, **share, title="Loss of accuracy that must be excluded before speed counts"),
        "max_error_rate": Param(0.01, **share, title="Highest share of errors at each step of the shift"),
        "max_latency_ms": Param(2000, **above, title="Highest 95th percentile of the latency at each step, ms"),
        "health_requests": Param(60, type="integer", minimum=10, title="Requests at each step of the shift"),
        "scaling_target": Param(60, **above, title="Invocations an instance and minute to scale at"),
        "max_instances": Param(2, type="integer", minimum=2, maximum=10, title="Instances at most"),
        "load_rate": Param(4, **above, title="Requests a second of the load"),
        "load_minutes": Param(6, **above, title="Minutes of load"),
        "metric_period": Param(60, type="integer", minimum=1, title="Seconds a point of the metrics' charts"),
        "seed": Param(42, type="integer", minimum=0, title="Seed", description="Decides the order of the reviews."),
    }


def variant(name: str, model: Any, weight: float = 1.0) -> dict[str, Any]:
    """Return a variant of the endpoint, on one instance."""
    kind = settings.inference_instance_type
    return {"name": name, "model": model, "instance_type": kind, "instances": 1, "weight": weight}


def ask(task_id: str, part: str, answers: str, **kwargs: Any) -> InvokeEndpointBatchOperator:
    """Return the task that sends a part of the traffic and writes the answers."""
    return InvokeEndpointBatchOperator(
        task_id=task_id,
        endpoint_name=ENDPOINT,
        records=f"{PLACE}/requests/{part}/requests.jsonl",
        output=f"{PLACE}/{answers}/{part}/",
        **kwargs,
    )


def shares(percent: int) -> dict[str, float]:
    """Return the weights with which the challenger has this percentage of the traffic."""
    return {CHAMPION: 100 - percent, CHALLENGER: percent}


def weights(task_id: str, percent: int, **kwargs: Any) -> EndpointWeightsOperator:
    """Return the task that gives the challenger this percentage of the traffic, and the champion the rest."""
    return EndpointWeightsOperator(
        task_id=task_id,
        endpoint_name=ENDPOINT,
        weights=shares(percent),
        **kwargs,
    )
