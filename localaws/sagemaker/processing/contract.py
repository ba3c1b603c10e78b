"""The container contract of processing jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localaws.core.job_client import Aws
from localaws.images import Image
from localaws.sagemaker.jobs.contract import Contract, Outcome
from localaws.sagemaker.jobs.mirror import Mirror
from localaws.sagemaker.jobs.staging import DataError, Source, under, upload

#: what ``processingjobconfig.json`` has of the Describe answer.
_CONFIGURATION = (
    "ProcessingJobArn",
    "ProcessingJobName",
    "AppSpecification",
    "Environment",
    "ExperimentConfig",
    "NetworkConfig",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "RoleArn",
    "StoppingCondition",
)


class Processing(Contract):
    """See https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html."""

    log_group = "/aws/sagemaker/ProcessingJobs"
    dimension = "ProcessingJobName"
    noun = "processing job"
    running = "Processing"
    folder_to_start_in = "/opt/ml/processing"

    @property
    def resources(self) -> dict[str, Any]:
        """ProcessingResources.ClusterConfig."""
        resources: dict[str, Any] = self.request["ProcessingResources"]["ClusterConfig"]
        return resources

    @property
    def image_uri(self) -> str:
        """AppSpecification.ImageUri."""
        return str(self.request["AppSpecification"]["ImageUri"])

    def prepare(self, host: str) -> None:
        """``/opt/ml/config/*.json`` and the outputs' folders."""
        self.make_folders(host, "processing", "output")
        self.write(
            host,
            "config/processingjobconfig.json",
            {key: self.request[key] for key in _CONFIGURATION if key in self.request},
        )
        self.write(
            host,
            "config/resourceconfig.json",
            {
                "current_host": host,
                "current_instance_type": self.resources["InstanceType"],
                "hosts": self.hosts,
                "network_interface_name": "lo",
            },
        )
        for output in self._outputs():
            under(self.folder.ml(host), output["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def sources(self) -> Sequence[Source]:
        """Return the ProcessingInputs that the platform stages; an AppManaged one is left to the script."""
        return [
            Source(
                data["S3Uri"],
                data["LocalPath"],
                manifest=data["S3DataType"] == "ManifestFile",
                sharded=data.get("S3DataDistributionType") == "ShardedByS3Key",
            )
            for entry in self.request.get("ProcessingInputs", [])
            if not entry.get("AppManaged") and (data := entry["S3Input"])
        ]

    def code_folders(self) -> Sequence[str]:
        """Return the folders of the inputs named code and entrypoint, as the SDK names scripts."""
        return [
            entry["S3Input"]["LocalPath"]
            for entry in self.request.get("ProcessingInputs", [])
            if entry["InputName"] in ("code", "entrypoint") and "S3Input" in entry
        ]

    def command(self, image: Image) -> list[str]:
        """Return the ContainerEntrypoint, or the command that runs the image's own."""
        app = self.request["AppSpecification"]
        arguments = app.get("ContainerArguments", [])
        if entrypoint := app.get("ContainerEntrypoint"):
            return [*entrypoint, *arguments]
        if image.processing is None:
            raise DataError(f"The image {self.image_uri} has no entry point of its own: give a ContainerEntrypoint")
        return [*self.play(image.processing), *arguments]

    def kind_environment(self, host: str) -> dict[str, str]:
        """SageMaker sets next to nothing here."""
        return {"PROCESSING_JOB_NAME": self.name, "PROCESSING_JOB_ARN": self.arn}

    def mirrors(self, aws: Aws) -> Sequence[Mirror]:
        """Return the outputs in Continuous mode."""
        return [
            Mirror(aws, self.tree(host, output["LocalPath"]), output["S3Uri"])
            for output in self._outputs()
            if output["S3UploadMode"] == "Continuous"
            for host in self.hosts
        ]

    def deliver(self, aws: Aws, outcome: Outcome) -> dict[str, Any]:
        """Upload the outputs of a job that succeeded: those of one that failed, EndOfJob, would be halves."""
        if outcome.status == "Completed":
            for output in self._outputs():
                if output["S3UploadMode"] == "EndOfJob":
                    for host in self.hosts:
                        upload(aws, self.tree(host, output["LocalPath"]), output["S3Uri"])
        return {"ExitMessage": self.read(self.hosts[0], "output/message")}

    def _outputs(self) -> list[dict[str, str]]:
        outputs = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [output["S3Output"] for output in outputs if "S3Output" in output and not output.get("AppManaged")]
