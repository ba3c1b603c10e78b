"""
Print pip's options for PyTorch: ``python -m tools.torch_index``.

On Linux PyPI's build of PyTorch brings CUDA, gigabytes that a machine without an NVIDIA driver has no use for. There
the build for the CPU is taken, from PyTorch's own index. ``TORCH`` says otherwise: ``cpu`` takes it in any case,
``cuda`` or ``default`` take what pip finds without that index.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
DRIVER = Path("/proc/driver/nvidia/version")
CHOICES = ("", "cpu", "cuda", "default")
#: for all of the question whether the index is there: a name server may keep one waiting too.
SECONDS = 10.0


class Refused(Exception):
    """There is no answer; the message says why, and what to do."""


def has_driver() -> bool:
    """Return True if there is an NVIDIA driver."""
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None


def answers(index: str, seconds: float = SECONDS) -> bool:
    """Return True if the index has a page for PyTorch and sends it within ``seconds``."""
    found = threading.Event()

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as page:  # noqa: S310 # the address is ours
                page.read(1)
        except (OSError, ValueError):
            return
        found.set()

    # In a thread that is left behind: no time-out ends the look-up of a name.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return found.is_set()


def options(environment: Mapping[str, str], platform: str = sys.platform) -> tuple[list[str], str]:
    """
    Return the options, and a line for people.

    :raises Refused: ``TORCH`` is none of its values, or it is ``cpu`` and PyTorch's index does not answer.
    """
    choice = environment.get("TORCH", "")
    if choice not in CHOICES:
        raise Refused(f"TORCH is {choice!r}: it may be cpu, cuda or default")
    if choice in ("cuda", "default"):
        return [], f"PyTorch: the build of pip's own index (TORCH={choice})"
    if not choice and platform != "linux":
        return [], "PyTorch: the build of pip's own index, without CUDA on this system"
    if not choice and has_driver():
        return [], "PyTorch: the build of pip's own index, for the NVIDIA driver that was found; TORCH=cpu for none"
    if answers(CPU_INDEX):
        return [
            "--extra-index-url",
            CPU_INDEX,
        ], f"PyTorch: the build for the CPU, from {CPU_INDEX}; TORCH=cuda for CUDA"
    if choice:
        raise Refused(f"{CPU_INDEX} does not answer: without TORCH=cpu PyTorch comes from pip's own index")
    return [], f"PyTorch: the build of pip's own index, on Linux often with CUDA, since {CPU_INDEX} does not answer"


def main() -> int:
    """Print the options to stdout and the line for people to stderr."""
    try:
        found, line = options(os.environ)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    print(line, file=sys.stderr)
    print(*found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
