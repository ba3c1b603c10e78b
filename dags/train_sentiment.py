"""
### Train, judge and deploy the sentiment model, whenever there is something to learn

Runs when `ingest_reviews` has updated the Asset `reviews`, when people have labelled reviews (`human_labels`), and by
the clock (`REVIEWS_RETRAINING_CRON`). If data, labels, code and settings are those of the last training, nothing is
trained, unless `force` is on. An approved version that the endpoint lacks is deployed all the same.

The features go into the Feature Store too, where Athena counts them, and training reads its splits from S3 or from
there. The new model, the challenger, is judged on a test split that training never sees, and must reach `min_accuracy`.
The champion, the latest approved version, is judged on the same reviews. It is replaced only by a challenger that is
better by more than `margin`, and not by chance (McNemar's test). A model trained on SYNTHETIC reviews never replaces
one trained on real reviews. Every challenger becomes a version in the model registry. If it is rejected, the run ends
green, says why in `judge`, and leaves the endpoint as it was.

An approved version is put behind the `sentiment` endpoint, with `serve` = `onnx-int8` as its twin in eight bits, and
judged once more, through it. That evaluation is under `reports/models/fine-tuned/` (`fine-tuned-int8/`) and updates the
Asset `evaluations`, which sets off `leader_board`. What made the model, from raw files to endpoint, is traced through
SageMaker's lineage and drawn under `reports/lineage/`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, TriggerRule, chain, task

from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.training import TrainingJobOperator
from include.assets import EVALUATIONS, HUMAN_LABELS, REVIEWS, SENTIMENT_MODEL, batched
from include.params import METRICS, hyperparameters, keep_endpoint, retraining_params, training_params
from include.retraining.challenge import approve_challenger, challenge
from include.retraining.decision import look, next_step, properties
from include.settings import settings
from include.tasks import bills, compiling, costs, feature_store, registry
from include.tasks.alerts import alerts
from include.tasks.defaults import stage, task_defaults
from include.tasks.evaluation import SMOKE_REVIEWS, evaluate_endpoint
from include.tasks.features import features
from include.tasks.find_reviews import SYNTHETIC, find_reviews
from include.tasks.lineage import trace_and_draw

#: what a text has only where the twin in eight bits is served; a template.
IF_TWIN = "{{{{ '{}' if params.serve == 'onnx-int8' else '' }}}}"

with DAG(
    dag_id="train_sentiment",
    description="Features, fine-tuning, evaluation, comparison with the champion, registration and deployment",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        # A new Airflow waits for the next time: it has no reviews yet, and by default would make up for one just past.
        timetable=CronTriggerTimetable(settings.retraining_cron, timezone="UTC", run_immediately=timedelta(minutes=5)),
        assets=REVIEWS | HUMAN_LABELS,
        **batched(AssetOrTimeSchedule),
    ),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=3)),
    **alerts("train_sentiment"),
    params={
        **training_params(),
        **retraining_params(),
        "require_approval": registry.REQUIRE_APPROVAL,
        "serve": compiling.SERVE,
        "keep_endpoint": keep_endpoint(default=True),
    },
    tags=["part-2", "training", "endpoint"],
) as dag:
    found = find_reviews()
    known = task(look)()
    step = task.branch(next_step)(known)

    with stage("features"):
        splits = features("{{ params.base_model }}", "{{ params.text }}", store=True)
        group = feature_store.feature_group()
        stored, following = feature_store.ingest(splits)
        counted = feature_store.check_store(splits, group)

    with stage("train"):
        source, unloads, channels = feature_store.choose_source(splits)
        train = TrainingJobOperator(
            task_id="train",
            job=settings.training_job("train"),
            channels=channels,
            hyperparameters=hyperparameters(),
            timeout=timedelta(hours=3),
            metric_regexes=METRICS,
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )

    with stage("judge"):
        better = challenge(train, splits, known, properties())

    with stage("approve"):
        approval, approve = approve_challenger()

    with stage("deploy"):
        redeploy = EmptyOperator(task_id="redeploy")
        latest = registry.latest_approved(settings.model_group)
        _, served = compiling.choose_serving(latest)
        model = ModelOperator(task_id="model", role_arn=settings.role_arn, containers=served)
        deploy = EndpointOperator(
            task_id="deploy",
            endpoint_name=settings.endpoint_name,
            model_name=model.model_name,
            instance_type=settings.inference_instance_type,
            # It serves until another model takes its place, however long that takes.
            ttl=None,
            outlets=[SENTIMENT_MODEL],
        )
        smoke = InvokeEndpointOperator(task_id="smoke", endpoint_name=settings.endpoint_name, records=SMOKE_REVIEWS)

    with stage("report"):
        evaluate_deployed = evaluate_endpoint(
            task_id="evaluate_endpoint",
            endpoint=settings.endpoint_name,
            protocol="jsonlines",
            model=f"fine-tuned{IF_TWIN.format('-int8')}",
            kind=f"{{{{ params.base_model.split('/')[-1] }}}}, fine-tuned{IF_TWIN.format(', int8')}",
            test=splits.outputs["test"],
            model_name=model.model_name,
            model_data="{{ ti.xcom_pull(task_ids='served', key='model_data') }}",
            synthetic=SYNTHETIC,
            outlets=[EVALUATIONS],
        )
        derived = [*feature_store.derivations(splits), *compiling.derivations()]
        traced, drawn = trace_and_draw(settings.endpoint_name, model, derived_from=derived)

    delete_endpoint = DeleteEndpointOperator(
        task_id="delete_endpoint", endpoint_name=settings.endpoint_name, keep="{{ params.keep_endpoint }}"
    )

    chain(found, known, step, splits, source, train)
    chain(splits, group, stored, *following, counted, unloads, train)
    chain(source, unloads)
    chain(better, approval)
    chain(step, redeploy, latest)
    chain(approve, latest, served, model, deploy, smoke, evaluate_deployed, delete_endpoint)
    chain(deploy, traced)
    chain(drawn, delete_endpoint)

    bills.report_costs(dag)
    costs.show(dag)
