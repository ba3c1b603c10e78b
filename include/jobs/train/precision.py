"""
The choice between bf16 and fp32.

A model's archive holds a copy of this module: training and serving go by the same rule.
"""

from __future__ import annotations

from pathlib import Path

import torch

# What Linux calls them: x86 with AVX-512 or AMX, and Arm.
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def gains_by_bf16(device: torch.device, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """
    Return True if ``device`` has instructions for bf16, which is then the faster arithmetic.

    Asked of the processor rather than tried: beside other work a trial of a few milliseconds says anything.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return not BF16_FLAGS.isdisjoint(flags)
