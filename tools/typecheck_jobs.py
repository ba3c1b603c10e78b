"""
Run mypy over the job scripts as their containers have them: ``python -m tools.typecheck_jobs``.

A job imports its modules and those of ``include/jobs/shared`` by bare names, and two jobs may each have a
``drawing.py``. Jobs without a name in common are checked by one run of mypy; all runs share mypy's cache, so that
PyTorch's types are read once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOBS = ROOT / "include" / "jobs"
# Some of their functions have no types (PyTorch 2.13, transformers 5.23): Tensor.backward, for one.
UNTYPED = ("--untyped-calls-exclude=torch", "--untyped-calls-exclude=transformers")


def groups(folders: list[Path]) -> list[list[Path]]:
    """
    Put the folders into as few groups as a first fit finds, none of which has two modules of one name.

    :raises ValueError: a folder has a module that ``shared`` has too, which would hide it in the container.
    """
    shared = {path.name for path in (folders[0].parent / "shared").glob("*.py")}
    found: list[tuple[list[Path], set[str]]] = []
    for folder in folders:
        names = {path.name for path in folder.glob("*.py")}
        if names & shared:
            raise ValueError(f"{folder.name} and shared both have {', '.join(sorted(names & shared))}")
        for members, taken in found:
            if not names & taken:
                members.append(folder)
                taken |= names
                break
        else:
            found.append(([folder], names))
    return [members for members, _ in found]


def check(folders: list[Path], options: list[str]) -> int:
    """Run mypy over the folders, with their modules and the shared ones as top-level modules; return its exit code."""
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(str(folder) for folder in folders)}
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--no-error-summary",
        "--cache-dir",
        ".mypy_cache/jobs",
        *UNTYPED,
        *options,
    ]
    return subprocess.run([*command, *map(str, folders)], cwd=ROOT, env=environment, check=False).returncode


def jobs() -> list[Path]:
    """Return the folders of all jobs."""
    return sorted(path for path in JOBS.iterdir() if path.name != "shared" and any(path.glob("*.py")))


def main(options: list[str]) -> int:
    """Check all jobs; return 1 if mypy found errors in any."""
    return int(any([check([JOBS / "shared", *group], options) for group in groups(jobs())]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
