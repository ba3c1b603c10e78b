"""
The sentiment workflow as a SageMaker Pipeline: writes ``sentiment.json`` beside this file.

Needs the SageMaker SDK, and neither network nor account::

    python include/pipelines/sentiment.py

Processing -> Train -> EvaluateModel -> AccuracyCondition, and from there RegisterModel and CreateModel, or
BelowAccuracy, which fails the execution and says why. Every knob is a parameter of the pipeline and takes effect when
it is overridden; places, images and the role have no default, so that one definition fits every account.
"""

# Run by hand, where the jobs' requirements are installed: Airflow never imports this.
# ruff: noqa: TID253
from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

# Before the SDK is imported, which makes clients at once: keys that nobody takes, since nothing is to be asked.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_VALIDATE_ROLE": "false",
}

from knobs import parameters
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    MetricDefinition,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
)
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import Parameter
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.model_trainer import ModelTrainer

DEFINITION = Path(__file__).with_suffix(".json")
NAME = "sentiment-pipeline"
JSON_LINES = "application/jsonlines"
PROCESSING = "/opt/ml/processing"

#: ModelTrainer and ModelBuilder want to see the text of an ARN; the parameter takes its place.
UNSET_ROLE = "arn:aws:iam::123456789012:role/unset"
#: a step with the same arguments as one that succeeded so long ago takes its result.
CACHED = CacheConfig(enable_caching=True, expire_after="PT1H")
#: a job for which there were no machines is tried again: after 1, 2, 4 and 8 minutes.
PATIENT = SageMakerJobStepRetryPolicy(list(SageMakerJobExceptionTypeEnum), interval_seconds=60, max_attempts=4)


