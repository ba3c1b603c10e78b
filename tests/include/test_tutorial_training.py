"""The training that docs/tutorial.md changes."""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from jobs_kit import bundle, job_folder
from training_kit import settings_for

ROOT = Path(__file__).parents[2]
CHANGED = ("dags/train_sentiment.py", "include/jobs/train/train.py")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """What the train job ships once the tutorial's change is made."""
    (change,) = re.findall(r"```diff\n(.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL)
    for name in CHANGED:
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["git", "apply", "-"], input=change, cwd=tmp_path, text=True, check=True)
    folder = tmp_path / "code"
    shutil.copytree(bundle("train"), folder)
    shutil.copy(tmp_path / CHANGED[1], folder / "train.py")
    return folder


def test_the_rate_falls_by_a_cosine_and_the_job_trains(
    changed: Path, features: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    settings = settings_for(features, tiny_bert, tmp_path, {"decay": "cosine", "max_train_rows": 60})
    words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
    with job_folder(changed):
        script = importlib.import_module("train")
        assert script.main(words) == 0
    rates = {}
    for decay in ("linear", "cosine"):
        trainer = argparse.Namespace(total=100, options=argparse.Namespace(warmup_ratio=0.1, decay=decay))
        rates[decay] = [script.Trainer.rate(trainer, step) for step in (0, 9, 10, 55, 75, 100)]
    assert rates["linear"] == pytest.approx([0.1, 1, 1, 0.5, 25 / 90, 0])
    assert rates["cosine"] == pytest.approx([0.1, 1, 1, 0.5, 0.1786, 0], abs=1e-4)
    assert (tmp_path / "model" / "model.safetensors").exists()
