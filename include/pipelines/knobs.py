"""The parameters of the sentiment pipeline, for ``sentiment.py`` beside this file."""

# Airflow never imports this.
# ruff: noqa: TID253
from __future__ import annotations

from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString

TEXTS = ["title_body", "body"]
BALANCING = ["undersample", "oversample", "class_weights", "none"]
#: in capitals too: Airflow renders Python's True.
BOOLEANS = ["false", "true", "False", "True"]
APPROVALS = ["PendingManualApproval", "Approved", "Rejected"]


def parameters() -> dict[str, Parameter]:
    """Return all parameters by name, in the order in which a console shows them."""
    made = [
        # Places, images and rights: of one account and region, so without a default.
        ParameterString("RoleArn"),
        ParameterString("Region"),
        ParameterString("InputDataUri"),
        ParameterString("OutputPrefix"),
        ParameterString("FeaturesCodeUri"),
        ParameterString("TrainCodeUri"),
        ParameterString("EvaluateCodeUri"),
        ParameterString("ProcessingImageUri"),
        ParameterString("TrainImageUri"),
        ParameterString("InferenceImageUri"),
        # What the data are, for the cache and for the reports.
        ParameterString("DataVersion", default_value="unknown"),
        ParameterString("Synthetic", default_value=BOOLEANS[0], enum_values=BOOLEANS),
        # The tags of what the steps create; pipelines take no tags of an execution.
        ParameterString("Project", default_value="sentiment"),
        ParameterString("Dag", default_value="none"),
        ParameterString("Run", default_value="none"),
        ParameterString("ExpiresAt", default_value="never"),
        # Machines.
        ParameterString("ProcessingInstanceType", default_value="ml.m5.xlarge"),
        ParameterInteger("ProcessingInstanceCount", default_value=1),
        ParameterInteger("ProcessingVolumeSizeInGB", default_value=30),
        ParameterString("TrainInstanceType", default_value="ml.m5.2xlarge"),
        ParameterInteger("TrainInstanceCount", default_value=1),
        ParameterInteger("TrainVolumeSizeInGB", default_value=30),
        ParameterInteger("MaxRuntimeInSeconds", default_value=3600),
        ParameterString("InferenceInstanceType", default_value="ml.m5.large"),
        # Features.
        ParameterString("BaseModel", default_value="roberta-base"),
        ParameterString("Text", default_value=TEXTS[0], enum_values=TEXTS),
        ParameterInteger("MaxSeqLength", default_value=128),
        ParameterFloat("ValidationShare", default_value=0.05),
        ParameterFloat("TestShare", default_value=0.11),
        ParameterInteger("SplitSeed", default_value=42),
        # Training.
        ParameterInteger("Epochs", default_value=3),
        ParameterFloat("LearningRate", default_value=1e-4),
        ParameterInteger("TrainBatchSize", default_value=32),
        ParameterString("Balance", default_value=BALANCING[0], enum_values=BALANCING),
        ParameterInteger("MaxEpochRows", default_value=7500),
        ParameterInteger("Seed", default_value=42),
        # The gate, and the registry behind it.
        ParameterFloat("MinAccuracyValue", default_value=0.65),
        ParameterString("ModelPackageGroupName", default_value="sentiment"),
        ParameterString("ModelApprovalStatus", default_value=APPROVALS[0], enum_values=APPROVALS),
    ]
    return {parameter.name: parameter for parameter in made}
