"""For the tests of the train job: running it with a tiny model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs_kit import run

TINY = {
    "max_seq_length": 48,
    "learning_rate": 3e-3,
    "head_learning_rate": 3e-3,
    "freeze": "none",
    "epochs": 1,
    "balance": "oversample",
}


def settings_for(features: Path, base_model: Path, folder: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """The train job's arguments: everything it writes is below ``folder``."""
    places = {
        "train": features / "train",
        "validation": features / "validation",
        "base_model": base_model,
        "model_dir": folder / "model",
        "output_data_dir": folder / "data",
        "checkpoints": folder / "checkpoints",
        "reason": folder / "output" / "failure",
    }
    return {**places, **TINY, "precision": "fp32", **settings}


def train(features: Path, base_model: Path, folder: Path, **settings: object) -> int:
    """Run the train job; its exit status."""
    return run("train", **settings_for(features, base_model, folder, settings))


def history(folder: Path) -> dict[str, Any]:
    """What the train job wrote about its epochs."""
    return dict(json.loads((folder / "data" / "history.json").read_text()))
