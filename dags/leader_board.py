"""
### Compare all models by the same test split

Puts the evaluations that `blazingtext_sentiment`, `autopilot_sentiment` and `train_sentiment` leave in S3 side by side:
accuracy, macro F1, seconds of training, median latency and size of the model. Only models that were judged by the same
reviews are compared: those of the latest evaluation. The others are listed, with the reason.

The board is in S3 under `reports/leader_board/`, as a page (`leader_board.html`), a chart, Markdown and JSON, and the
task `show` has it in its log. Runs whenever one of those DAGs has updated the Asset `evaluations`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain, task

from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.assets import EVALUATIONS
from include.settings import settings
from include.tasks import costs
from include.tasks.defaults import task_defaults
from include.tasks.reports import show

with DAG(
    dag_id="leader_board",
    description="BlazingText, Autopilot's candidates and the fine-tuned model, side by side",
    doc_md=__doc__,
    schedule=EVALUATIONS,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=task_defaults(execution_timeout=timedelta(minutes=30)),
    tags=["part-1", "part-2", "report"],
) as dag:
    leader_board = ProcessingJobOperator(
        task_id="leader_board",
        job=settings.processing_job("leader_board"),
        inputs={"models": f"{paths.EVALUATIONS}/"},
        outputs={"board": f"{paths.LEADER_BOARD}/"},
        result="board/leader_board.json",
    )

    chain(costs.estimate_cost(), leader_board, task(task_id="show")(show)(f"{paths.LEADER_BOARD}/leader_board.md"))

    costs.show(dag)
