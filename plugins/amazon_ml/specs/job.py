"""What a job is made of, and the Create request that says so to SageMaker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from amazon_ml.code_bundle import SourceFolder

#: SageMaker's limits on an argument of a processing container and on a hyperparameter, in characters.
MAX_ARGUMENT = 256
MAX_HYPERPARAMETER = 2500

CODE = "/opt/ml/processing/input/code"
INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
CHECKPOINTS = "/opt/ml/checkpoints"


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """
    Image, code and resources of a job. Any text may be a Jinja template, rendered when the task runs.

    :param image_uri: container image.
    :param role_arn: ARN of the role that the job takes.
    :param bucket: where code and outputs go.
    :param source_dir: local folder, uploaded under its content hash.
    :param entry_point: script, by its path in ``source_dir``.
    :param dependencies: local files and folders that jobs share, put beside what is in ``source_dir``, as
        ``dependencies`` of version 2 of the SageMaker SDK are.
    :param volume_size_gb: disk of each instance.
    :param max_runtime: seconds of running after which SageMaker stops the job.
    :param environment: variables in the container.
    :param tags: on the job, beside those that say which DAG run made it.
    :param prefix: first part of the S3 keys of code and outputs.
    :param extra: further members of the Create request as AWS names them (VpcConfig, ExperimentConfig, ...).
    """

    image_uri: str
    role_arn: str
    bucket: str
    source_dir: str
    entry_point: str
    dependencies: Sequence[str] = ()
    instance_type: str
    instance_count: int | str = 1
    volume_size_gb: int | str = 30
    max_runtime: int | str = 3600
    environment: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    prefix: str = "jobs"
    extra: Mapping[str, Any] = field(default_factory=dict)

    #: the part of a request, or of the Describe answer, that says what is computed from what.
    identity: ClassVar[tuple[str, ...]]

    def source(self) -> SourceFolder:
        """
        Return the code as it is now.

        :raises ValueError: folder, entry point or a dependency is missing, or a name is there twice.
        """
        return SourceFolder.read(self.source_dir, self.entry_point, self.dependencies)

    def code_uri(self, source: SourceFolder) -> str:
        """Where this code is, or will be, in S3."""
        return f"s3://{self.bucket}/{self.prefix}/code/{source.digest}/{self._code_key}"

    def uploads(self, source: SourceFolder) -> dict[str, bytes]:
        """S3 key -> content of what has to be at :meth:`code_uri`."""
        raise NotImplementedError

    def output_uri(self, dag_id: str, name: str) -> str:
        """Return the S3 prefix of the outputs of the job ``name``, without a slash at its end."""
        return f"s3://{self.bucket}/{self.prefix}/{dag_id}/{name}"

    @property
    def _code_key(self) -> str:
        raise NotImplementedError

    @classmethod
    def fingerprint(cls, request: Mapping[str, Any]) -> str:
        """
        Return a digest of code, image, arguments and inputs: equal for requests of the same computation.

        Takes a request or a Describe answer: AWS gives these members back as they were sent. Names, output places,
        instance types and tags are not in it.
        """
        picked = [_search(path, request) for path in cls.identity]
        return hashlib.sha256(json.dumps(picked, sort_keys=True, default=str).encode()).hexdigest()[:16]


class WithoutCode:
    """To stand before a :class:`JobSpec` whose job brings no code: what it runs is its image, or SageMaker's choice."""

    image_uri: str

    def source(self) -> SourceFolder:
        """No code."""
        return SourceFolder({})

    def code_uri(self, source: SourceFolder) -> str:
        """Return the image, which stands for the code in the fingerprint."""
        return self.image_uri

    def uploads(self, source: SourceFolder) -> dict[str, bytes]:
        """Nothing."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ProcessingJobSpec(JobSpec):
    """
    A script in a processing container, run by ``python3`` from ``/opt/ml/processing/input/code``.

    The code is put to S3 file by file and reaches the container as an input, so that a plain framework image runs it:
    nothing in the image has to know how to fetch or unpack code.
    """

    identity: ClassVar[tuple[str, ...]] = (
        "AppSpecification.[ImageUri, ContainerEntrypoint, ContainerArguments]",
        "sort_by(ProcessingInputs, &InputName)[].[InputName, S3Input.S3Uri, S3Input.S3DataDistributionType]",
        "Environment",
    )

    @property
    def _code_key(self) -> str:
        return "files/"

    def uploads(self, source: SourceFolder) -> dict[str, bytes]:
        """Every file under the code's prefix."""
        folder = self.code_uri(source).removeprefix(f"s3://{self.bucket}/")
        return {folder + name: content for name, content in source.files.items()}

    def to_request(
        self,
        *,
        name: str,
        dag_id: str,
        code_uri: str,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str | None],
        arguments: Mapping[str, Any],
        sharded_inputs: Collection[str] = (),
    ) -> dict[str, Any]:
        """
        Return the CreateProcessingJob request, without tags.

        :param outputs: output name -> S3 URI, or None for the job's own folder.
        :raises ValueError: an argument longer than SageMaker takes, a sharded input that is not one, a name "code".
        """
        if unknown := set(sharded_inputs) - set(inputs):
            raise ValueError(f"sharded_inputs names no input: {', '.join(sorted(unknown))}")
        if "code" in inputs:
            raise ValueError('an input cannot be called "code": the script is there')
        folder = self.output_uri(dag_id, name)
        application: dict[str, Any] = {
            "ImageUri": self.image_uri,
            "ContainerEntrypoint": ["python3", f"{CODE}/{self.entry_point}"],
        }
        if words := to_arguments(arguments):
            application["ContainerArguments"] = words
        return _merge(
            {
                "ProcessingJobName": name,
                "RoleArn": self.role_arn,
                "AppSpecification": application,
                "Environment": {key: str(value) for key, value in self.environment.items()},
                "ProcessingInputs": [
                    _processing_input("code", code_uri, sharded=False),
                    *(_processing_input(key, uri, sharded=key in sharded_inputs) for key, uri in inputs.items()),
                ],
                "ProcessingOutputConfig": {
                    "Outputs": [_processing_output(key, uri or f"{folder}/{key}/") for key, uri in outputs.items()]
                },
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceType": self.instance_type,
                        "InstanceCount": int(self.instance_count),
                        "VolumeSizeInGB": int(self.volume_size_gb),
                    }
                },
                "StoppingCondition": {"MaxRuntimeInSeconds": int(self.max_runtime)},
            },
            self.extra,
        )


