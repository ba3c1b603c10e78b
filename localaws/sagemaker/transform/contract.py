"""The container contract of batch transform jobs: a model server and what sends it the records, on each instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localaws.core import archive
from localaws.core.job_client import Aws
from localaws.images import Image
from localaws.sagemaker.endpoints import container
from localaws.sagemaker.jobs.contract import Contract, Outcome
from localaws.sagemaker.jobs.failure import excerpt
from localaws.sagemaker.jobs.mirror import Mirror
from localaws.sagemaker.jobs.progress import shorten
from localaws.sagemaker.jobs.staging import DataError, Source, under, upload

_ROOT = "/opt/ml/transform"
#: what is unpacked, and where from: the model, and its code where that is apart.
_ARCHIVES = ("model", "code")


class Transform(Contract):
    """See https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html."""

    log_group = "/aws/sagemaker/TransformJobs"
    dimension = "TransformJobName"
    noun = "transform job"
    running = "Transforming"
    folder_to_start_in = "/opt/ml/model"

    @property
    def resources(self) -> dict[str, Any]:
        """TransformResources."""
        resources: dict[str, Any] = self.request["TransformResources"]
        return resources

    @property
    def max_runtime(self) -> int:
        """SageMaker's own limit of five days: the request has none."""
        return 5 * 86_400

    @property
    def image_uri(self) -> str:
        """The model's image."""
        return str(self._model["Image"])

    def prepare(self, host: str) -> None:
        """Make the folders, and ``transform/job.json`` for the agent."""
        self.make_folders(host, "model", "output", "transform/input", "transform/output")
        self.write(host, "transform/job.json", {**self.request, "Region": self._job["Region"]})

    def sources(self) -> Sequence[Source]:
        """Return the model and its code for each host, and a share of the input's objects."""
        data = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        manifest = data["S3DataType"] == "ManifestFile"
        found = [Source(data["S3Uri"], f"{_ROOT}/input", manifest=manifest, sharded=True)]
        for part, uri in self._archives().items():
            if uri.endswith("/"):
                found.append(Source(uri, f"/opt/ml/{part}"))
            else:
                found.append(Source(uri, f"{_ROOT}/{part}", single=True))
        return found

    def arrange(self, host: str) -> None:
        """Unpack ``model.tar.gz`` and ``sourcedir.tar.gz``."""
        for part, uri in self._archives().items():
            packed = under(self.folder.ml(host), f"{_ROOT}/{part}")
            for path in sorted(packed.glob("*")):
                try:
                    archive.extract(path, self.folder.ml(host) / part)
                except archive.ArchiveError as error:
                    raise DataError(f"Failed to extract model data archive {uri}: {error}") from error
                path.unlink()

    def code_folders(self) -> Sequence[str]:
        """Return the folders of the code in the model and of the code beside it."""
        return ("/opt/ml/model/code", "/opt/ml/code")

    def command(self, image: Image) -> list[str]:
        """Return the command of the agent, which runs the image's model server."""
        if image.serving is None:
            raise DataError(f"The image {self.image_uri} does not serve: it has no serve program")
        return self.play("localaws.sagemaker.transform.agent")

    def kind_environment(self, host: str) -> dict[str, str]:
        """Return what SageMaker tells a model server about the job, and the model's own variables."""
        request = self.request
        return container.variables(
            self._job["Region"],
            {
                "SAGEMAKER_BATCH": "true",
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(request.get("MaxPayloadInMB", 6)),
                "SAGEMAKER_BATCH_STRATEGY": request.get("BatchStrategy", "MultiRecord"),
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(request.get("MaxConcurrentTransforms") or 1),
                **self._model["Environment"],
            },
        )

    def mirrors(self, aws: Aws) -> Sequence[Mirror]:
        """Nothing is uploaded while it runs."""
        return ()

    def deliver(self, aws: Aws, outcome: Outcome) -> dict[str, Any]:
        """
        Upload the objects that were transformed whole: also those of a job that failed at another one, as AWS does.

        Of a job that was stopped nothing is stored.
        """
        if outcome.status != "Stopped":
            for host in self.hosts:
                upload(aws, self.tree(host, f"{_ROOT}/output"), self.request["TransformOutput"]["S3OutputPath"])
        return {}

    def reason(self, host: str, exit_code: int, lines: Sequence[str]) -> str:
        """Return the agent's finding in AWS's words, and the end of the model server's own log."""
        text = self.read(host, "output/failure") or "AlgorithmError: See job logs for more information."
        said = excerpt([line for line in lines if "[sagemaker logs]" not in line])
        return f"{shorten(text, 500)} Last lines of the log: {shorten(said, 580)}"

    @property
    def _model(self) -> dict[str, Any]:
        model: dict[str, Any] = self.request["_Model"]
        return model

    def _archives(self) -> dict[str, str]:
        """S3 URIs by the folder that they come into."""
        environment = {**self._model["Environment"], **self.request.get("Environment", {})}
        uris = (self._model["Data"], environment.get("SAGEMAKER_SUBMIT_DIRECTORY", ""))
        return {part: uri for part, uri in zip(_ARCHIVES, uris, strict=True) if uri and uri.startswith("s3://")}
