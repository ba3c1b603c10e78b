"""From the decision of an A/B test to one variant: approval, the shift in steps, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import TaskGroup, TriggerRule, chain, task

from amazon_ml.operators.endpoint_weights import EndpointWeightsOperator
from include.ab_test.plan import CHALLENGER, CHAMPION, ENDPOINT, PLACE, REPORTS, STEPS, ask, shares, weights


def decide(verdict: Any) -> tuple[Any, Any, Any]:
    """
    Make the tasks that follow a decision: ``decide``, a person's approval where the run asks for one, and the shift.

    Returns ``decide``, ``winner`` and ``roll_back``. No answer within a day keeps the champion.
    """
    first = f"shift_{STEPS[0]}.weights"
    decided = task.branch(task_id="decide")(next_step)(verdict)
    asked = HITLBranchOperator(
        task_id="approve",
        subject="Shift the traffic to the challenger?",
        body="{{ ti.xcom_pull(task_ids='verdict')['because'] }}\n\nThe report: " + REPORTS,
        options=["Approve", "Reject"],
        options_mapping={"Approve": first, "Reject": "keep_champion"},
        defaults="Reject",
        response_timeout=timedelta(days=1),
    )
    kept = weights("keep_champion", 0, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    steps = list(_steps())
    rolled_back = give_back("roll_back", trigger_rule=TriggerRule.ONE_FAILED)
    winner = task(task_id="winner", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(find_winner)(ENDPOINT)
    chain(decided, [asked, kept, steps[0]])
    chain(asked, [kept, steps[0]])
    chain(*steps, winner)
    chain(kept, winner)
    chain(steps, rolled_back)
    return decided, winner, rolled_back


def give_back(task_id: str, **kwargs: Any) -> EndpointWeightsOperator:
    """
    Return the task that gives the champion all of the traffic where there are both variants.

    An endpoint with a winner is left as it is, and one that is gone too.
    """
    return weights(task_id, 0, restore=True, **kwargs)


def _steps() -> Iterator[Any]:
    for number, percent in enumerate(STEPS, 1):
        with TaskGroup(f"shift_{percent}"):
            rule = {"trigger_rule": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS} if number == 1 else {}
            yield weights("weights", percent, **rule)
            yield ask("ask", f"health-{number}", "health", weights=shares(percent))
            yield task(task_id="check")(check_health)(f"{PLACE}/health/health-{number}/")


def next_step(verdict: Mapping[str, Any], params: Any = None) -> str:
    """Return the id of the next task: the shift, a person's approval where the run asks for one, or the champion."""
    if verdict["decision"] != CHALLENGER:
        return "keep_champion"
    return "approve" if params["require_approval"] else f"shift_{STEPS[0]}.weights"


def check_health(answers: str, params: Any = None) -> dict[str, Any]:
    """
    Return ``{"requests", "errors", "p95_ms", "variants"}`` of a step's answers.

    :param answers: S3 prefix.
    :raises AirflowFailException: too many errors, or too slow: the weights are rolled back, and nothing is tried again.
    """
    from airflow.sdk.exceptions import AirflowFailException

    lines = read_answers(answers)
    if not lines:
        raise ValueError(f"there are no answers in {answers}: clear the step's `ask`")
    errors = sum(line["status"] != 200 for line in lines)
    took = sorted(line["latency_ms"] for line in lines if line["status"] == 200)
    p95 = took[int(0.95 * (len(took) - 1))] if took else float("inf")
    names = [str(line["variant"]) for line in lines]
    found = {"requests": len(lines), "errors": errors, "p95_ms": p95}
    found["variants"] = {name: names.count(name) for name in sorted(set(names))}
    print(found)
    if errors > params["max_error_rate"] * len(lines):
        raise AirflowFailException(
            f"{errors} of {len(lines)} requests failed, more than {params['max_error_rate']:.1%}"
        )
    if p95 > params["max_latency_ms"]:
        raise AirflowFailException(f"the 95th percentile is {p95:.0f} ms, above {params['max_latency_ms']} ms")
    return found


def read_answers(prefix: str) -> list[dict[str, Any]]:
    """Return the answers below an S3 prefix."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook()
    bucket, key = hook.parse_s3_url(prefix)
    names = [name for name in hook.list_keys(bucket, key) or [] if name.endswith(".jsonl")]
    texts = [hook.read_key(name, bucket) for name in sorted(names)]
    return [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]


def find_winner(endpoint: str, ti: Any = None) -> dict[str, str]:
    """
    Return ``{"name", "model"}`` of the variant that stays: the one that has all of the traffic.

    :raises ValueError: both have some, or there is another.
    """
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    description = SageMakerJobHook().require("Endpoint", endpoint)
    found = {each["VariantName"]: each["CurrentWeight"] for each in description.get("ProductionVariants", [])}
    names = [name for name, share in found.items() if share]
    if len(names) != 1 or names[0] not in {CHAMPION, CHALLENGER}:
        raise ValueError(f"{endpoint} serves by {found}, and not by one of both variants: clear `decide`")
    return {"name": names[0], "model": ti.xcom_pull(task_ids=f"{names[0]}_model", key="model_name")}


def winner(key: str) -> str:
    """Return ``name`` or ``model`` of the variant that stays; a template."""
    return f"{{{{ ti.xcom_pull(task_ids='winner')['{key}'] }}}}"
