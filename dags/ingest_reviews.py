"""
### Bring customer reviews into the lake and look at them

Takes the raw reviews (see `REVIEWS_SOURCE` in the README), cleans them, has the Glue crawler register them as the
table `reviews`, asks Athena five questions and draws the answers. When the counts of all three agree, the Asset
`reviews` is updated, which sets off `train_sentiment`.

Charts and their numbers are in S3 under `charts/`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.glue_crawler import GlueCrawlerRunOperator
from airflow.providers.amazon.aws.operators.s3 import S3CreateBucketOperator
from airflow.sdk import DAG, Param, chain, task

from amazon_ml.naming import RunKey, tags
from amazon_ml.operators.athena import AthenaQueryOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from include import paths
from include.assets import REVIEWS
from include.reviews.bucket import tag_bucket
from include.reviews.origin import expected_raw
from include.reviews.parts import keep_parts
from include.settings import INCLUDE, settings
from include.tasks import costs
from include.tasks.counts import check_counts
from include.tasks.defaults import task_defaults

QUERIES = ["sentiments", "categories", "average_sentiment", "split", "words"]

# Made-up reviews say so in every report and on every chart.
SYNTHETIC = "{{ ti.xcom_pull(task_ids='upload_raw')['synthetic'] }}"

with DAG(
    dag_id="ingest_reviews",
    description="Raw reviews to a table in the lake, five questions and their charts",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    template_searchpath=[str(INCLUDE / "sql")],
    default_args=task_defaults(execution_timeout=timedelta(hours=1)),
    params={
        "source": Param(
            settings.source,
            type="string",
            title="Source of the reviews",
            description="A path to a .csv or .zip file, or an S3 URI; empty for the public data set.",
        ),
        "max_reviews": Param(
            settings.max_reviews,
            type="integer",
            minimum=0,
            title="Reviews to take",
            description="The number of reviews in a seeded sample; 0 takes them all.",
        ),
        "drop": Param(
            settings.drop,
            type="string",
            enum=["needed", "reference"],
            title="Rows to drop",
            description="needed: those with a blank text, rating or category, and categories of ten reviews or fewer. "
            "reference: those with a blank in any column.",
        ),
    },
    tags=["part-1", "ingest", "athena"],
) as dag:
    expected = costs.estimate_cost()
    create_bucket = S3CreateBucketOperator(task_id="create_bucket", bucket_name=settings.bucket)
    tagged = task(tag_bucket)(settings.bucket)

    @task
    def upload_raw(params: Any = None) -> dict[str, Any]:
        """Fetch the raw reviews and put them into S3; what :func:`include.reviews.upload.upload` returns."""
        from include.reviews.upload import upload

        return upload(params["source"], to=f"{paths.RAW}reviews.csv", note=paths.ORIGIN, sample=params["max_reviews"])

    raw = upload_raw()

    transform = ProcessingJobOperator(
        task_id="transform",
        job=settings.processing_job("transform"),
        inputs={"raw": paths.RAW},
        outputs={"table": paths.REVIEWS, "reviews": paths.REVIEWS_CSV, "report": paths.TRANSFORM_REPORT},
        arguments={
            "drop": "{{ params.drop }}",
            "part-rows": settings.part_rows,
            "synthetic": SYNTHETIC,
            **expected_raw("upload_raw"),
        },
        result="report/report.json",
    )

    parts = task(keep_parts)(transform.result, paths.REVIEWS, paths.REVIEWS_CSV)

    @task
    def define_crawler(ti: Any = None) -> str:
        """Create or update database, crawler and CSV classifier. Returns the crawler's name."""
        from include.reviews.crawler import define

        made = tags(RunKey.of_task(ti), project=settings.project)
        return define(settings, target=paths.REVIEWS_CSV, tags={tag["Key"]: tag["Value"] for tag in made})

    crawler = define_crawler()
    crawl = GlueCrawlerRunOperator(
        task_id="crawl",
        crawler_name=crawler,
        deferrable=True,
        poll_interval=2,
        # A retry after a lost answer finds the crawl that it started: that one is as good.
        fail_on_already_running=False,
    )

    queries = [
        AthenaQueryOperator(
            task_id=f"ask_{name}",
            query=f"{name}.sql",
            database=settings.database,
            workgroup=settings.work_group,
            output_location=f"{paths.ANSWERS}/{name}/",
        )
        for name in QUERIES
    ]

    charts = ProcessingJobOperator(
        task_id="charts",
        job=settings.processing_job("charts"),
        inputs={name: f"{paths.ANSWERS}/{name}/" for name in QUERIES},
        outputs={"charts": paths.CHARTS},
        arguments={"synthetic": SYNTHETIC},
        result="charts/report.json",
    )

    checked = task(outlets=[REVIEWS])(check_counts)(transform.result, charts.result, raw, parts)

    chain(expected, create_bucket, [tagged, raw])
    chain(raw, transform, parts, crawler, crawl, queries, charts, checked)

    costs.show(dag)
