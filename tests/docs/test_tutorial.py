"""The DAG of the tutorial keeps the rules for DAGs, and its change of the training still applies."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest
from documents_kit import ROOT, blocks

TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_the_dag_of_the_tutorial_keeps_the_rules_of_the_dags(
    airflow_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks(TUTORIAL, "python")
    path = tmp_path / "least_liked.py"
    path.write_text(code)
    dag = runpy.run_path(str(path))["dag"]
    assert dag.dag_id == "least_liked" and dag.doc_md.strip().startswith("###") and dag.tags and dag.description
    assert dag.max_active_runs == 1 and dag.dagrun_timeout
    assert [task.task_id for task in dag.topological_sort()] == ["ask", "show"]
    assert all(task.owner == "ml" and task.execution_timeout for task in dag.tasks)
    for folder in ("include", "plugins"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    checked = ["ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", str(path)]
    monkeypatch.setenv("PATH", f"{ROOT / '.local' / 'venv-airflow' / 'bin'}", prepend=":")
    assert subprocess.run(checked, cwd=tmp_path, capture_output=True).returncode == 0


def test_the_change_of_the_tutorial_applies_to_the_repository() -> None:
    (change,) = blocks(TUTORIAL, "diff")
    applied = subprocess.run(["git", "apply", "--check", "-"], input=change, cwd=ROOT, capture_output=True, text=True)
    assert applied.returncode == 0, applied.stderr