@dataclass(frozen=True, kw_only=True)
class TrainingJobSpec(JobSpec):
    """
    A script-mode training job: SageMaker's framework images fetch ``sourcedir.tar.gz`` and run the entry point.

    On more than one instance the script is started by ``torchrun``, one world over all of them.

    :param spot: whether to train on managed spot instances; an operator's ``checkpoints`` are then what a job goes on
        from after an interruption.
    :param max_wait: seconds that a spot job may take with those that it waits for instances; default twice
        ``max_runtime``.
    """

    spot: bool = False
    max_wait: int | str | None = None

    identity: ClassVar[tuple[str, ...]] = (
        "AlgorithmSpecification.TrainingImage",
        "HyperParameters",
        "sort_by(InputDataConfig || `[]`, &ChannelName)[].[ChannelName, DataSource.S3DataSource.S3Uri]",
        "Environment",
    )

    @property
    def _code_key(self) -> str:
        return "sourcedir.tar.gz"

    def uploads(self, source: SourceFolder) -> dict[str, bytes]:
        """Return the one archive."""
        return {self.code_uri(source).removeprefix(f"s3://{self.bucket}/"): source.tarball()}

    def to_request(
        self,
        *,
        name: str,
        dag_id: str,
        code_uri: str,
        region: str,
        channels: Mapping[str, str],
        hyperparameters: Mapping[str, Any],
        metric_regexes: Mapping[str, str],
    ) -> dict[str, Any]:
        """
        Return the CreateTrainingJob request, without tags and checkpoints.

        The model will be at ``<output_uri>/output/model.tar.gz``.

        :raises ValueError: a hyperparameter longer than SageMaker takes.
        """
        parameters: dict[str, Any] = {
            **hyperparameters,
            "sagemaker_program": self.entry_point,
            "sagemaker_submit_directory": code_uri,
            "sagemaker_region": region,
            "sagemaker_container_log_level": 20,
        }
        if int(self.instance_count) > 1:
            parameters["sagemaker_torch_distributed_enabled"] = True
            parameters["sagemaker_instance_type"] = self.instance_type
        algorithm: dict[str, Any] = {"TrainingImage": self.image_uri, "TrainingInputMode": "File"}
        if metric_regexes:
            algorithm["MetricDefinitions"] = [{"Name": key, "Regex": regex} for key, regex in metric_regexes.items()]
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": algorithm,
            "HyperParameters": to_hyperparameters(parameters),
            "Environment": {key: str(value) for key, value in self.environment.items()},
            # SageMaker puts a folder named after the job into this one.
            "OutputDataConfig": {"S3OutputPath": self.output_uri(dag_id, name).rpartition("/")[0]},
            "ResourceConfig": {
                "InstanceType": self.instance_type,
                "InstanceCount": int(self.instance_count),
                "VolumeSizeInGB": int(self.volume_size_gb),
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": int(self.max_runtime)},
        }
        if self.spot:
            request["EnableManagedSpotTraining"] = True
            wait = 2 * int(self.max_runtime) if self.max_wait is None else int(self.max_wait)
            request["StoppingCondition"]["MaxWaitTimeInSeconds"] = wait
        if channels:
            request["InputDataConfig"] = [_channel(key, uri) for key, uri in channels.items()]
        return _merge(request, self.extra)


