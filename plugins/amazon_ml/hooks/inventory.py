"""What there is in SageMaker, kind by kind: for who cleans up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amazon_ml.hooks.sagemaker import SageMakerJobHook

#: kind of what runs, as SageMaker's Stop operations spell it -> its List operation. Those that start others come first.
RUNNING = {
    "HyperParameterTuningJob": "list_hyper_parameter_tuning_jobs",
    "AutoMLJob": "list_auto_ml_jobs",
    "TrainingJob": "list_training_jobs",
    "ProcessingJob": "list_processing_jobs",
    "TransformJob": "list_transform_jobs",
}


class InventoryHook(SageMakerJobHook):
    """Lists of all resources of a kind, whoever made them."""

    def running_jobs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the kind, and what AWS lists, of each job that runs."""
        for kind, method in RUNNING.items():
            for page in self._pages(method, StatusEquals="InProgress"):
                for summary in page[f"{kind}Summaries"]:
                    yield kind, summary

    def all_endpoints(self) -> Iterator[dict[str, Any]]:
        """Describe all endpoints, but for those that are gone by then."""
        for page in self._pages("list_endpoints"):
            for summary in page["Endpoints"]:
                found = self.describe("Endpoint", summary["EndpointName"])
                if found is not None:
                    yield found

    def all_endpoint_configs(self) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of all endpoint configurations."""
        for page in self._pages("list_endpoint_configs"):
            yield from page["EndpointConfigs"]

    def models(self) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of all models."""
        for page in self._pages("list_models"):
            yield from page["Models"]

    def ended_tuning_jobs(self) -> Iterator[dict[str, Any]]:
        """Yield what AWS lists of the tuning jobs that have ended, however."""
        for status in ("Completed", "Stopped", "Failed"):
            for page in self._pages("list_hyper_parameter_tuning_jobs", StatusEquals=status):
                yield from page["HyperParameterTuningJobSummaries"]
