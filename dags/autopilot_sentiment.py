"""
### Autopilot: let SageMaker find a sentiment model, and judge what it found

SageMaker Autopilot trains its candidates on the reviews that `ingest_reviews` has cleaned, balanced by sentiment. Each
is put behind an endpoint of its own, judged on the test split of `train_sentiment`, none of whose reviews it was
trained on, and taken down again. The best one is deployed as `sentiment-autopilot` and asked about three sentences. Its
endpoint is deleted in any case, unless `keep_endpoint` is on.

The candidates are in S3 as a table and a chart under `reports/autopilot/`, the judgements under
`reports/models/autopilot-<rank>/`. They update the Asset `evaluations`, which sets off `leader_board`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, chain, task, task_group

from amazon_ml.operators.auto_ml import AutoMLJobOperator
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.assets import EVALUATIONS
from include.params import keep_endpoint
from include.settings import settings
from include.tasks import bills, costs
from include.tasks.algorithms import autopilot_job
from include.tasks.autopilot import COLUMNS, best, to_judge
from include.tasks.defaults import stage, task_defaults
from include.tasks.evaluation import SMOKE_REVIEWS, evaluate_endpoint
from include.tasks.features import features
from include.tasks.find_reviews import SYNTHETIC, find_reviews
from include.tasks.reports import show

ENDPOINT = f"{settings.endpoint_name}-autopilot"
JOB_NAME = "{{ ti.xcom_pull(task_ids='autopilot')['name'] }}"
LEARNT = ["sentiment", "review_body"]

with DAG(
    dag_id="autopilot_sentiment",
    description="Autopilot on the balanced reviews, its candidates judged by the test split of train_sentiment",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=task_defaults(execution_timeout=timedelta(hours=1)),
    params={
        "max_candidates": Param(3, type="integer", minimum=1, maximum=10, title="Candidates at most"),
        "max_runtime_per_training_job": Param(1200, type="integer", minimum=60, title="Seconds for one candidate"),
        "max_runtime": Param(7200, type="integer", minimum=300, title="Seconds for all of Autopilot"),
        "seed": Param(42, type="integer", minimum=0, title="Seed of the balancing"),
        "keep_endpoint": keep_endpoint(default=False),
    },
    tags=["part-1", "training", "autopilot"],
) as dag:
    with stage("reviews"):
        found = find_reviews()
        splits = features()
        balance = ProcessingJobOperator(
            task_id="balance",
            job=settings.processing_job("balance"),
            inputs={"reviews": paths.REVIEWS, "test": splits.outputs["test"]},
            outputs=["reviews", "report"],
            arguments={
                "by": "sentiment",
                "columns": LEARNT,
                "text": settings.text,
                "seed": "{{ params.seed }}",
                "synthetic": SYNTHETIC,
            },
            result="report/report.json",
        )

    with stage("autopilot"):
        autopilot = AutoMLJobOperator(
            task_id="autopilot",
            job=autopilot_job(),
            training=balance.outputs["reviews"],
            execution_timeout=timedelta(hours=3),
        )
        candidates = ProcessingJobOperator(
            task_id="candidates",
            job=settings.processing_job("autopilot_candidates"),
            outputs={"report": f"{paths.AUTOPILOT}/"},
            arguments={"job-name": JOB_NAME, "region": settings.region, "synthetic": SYNTHETIC},
            result="report/candidates.json",
        )
        show_candidates = task(task_id="show_candidates")(show)(f"{paths.AUTOPILOT}/candidates.md")
        planned = task(task_id="plan")(to_judge)(autopilot.output, endpoint=ENDPOINT, reports=paths.EVALUATIONS)

    @task_group
    def judge(
        name: Any, kind: Any, containers: Any, model_data: Any, training_seconds: Any, endpoint: Any, report: Any
    ) -> None:
        """One candidate: behind an endpoint of its own, asked about the test split, and taken down."""
        model = ModelOperator(task_id="model", role_arn=settings.role_arn, containers=containers)
        deploy = EndpointOperator(
            task_id="deploy",
            endpoint_name=endpoint,
            model_name=model.model_name,
            instance_type=settings.inference_instance_type,
            ttl=timedelta(hours=2),
        )
        evaluate = evaluate_endpoint(
            task_id="evaluate",
            endpoint=endpoint,
            protocol="csv",
            model=name,
            kind=kind,
            test=splits.outputs["test"],
            model_name=model.model_name,
            model_data=model_data,
            training_seconds=training_seconds,
            synthetic=SYNTHETIC,
            report=report,
            # One at a time: a latency is that of a machine with nothing else to do.
            max_active_tis_per_dagrun=1,
        )
        delete_endpoint = DeleteEndpointOperator(task_id="delete_endpoint", endpoint_name=endpoint)
        chain(model, deploy, evaluate, delete_endpoint.as_teardown(setups=[model, deploy]))

    judged = judge.expand_kwargs(planned)

    with stage("deploy"):
        chosen = task(task_id="best", outlets=[EVALUATIONS])(best)(planned)
        model = ModelOperator(task_id="model", role_arn=settings.role_arn, containers=chosen)
        deploy = EndpointOperator(
            task_id="deploy",
            endpoint_name=ENDPOINT,
            model_name=model.model_name,
            instance_type=settings.inference_instance_type,
        )
        smoke = InvokeEndpointOperator(
            task_id="smoke", endpoint_name=ENDPOINT, records=SMOKE_REVIEWS, content_type="text/csv", columns=COLUMNS
        )
        delete_endpoint = DeleteEndpointOperator(
            task_id="delete_endpoint", endpoint_name=ENDPOINT, keep="{{ params.keep_endpoint }}"
        )

    chain(found, splits, balance, autopilot, candidates, show_candidates, planned)
    chain(judged, chosen, model, deploy, smoke, delete_endpoint.as_teardown(setups=[model, deploy]))

    bills.report_costs(dag)
    costs.show(dag)
