"""People label what the model is not sure of: which reviews, who asks them, and what becomes of even answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Param, TaskGroup, TriggerRule, chain, task

from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.human_review.backends.a2i import AugmentedAi
from include.human_review.backends.airflow_forms import AirflowForms
from include.human_review.backends.base import Backend, Round, read_lines, tied, write_lines
from include.human_review.backends.label_studio import LabelStudioProjects
from include.params import LOW_CONFIDENCE
from include.settings import settings
from include.tasks.find_reviews import LABELS, SYNTHETIC

BACKENDS: dict[str, Backend] = {each.name: each for each in (AugmentedAi(), AirflowForms(), LabelStudioProjects())}
#: a run's batch, and its folders: whatever is asked and answered, and the reports.
BATCH = paths.RUN
PLACE, REPORTS = f"{paths.HUMAN_REVIEW}/{BATCH}", f"{paths.HUMAN_REVIEW_REPORTS}/{BATCH}"
#: the reviews that people are asked about, and those on which they were even.
ITEMS, TIES = f"{PLACE}/items/items.jsonl", f"{PLACE}/ties/items.jsonl"


def params() -> dict[str, Param]:
    """What the run's form asks for."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    emails = {"type": "array", "items": {"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"}}
    return {
        "review_backend": Param(
            "a2i",
            type="string",
            enum=list(BACKENDS),
            title="Who asks people",
            description="a2i: Augmented AI's worker portal. airflow: Airflow's own forms, under Required Actions. "
            "label_studio: a Label Studio server, by the Airflow connection label_studio.",
        ),
        "threshold": Param(
            LOW_CONFIDENCE,
            **share,
            title="Ask below this probability",
            description="Of the reviews whose prediction has a lower probability, the least sure are asked about.",
        ),
        "budget": Param(40, type="integer", minimum=1, maximum=1000, title="Reviews at most"),
        "control_share": Param(
            0.25,
            **share,
            title="Control share",
            description="Part of the budget that is drawn at random, whatever the model says: it measures the model.",
        ),
        "candidates": Param(
            2000,
            type="integer",
            minimum=0,
            title="Candidates",
            description="The size of the random sample that the endpoint scores; 0 takes all reviews.",
        ),
        "likeness": Param(
            0.6, **share, title="Near-duplicates", description="Share of common word pairs from which one is left out."
        ),
        "workers_per_review": Param(1, type="integer", minimum=1, maximum=3, title="People a review"),
        "minutes": Param(
            1440,
            type="number",
            exclusiveMinimum=0,
            maximum=14_400,
            title="Minutes to answer",
            description="Then the answers that are there are used.",
        ),
        "method": Param(
            "majority",
            type="string",
            enum=["majority", "dawid_skene"],
            title="Merging of several answers",
            description="dawid_skene: weighs each person by how reliable they are on all reviews.",
        ),
        "workers": Param(
            list(settings.workers),
            **emails,
            title="Workers",
            description="a2i: e-mail addresses. Who has no account gets one, with a temporary password in Secrets "
            "Manager. Empty: the team as it is.",
        ),
        "referees": Param(
            [],
            **emails,
            title="Referees",
            description="a2i: who decides where answers are even. Empty: such reviews stay without a label.",
        ),
        "seed": Param(42, type="integer", minimum=0, title="Seed", description="Decides candidates and control share."),
    }


# -- which reviews


def choose(splits: ProcessingJobOperator) -> tuple[Any, Any]:
    """The tasks that find candidates, have the endpoint score them, and select: the first and the last of them."""
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
    """Whether there is a review to ask about."""
    print(
        f"{report['items']} reviews of {report['candidates']}: {report['uncertain']} of {report['below_threshold']} "
        f"below {report['threshold']}, and {report['control']} at random"
    )
    return bool(report["items"])


# -- what people say


def ask(number: int, items: str, people: str) -> tuple[Any, list[Any]]:
    """
    The tasks of one round by each back end, of which the run's param takes one: the first, and the last of each.

    :param number: 1, or 2 for the reviews on which the first was even.
    :param items: S3 URI of what is asked.
    :param people: answers wanted of each; a template.
    """
    place = f"{PLACE}/round-{number}/"
    this = Round(number, items, _answers(number), place, batch=BATCH, people=people, minutes="params.minutes")
    begin: dict[str, list[str]] = {}
    firsts, lasts = [], []
    with TaskGroup(f"round_{number}"):
        for name, backend in BACKENDS.items():
            with TaskGroup(name):
                own, last = backend.ask(this)
            begin[name] = [_task_id(each) for each in own]
            firsts += own
            lasts.append(last)
        chosen = task.branch(task_id="backend")(which_backend)(begin)
        chain(chosen, firsts)
    return chosen, lasts


def _answers(number: int) -> str:
    """S3 URI of a round's answers: the human_labels job reads all of the folder."""
    return f"{PLACE}/answers/round-{number}.jsonl"


def _task_id(made: Any) -> str:
    return str(getattr(made, "operator", made).task_id)


def which_backend(begin: Mapping[str, Sequence[str]], params: Mapping[str, Any] | None = None) -> list[str]:
    """The tasks to go on with."""
    return list(begin[params["review_backend"]])


def ties(lasts: Sequence[Any]) -> Any:
    """The task that looks for even answers, and goes on to the second round where somebody can decide them."""
    rule = {"trigger_rule": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS}
    found = task.branch(task_id="ties", **rule)(next_round)(ITEMS, _answers(1), TIES)
    chain(lasts, found)
    return found


def next_round(items: str, answers: str, ties: str, params: Mapping[str, Any] | None = None) -> str:
    """
    Write the items on which people were even; the task to go on with.

    :param ties: S3 URI for them.
    """
    even = set(tied(read_lines(answers)))
    if not even:
        return "labels"
    if params["review_backend"] == "a2i" and not params["referees"]:
        print(f"{len(even)} reviews stay without a label: answers are even, and the run names no referees")
        return "labels"
    write_lines(ties, (item for item in read_lines(items) if item["id"] in even))
    print(f"A third person decides {len(even)} reviews")
    return "round_2.backend"
