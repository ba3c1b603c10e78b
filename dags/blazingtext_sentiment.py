"""
### BlazingText: a sentiment model in seconds, as a yardstick

SageMaker's built-in text classifier (fastText's algorithm) is trained on the reviews that `ingest_reviews` has cleaned,
balanced by sentiment and tokenised. It is put behind an endpoint of its own, asked about three sentences, and judged on
the test split of `train_sentiment`, none of whose reviews it was trained on. The endpoint is deleted in any case.

The judgement is in S3 under `reports/models/blazingtext/`. It updates the Asset `evaluations`, which sets off
`leader_board`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain

from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from include import paths
from include.assets import EVALUATIONS
from include.settings import settings
from include.tasks import bills, costs
from include.tasks.algorithms import blazingtext_image, blazingtext_job
from include.tasks.defaults import task_defaults
from include.tasks.evaluation import evaluate_endpoint
from include.tasks.features import features
from include.tasks.find_reviews import SYNTHETIC, find_reviews

ENDPOINT = f"{settings.endpoint_name}-blazingtext"
# In the tokens that the model is taught.
SMOKE_REVIEWS = ["i love this product !", "ok but not great .", "this is not the right product ."]

with DAG(
    dag_id="blazingtext_sentiment",
    description="BlazingText on the balanced reviews, judged by the test split of train_sentiment",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=1)),
    params={
        "epochs": Param(5, type="integer", minimum=1, maximum=100, title="Epochs at most"),
        "early_stopping": Param(True, type="boolean", title="Stop when the validation accuracy no longer rises"),
        "patience": Param(3, type="integer", minimum=1, title="Epochs without a rise before stopping"),
        "learning_rate": Param(0.2, type="number", exclusiveMinimum=0, maximum=1, title="Learning rate"),
        "min_count": Param(2, type="integer", minimum=0, title="Occurrences that a word must have"),
        "vector_dim": Param(10, type="integer", minimum=1, maximum=1000, title="Dimension of the word vectors"),
        "word_ngrams": Param(2, type="integer", minimum=1, maximum=5, title="Words in a row"),
        "buckets": Param(
            100_000,
            type="integer",
            minimum=1,
            maximum=2_000_000,
            title="Buckets for words in a row",
            description="The model's size is four bytes times the dimension times buckets and words.",
        ),
        "seed": Param(
            42, type="integer", minimum=0, title="Seed", description="Decides which reviews balancing keeps."
        ),
    },
    tags=["part-1", "training", "blazingtext"],
) as dag:
    found = find_reviews()
    splits = features()

    prepare = ProcessingJobOperator(
        task_id="prepare",
        job=settings.processing_job("blazingtext_prepare"),
        inputs={"reviews": paths.REVIEWS, "test": splits.outputs["test"]},
        outputs=["train", "validation", "report"],
        arguments={"text": settings.text, "seed": "{{ params.seed }}", "synthetic": SYNTHETIC},
        result="report/report.json",
    )

    parameters = ["epochs", "early_stopping", "patience", "learning_rate"]
    parameters += ["min_count", "vector_dim", "word_ngrams", "buckets"]
    train = TrainingJobOperator(
        task_id="train",
        job=blazingtext_job(),
        channels={"train": prepare.outputs["train"], "validation": prepare.outputs["validation"]},
        hyperparameters={"mode": "supervised", **{name: f"{{{{ params.{name} }}}}" for name in parameters}},
        checkpoints=False,
    )

    model = ModelOperator(
        task_id="model", image_uri=blazingtext_image(), role_arn=settings.role_arn, model_data=train.model_data
    )
    deploy = EndpointOperator(
        task_id="deploy",
        endpoint_name=ENDPOINT,
        model_name=model.model_name,
        instance_type=settings.inference_instance_type,
        ttl=timedelta(hours=2),
    )
    smoke = InvokeEndpointOperator(
        task_id="smoke", endpoint_name=ENDPOINT, records=[{"source": review} for review in SMOKE_REVIEWS]
    )

    evaluate = evaluate_endpoint(
        task_id="evaluate",
        endpoint=ENDPOINT,
        protocol="blazingtext",
        model="blazingtext",
        kind="BlazingText: words and word n-grams",
        test=splits.outputs["test"],
        model_name=model.model_name,
        model_data=train.model_data,
        synthetic=SYNTHETIC,
        outlets=[EVALUATIONS],
    )

    # Whatever became of the run: an endpoint costs money by the hour.
    delete_endpoint = DeleteEndpointOperator(task_id="delete_endpoint", endpoint_name=ENDPOINT)

    chain(found, splits, prepare, train, model, deploy, smoke, evaluate)
    evaluate >> delete_endpoint.as_teardown(setups=[model, deploy])

    bills.report_costs(dag)
    costs.show(dag)
