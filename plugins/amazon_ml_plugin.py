"""The Airflow plugin: makes the links of the amazon_ml operators known to the web server."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from amazon_ml.links.portal import WorkerPortalLink
from amazon_ml.links.sagemaker import SageMakerConsoleLink


class AmazonMlPlugin(AirflowPlugin):
    """What amazon_ml adds to Airflow itself; its operators, hook and trigger are ordinary imports."""

    name = "amazon_ml"
    operator_extra_links = [SageMakerConsoleLink(), WorkerPortalLink()]