class ParameterisedTraining(TrainingStep):  # type: ignore[misc]
    """A training step with parameters also where ModelTrainer takes plain text and plain numbers only."""

    def __init__(self, name: str, *, role: Parameter, volume: Parameter, max_runtime: Parameter, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.role, self.volume, self.max_runtime = role, volume, max_runtime

    @property
    def arguments(self) -> dict[str, Any]:
        """The CreateTrainingJob request."""
        request: dict[str, Any] = super().arguments
        request["RoleArn"] = self.role
        request["ResourceConfig"]["VolumeSizeInGB"] = self.volume
        request["StoppingCondition"] = {"MaxRuntimeInSeconds": self.max_runtime}
        return request


class Workflow:
    """The steps, each a method; what they share is made once."""

    def __init__(self) -> None:
        self.parameters = parameters()
        quiet = {"SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
        self.session = PipelineSession(sagemaker_config={"SchemaVersion": "1.0", **quiet}, default_bucket="unused")

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[name]

    def output(self, *names: str) -> Join:
        """Return the S3 URI of a folder of this execution's own."""
        return Join(on="/", values=[self["OutputPrefix"], ExecutionVariables.PIPELINE_EXECUTION_ID, *names])

    def processing(
        self,
        job: str,
        inputs: dict[str, Any],
        outputs: list[str],
        arguments: dict[str, Parameter],
        instances: Parameter | int = 1,
    ) -> Any:
        """Return the arguments of a step that runs ``include/jobs/<job>/<job>.py``, as its DAG's task runs it."""
        processor = Processor(
            role=self["RoleArn"],
            image_uri=self["ProcessingImageUri"],
            instance_type=self["ProcessingInstanceType"],
            instance_count=instances,
            volume_size_in_gb=self["ProcessingVolumeSizeInGB"],
            max_runtime_in_seconds=self["MaxRuntimeInSeconds"],
            entrypoint=["python3", f"{PROCESSING}/input/code/{job}.py"],
            sagemaker_session=self.session,
        )
        return processor.run(
            inputs=[_input(name, uri) for name, uri in inputs.items()],
            outputs=[_output(name, self.output(job, name)) for name in outputs],
            arguments=[word for flag, value in arguments.items() for word in (f"--{flag}", value.to_string())],
        )

    def features(self) -> ProcessingStep:
        """Return the step that makes three splits of the cleaned reviews."""
        return ProcessingStep(
            "Processing",
            step_args=self.processing(
                "features",
                {"code": self["FeaturesCodeUri"], "reviews": self["InputDataUri"]},
                ["train", "validation", "test", "report"],
                {
                    "base-model": self["BaseModel"],
                    "text": self["Text"],
                    "max-seq-length": self["MaxSeqLength"],
                    "validation-share": self["ValidationShare"],
                    "test-share": self["TestShare"],
                    "seed": self["SplitSeed"],
                    # To the cache, too, other reviews at the same place are another computation.
                    "reviews-sha256": self["DataVersion"],
                },
                self["ProcessingInstanceCount"],
            ),
            cache_config=CACHED,
            retry_policies=[PATIENT],
        )

    def train(self, features: ProcessingStep) -> TrainingStep:
        """Return the step that trains a model; its hyperparameters are the parameters, not their present values."""
        trainer = ModelTrainer(
            role=UNSET_ROLE,
            training_image=self["TrainImageUri"],
            base_job_name="train",
            compute=Compute(instance_type=self["TrainInstanceType"], instance_count=self["TrainInstanceCount"]),
            output_data_config=OutputDataConfig(s3_output_path=self.output("train")),
            hyperparameters={
                "base_model": self["BaseModel"],
                "text": self["Text"],
                "epochs": self["Epochs"].to_string(),
                "learning_rate": self["LearningRate"].to_string(),
                "train_batch_size": self["TrainBatchSize"].to_string(),
                "balance": self["Balance"],
                "max_epoch_rows": self["MaxEpochRows"].to_string(),
                "seed": self["Seed"].to_string(),
                "max_seq_length": self["MaxSeqLength"].to_string(),
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": self["TrainCodeUri"],
                "sagemaker_region": self["Region"],
                "sagemaker_container_log_level": "20",
                # Started by torchrun on one instance too, so that TrainInstanceCount alone makes a cluster.
                "sagemaker_torch_distributed_enabled": "true",
                "sagemaker_instance_type": self["TrainInstanceType"],
            },
            sagemaker_session=self.session,
        ).with_metric_definitions(
            [
                MetricDefinition(name="validation:loss", regex=r"val_loss: ([0-9.]+)"),
                MetricDefinition(name="validation:accuracy", regex=r"val_acc: ([0-9.]+)"),
            ]
        )
        channels = [
            InputData(channel_name=name, data_source=_uri_of(features, name)) for name in ("train", "validation")
        ]
        return ParameterisedTraining(
            "Train",
            step_args=trainer.train(input_data_config=channels),
            cache_config=CACHED,
            retry_policies=[PATIENT],
            role=self["RoleArn"],
            volume=self["TrainVolumeSizeInGB"],
            max_runtime=self["MaxRuntimeInSeconds"],
        )

    def evaluate(self, features: ProcessingStep, train: TrainingStep) -> tuple[ProcessingStep, PropertyFile]:
        """Return the step that judges the model by the test split, on one instance, and the report that it writes."""
        report = PropertyFile("Evaluation", output_name="report", path="evaluation.json")
        step = ProcessingStep(
            "EvaluateModel",
            step_args=self.processing(
                "evaluate",
                {
                    "code": self["EvaluateCodeUri"],
                    "model": train.properties.ModelArtifacts.S3ModelArtifacts,
                    "test": _uri_of(features, "test"),
                },
                ["report"],
                {"synthetic": self["Synthetic"]},
            ),
            property_files=[report],
            cache_config=CACHED,
            retry_policies=[PATIENT],
        )
        return step, report

    def model(self, train: TrainingStep) -> ModelBuilder:
        """Return the model that the endpoint will serve."""
        return ModelBuilder(
            image_uri=self["InferenceImageUri"],
            s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
            role_arn=UNSET_ROLE,
            # The model's archive brings its own code: nothing to be packed, and nothing uploaded.
            dependencies={},
            sagemaker_session=self.session,
        )

    def register(self, train: TrainingStep, evaluate: ProcessingStep) -> ModelStep:
        """Return the step that registers a version of the package group, with its metrics."""
        statistics = Join(on="/", values=[_uri_of(evaluate, "report"), "evaluation.json"])
        arguments = self.model(train).register(
            content_types=[JSON_LINES],
            response_types=[JSON_LINES],
            inference_instances=[self["InferenceInstanceType"]],
            transform_instances=[self["InferenceInstanceType"]],
            model_package_group_name=self["ModelPackageGroupName"],
            approval_status=self["ModelApprovalStatus"],
            # As the versions of train_sentiment say what they were trained on.
            customer_metadata_properties={"synthetic": self["Synthetic"]},
            model_metrics=ModelMetrics(model_statistics=MetricsSource("application/json", statistics)),
        )
        return ModelStep("RegisterModel", step_args=arguments)

    def create_model(self, train: TrainingStep) -> ModelStep:
        """Return the step that makes a model of SageMaker's, ready for an endpoint or a transform job."""
        arguments = self.model(train).build()
        arguments.create_model_request["ExecutionRoleArn"] = self["RoleArn"]
        return ModelStep("CreateModel", step_args=arguments)

    def gate(self, train: TrainingStep, evaluate: ProcessingStep, report: PropertyFile) -> ConditionStep:
        """Return the step that registers the model and creates it, or fails the execution with the reason."""
        accuracy = JsonGet(step_name=evaluate.name, property_file=report, json_path="metrics.accuracy.value")
        reason = ["NOT REGISTERED: the test accuracy is below", self["MinAccuracyValue"], "(MinAccuracyValue), see"]
        return ConditionStep(
            "AccuracyCondition",
            conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=self["MinAccuracyValue"])],
            if_steps=[self.register(train, evaluate), self.create_model(train)],
            else_steps=[
                FailStep("BelowAccuracy", error_message=Join(on=" ", values=[*reason, _uri_of(evaluate, "report")]))
            ],
        )

    def pipeline(self) -> Pipeline:
        """Return the whole pipeline."""
        features = self.features()
        train = self.train(features)
        evaluate, report = self.evaluate(features, train)
        return Pipeline(
            name=NAME,
            parameters=list(self.parameters.values()),
            steps=[features, train, evaluate, self.gate(train, evaluate, report)],
            sagemaker_session=self.session,
        )


def _input(name: str, uri: Any) -> ProcessingInput:
    place = ProcessingS3Input(
        s3_uri=uri,
        local_path=f"{PROCESSING}/input/{name}",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=place)


def _output(name: str, uri: Any) -> ProcessingOutput:
    place = ProcessingS3Output(s3_uri=uri, local_path=f"{PROCESSING}/output/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=place)


def _uri_of(step: ProcessingStep, output: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri


def _tagged(steps: list[dict[str, Any]]) -> None:
    """Add the tags to what steps create; a version of the registry has those of its group."""
    names = {"project": "Project", "dag": "Dag", "run": "Run", "expires-at": "ExpiresAt"}
    for step in steps:
        if step["Type"] in {"Processing", "Training", "Model"}:
            step["Arguments"]["Tags"] = [
                {"Key": key, "Value": {"Get": f"Parameters.{name}"}} for key, name in names.items()
            ]
        _tagged([*step["Arguments"].get("IfSteps", []), *step["Arguments"].get("ElseSteps", [])])


def write(to: Path = DEFINITION) -> None:
    """Write the definition, the same for the same source."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        definition = json.loads(Workflow().pipeline().definition())
    _tagged(definition["Steps"])
    to.write_text(json.dumps(definition, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
