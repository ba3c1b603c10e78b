"""Versions that are written in two files."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_hooks_run_the_ruff_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pinned = {pin for hook in hooks for pin in hook.get("additional_dependencies", ())}
    assert pinned and pinned <= set((ROOT / "requirements-dev.txt").read_text().splitlines())
