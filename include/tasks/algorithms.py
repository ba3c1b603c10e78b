"""What AWS brings itself, Clarify, BlazingText and Autopilot: where the containers are, and their jobs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from amazon_ml.specs.algorithm import AlgorithmJobSpec
from amazon_ml.specs.auto_ml import AutoMLJobSpec
from amazon_ml.specs.clarify import ClarifyJobSpec
from include.settings import settings

# Each Region has these images in a registry account of its own; localaws goes by the repository's name alone.
# https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
_CLARIFY = {
    "us-east-1": "205585389593",
    "us-east-2": "211330385671",
    "us-west-1": "740489534195",
    "us-west-2": "306415355426",
    "ca-central-1": "675030665977",
    "sa-east-1": "520018980103",
    "eu-central-1": "017069133835",
    "eu-north-1": "763603941244",
    "eu-west-1": "131013547314",
    "eu-west-2": "440796970383",
    "eu-west-3": "341593696636",
    "ap-northeast-1": "377024640650",
    "ap-northeast-2": "263625296855",
    "ap-south-1": "452307495513",
    "ap-southeast-1": "834264404009",
    "ap-southeast-2": "007051062584",
}
_BLAZINGTEXT = {
    "us-east-1": "811284229777",
    "us-east-2": "825641698319",
    "us-west-1": "632365934929",
    "us-west-2": "433757028032",
    "ca-central-1": "469771592824",
    "sa-east-1": "855470959533",
    "eu-central-1": "813361260812",
    "eu-north-1": "669576153137",
    "eu-west-1": "685385470294",
    "eu-west-2": "644912444149",
    "eu-west-3": "749696950732",
    "ap-northeast-1": "501404015308",
    "ap-northeast-2": "306986355934",
    "ap-south-1": "991648021394",
    "ap-southeast-1": "475088953585",
    "ap-southeast-2": "544295431143",
}


def image(variable: str, accounts: Mapping[str, str], repository: str, region: str) -> str:
    """
    Return the image's URI: the environment variable's value, else the one of AWS's account in this Region.

    :raises ValueError: neither is known.
    """
    if given := os.environ.get(variable):
        return given
    if region not in accounts:
        raise ValueError(f"no account known for {repository} in {region}: set {variable} to the image's URI")
    return f"{accounts[region]}.dkr.ecr.{region}.amazonaws.com/{repository}"


CLARIFY_IMAGE = image("SAGEMAKER_CLARIFY_IMAGE", _CLARIFY, "sagemaker-clarify-processing:1.0", settings.region)
BLAZINGTEXT_IMAGE = image("SAGEMAKER_BLAZINGTEXT_IMAGE", _BLAZINGTEXT, "blazingtext:1", settings.region)


def clarify_job() -> ClarifyJobSpec:
    """Return Clarify's processing job; the operator brings the configuration."""
    return ClarifyJobSpec(
        image_uri=CLARIFY_IMAGE,
        role_arn=settings.role_arn,
        bucket=settings.bucket,
        instance_type=settings.processing_instance_type,
    )


def blazingtext_job() -> AlgorithmJobSpec:
    """Return BlazingText's training job; for so little text AWS advises a C5 instance."""
    return AlgorithmJobSpec(
        image_uri=BLAZINGTEXT_IMAGE,
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
