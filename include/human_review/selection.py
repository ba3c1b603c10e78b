"""Which reviews people are asked about: those that the model is least sure of, and a random control share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import chain, task

from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.human_review.plan import PLACE, REPORTS
from include.settings import settings
from include.tasks.find_reviews import LABELS, SYNTHETIC


def choose(splits: ProcessingJobOperator) -> tuple[Any, Any]:
    """Make the tasks that find candidates, have the endpoint score them, and select; the first and the last of them."""
    candidates = ProcessingJobOperator(
        task_id="candidates",
        job=settings.processing_job("review_candidates"),
        inputs={
            "reviews": paths.REVIEWS,
            "labels": LABELS,
            **{split: splits.outputs[split] for split in ("train", "validation", "test")},
        },
        optional_inputs=["labels"],
        outputs={name: f"{PLACE}/{name}/" for name in ("requests", "candidates")} | {"report": f"{PLACE}/asked/"},
        arguments={"candidates": "{{ params.candidates }}", "seed": "{{ params.seed }}", "synthetic": SYNTHETIC},
        result="report/report.json",
    )
    scored = InvokeEndpointBatchOperator(
        task_id="score",
        endpoint_name=settings.endpoint_name,
        records=f"{PLACE}/requests/requests.jsonl",
        output=f"{PLACE}/scores/",
        clients=4,
    )
    names = ("threshold", "budget", "control_share", "likeness", "seed")
    selected = ProcessingJobOperator(
        task_id="select",
        job=settings.processing_job("review_selection"),
        inputs={"candidates": f"{PLACE}/candidates/", "answers": f"{PLACE}/scores/"},
        outputs={name: f"{PLACE}/{name}/" for name in ("items", "selected")} | {"report": f"{REPORTS}/selection/"},
        arguments={name.replace("_", "-"): f"{{{{ params.{name} }}}}" for name in names} | {"synthetic": SYNTHETIC},
        result="report/report.json",
    )
    anything = task.short_circuit(task_id="anything", ignore_downstream_trigger_rules=True)(is_anything)(
        selected.result
    )
    chain(candidates, scored, selected)
    return candidates, anything


def is_anything(report: Mapping[str, Any]) -> bool:
    """Say whether there is a review to ask about."""
    print(
        f"{report['items']} reviews of {report['candidates']}: {report['uncertain']} of {report['below_threshold']} "
        f"below {report['threshold']}, and {report['control']} at random"
    )
    return bool(report["items"])
