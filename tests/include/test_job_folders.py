"""The walls of the jobs: a script finds all that it imports in what its job ships, and a job ships nothing else."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from jobs_kit import JOBS, bundle

from include.job_code import SHARED

OURS = tuple(sorted(path.name for path in JOBS.iterdir() if path.name != "shared" and any(path.glob("*.py"))))
IN_THE_CONTAINERS = {
    "boto3",
    "botocore",
    # In each image that has torch, which requires it.
    "jinja2",
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


def named(path: Path) -> set[str]:
    """What a script speaks of as a file: it puts a copy into what it makes."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py")
    }


def installed_by(job: str) -> set[str]:
    """What the ``requirements.txt`` of a job names."""
    path = JOBS / job / "requirements.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {re.split("[^a-z_]", line)[0] for line in lines if not line.startswith("#")}


def test_every_job_says_what_it_shares() -> None:
    assert set(SHARED) == set(OURS)


@pytest.mark.parametrize("job", OURS)
def test_a_job_imports_what_it_ships_and_what_the_containers_have(job: str) -> None:
    shipped = {path.stem for path in bundle(job).glob("*.py")}
    for path in bundle(job).glob("*.py"):
        unknown = imports(path) - shipped - IN_THE_CONTAINERS - installed_by(job) - sys.stdlib_module_names
        assert not unknown, f"{path.name} of {job} imports {unknown}: is it in include/job_code.py?"


@pytest.mark.parametrize("job", OURS)
def test_a_job_ships_no_shared_module_that_it_does_not_use(job: str) -> None:
    paths = {path.name: path for path in bundle(job).glob("*.py")}
    used, seen = {f"{job}.py"}, set[str]()
    while found := used - seen:
        seen |= found
        for name in found & paths.keys():
            used |= {f"{module}.py" for module in imports(paths[name])} | named(paths[name])
    assert set(SHARED[job]) <= used


def test_every_shared_module_is_shipped_by_a_job() -> None:
    shared = {path.name for path in (JOBS / "shared").glob("*.py")}
    assert {name for names in SHARED.values() for name in names} == shared


def test_no_file_is_a_link() -> None:
    """Links break in clones on Windows, and in zips."""
    assert [path for path in JOBS.parent.rglob("*") if path.is_symlink()] == []


def test_a_module_of_one_name_in_several_jobs_is_shared() -> None:
    names = [path.name for path in JOBS.glob("*/*.py")]
    # Charts of different jobs, and the one interface to PyTorch's model and to ONNX Runtime's.
    assert {name for name in names if names.count(name) > 1} == {"drawing.py", "classifier.py"}
