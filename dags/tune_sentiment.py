"""
### Tune the hyperparameters of the sentiment model, and judge the best one

A SageMaker tuning job searches for the learning rate and the batch size with the best validation accuracy: Random,
Bayesian or Hyperband search, several training jobs at once, those that do worse stopped early. It may start from what
the last tuning job of this DAG has found (`warm_start`). All its training jobs are in S3 under
`reports/tuning/<tuning job>/`, as a table (Markdown, CSV, JSON) and as a chart.

The best model, chosen by the validation split, is judged on the test split, and against the champion as in
`train_sentiment`: `min_accuracy`, `margin`, McNemar's test. It becomes a version in the same group of the model
registry, with its hyperparameters and its tuning job among the properties.

This DAG deploys nothing. An approved version that the endpoint lacks is deployed by the next run of `train_sentiment`;
start that one to deploy it at once. `train_sentiment` does not count a tuned version as a training of its own, and does
not train again because of it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task

from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.tuning import TuningJobOperator
from include import paths
from include.params import METRICS
from include.retraining.challenge import approve_challenger, challenge
from include.retraining.decision import look
from include.retraining.tuning import (
    FEATURES_TAG,
    RANGES,
    SETTINGS,
    start_from,
    static_hyperparameters,
    tuned_properties,
    tuning_job,
    tuning_params,
)
from include.settings import settings
from include.tasks import bills, costs, registry
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults
from include.tasks.features import features
from include.tasks.find_reviews import SYNTHETIC, find_reviews
from include.tasks.reports import show

TUNING_JOB = "{{ ti.xcom_pull(task_ids='tune')['name'] }}"
REPORT = f"{paths.TUNING}/{TUNING_JOB}"
DECIDED = "ti.xcom_pull(task_ids='start_from')"

with DAG(
    dag_id="tune_sentiment",
    description="Hyperparameter search, its trials as table and chart, the best model against the champion",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=3)),
    **alerts("tune_sentiment"),
    params={**tuning_params(), "require_approval": registry.REQUIRE_APPROVAL},
    tags=["part-3", "training", "tuning"],
) as dag:
    found = find_reviews()
    known = task(look)(names=SETTINGS)
    splits = features("{{ params.base_model }}", "{{ params.text }}")

    decided = task(start_from)({split: splits.outputs[split] for split in ("train", "validation")}, known)

    tune = TuningJobOperator(
        task_id="tune",
        job=tuning_job(),
        ranges=RANGES,
        channels={split: f"{{{{ {DECIDED}['channels']['{split}'] }}}}" for split in ("train", "validation")},
        hyperparameters=static_hyperparameters(),
        metric_regexes=METRICS,
        tags={FEATURES_TAG: f"{{{{ {DECIDED}['features'] }}}}"},
        execution_timeout=timedelta(hours=9),
    )

    report = ProcessingJobOperator(
        task_id="report",
        job=settings.processing_job("tuning_report"),
        outputs={"report": f"{REPORT}/"},
        arguments={"job-name": TUNING_JOB, "region": settings.region, "synthetic": SYNTHETIC},
    )
    show_trials = task(task_id="show_trials")(show)(f"{REPORT}/trials.md")

    better = challenge(tune, splits, known, tuned_properties())
    approval, _ = approve_challenger()

    chain(found, known, splits, decided, tune, report, show_trials)
    chain(better, approval)

    bills.report_costs(dag)
    costs.show(dag)
