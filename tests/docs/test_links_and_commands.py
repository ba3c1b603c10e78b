"""Links lead somewhere, and commands, modules and files that the documents name are there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from documents_kit import DOCUMENTS, ROOT, commands, headings, inline_code, prose, targets_of_make, tracked

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FOLDERS = ("benchmarks", "dags", "docs", "include", "infra", "localaws", "plugins", "stack", "tests")
#: a folder that exists on MWAA alone, and the file that a reader of the tutorial writes.
_ELSEWHERE = {"dags/include", "dags/least_liked.py"}
_MAKE = re.compile(r"^(?:[A-Z_]+=\S+ )*make((?: +\S+)+)$")
_MODULE = re.compile(r"\bpython -m ([\w.]+)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=[path.name for path in DOCUMENTS])


@each_document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for target in _LINK.findall(prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = Path(os.path.normpath(document.parent / path)) if path else document
        assert there.exists(), f"no file for the link {target}"
        if anchor:
            assert anchor in headings(there), f"no heading for the link {target}"


@each_document
def test_make_has_the_targets(document: Path) -> None:
    named = [match[1] for line in [*commands(document), *inline_code(document)] if (match := _MAKE.match(line))]
    wanted = {word for words in named for word in words.split() if re.fullmatch(r"[a-z][a-z-]*", word)}
    assert wanted <= targets_of_make()


@each_document
def test_modules_that_are_run_are_there(document: Path) -> None:
    for line in [*commands(document), *inline_code(document)]:
        for module in _MODULE.findall(line):
            if module.partition(".")[0] not in _FOLDERS:
                continue
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


@each_document
def test_files_that_are_named_are_there(document: Path) -> None:
    words = [word for line in [*commands(document), *inline_code(document)] for word in line.split()]
    named = {word.rstrip("/.,") for word in words if word.partition("/")[0] in _FOLDERS and "/" in word}
    patterns = re.compile(r"[*<>{}$]|:\d")
    assert {name for name in named if not patterns.search(name)} - _ELSEWHERE <= tracked()


def test_the_documents_have_commands_at_all() -> None:
    """Otherwise the tests above would pass where the way to find commands is broken."""
    found = [command for document in DOCUMENTS for command in commands(document)]
    assert len(found) > 15
    assert any(_MAKE.match(command) for command in found) and any(_MODULE.search(command) for command in found)
