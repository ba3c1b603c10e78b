"""What Airflow is told of this package where it is installed as a provider."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as ``airflow.provider_info.schema.json`` has it."""
    return {
        "package-name": "airflow-sagemaker-reviews",
        "name": "Amazon SageMaker, crash-safe",
        "description": "Operators for SageMaker of which one task instance starts one job, and a retry attaches to it.",
        "extra-links": [
            "amazon_ml.links.portal.WorkerPortalLink",
            "amazon_ml.links.sagemaker.SageMakerConsoleLink",
        ],
    }
