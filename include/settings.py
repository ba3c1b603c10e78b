"""
Names, places and sizes of everything the DAGs use: from the environment, with defaults for the local run.

On AWS set at least ``REVIEWS_BUCKET`` and ``SAGEMAKER_ROLE_ARN``; docs/aws.md has the list.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec
from include import job_code
from include.regions import image_uri

INCLUDE = Path(__file__).parent
#: values of a variable that turn something on.
YES = {"1", "true", "yes"}


@dataclass(frozen=True)
class Settings:
    """One deployment's settings; every field can be set by the environment variable that :meth:`read` names."""

    source: str
    project: str
    bucket: str
    region: str
    role_arn: str
    database: str
    work_group: str
    endpoint_name: str
    feature_group: str
    model_group: str
    retraining_cron: str
    drop: str
    text: str
    base_model: str
    max_seq_length: int
    training_image: str
    processing_image: str
    inference_image: str
    training_instance_type: str
    training_instances: int
    training_spot: bool
    processing_instance_type: str
    features_instances: int
    feature_ingest: str
    online_split: str
    part_rows: int
    inference_instance_type: str
    epochs: int
    max_epoch_rows: int
    min_accuracy: float
    max_reviews: int
    workforce: str
    cognito_domain: str
    workers: tuple[str, ...]
    alert_topic: str
    deadlines: str
    sweep_cron: str
    sweep_deletes: bool

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """
        Read the settings from ``environment``.

        :raises ValueError: the region has no image, and none is named.
        """
        get = environment.get
        region = get("AWS_DEFAULT_REGION", "us-east-1")
        bucket = get("REVIEWS_BUCKET", "sentiment-reviews")
        return cls(
            source=get("REVIEWS_SOURCE", ""),
            project=get("REVIEWS_PROJECT", "sentiment"),
            bucket=bucket,
            region=region,
            role_arn=get("SAGEMAKER_ROLE_ARN", "arn:aws:iam::123456789012:role/SageMakerExecutionRole"),
            database=get("REVIEWS_DATABASE", "reviews"),
            work_group=get("REVIEWS_WORK_GROUP", "primary"),
            endpoint_name=get("REVIEWS_ENDPOINT", "sentiment"),
            feature_group=get("REVIEWS_FEATURE_GROUP", "reviews"),
            model_group=get("REVIEWS_MODEL_GROUP", "sentiment"),
            retraining_cron=get("REVIEWS_RETRAINING_CRON", "0 3 * * 1"),
            drop=get("REVIEWS_DROP", "needed"),
            text=get("REVIEWS_TEXT", "title_body"),
            base_model=get("REVIEWS_BASE_MODEL", "sentence-transformers/all-MiniLM-L6-v2"),
            max_seq_length=int(get("REVIEWS_MAX_SEQ_LENGTH", "128")),
            training_image=image_uri("training", region, environment),
            processing_image=image_uri("processing", region, environment),
            inference_image=image_uri("inference", region, environment),
            training_instance_type=get("SAGEMAKER_TRAINING_INSTANCE", "ml.m5.2xlarge"),
            processing_instance_type=get("SAGEMAKER_PROCESSING_INSTANCE", "ml.m5.xlarge"),
            training_instances=int(get("REVIEWS_TRAINING_INSTANCES", "1")),
            training_spot=get("REVIEWS_TRAINING_SPOT", "").lower() in YES,
            features_instances=int(get("REVIEWS_FEATURES_INSTANCES", "1")),
            feature_ingest=get("REVIEWS_FEATURE_INGEST", "records"),
            online_split=get("REVIEWS_ONLINE_SPLIT", ""),
            part_rows=int(get("REVIEWS_PART_ROWS", "250000")),
            inference_instance_type=get("SAGEMAKER_INFERENCE_INSTANCE", "ml.m5.large"),
            epochs=int(get("REVIEWS_EPOCHS", "3")),
            max_epoch_rows=int(get("REVIEWS_MAX_EPOCH_ROWS", "7500")),
            min_accuracy=float(get("REVIEWS_MIN_ACCURACY", "0.65")),
            max_reviews=int(get("REVIEWS_MAX_REVIEWS", "0")),
            # AWS has one work force a region.
            workforce=get("REVIEWS_WORKFORCE", "reviewers"),
            # A domain is one of all accounts', as a bucket's name is.
            cognito_domain=get("REVIEWS_COGNITO_DOMAIN", f"{bucket.replace('.', '-')}-people"),
            workers=tuple(get("REVIEWS_WORKERS", "").replace(",", " ").split()),
            # Nobody is told without a topic, and no run is late without a deadline: include/tasks/alerts.py.
            alert_topic=get("REVIEWS_ALERT_TOPIC", ""),
            deadlines=get("REVIEWS_DEADLINE_MINUTES", ""),
            sweep_cron=get("REVIEWS_SWEEP_CRON", "30 4 * * *"),
            sweep_deletes=get("REVIEWS_SWEEP_DELETE", "").lower() in YES,
        )

    @property
    def twin_group(self) -> str:
        """The package group of the models that were compiled to eight bits: see :mod:`include.tasks.compiling`."""
        return f"{self.model_group}-int8"

    def uri(self, *parts: str) -> str:
        """Return ``s3://bucket/part/part``."""
        return "/".join([f"s3://{self.bucket}", *parts])

    def processing_job(self, name: str, *, instance_count: int = 1) -> ProcessingJobSpec:
        """Return the processing job whose script is ``include/jobs/<name>/<name>.py``."""
        return ProcessingJobSpec(
            image_uri=self.processing_image,
            role_arn=self.role_arn,
            bucket=self.bucket,
            **job_code.of(name),
            instance_type=self.processing_instance_type,
            instance_count=instance_count,
        )

    def training_job(self, name: str) -> TrainingJobSpec:
        """Return the training job whose script is ``include/jobs/<name>/<name>.py``."""
        return TrainingJobSpec(
            image_uri=self.training_image,
            role_arn=self.role_arn,
            bucket=self.bucket,
            **job_code.of(name),
            instance_type=self.training_instance_type,
            instance_count=self.training_instances,
            spot=self.training_spot,
        )


settings = Settings.read()
