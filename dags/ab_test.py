"""
### Test a challenger against the champion on one endpoint, and let the better one serve

The champion is the latest approved version; the challenger is its twin in eight bits, the newest other approved
version, or the one that the run names. Both are put behind one endpoint with half of the traffic each: `sentiment-ab`
or, where the run says so, `sentiment` itself. The test split of `train_sentiment` is the labelled traffic: each of its
reviews goes to the variant that the endpoint draws, or to both.

The answers are compared at most three times (`look_1` to `look_3`), and the experiment ends at the first look with a
sure difference in accuracy; looking early costs no more false winners. Without a difference the champion stays, unless
the challenger is surely faster and surely not much less accurate. docs/ab_test.md has the rule.

A challenger that has won, and that a person has approved where the run asks for one, gets 10, 50 and then 100 % of the
traffic. Errors or latencies at a step give all of it back to the champion, and the run fails. Then the loser leaves the
endpoint, the winner scales by its invocations, and a few minutes of load show it: reports and charts are in S3 under
`reports/ab_test/<run>/`.

Every step can be cleared and run again. Whatever becomes of the run, the endpoint of its own is deleted, or left to the
champion where it is kept.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task

from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator
from amazon_ml.operators.endpoint_metrics import EndpointMetricsOperator
from amazon_ml.operators.endpoint_scaling import DeleteEndpointScalingOperator, EndpointScalingOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include.ab_test import looks, plan, rivals, shift
from include.ab_test.plan import CHALLENGER, CHAMPION, ENDPOINT, PLACE, REPORTS
from include.ab_test.watching import sample_once, watch
from include.params import keep_endpoint
from include.settings import settings
from include.tasks import bills, costs, registry
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults
from include.tasks.features import features
from include.tasks.find_reviews import SYNTHETIC, find_reviews

with DAG(
    dag_id="ab_test",
    description="Champion and challenger on one endpoint: traffic, statistics, shift in steps, autoscaling",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=2)),
    **alerts("ab_test"),
    params={
        **plan.params(),
        "require_approval": registry.REQUIRE_APPROVAL,
        "keep_endpoint": keep_endpoint(default=False),
    },
    tags=["part-3", "endpoint", "ab-test"],
) as dag:
    found = find_reviews()
    splits = features()
    which, chosen = rivals.choose()
    requests = looks.make_requests(splits.outputs["test"])

    champion_model, challenger_model = (
        ModelOperator(
            task_id=f"{name}_model",
            role_arn=settings.role_arn,
            containers=[{"model_package": f"{{{{ ti.xcom_pull(task_ids='rivals')['{name}'] }}}}"}],
        )
        for name in (CHAMPION, CHALLENGER)
    )
    deploy = EndpointOperator(
        task_id="deploy",
        endpoint_name=ENDPOINT,
        variants=[
            plan.variant(CHAMPION, champion_model.model_name, 50),
            plan.variant(CHALLENGER, challenger_model.model_name, 50),
        ],
    )
    # Those of the configuration, but where the looks are taken again after a shift.
    equal_weights = plan.weights("equal_weights", 50)

    first_look, verdict = looks.look(splits.outputs["test"])
    decided, winner, rolled_back = shift.decide(verdict)
    remove_loser = EndpointOperator(
        task_id="remove_loser",
        endpoint_name=ENDPOINT,
        variants=[plan.variant(shift.winner("name"), shift.winner("model"))],
    )
    scale = EndpointScalingOperator(
        task_id="scale",
        endpoint_name=ENDPOINT,
        variant=shift.winner("name"),
        min_capacity=1,
        max_capacity="{{ params.max_instances }}",
        policies=plan.SCALING,
    )
    samples = f"{PLACE}/scaling/scaling.json"
    before_load = task(task_id="before_load")(sample_once)(ENDPOINT, shift.winner("name"), samples)
    load = plan.ask("load", "load", "load", rate="{{ params.load_rate }}")
    watched = task(task_id="watch")(watch)(
        ENDPOINT,
        shift.winner("name"),
        minutes="{{ params.load_minutes * 1.2 }}",
        period="{{ params.metric_period }}",
        output=samples,
    )
    metrics = EndpointMetricsOperator(
        task_id="metrics",
        endpoint_name=ENDPOINT,
        variants=[CHAMPION, CHALLENGER],
        since="{{ dag_run.start_date.isoformat() }}",
        period="{{ params.metric_period }}",
        output=f"{PLACE}/metrics/metrics.json",
    )
    timeline = ProcessingJobOperator(
        task_id="timeline",
        job=settings.processing_job("ab_timeline"),
        inputs={"scaling": f"{PLACE}/scaling/", "metrics": f"{PLACE}/metrics/"},
        outputs={"report": f"{REPORTS}/timeline/"},
        arguments={"synthetic": SYNTHETIC},
        result="report/timeline.json",
    )

    # Whatever became of the run: an endpoint costs money by the hour.
    settle = shift.give_back("settle")
    stop_scaling = DeleteEndpointScalingOperator(
        task_id="stop_scaling", endpoint_name=ENDPOINT, variants=[CHAMPION, CHALLENGER], keep=plan.KEEP
    )
    delete_endpoint = DeleteEndpointOperator(task_id="delete_endpoint", endpoint_name=ENDPOINT, keep=plan.KEEP)

    chain(found, [splits, which])
    chain(splits, requests)
    chain(chosen, [champion_model, challenger_model], deploy, equal_weights)
    chain([requests, equal_weights], first_look)
    chain(winner, remove_loser, scale, before_load, [load, watched], metrics, timeline)
    # A step that is cleared when all is gone needs these again. The teardown runs where any of them has succeeded.
    setups = [champion_model, challenger_model, deploy, remove_loser, scale]
    chain(
        [timeline, rolled_back],
        *(each.as_teardown(setups=setups) for each in (settle, stop_scaling, delete_endpoint)),
    )

    bills.report_costs(dag)
    costs.show(dag)
