"""
### Train, judge and deploy the sentiment model

Turns the raw reviews into features, fine-tunes the classifier and evaluates it on a test split that training never
sees. Only a model that reaches `min_accuracy` is put behind the `sentiment` endpoint; below it the run ends green,
says why in `accurate_enough`, and leaves the endpoint as it was. The deployed model is judged once more, through its
endpoint: that is under `reports/models/fine-tuned/` and updates the Asset `evaluations`, which sets off `leader_board`.

Runs whenever `ingest_reviews` has updated the Asset `reviews`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, chain, task

from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from include.assets import EVALUATIONS, REVIEWS, SENTIMENT_MODEL
from include.evaluation import evaluate_endpoint
from include.settings import settings
from include.tasks import SYNTHETIC, features, find_reviews, task_defaults

BALANCING = ["oversample", "undersample", "class_weights", "none"]
SMOKE_REVIEWS = ["I love this product!", "OK, but not great.", "This is not the right product."]

with DAG(
    dag_id="train_sentiment",
    description="Features, fine-tuning, evaluation, accuracy gate and deployment of the review sentiment model",
    doc_md=__doc__,
    schedule=REVIEWS,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args=task_defaults(execution_timeout=timedelta(hours=3)),
    params={
        "base_model": Param(
            settings.base_model,
            type="string",
            minLength=1,
            title="Base model",
            description="A Hugging Face model name, such as roberta-base, or an S3 prefix in Hugging Face layout.",
        ),
        "epochs": Param(settings.epochs, type="integer", minimum=1, maximum=20, title="Epochs"),
        "learning_rate": Param(1e-4, type="number", exclusiveMinimum=0, maximum=1e-2, title="Learning rate"),
        "train_batch_size": Param(32, type="integer", minimum=1, maximum=1024, title="Batch size"),
        "balance": Param("oversample", type="string", enum=BALANCING, title="Balancing of the training split"),
        "max_epoch_rows": Param(
            settings.max_epoch_rows,
            type="integer",
            minimum=0,
            title="Reviews an epoch",
            description="Oversampling takes at most so many reviews an epoch; 0 sets no limit.",
        ),
        "seed": Param(42, type="integer", minimum=0, title="Seed"),
        "min_accuracy": Param(
            settings.min_accuracy, type="number", minimum=0, maximum=1, title="Deploy from this test accuracy"
        ),
        "keep_endpoint": Param(
            True,
            type="boolean",
            title="Keep the endpoint",
            description="Off: delete the endpoint after the smoke predictions. An endpoint costs money by the hour.",
        ),
    },
    tags=["part-2", "training", "endpoint"],
) as dag:
    found = find_reviews()
    splits = features("{{ params.base_model }}")

    train = TrainingJobOperator(
        task_id="train",
        job=settings.training_job("train"),
        channels={"train": splits.outputs["train"], "validation": splits.outputs["validation"]},
        hyperparameters={
            "base_model": "{{ params.base_model }}",
            "epochs": "{{ params.epochs }}",
            "learning_rate": "{{ params.learning_rate }}",
            "train_batch_size": "{{ params.train_batch_size }}",
            "balance": "{{ params.balance }}",
            "max_epoch_rows": "{{ params.max_epoch_rows }}",
            "seed": "{{ params.seed }}",
            "max_seq_length": settings.max_seq_length,
        },
        timeout=timedelta(hours=3),
        metric_regexes={"validation:loss": r"val_loss: ([0-9.]+)", "validation:accuracy": r"val_acc: ([0-9.]+)"},
    )

    evaluate = ProcessingJobOperator(
        task_id="evaluate",
        job=settings.processing_job("evaluate"),
        inputs={"model": train.model_data, "test": splits.outputs["test"]},
        outputs=["report"],
        arguments={"synthetic": SYNTHETIC},
        result="report/evaluation.json",
    )

    @task.short_circuit(ignore_downstream_trigger_rules=True)
    def accurate_enough(evaluation: dict, params: dict | None = None) -> bool:
        """Whether the model may be deployed: its test accuracy against ``min_accuracy``."""
        accuracy = evaluation["metrics"]["accuracy"]["value"]
        if accuracy >= params["min_accuracy"]:
            print(f"Test accuracy {accuracy:.4f} reaches {params['min_accuracy']:.4f}: deploying")
            return True
        print(f"NOT DEPLOYED: test accuracy {accuracy:.4f} is below min_accuracy {params['min_accuracy']:.4f}")
        return False

    model = ModelOperator(
        task_id="model", image_uri=settings.inference_image, role_arn=settings.role_arn, model_data=train.model_data
    )
    deploy = EndpointOperator(
        task_id="deploy",
        endpoint_name=settings.endpoint_name,
        model_name=model.model_name,
        instance_type=settings.inference_instance_type,
        outlets=[SENTIMENT_MODEL],
    )
    smoke = InvokeEndpointOperator(task_id="smoke", endpoint_name=settings.endpoint_name, records=SMOKE_REVIEWS)

    evaluate_deployed = evaluate_endpoint(
        task_id="evaluate_endpoint",
        endpoint=settings.endpoint_name,
        protocol="jsonlines",
        model="fine-tuned",
        kind="{{ params.base_model.split('/')[-1] }}, fine-tuned",
        test=splits.outputs["test"],
        model_name=model.model_name,
        model_data=train.model_data,
        synthetic=SYNTHETIC,
        outlets=[EVALUATIONS],
    )

    @task.short_circuit
    def endpoint_unwanted(params: dict | None = None) -> bool:
        """Whether this run takes its endpoint down again."""
        return not params["keep_endpoint"]

    delete_endpoint = DeleteEndpointOperator(task_id="delete_endpoint", endpoint_name=settings.endpoint_name)

    gate = accurate_enough(evaluate.result)
    chain(found, splits, train, evaluate, gate, model, deploy, smoke, evaluate_deployed)
    chain(evaluate_deployed, endpoint_unwanted(), delete_endpoint)
