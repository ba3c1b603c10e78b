"""Check that what a ``requirements.txt`` asks for is installed: nothing is fetched from an index."""

from __future__ import annotations

from pathlib import Path


def unsatisfied(path: Path, seen: frozenset[Path] = frozenset()) -> list[str]:
    """
    Return what a requirements file asks for and this environment lacks, a sentence each.

    Files that it includes by ``-r`` count. pip's options and markers that do not apply here do not.

    :param seen: the files that led to this one.
    """
    if not path.is_file() or path in seen:
        return []
    found = []
    for line in _lines(path):
        if line.startswith(("-r", "--requirement")):
            included = path.parent / line.removeprefix("--requirement").removeprefix("-r").strip(" =")
            found += (
                unsatisfied(included, seen | {path}) if included.is_file() else [f"{included.name}, which is not there"]
            )
        elif not line.startswith("-") and (complaint := _complaint(line)):
            found.append(complaint)
    return found


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _complaint(line: str) -> str:
    # Loaded here since most jobs have no such file.
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        # Options of a single requirement, such as --hash, follow after a blank.
        requirement = Requirement(line.split(" --")[0])
    except InvalidRequirement:
        return f"{line} (only names and versions can be checked)"
    if requirement.marker and not requirement.marker.evaluate():
        return ""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{line} (not installed)"
    if not requirement.specifier.contains(installed, prereleases=True):
        return f"{line} (installed: {installed})"
    return ""
