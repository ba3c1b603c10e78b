"""The environment that jobs and model workers start with: what a SageMaker container would have, and little more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import localaws
from localaws.images import hub
from localaws.sagemaker.jobs import sandbox
from localaws.sagemaker.jobs.sandbox import Mount

# What the parent sets for its numerical libraries and its locale is about this machine, and holds for children too.
_KEPT = ("HOME", "USER", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "LOCALAWS_SANDBOX")
_KEPT_PREFIXES = (
    *("LC_", "LOCALAWS_ARCHIVE_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "GOTO_", "BLIS_", "NVPL_", "VECLIB_"),
    *("CUDA_", "NVIDIA_"),
)


#: settings that name folders that jobs see, read-only; the second may be a name on the model hub as well.
_SHOWN = ("LOCALAWS_SHOWN", "LOCALAWS_AUTOPILOT_BASE_MODEL")
#: what each Python of a job loads first.
SITE = str(Path(localaws.__file__).parent / "images" / "site")
#: where a process in a sandbox finds its key.
_CREDENTIALS = "/run/localaws/credentials"


def child(home: Path, url: str, region: str, credentials: Path) -> dict[str, str]:
    """
    Return the environment of a child process. Its ordinary AWS settings point to this server and carry no secret.

    :param home: ``ctx.home``, the folder of localaws.
    :param url: the server's address.
    :param credentials: the file of the process's own key.
    """
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    # The interpreter's own folder first: python and python3 are the jobs environment's.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **kept,
        **({"TMPDIR": "/tmp"} if sandbox.isolated() else {}),  # noqa: S108 - its own
        "PATH": path,
        # By this mark `make down` finds what is left of a job, however its parents died.
        "LOCALAWS_HOME": str(home),
        # Threads that wait must not spin here: beside Airflow a training ran at 33 examples/s so, and at 24 without.
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # PyTorch's rendezvous listens on loopback by this, see the file there, and its transports by these.
        "PYTHONPATH": SITE,
        **({f"{name}_SOCKET_IFNAME": "lo" for name in ("GLOO", "NCCL", "TP")} if sandbox.isolated() else {}),
        "AWS_ENDPOINT_URL": url,
        "AWS_SHARED_CREDENTIALS_FILE": _CREDENTIALS if sandbox.isolated() else str(credentials),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_HOME": str(home / "cache" / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def mounts(home: Path, credentials: Path, temporary: Path) -> list[Mount]:
    """
    Return what a child process sees beside its ``/opt/ml``: its key, the model hub, a ``/tmp`` of its own, and what the
    settings name.

    :param temporary: the folder that is its ``/tmp``; it is made.
    """
    temporary.mkdir(parents=True, exist_ok=True)
    own = [Mount(credentials, _CREDENTIALS), Mount(temporary, "/tmp", writable=True)]  # noqa: S108
    named = (Path(path) for name in _SHOWN for path in os.environ.get(name, "").split(os.pathsep))
    return [*own, Mount(hub.folder(home) / "hub"), *(Mount(path) for path in named if path.is_absolute())]


def hidden(home: Path) -> list[Path]:
    """Return what no child process sees: all that localaws keeps, and the root's keys."""
    return [home, home.parent / "credentials"]
