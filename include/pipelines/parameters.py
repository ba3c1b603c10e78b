"""What an execution of the sentiment pipeline is given by this deployment: its places, images and machines."""

from __future__ import annotations

from pathlib import Path

from amazon_ml.specs.job import JobSpec
from include import paths
from include.settings import settings

#: written by ``sentiment.py`` beside it.
DEFINITION = Path(__file__).with_name("sentiment.json")
#: parameter -> the job whose code it is.
CODE: dict[str, JobSpec] = {
    "FeaturesCodeUri": settings.processing_job("features"),
    "TrainCodeUri": settings.training_job("train"),
    "EvaluateCodeUri": settings.processing_job("evaluate"),
}


def deployment_parameters() -> dict[str, str | int]:
    """Return the parameters that follow from the settings, by name."""
    return {
        "Project": settings.project,
        "RoleArn": settings.role_arn,
        "Region": settings.region,
        "InputDataUri": paths.REVIEWS,
        "OutputPrefix": paths.PIPELINES,
        "ProcessingImageUri": settings.processing_image,
        "TrainImageUri": settings.training_image,
        "InferenceImageUri": settings.inference_image,
        "ProcessingInstanceType": settings.processing_instance_type,
        "TrainInstanceType": settings.training_instance_type,
        "InferenceInstanceType": settings.inference_instance_type,
        "MaxSeqLength": settings.max_seq_length,
    }
