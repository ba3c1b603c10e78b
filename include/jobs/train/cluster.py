"""
The processes that train together: one an instance, or one a GPU, started by torchrun; or this one alone.

Not by accelerate, whose import takes each process 0.24 s: this is all that the job would use of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Cluster:
    """This process among ``size``; ``device`` is where it computes."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls) -> Cluster:
        """Join the processes that torchrun started; alone without it."""
        rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        device = torch.device("cpu")
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        if size > 1:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(rank, size, device)

    @property
    def leads(self) -> bool:
        """True for the one that writes files and the log."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes."""
        if self.size > 1:
            tensor = tensor.to(self.device)
            dist.all_reduce(tensor)
        return tensor.cpu()

    def any(self, flag: bool) -> bool:
        """Say whether the flag is true in one of the processes."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(float(flag))))

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1:
            dist.destroy_process_group()


def width_multiple(device: torch.device) -> int:
    """
    Return the number that the width of a batch is to be a multiple of.

    A GPU chooses kernels for each width that it meets for the first time, which takes longer than the step.
    """
    return 8 if device.type == "cuda" else 1
