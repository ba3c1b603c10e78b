"""
The training toolkit of the PyTorch, Hugging Face and scikit-learn images: script mode.

It runs inside of the job's sandbox in place of ``docker run IMAGE train``: brings the code that
``sagemaker_submit_directory`` names, sets the ``SM_*`` variables, and becomes the script.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from localaws.core.archive import ArchiveError, extract
from localaws.core.job_client import Aws, AwsRequestError, ServerAway
from localaws.images.requirements import unsatisfied


class ConfigurationError(Exception):
    """The job asks for what cannot be run; the text becomes the job's FailureReason."""


#: what each Python of the script loads first, whatever PYTHONPATH the request gives.
SITE = str(Path(__file__).with_name("site"))
#: how the names of hyperparameters that are not the script's begin.
_PLATFORM = ("sagemaker_", "_tuning_objective_metric")


@dataclass(frozen=True)
class Settings:
    """
    What a script is started with.

    :param root: ``/opt/ml``, or the folder that stands for it.
    :param hyperparameters: the script's own, decoded.
    :param platform: those that the platform adds, decoded: ``sagemaker_...``, and a tuning job's objective.
    """

    root: Path
    hyperparameters: dict[str, Any]
    platform: dict[str, Any]
    channels: dict[str, Any]
    resources: dict[str, Any]

    @classmethod
    def read(cls, root: Path) -> Settings:
        """Read the files of ``/opt/ml/input/config``."""
        config = root / "input" / "config"
        parameters = {
            key: _decode(value) for key, value in json.loads((config / "hyperparameters.json").read_text()).items()
        }
        return cls(
            root,
            {key: value for key, value in parameters.items() if not key.startswith(_PLATFORM)},
            {key: value for key, value in parameters.items() if key.startswith(_PLATFORM)},
            json.loads((config / "inputdataconfig.json").read_text()),
            json.loads((config / "resourceconfig.json").read_text()),
        )

    @property
    def program(self) -> str:
        """The script, relative to the code's folder."""
        program = self.platform.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM")
        if not program:
            raise ConfigurationError("no script to run: neither sagemaker_program nor SAGEMAKER_PROGRAM is set")
        return str(program)

    @property
    def code(self) -> Path:
        """Where the script's folder is unpacked."""
        return self.root / "code"


def _decode(value: str) -> Any:
    """Hyperparameters are JSON, by the SDK, or plain text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Return the script's arguments: ``--name value`` each, sorted by name; an object is ``a=1,b=2``."""
    words = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={value[key]}" for key in sorted(value))
        words += [f"--{name}" if len(name) > 1 else f"-{name}", str(value)]
    return words


def variables(settings: Settings) -> dict[str, str]:
    """
    Return the ``SM_*`` variables.

    https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md describes them.
    """
    root, resources = settings.root, settings.resources
    hosts, current = resources["hosts"], resources["current_host"]
    folders = {
        "SM_MODEL_DIR": "model",
        "SM_OUTPUT_DIR": "output",
        "SM_OUTPUT_DATA_DIR": "output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": "output/intermediate",
        "SM_INPUT_DIR": "input",
        "SM_INPUT_CONFIG_DIR": "input/config",
    }
    found = {name: str(root / path) for name, path in folders.items()}
    found |= {f"SM_CHANNEL_{name.upper()}": str(root / "input" / "data" / name) for name in settings.channels}
    found |= {f"SM_HP_{name.upper()}": _encode(value) for name, value in settings.hyperparameters.items()}
    found |= {
        "SM_CHANNELS": json.dumps(sorted(settings.channels)),
        "SM_HPS": json.dumps(settings.hyperparameters),
        "SM_USER_ARGS": json.dumps(arguments(settings.hyperparameters)),
        "SM_INPUT_DATA_CONFIG": json.dumps(settings.channels),
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_HOSTS": json.dumps(hosts),
        "SM_CURRENT_HOST": current,
        "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "SM_CURRENT_INSTANCE_GROUP": resources["current_group_name"],
        "SM_CURRENT_INSTANCE_GROUP_HOSTS": json.dumps(hosts),
        "SM_INSTANCE_GROUPS": json.dumps([group["instance_group_name"] for group in resources["instance_groups"]]),
        "SM_DISTRIBUTION_INSTANCE_GROUPS": "[]",
        "SM_IS_HETERO": "false",
        "SM_NETWORK_INTERFACE_NAME": resources["network_interface_name"],
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": str(_gpus()),
        "SM_NUM_NEURONS": "0",
        "SM_LOG_LEVEL": str(settings.platform.get("sagemaker_container_log_level", 20)),
        "SM_MODULE_DIR": str(settings.platform.get("sagemaker_submit_directory", settings.code)),
        "SM_MODULE_NAME": Path(settings.program).stem,
        "SM_USER_ENTRY_POINT": settings.program,
        "SM_FRAMEWORK_MODULE": "sagemaker_pytorch_container.training:main",
        "SM_FRAMEWORK_PARAMS": json.dumps(settings.platform),
        "SM_JOB_NAME": os.environ.get("TRAINING_JOB_NAME", ""),
        "SM_MASTER": hosts[0],
        "SM_IS_MASTER": json.dumps(current == hosts[0]),
        "PYTHONPATH": os.pathsep.join([str(settings.code), *filter(None, [os.environ.get("PYTHONPATH")]), SITE]),
        "MASTER_ADDR": _address(hosts[0]),
        "GLOO_SOCKET_IFNAME": resources["network_interface_name"],
        "TP_SOCKET_IFNAME": resources["network_interface_name"],
    }
    found["SM_TRAINING_ENV"] = json.dumps(
        {
            "additional_framework_parameters": settings.platform,
            "channel_input_dirs": {name: str(root / "input" / "data" / name) for name in settings.channels},
            "current_host": current,
            "hosts": hosts,
            "hyperparameters": settings.hyperparameters,
            "input_data_config": settings.channels,
            "input_dir": found["SM_INPUT_DIR"],
            "is_master": current == hosts[0],
            "job_name": found["SM_JOB_NAME"],
            "model_dir": found["SM_MODEL_DIR"],
            "module_dir": found["SM_MODULE_DIR"],
            "module_name": found["SM_MODULE_NAME"],
            "network_interface_name": resources["network_interface_name"],
            "num_cpus": os.cpu_count() or 1,
            "num_gpus": _gpus(),
            "output_data_dir": found["SM_OUTPUT_DATA_DIR"],
            "output_dir": found["SM_OUTPUT_DIR"],
            "resource_config": resources,
            "user_entry_point": settings.program,
        }
    )
    return found


