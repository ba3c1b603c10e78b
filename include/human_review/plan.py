"""What a run of human review has throughout: its form, and its places in S3."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from include import paths
from include.human_review.backends import BACKENDS
from include.params import LOW_CONFIDENCE
from include.settings import settings

#: a run's batch, and its folders: whatever is asked and answered, and the reports.
BATCH = paths.RUN
PLACE, REPORTS = f"{paths.HUMAN_REVIEW}/{BATCH}", f"{paths.HUMAN_REVIEW_REPORTS}/{BATCH}"
#: the reviews that people are asked about, and those on which they were even.
ITEMS, TIES = f"{PLACE}/items/items.jsonl", f"{PLACE}/ties/items.jsonl"


def params() -> dict[str, Param]:
    """Return the params of a run."""
    share: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
    emails: dict[str, Any] = {"type": "array", "items": {"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"}}
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