def to_arguments(arguments: Mapping[str, Any]) -> list[str]:
    """
    ``{"epochs": 3, "fast": True, "split": ["a", "b"]}`` as ``--epochs 3 --fast --split a b``.

    None and False leave the flag out. ValueError for a word longer than SageMaker takes.
    """
    words: list[str] = []
    for flag, value in arguments.items():
        if value is None or value is False:
            continue
        words.append(f"--{flag}")
        if value is not True:
            words.extend(str(item) for item in (value if isinstance(value, (list, tuple)) else [value]))
    for word in words:
        if len(word) > MAX_ARGUMENT:
            raise ValueError(f"an argument has {len(word)} characters, SageMaker takes {MAX_ARGUMENT}: {word[:60]}...")
    return words


def to_hyperparameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """
    Return hyperparameters as script mode decodes them: text as it is, other values as JSON. None is left out.

    :raises ValueError: longer than SageMaker takes.
    """
    texts: dict[str, str] = {}
    for key, value in parameters.items():
        if value is None:
            continue
        # A line break would break the hyperparameter's pattern; inside JSON it is two ordinary characters.
        texts[key] = value if isinstance(value, str) and "\n" not in value else json.dumps(value)
        if len(texts[key]) > MAX_HYPERPARAMETER:
            raise ValueError(
                f"hyperparameter {key}: {len(texts[key])} characters, SageMaker takes {MAX_HYPERPARAMETER}"
            )
    return texts


def _processing_input(name: str, uri: str, *, sharded: bool) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": str(uri),
            "LocalPath": f"{INPUT}/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "ShardedByS3Key" if sharded else "FullyReplicated",
        },
    }


def _processing_output(name: str, uri: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"},
    }


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": str(uri), "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _merge(request: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """``extra`` over ``request``, structure by structure."""
    merged = dict(request)
    for key, value in extra.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, dict) and isinstance(value, Mapping) else value
    return {key: value for key, value in merged.items() if value != {}}


def _search(path: str, document: Mapping[str, Any]) -> Any:
    import jmespath

    return jmespath.search(path, document) or None
