"""The Assets that chain the DAGs: what one DAG writes and another waits for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from airflow.sdk import Asset

from include import paths

#: The cleaned reviews of one ingest, after their counts were checked.
REVIEWS = Asset(name="reviews", uri=paths.REVIEWS, group="sentiment")
#: The reviews with as many of each sentiment in each category, after Clarify found no bias left in them.
BALANCED_REVIEWS = Asset(name="balanced_reviews", uri=paths.BALANCED, group="sentiment")
#: What each model was found to be worth on the test split: one folder a model, for the leader board.
EVALUATIONS = Asset(name="evaluations", uri=f"{paths.EVALUATIONS}/", group="sentiment")
#: The model that the ``sentiment`` endpoint serves.
SENTIMENT_MODEL = Asset(name="sentiment_model", uri=paths.MODELS, group="sentiment")
#: The features of one run, counted in the Feature Store.
FEATURES = Asset(name="features", uri=paths.FEATURE_STORE, group="sentiment")
#: What people said of reviews that the model was not sure of.
HUMAN_LABELS = Asset(name="human_labels", uri=paths.HUMAN_LABELS, group="sentiment")


def batched(schedule: Callable[..., Any]) -> dict[str, bool]:
    """
    Return the argument with which a schedule makes one run of all events that wait.

    Airflow 3.4 makes a run of each event by default. Before, it made one of all, without an argument for it.
    """
    return {"batch_asset_events": True} if "batch_asset_events" in inspect.signature(schedule).parameters else {}
