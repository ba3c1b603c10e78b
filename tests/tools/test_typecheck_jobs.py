"""The run of mypy over the jobs: each job is checked, beside no other that has a module of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.typecheck_jobs import groups, jobs


def folder(root: Path, name: str, *modules: str) -> Path:
    (root / name).mkdir()
    for module in modules:
        (root / name / module).touch()
    return root / name


def test_every_job_is_in_one_group_without_a_name_in_common() -> None:
    found = groups(jobs())
    assert sorted(job for members in found for job in members) == jobs()
    for members in found:
        names = [path.name for job in members for path in job.glob("*.py")]
        assert len(set(names)) == len(names)


def test_jobs_with_a_module_of_one_name_are_apart(tmp_path: Path) -> None:
    one, two = folder(tmp_path, "one", "one.py", "drawing.py"), folder(tmp_path, "two", "two.py", "drawing.py")
    three = folder(tmp_path, "three", "three.py")
    assert groups([one, two, three]) == [[one, three], [two]]


def test_a_module_that_hides_a_shared_one_is_refused(tmp_path: Path) -> None:
    folder(tmp_path, "shared", "job.py")
    with pytest.raises(ValueError, match=r"one and shared both have job\.py"):
        groups([folder(tmp_path, "one", "one.py", "job.py")])
