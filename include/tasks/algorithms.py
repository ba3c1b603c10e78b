"""What AWS brings itself, Clarify, BlazingText and Autopilot: where the containers are, and their jobs."""

from __future__ import annotations

import os

from amazon_ml.specs.algorithm import AlgorithmJobSpec
from amazon_ml.specs.auto_ml import AutoMLJobSpec
from amazon_ml.specs.clarify import ClarifyJobSpec
from include.regions import image_uri
from include.settings import settings


def clarify_job() -> ClarifyJobSpec:
    """Return Clarify's processing job; the operator brings the configuration."""
    return ClarifyJobSpec(
        image_uri=image_uri("clarify", settings.region, os.environ),
        role_arn=settings.role_arn,
        bucket=settings.bucket,
        instance_type=settings.processing_instance_type,
    )


def blazingtext_image() -> str:
    """Return the URI of BlazingText's image, which trains and serves."""
    return image_uri("blazingtext", settings.region, os.environ)


def blazingtext_job() -> AlgorithmJobSpec:
    """Return BlazingText's training job; for so little text AWS advises a C5 instance."""
    return AlgorithmJobSpec(
        image_uri=blazingtext_image(),
        role_arn=settings.role_arn,
        bucket=settings.bucket,
        instance_type=os.environ.get("SAGEMAKER_BLAZINGTEXT_INSTANCE", "ml.c5.xlarge"),
    )


def autopilot_job() -> AutoMLJobSpec:
    """Return Autopilot's job, text classification by the API's second version, with the limits of its DAG's form."""
    return AutoMLJobSpec(
        role_arn=settings.role_arn,
        bucket=settings.bucket,
        target="sentiment",
        content="review_body",
        objective="Accuracy",
        max_candidates="{{ params.max_candidates }}",
        max_runtime="{{ params.max_runtime }}",
        max_runtime_per_training_job="{{ params.max_runtime_per_training_job }}",
    )
