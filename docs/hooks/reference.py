"""Make a page of each module of amazon_ml, from its docstrings: nothing of it is imported."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from griffe import Extension, Object
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "amazon_ml"
#: folder of amazon_ml -> the title of its part of the site.
SECTIONS = {
    "operators": "Operators",
    "hooks": "Hooks",
    "triggers": "Triggers",
    "links": "Links",
    "specs": "Specs of jobs",
}

_ROLE = re.compile(r":(?:class|func|meth|data|mod|attr|exc):`~?([^`]+)`")
_SEE_ALSO = re.compile(r"^( *)\.\. seealso:: *", re.MULTILINE)


def modules(section: str) -> list[str]:
    """Return the dotted names of a section's modules that have public classes or functions."""
    paths = sorted((PACKAGE / section).glob("*.py"))
    return [f"amazon_ml.{section}.{path.stem}" for path in paths if path.stem != "__init__" and _public(path)]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation, at the place of ``reference/<section>/``."""
    config.nav = _filled(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each module."""
    for section in SECTIONS:
        for module in modules(section):
            files.append(File.generated(config, _page(module), content=_content(module)))
    return files


class Roles(Extension):
    """Show Sphinx's roles and directives, which Markdown does not know, as code and text."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            text = _ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", obj.docstring.value)
            obj.docstring.value = _SEE_ALSO.sub(r"\1See also: ", text)


def _public(path: Path) -> bool:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) and node.name[0] != "_" for node in ast.parse(path.read_text()).body)


def _page(module: str) -> str:
    return f"reference/{module.removeprefix('amazon_ml.').replace('.', '/')}.md"


def _content(module: str) -> str:
    return f"# {module.rpartition('.')[2]}\n\n`{module}`\n\n::: {module}\n"


def _filled(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_filled(item) for item in nav]
    if isinstance(nav, dict):
        return {title: _filled(item) for title, item in nav.items()}
    section = nav.removeprefix("reference/").rstrip("/")
    if nav.startswith("reference/") and section in SECTIONS:
        return [{module.rpartition(".")[2]: _page(module)} for module in modules(section)]
    return nav
