"""The traffic of an A/B test, and the looks at its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule, chain, task

from amazon_ml.operators.processing import ProcessingJobOperator
from include.ab_test.plan import CONTINUE, LOOKS, PLACE, REPORTS, STEPS, ask, shares
from include.settings import settings
from include.tasks.find_reviews import SYNTHETIC


def make_requests(test: Any) -> ProcessingJobOperator:
    """Return the task that makes the run's traffic of the test split."""
    load = "{{ (params.load_rate * params.load_minutes * 60) | round | int }}"
    return ProcessingJobOperator(
        task_id="requests",
        job=settings.processing_job("ab_requests"),
        inputs={"test": test},
        outputs={"requests": f"{PLACE}/requests/", "report": f"{PLACE}/report/"},
        arguments={
            "design": "{{ params.design }}",
            "reviews": "{{ params.reviews }}",
            "looks": LOOKS,
            "steps": len(STEPS),
            "health": "{{ params.health_requests }}",
            "load": load,
            "seed": "{{ params.seed }}",
            "synthetic": SYNTHETIC,
        },
        result="report/report.json",
    )


def look(test: Any) -> tuple[Any, Any]:
    """
    Make the tasks that ask and compare, look by look, until one is enough.

    Returns the first of them, and ``verdict``, which has the report of the look that ended the experiment.
    """
    groups: list[Sequence[Any]] = []
    for number in range(1, LOOKS + 1):
        with TaskGroup(f"look_{number}"):
            asked = ask(
                "ask",
                f"look-{number}",
                "answers",
                target_variant="{{ 'each' if params.design == 'paired' }}",
                weights=shares(50),
            )
            compared = _compare(number, test)
            groups.append([asked, compared])
            if number < LOOKS:
                groups[-1] = [*groups[-1], task.branch(task_id="enough")(_enough)(compared.result, number)]
    verdict = task(task_id="verdict", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)(find_verdict)()
    for number, group in enumerate(groups):
        chain(*group, verdict)
        if number + 1 < len(groups):
            chain(group[-1], groups[number + 1][0])
    return groups[0][0], verdict


def _compare(number: int, test: Any) -> ProcessingJobOperator:
    names = ("design", "spending", "alpha", "min_difference", "min_speedup", "max_loss")
    return ProcessingJobOperator(
        task_id="compare",
        job=settings.processing_job("ab_compare"),
        inputs={"answers": f"{PLACE}/answers/", "test": test},
        outputs={"report": f"{REPORTS}/look-{number}/"},
        arguments={
            "look": number,
            "looks": LOOKS,
            "reviews": "{{ ti.xcom_pull(task_ids='requests', key='result')['reviews'] }}",
            **{name.replace("_", "-"): f"{{{{ params.{name} }}}}" for name in names},
            "synthetic": SYNTHETIC,
        },
        result="report/report.json",
    )


def _enough(report: Mapping[str, Any], number: int) -> str:
    """Return the id of the next look's first task, or of the verdict."""
    print(f"{report['decision']}: {report['because']}")
    return f"look_{number + 1}.ask" if report["decision"] == CONTINUE else "verdict"


def find_verdict(ti: Any = None) -> dict[str, Any]:
    """Return the report of the first look with a decision: later ones, of a run that was cleared, do not count."""
    for number in range(1, LOOKS + 1):
        report = ti.xcom_pull(task_ids=f"look_{number}.compare", key="result")
        if report and report["decision"] != CONTINUE:
            print(f"{report['decision']}: {report['because']}")
            return dict(report)
    raise ValueError("no look has a decision: clear `look_1.ask` and what follows")
