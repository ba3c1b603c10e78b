"""The project's wheel, and environments outside of the checkout that have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from localaws_kit import JOBS_PYTHON, ROOT
from packaging.requirements import Requirement

#: what the wheel is made of.
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "localaws", "plugins")


def build(folder: Path) -> Path:
    """Build the wheel from a copy: setuptools leaves its own files beside the sources."""
    copy = folder / "checkout"
    copy.mkdir()
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        else:
            shutil.copy(source, copy / name)
    _pip("wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(copy))
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment(folder: Path, wheel: Path, python: str = JOBS_PYTHON) -> Path:
    """Make an empty virtual environment, install the wheel without what it depends on, and return its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    interpreter = folder / "bin" / "python"
    _pip("--python", str(interpreter), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return interpreter


def site_packages(interpreter: Path) -> Path:
    """Return the folder of an environment's packages."""
    (found,) = (interpreter.parents[1] / "lib").glob("python3.*/site-packages")
    return found


def check(interpreter: Path) -> None:
    """Fail where a package of the environment lacks one that it depends on, or has it in another version."""
    _pip("--python", str(interpreter), "check")


def bring(interpreter: Path, *names: str) -> None:
    """Link packages of this environment, and what they depend on, into another, as pip would install them."""
    target = site_packages(interpreter)
    for found in _closure([Requirement(name) for name in names], {}).values():
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            link = target / top
            if not link.exists():
                link.symlink_to(Path(sysconfig.get_path("purelib")) / top)


def bring_extra(interpreter: Path, extra: str) -> None:
    """Link what an extra of the wheel's distribution asks for."""
    (installed,) = (
        Distribution.at(path) for path in site_packages(interpreter).glob("airflow_sagemaker_reviews-*.dist-info")
    )
    asked = map(Requirement, installed.requires or ())
    bring(interpreter, *(f"{each.name}{_extras(each)}" for each in asked if _applies(each, extra)))


def clean() -> dict[str, str]:
    """Return the environment for a process that is to know nothing of this checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_", "LOCALAWS_"))}


def _closure(
    wanted: list[Requirement], seen: dict[tuple[str, str], Distribution]
) -> dict[tuple[str, str], Distribution]:
    for requirement in wanted:
        for extra in ("", *requirement.extras):
            key = (requirement.name.lower(), extra)
            if key not in seen:
                seen[key] = distribution(requirement.name)
                _closure(list(_needs(seen[key], extra)), seen)
    return seen


def _needs(found: Distribution, extra: str) -> Iterator[Requirement]:
    return (each for each in map(Requirement, found.requires or ()) if _applies(each, extra))


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _extras(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""


def _pip(*arguments: str) -> None:
    done = subprocess.run([JOBS_PYTHON, "-m", "pip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
