"""The settings that the documents name are those that the code reads, with the same defaults."""

from __future__ import annotations

import ast
import re

from documents_kit import DOCUMENTS, ROOT, prose, text_of

from include.settings import Settings

_VARIABLE = re.compile(r"\b(?:REVIEWS|SAGEMAKER|LOCALAWS)_[A-Z_]+[A-Z]\b")
_CODE = ("dags", "include", "localaws", "plugins", "stack", "benchmarks", "tests")
_FILES = ("docker-compose.yaml", "Makefile", "infra/template.yaml")


def of_settings() -> dict[str, str]:
    """Variable -> default, of ``include/settings.py``."""
    tree = ast.parse((ROOT / "include" / "settings.py").read_text())
    (read,) = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "read")
    defaults, found = Settings.read({}), {}
    for field in (node for node in ast.walk(read) if isinstance(node, ast.keyword)):
        for call in (node for node in ast.walk(field.value) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "get" and isinstance(call.args[0], ast.Constant):
                found[str(call.args[0].value)] = str(getattr(defaults, str(field.arg)))
    return found


def of_localaws() -> dict[str, str]:
    """Variable -> default, of what localaws reads with a default in place."""
    pattern = re.compile(r'environ\.get\("(LOCALAWS_[A-Z_]+)", "([^"]*)"\)')
    return {
        name: default
        for path in (ROOT / "localaws").rglob("*.py")
        for name, default in pattern.findall(path.read_text())
    }


def rows() -> list[tuple[str, str]]:
    """Variable and default of all tables; a row may have several of both. Defaults in words are left out."""
    found = []
    for document in DOCUMENTS:
        for line in text_of(document).splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if len(cells) < 2 or not _VARIABLE.search(cells[0]):
                continue
            names, values = _VARIABLE.findall(cells[0]), [part.strip() for part in cells[1].split(",")]
            pairs = zip(names, values, strict=False) if len(names) == len(values) else ()
            found += [(name, value.strip("`")) for name, value in pairs if value[:1] == "`" or value.isdigit()]
    return found


def test_defaults_in_tables_are_those_of_the_code() -> None:
    defaults = {**of_localaws(), **of_settings()}
    compared = {(name, value, defaults[name]) for name, value in rows() if name in defaults}
    assert len(compared) >= 10, "the tables are not found"
    assert not {(name, value, default) for name, value, default in compared if value != default}


def test_every_setting_of_the_workflows_is_documented() -> None:
    named = {name for document in DOCUMENTS for name in _VARIABLE.findall(text_of(document))}
    assert {name for name in of_settings() if name != "AWS_DEFAULT_REGION"} <= named
    assert of_localaws().keys() <= named


def test_the_code_reads_every_variable_that_is_documented() -> None:
    paths = [path for folder in _CODE for path in (ROOT / folder).rglob("*.py")] + [ROOT / name for name in _FILES]
    read = {name for path in paths for name in _VARIABLE.findall(path.read_text())}
    # A prefix is read too: variables of a family, such as LOCALAWS_ARCHIVE_.
    assert {name for document in DOCUMENTS for name in _VARIABLE.findall(prose(document))} <= read
