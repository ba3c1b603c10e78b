"""
### Ask people to label the reviews that the model is not sure of, and train on their labels

The `sentiment` endpoint scores reviews of the training split that nobody has labelled. Of those whose prediction has a
probability below `threshold` the least sure are chosen, no two of them alike, and beside them a random control share,
by which the model is measured without bias. Reviews of the test and validation splits are never shown.

People answer where `review_backend` says: in the worker portal of Augmented AI (`a2i`; work force, team, page and flow
are made where they are missing), in forms of Airflow (`airflow`, under Required Actions), or on a Label Studio server
(`label_studio`). The run waits `minutes` at most, and then uses the answers that are there. Where several people answer
and are even, a third one decides, if there is one.

The answers become labels: the report, under `reports/human_review/<run>/`, says how far people agree with the model and
with each other. New labels go into the data set `human_labels` in S3, with its table, and into Feature Store; then the
Asset `human_labels` is updated once, which sets off `train_sentiment`. There the labels count instead of the ratings.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from include.human_review import plan, rounds
from include.human_review.labels import merge_answers, publish
from include.human_review.selection import choose
from include.tasks import costs
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults
from include.tasks.features import features
from include.tasks.find_reviews import find_reviews

with DAG(
    dag_id="human_review",
    description="Uncertain reviews to people, their labels into the data set that the model is trained on",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=21),
    default_args=task_defaults(execution_timeout=timedelta(hours=2)),
    **alerts("human_review"),
    params=plan.params(),
    tags=["part-3", "human-in-the-loop", "a2i"],
) as dag:
    found = find_reviews()
    splits = features()
    candidates, anything = choose(splits)

    asked, answered = rounds.ask(1, plan.ITEMS, people="{{ params.workers_per_review }}")
    even = rounds.ties(answered)
    asked_again, decided = rounds.ask(2, plan.TIES, people="1")

    labels = merge_answers()
    publish(labels)

    chain(found, splits, candidates)
    chain(anything, asked)
    chain(even, asked_again)
    chain([even, *decided], labels)

    costs.show(dag)
