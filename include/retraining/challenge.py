"""A new model against the champion: the tasks that judge and register it, and those that approve the version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import TriggerRule, chain, task

from amazon_ml.operators.model_package import ApproveModelOperator, RegisterModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include.retraining.champion import has_champion, judge, replace_champion
from include.settings import settings
from include.tasks import compiling, registry
from include.tasks.evaluation import evaluate


def challenge(trained: Any, splits: ProcessingJobOperator, known: Any, properties: Mapping[str, str]) -> Any:
    """
    Make the tasks that judge a model, compare it with the champion and register it; return ``replace_champion``.

    For a DAG that has the task ``find_reviews`` and the params that ``judge`` reads. Where the challenger is rejected,
    all that follows is skipped.

    :param trained: the task with the model, by its ``model_data``.
    :param splits: the features job, whose test split both are judged on.
    :param known: what the DAG's task ``look`` has found, see :func:`include.retraining.decision.look`.
    :param properties: what the version tells about its training; templates.
    """
    challenger = evaluate("evaluate", trained.model_data, splits.outputs["test"])

    old = task.short_circuit(ignore_downstream_trigger_rules=False)(has_champion)(known)
    champion_data = "{{ ti.xcom_pull(task_ids='look')['champion']['model_data'] }}"
    champion = evaluate("evaluate_champion", champion_data, splits.outputs["test"])

    verdict = task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(judge)(
        challenger.outputs["report"],
        # The task may be skipped, and then has none.
        "{{ ti.xcom_pull(task_ids='evaluate_champion', key='output_report') or '' }}",
        "{{ (ti.xcom_pull(task_ids='look')['champion'] or {}).get('synthetic', False) }}",
    )
    register = RegisterModelOperator(
        task_id="register",
        group_name=settings.model_group,
        image_uri=settings.inference_image,
        model_data=trained.model_data,
        metrics={"ModelQuality": f"{challenger.outputs['report']}evaluation.json"},
        # Who compiles the version later judges its twin by the same reviews.
        properties={**properties, compiling.VALIDATION: splits.outputs["validation"]},
        approval_status="{{ 'PendingManualApproval' if ti.xcom_pull(task_ids='judge')['replace'] else 'Rejected' }}",
        description="{{ ti.xcom_pull(task_ids='judge')['reason'] }}",
    )
    better = task.short_circuit(ignore_downstream_trigger_rules=True)(replace_champion)(
        verdict, known, challenger.outputs["report"], register.output
    )
    chain(challenger, verdict, register, better)
    chain(trained, old, champion, verdict)
    return better


def approve_challenger() -> tuple[Any, ApproveModelOperator]:
    """
    Make the tasks that approve the version which :func:`challenge` registered; the first of them, and ``approve``.

    For a DAG that has the param ``require_approval``.
    """
    return registry.approval(
        version="{{ ti.xcom_pull(task_ids='register')['arn'] }}",
        body="{{ ti.xcom_pull(task_ids='register')['arn'] }}: {{ ti.xcom_pull(task_ids='judge')['reason'] }}",
        instead_of="{{ ti.xcom_pull(task_ids='replace_champion')['champion'] }}",
    )
