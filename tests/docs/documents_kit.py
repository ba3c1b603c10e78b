"""The Markdown files of the repository, and what they name."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
_FENCED = re.compile(r"^( *)```([a-z]*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


@cache
def text_of(document: Path) -> str:
    return document.read_text()


def blocks(document: Path, language: str) -> list[str]:
    """What is in the fenced blocks of a language."""
    return [body for _, name, body in _FENCED.findall(text_of(document)) if name == language]


def prose(document: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", text_of(document))


def inline_code(document: Path) -> list[str]:
    return _CODE.findall(prose(document))


def commands(document: Path) -> list[str]:
    """The lines that a reader types: those after ``$`` in console blocks, with what a backslash continues."""
    lines = "\n".join(blocks(document, "console")).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip()[2:] for line in lines if line.strip().startswith("$ ")]


def headings(document: Path) -> set[str]:
    """The anchors that GitHub and MkDocs make of a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-"))
    return found


@cache
def targets_of_make() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def tracked() -> set[str]:
    """Files and folders of the repository, those that git does not know yet too."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {str(path) for name in names for path in (Path(name), *Path(name).parents)}
