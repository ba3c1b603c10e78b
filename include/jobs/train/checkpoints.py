"""
Checkpoints: all that is needed to go on with a training where it was, in one file, replaced whole.

Not by accelerate, whose ``save_state`` writes four files: a kill between two of them leaves parts of different steps
(``benchmarks/results/checkpoints.md``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass
class Progress:
    """Where a training stands: ``step`` batches of epoch ``epoch`` are done; ``best`` is the best epoch so far."""

    epoch: int = 0
    step: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def write(folder: Path, settings: dict[str, Any], progress: Progress, parts: dict[str, Any]) -> None:
    """Replace the checkpoint in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {"settings": settings, "progress": vars(progress), "random": torch.get_rng_state(), **parts}
    unfinished = folder / ".checkpoint.pt"
    torch.save(state, unfinished)
    unfinished.replace(folder / "checkpoint.pt")


def read(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the checkpoint in ``folder``, if there is one of a training with these ``settings``; else None."""
    file = folder / "checkpoint.pt"
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is cut off or none of its own
        print(f"the checkpoint cannot be read, training from the beginning: {str(error).splitlines()[0]}")
        return None
    differing = sorted(key for key in settings if state["settings"].get(key) != settings[key])
    if differing:
        print(f"the checkpoint was made with other settings ({', '.join(differing)}), training from the beginning")
        return None
    return dict(state)
