"""The environment that jobs and model workers start with: what a SageMaker container would have, and little more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What the parent sets for its numerical libraries and its locale is about this machine, and holds for children too.
_KEPT = ("HOME", "USER", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "LOCALAWS_SANDBOX")
_KEPT_PREFIXES = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "GOTO_", "BLIS_", "NVPL_", "VECLIB_", "CUDA_", "NVIDIA_")


def child(home: Path, url: str, region: str) -> dict[str, str]:
    """
    The environment of a child process: the ordinary AWS settings point it at this server, and carry no secret.

    :param home: ``ctx.home``, the folder of localaws; the credentials file lies beside it.
    :param url: the server's address.
    """
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    # The interpreter's own folder first: python and python3 are the jobs environment's.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **kept,
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
        "AWS_ENDPOINT_URL": url,
        "AWS_SHARED_CREDENTIALS_FILE": str(home.parent / "credentials"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HF_HOME": str(home / "cache" / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
