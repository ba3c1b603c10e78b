"""
### The sentiment workflow, run by SageMaker Pipelines

The same features, training, evaluation and accuracy gate as in `train_sentiment`, but put in order by SageMaker: its
definition is `include/pipelines/sentiment.json`, which the SageMaker SDK writes. Airflow brings definition and code to
AWS, starts one execution and follows its steps in the log of `execute`. A model below `min_accuracy` fails the
execution, and the task says why; steps whose code, parameters and data are those of the last hour come from the cache.

What reached the gate is a version in the model registry. It is approved, by a person where `require_approval` is on,
and the latest approved version is deployed as `sentiment-pipeline`, asked about three sentences, and traced back to
code and data, which is drawn under `reports/lineage/`. That endpoint is deleted in any case, unless `keep_endpoint` is
on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, chain

from amazon_ml.operators.code import UploadCodeOperator
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.pipeline import PipelineOperator
from amazon_ml.operators.pipeline_execution import PipelineExecutionOperator
from include.params import keep_endpoint, training_params
from include.pipelines.parameters import CODE, DEFINITION, deployment_parameters
from include.settings import settings
from include.tasks import costs, registry
from include.tasks.alerts import alerts
from include.tasks.defaults import task_defaults
from include.tasks.evaluation import SMOKE_REVIEWS
from include.tasks.find_reviews import SYNTHETIC, find_reviews
from include.tasks.lineage import trace_and_draw

#: of the pipeline, of its package group and of its endpoint: nothing of `train_sentiment` is touched.
NAME = f"{settings.endpoint_name}-pipeline"

with DAG(
    dag_id="sagemaker_pipeline",
    description="Features, training, evaluation and registration by SageMaker Pipelines; approval and deployment",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    dagrun_timeout=timedelta(days=2),
    default_args=task_defaults(execution_timeout=timedelta(hours=6)),
    **alerts("sagemaker_pipeline"),
    params={
        **training_params(),
        "require_approval": registry.REQUIRE_APPROVAL,
        "keep_endpoint": keep_endpoint(default=False),
    },
    tags=["part-2", "training", "pipeline"],
) as dag:
    found = find_reviews()
    code = UploadCodeOperator(task_id="code", jobs=CODE)
    pipeline = PipelineOperator(
        task_id="pipeline",
        pipeline_name=NAME,
        definition=DEFINITION,
        role_arn=settings.role_arn,
        description="Review sentiment: features, training, evaluation, accuracy gate, registration",
    )

    execute = PipelineExecutionOperator(
        task_id="execute",
        pipeline_name=NAME,
        parameters={
            **deployment_parameters(),
            **code.uris,
            # The same for each try of a run: another request would be another execution.
            "Dag": dag.dag_id,
            "Run": "{{ run_id | replace('~', '_') }}",
            "ExpiresAt": "{{ (dag_run.run_after + macros.timedelta(days=30)).strftime('%Y-%m-%dT%H:%M:%SZ') }}",
            "DataVersion": "{{ ti.xcom_pull(task_ids='find_reviews')['table']['sha256'] }}",
            "Synthetic": SYNTHETIC,
            "ModelPackageGroupName": NAME,
            "Text": "{{ params.text }}",
            "BaseModel": "{{ params.base_model }}",
            "Epochs": "{{ params.epochs }}",
            "LearningRate": "{{ params.learning_rate }}",
            "TrainBatchSize": "{{ params.train_batch_size }}",
            "Balance": "{{ params.balance }}",
            "MaxEpochRows": "{{ params.max_epoch_rows }}",
            "Seed": "{{ params.seed }}",
            "MinAccuracyValue": "{{ params.min_accuracy }}",
        },
    )

    who_approves, approve = registry.approval(
        version=execute.arn_of("RegisterModel"),
        body="{{ ti.xcom_pull(task_ids='execute', key='arn_RegisterModel') }} reached {{ params.min_accuracy }}.",
    )
    latest = registry.latest_approved(NAME)
    model = ModelOperator(task_id="model", role_arn=settings.role_arn, containers=latest)
    deploy = EndpointOperator(
        task_id="deploy",
        endpoint_name=NAME,
        model_name=model.model_name,
        instance_type=settings.inference_instance_type,
    )
    smoke = InvokeEndpointOperator(task_id="smoke", endpoint_name=NAME, records=SMOKE_REVIEWS)
    traced, drawn = trace_and_draw(NAME, model)
    delete_endpoint = DeleteEndpointOperator(
        task_id="delete_endpoint", endpoint_name=NAME, keep="{{ params.keep_endpoint }}"
    )

    chain(found, [code, pipeline], execute, who_approves)
    chain(approve, latest, model, deploy, [smoke, traced])
    chain([smoke, drawn], delete_endpoint.as_teardown(setups=[model, deploy]))

    costs.show(dag)
