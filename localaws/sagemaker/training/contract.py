"""The container contract of training jobs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws.core.archive import ArchiveError
from localaws.core.beneath import LeadsOut, Tree
from localaws.core.job_client import Aws
from localaws.core.packing import pack
from localaws.images import Image
from localaws.sagemaker.jobs import profiler
from localaws.sagemaker.jobs.contract import Contract, Outcome
from localaws.sagemaker.jobs.mirror import Mirror, Mirroring
from localaws.sagemaker.jobs.progress import shorten
from localaws.sagemaker.jobs.spot import Spot
from localaws.sagemaker.jobs.staging import DataError, Source, put, upload
from localaws.sagemaker.training import profile_report

_DATA = "/opt/ml/input/data"


class Training(Contract):
    """See https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html."""

    log_group = "/aws/sagemaker/TrainingJobs"
    dimension = "TrainingJobName"
    noun = "training job"

    @property
    def note(self) -> str:
        """SDKs send a DebugHookConfig that nobody asked for: it is no fault."""
        return "[localaws] DebugHookConfig: no tensors are saved" if "DebugHookConfig" in self.request else ""

    @property
    def resources(self) -> dict[str, Any]:
        """The ResourceConfig."""
        resources: dict[str, Any] = self.request["ResourceConfig"]
        return resources

    @property
    def spot(self) -> Spot | None:
        """By EnableManagedSpotTraining."""
        return Spot.of(self.request)

    @property
    def metric_definitions(self) -> Sequence[dict[str, str]]:
        """AlgorithmSpecification.MetricDefinitions."""
        definitions: Sequence[dict[str, str]] = self.request["AlgorithmSpecification"].get("MetricDefinitions", ())
        return definitions

    @property
    def image_uri(self) -> str:
        """AlgorithmSpecification.TrainingImage."""
        return str(self.request["AlgorithmSpecification"]["TrainingImage"])

    @property
    def channels(self) -> list[dict[str, Any]]:
        """The InputDataConfig."""
        return list(self.request.get("InputDataConfig", []))

    def prepare(self, host: str) -> None:
        """``/opt/ml/input/config/*.json`` and the folders that a script may expect."""
        self.make_folders(host, "input/data", "model", "code", "output/data", "checkpoints")
        self.write(host, "input/config/hyperparameters.json", self.request.get("HyperParameters", {}))
        self.write(
            host,
            "input/config/inputdataconfig.json",
            {channel["ChannelName"]: _channel_config(channel) for channel in self.channels},
        )
        group = {
            "instance_group_name": "homogeneousCluster",
            "instance_type": self.resources["InstanceType"],
            "hosts": self.hosts,
        }
        self.write(
            host,
            "input/config/resourceconfig.json",
            {
                "current_host": host,
                "current_instance_type": self.resources["InstanceType"],
                "current_group_name": "homogeneousCluster",
                "hosts": self.hosts,
                "instance_groups": [group],
                "network_interface_name": "lo",
            },
        )

    def sources(self) -> Sequence[Source]:
        """Return the channels, and what an earlier job with the same checkpoints left."""
        found = []
        for channel in self.channels:
            data = channel["DataSource"]["S3DataSource"]
            found.append(
                Source(
                    data["S3Uri"],
                    f"{_DATA}/{channel['ChannelName']}",
                    manifest=data["S3DataType"] == "ManifestFile",
                    sharded=data.get("S3DataDistributionType") == "ShardedByS3Key",
                    single=data["S3DataType"] == "AugmentedManifestFile",
                )
            )
        if checkpoints := self.request.get("CheckpointConfig"):
            found.append(Source(_as_prefix(checkpoints["S3Uri"]), _checkpoint_path(checkpoints), may_be_empty=True))
        return found

    def command(self, image: Image) -> list[str]:
        """Return the ContainerEntrypoint, or the command that runs ``train`` in the image's place."""
        algorithm = self.request["AlgorithmSpecification"]
        if entrypoint := algorithm.get("ContainerEntrypoint"):
            return [*entrypoint, *algorithm.get("ContainerArguments", [])]
        if image.training is None:
            raise DataError(f"The image {self.image_uri} has no train entry point")
        return [*self.play(image.training), *algorithm.get("ContainerArguments", [])]

    def kind_environment(self, host: str) -> dict[str, str]:
        """Return the variables that SageMaker sets itself; the image's toolkit adds the ``SM_*`` ones."""
        return {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.arn, "SM_CURRENT_HOST": host}

    def mirrors(self, aws: Aws) -> Sequence[Mirror]:
        """Checkpoints and TensorBoard's files."""
        found = []
        if checkpoints := self.request.get("CheckpointConfig"):
            found.append((_checkpoint_path(checkpoints), _as_prefix(checkpoints["S3Uri"])))
        if board := self.request.get("TensorBoardOutputConfig"):
            local = board.get("LocalPath", "/opt/ml/output/tensorboard")
            found.append((local, f"{_as_prefix(board['S3OutputPath'])}{self.name}/tensorboard-output/"))
        return [Mirror(aws, self.tree(host, path), uri) for path, uri in found for host in self.hosts]

    def deliver(self, aws: Aws, outcome: Outcome) -> dict[str, Any]:
        """
        Upload ``output.tar.gz`` and, unless the script failed, the model.

        As on AWS an empty folder makes no archive, and the files of several hosts come together in one.
        """
        base = f"{_as_prefix(self.request['OutputDataConfig']['S3OutputPath'])}{self.name}/output"
        self._archive(aws, "output/data", f"{base}/output.tar.gz")
        if outcome.status == "Failed":
            return {}
        if self.request["OutputDataConfig"].get("CompressionType") == "NONE":
            for host in reversed(self.hosts):
                upload(aws, self.tree(host, "model"), f"{base}/model/")
            return {"ModelArtifacts": f"{base}/model/"}
        self._archive(aws, "model", f"{base}/model.tar.gz")
        return {"ModelArtifacts": f"{base}/model.tar.gz"}

    def profile_mirrors(self, aws: Aws, settings: Mapping[str, Any]) -> list[Mirror]:
        """Return the profile to upload, if the job is profiled."""
        if not profiler.enabled(settings):
            return []
        return [Mirror(aws, Tree(self.folder.profile), profiler.output(settings))]

    def profile(self, aws: Aws, profiling: Mirroring, settings: Mapping[str, Any]) -> dict[str, Any]:
        """
        Upload the profile and the report of each rule, and tell how the rules were evaluated.

        What S3 refuses is told as the rules' error: the job's own work is not lost by it.
        """
        rules = settings.get("ProfilerRuleConfigurations", [])
        try:
            profiling.finish()
            if not profiling.any and self.folder.profile.is_dir():
                # Profiling was turned on by an update.
                upload(aws, Tree(self.folder.profile), profiler.output(settings))
            for rule in rules:
                self._report(aws, rule)
            told = {"RuleEvaluationStatus": "NoIssuesFound"}
        except DataError as error:
            print(f"profiler: {error}", file=sys.stderr)
            told = {"RuleEvaluationStatus": "Error", "StatusDetails": shorten(f"ClientError: {error}")}
        now = datetime.now(UTC)
        names = [{"RuleConfigurationName": rule["RuleConfigurationName"], "LastModifiedTime": now} for rule in rules]
        return {"ProfilerRules": [{**name, **told} for name in names]} if rules else {}

    def _report(self, aws: Aws, rule: Mapping[str, Any]) -> None:
        place = rule.get("S3OutputPath") or self.request["OutputDataConfig"]["S3OutputPath"]
        with tempfile.TemporaryDirectory(dir=self.folder.path) as made:
            profile_report.write(profiler.read(self.folder.profile), Path(made), self.name)
            name = rule["RuleConfigurationName"]
            prefix = f"{_as_prefix(place)}{self.name}/rule-output/{name}/profiler-output/"
            upload(aws, Tree(Path(made)), prefix)

    def _archive(self, aws: Aws, path: str, uri: str) -> None:
        trees = [self.tree(host, path) for host in self.hosts]
        if not any(any(tree.names()) for tree in trees if tree.exists):
            return
        archive: Path = self.folder.path / uri.rpartition("/")[2]
        try:
            pack(trees, archive)
        except (ArchiveError, LeadsOut) as error:
            raise DataError(f"/opt/ml/{path} cannot be packed: {error}") from error
        put(aws, archive, uri)
        archive.unlink()


def _channel_config(channel: dict[str, Any]) -> dict[str, Any]:
    data = channel["DataSource"]["S3DataSource"]
    config: dict[str, Any] = {
        "TrainingInputMode": "File",
        "S3DistributionType": data.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if "AttributeNames" in data:
        config["AttributeNames"] = data["AttributeNames"]
    if "ContentType" in channel:
        config["ContentType"] = channel["ContentType"]
    return config


def _checkpoint_path(checkpoints: dict[str, str]) -> str:
    return checkpoints.get("LocalPath", "/opt/ml/checkpoints")


def _as_prefix(uri: str) -> str:
    return f"{uri.rstrip('/')}/"
