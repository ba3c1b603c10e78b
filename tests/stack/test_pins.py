"""Versions that are written in two files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
#: of the jobs' environment, what only tests import.
_TESTS_ALONE = {"awswrangler", "sagemaker", "optuna", "playwright", "axe-playwright-python", "pyjwt", "cfn-lint"}


def test_hooks_run_the_ruff_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pinned = {pin for hook in hooks for pin in hook.get("additional_dependencies", ())}
    assert pinned and pinned <= set((ROOT / "requirements-dev.txt").read_text().splitlines())


@pytest.mark.parametrize(
    ("files", "extras"),
    [
        (("requirements.txt", "constraints-airflow.txt"), ("airflow",)),
        (("requirements-local.txt", "constraints-local.txt"), ("server", "jobs")),
    ],
)
def test_extras_admit_the_versions_that_are_tested(files: tuple[str, ...], extras: tuple[str, ...]) -> None:
    pins = _requirements([line for file in files for line in (ROOT / file).read_text().splitlines()])
    for name, wanted in _of_extras(*extras).items():
        (pin,) = pins[name].specifier
        assert pin.version in wanted.specifier, f"the extra wants {wanted}, and {pin} is tested"


def test_extras_have_all_that_localaws_and_its_jobs_import() -> None:
    pins = _requirements((ROOT / "requirements-local.txt").read_text().splitlines())
    assert pins.keys() - _TESTS_ALONE <= _of_extras("server", "jobs").keys()


def _of_extras(*extras: str) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = _requirements([line for extra in extras for line in project["optional-dependencies"][extra]])
    return {name: requirement for name, requirement in wanted.items() if name != project["name"]}


def _requirements(lines: list[str]) -> dict[str, Requirement]:
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}
