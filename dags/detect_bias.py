"""
### Find the bias in the reviews, balance them, and measure it again

SageMaker Clarify compares every product category with all the others: how large it is (class imbalance, CI) and whether
its reviews are as often positive (difference in positive proportions, DPL, and five distances). Then the reviews are
balanced by category and sentiment, and Clarify measures again. The comparison of the two, as a table and a chart, is in
S3 under `reports/bias/`, beside both of Clarify's reports. Only when each category has the same CI and a DPL of zero
is the Asset `balanced_reviews` updated.

Runs whenever `ingest_reviews` has updated the Asset `reviews`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Metadata, Param, chain, task

from amazon_ml.operators.clarify import ClarifyBiasOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.specs.clarify import BiasConfig, Facet
from include import paths
from include.assets import BALANCED_REVIEWS, REVIEWS
from include.settings import settings
from include.tasks import costs
from include.tasks.algorithms import clarify_job
from include.tasks.defaults import task_defaults
from include.tasks.find_reviews import SYNTHETIC, find_reviews

MARK = "{{ 'SYNTHETIC: ' if ti.xcom_pull(task_ids='find_reviews')['synthetic'] else '' }}"

BIAS = BiasConfig(
    label="sentiment",
    positive=[1],
    facets=[Facet("product_category")],
    headers=["sentiment", "review_body", "product_category"],
    metrics=["CI", "DPL", "KL", "JS", "LP", "TVD", "KS"],
)

with DAG(
    dag_id="detect_bias",
    description="Clarify on the reviews, balancing, Clarify again, and what it changed",
    doc_md=__doc__,
    schedule=REVIEWS,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=1)),
    params={
        "seed": Param(
            42, type="integer", minimum=0, title="Seed", description="Decides which reviews balancing keeps."
        ),
    },
    tags=["part-1", "bias", "clarify"],
) as dag:
    found = find_reviews()

    bias_before = ClarifyBiasOperator(
        task_id="bias_before",
        job=clarify_job(),
        config=replace(BIAS, report_title=f"{MARK}Bias in the reviews as they are"),
        dataset=paths.REVIEWS_CSV,
        output_uri=f"{paths.BIAS}/before/",
    )

    balance = ProcessingJobOperator(
        task_id="balance",
        job=settings.processing_job("balance"),
        inputs={"reviews": paths.REVIEWS},
        outputs={"reviews": paths.BALANCED_REVIEWS, "report": f"{paths.BIAS}/balancing/"},
        arguments={"seed": "{{ params.seed }}", "synthetic": SYNTHETIC},
        result="report/report.json",
    )

    bias_after = ClarifyBiasOperator(
        task_id="bias_after",
        job=clarify_job(),
        config=replace(BIAS, report_title=f"{MARK}Bias in the balanced reviews"),
        dataset=balance.outputs["reviews"],
        output_uri=f"{paths.BIAS}/after/",
    )

    compare = ProcessingJobOperator(
        task_id="compare",
        job=settings.processing_job("compare_bias"),
        inputs={"before": bias_before.analysis, "after": bias_after.analysis},
        outputs={"report": f"{paths.BIAS}/comparison/"},
        arguments={"synthetic": SYNTHETIC},
        result="report/comparison.json",
    )

    @task(outlets=[BALANCED_REVIEWS])
    def check_balance(balanced: dict[str, Any], comparison: dict[str, Any]) -> None:
        """Fail unless Clarify finds the same class imbalance in each category, and no difference in proportions."""
        for row in comparison["categories"]:
            print(
                f"{row['category']:>20}  CI {row['ci_before']:+.4f} -> {row['ci_after']:+.4f}  "
                f"DPL {row['dpl_before']:+.4f} -> {row['dpl_after']:+.4f}"
            )
        if not comparison["balanced"]:
            raise ValueError(
                f"not balanced: CI of {comparison['expected_ci']:.4f} in each category: {comparison['equal_ci']}; "
                f"DPL of zero: {comparison['zero_dpl']}"
            )
        extra = {"rows": balanced["rows"], "per_group": balanced["per_group"], "synthetic": balanced["synthetic"]}
        yield Metadata(BALANCED_REVIEWS, extra=extra)

    checked = check_balance(balance.result, compare.result)

    chain(found, [bias_before, balance])
    chain(balance, bias_after)
    chain([bias_before, bias_after], compare, checked)

    costs.show(dag)
