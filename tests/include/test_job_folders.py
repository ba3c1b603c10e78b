"""The walls of the job folders: they import nothing of the project, and shared modules are one text, linked."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from jobs_kit import JOBS

OURS = tuple(sorted(path.name for path in JOBS.iterdir() if path.name != "shared" and any(path.glob("*.py"))))
IN_THE_CONTAINERS = {
    "boto3",
    "botocore",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "safetensors",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add((node.module or "").split(".")[0])
    return found


def installed_by(job: str) -> set[str]:
    """What the ``requirements.txt`` of a job names."""
    path = JOBS / job / "requirements.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {re.split("[^a-z_]", line)[0] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("job", OURS)
def test_a_job_imports_its_own_folder_and_what_the_containers_have(job: str) -> None:
    own = {path.stem for path in (JOBS / job).glob("*.py")}
    for path in (JOBS / job).glob("*.py"):
        assert imports(path) <= own | IN_THE_CONTAINERS | installed_by(job) | sys.stdlib_module_names


def test_modules_that_several_jobs_have_are_links_to_one_text() -> None:
    shared = {path.resolve() for path in (JOBS / "shared").glob("*.py")}
    linked = {path.resolve() for path in JOBS.glob("*/*.py") if path.is_symlink()}
    # Serves the models of both.
    assert linked == shared | {JOBS / "train" / "inference.py"}
    names = [path.name for path in JOBS.glob("*/*.py") if not path.is_symlink() and path.parent.name != "shared"]
    # Charts of different jobs, and the one interface to PyTorch's model and to ONNX Runtime's.
    assert {name for name in names if names.count(name) > 1} <= {"drawing.py", "classifier.py"}