def _encode(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip()])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def _address(host: str) -> str:
    """Return the host's name if it resolves, as in the sandbox; else 127.0.0.1, since all hosts are on this machine."""
    try:
        socket.gethostbyname(host)
    except OSError:
        return "127.0.0.1"
    return host


def fetch_code(settings: Settings) -> None:
    """
    Unpack the archive that ``sagemaker_submit_directory`` names into ``/opt/ml/code``.

    :raises ConfigurationError: it is not there, is not an archive that may be trusted, or lacks the script.
    """
    source = settings.platform.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
    if source and str(source).startswith("s3://"):
        _fetch(str(source), settings.code)
    elif source and Path(str(source)).is_file():
        # The SDK brings it as a channel where the job has no network.
        _unpack(Path(str(source)), str(source), settings.code)
    if not (settings.code / settings.program).is_file():
        present = ", ".join(sorted(path.name for path in settings.code.iterdir())[:20]) or "nothing"
        raise ConfigurationError(f"there is no {settings.program} in {source or settings.code}; there is {present}")


def _fetch(uri: str, code: Path) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = code.parent / "sourcedir.tar.gz"
    try:
        Aws.from_environment().download(bucket, key, archive)
    except (AwsRequestError, ServerAway) as error:
        raise ConfigurationError(f"the code at {uri} cannot be had: {error}") from error
    _unpack(archive, uri, code)
    archive.unlink()


def _unpack(archive: Path, uri: str, code: Path) -> None:
    try:
        extract(archive, code)
    except ArchiveError as error:
        raise ConfigurationError(f"the code at {uri} cannot be used: {error}") from error


def command(settings: Settings) -> list[str]:
    """Return the command line of the script: Python, a shell, or torchrun over all hosts."""
    words = arguments(settings.hyperparameters)
    program = settings.program
    if program.endswith(".sh"):
        return ["/bin/sh", program, *words]
    if settings.platform.get("sagemaker_torch_distributed_enabled") is not True:
        return [sys.executable, program, *words]
    hosts = settings.resources["hosts"]
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", str(len(hosts))),
        *("--nproc_per_node", str(_gpus() or 1)),
        *("--node_rank", str(hosts.index(settings.resources["current_host"]))),
        *("--master_addr", _address(hosts[0])),
        *("--master_port", os.environ["MASTER_PORT"]),
        program,
        *words,
    ]


def main() -> NoReturn:
    """Play ``train``: never returns, since it becomes the script."""
    root = Path(os.environ["LOCALAWS_ML_ROOT"])
    try:
        settings = Settings.read(root)
        fetch_code(settings)
        rewritten(settings.code, root)
        if missing := unsatisfied(settings.code / "requirements.txt"):
            raise ConfigurationError(
                f"requirements.txt asks for what is not installed, and nothing is installed here: {'; '.join(missing)}"
            )
        words = command(settings)
    except ConfigurationError as error:
        fail(root, str(error))
    os.chdir(settings.code)
    print(f"Invoking script with the following command:\n\n{' '.join(words)}\n", flush=True)
    os.execve(words[0], words, {**os.environ, **variables(settings)})  # noqa: S606 - becoming the script is the point


def rewritten(code: Path, root: Path) -> None:
    """Where ``/opt/ml`` is not to be had, the code that has just come gets the path that stands for it."""
    if str(root) != "/opt/ml":
        from localaws.sagemaker.jobs.sandbox import rewrite_sources

        rewrite_sources(code, root)


def fail(root: Path, text: str) -> NoReturn:
    """End with an error that becomes the FailureReason."""
    failure = root / "output" / "failure"
    failure.parent.mkdir(parents=True, exist_ok=True)
    failure.write_text(f"ConfigurationError: {text}")
    sys.exit(f"ConfigurationError: {text}")
