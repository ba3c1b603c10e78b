"""The documentation site: it builds without a warning, asks no other host, and has all DAGs and operators."""

from __future__ import annotations

import ast
import html
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from documents_kit import ROOT

_LOADED = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=["']?([a-z]+:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert built.returncode == 0, built.stderr
    return folder


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 80
    assert not [page for page in pages if _LOADED.search(page.read_text())]
    assert not [sheet for sheet in site.rglob("*.css") if re.search(r"url\(['\"]?https?:", sheet.read_text())]


def test_every_dag_has_a_page_with_its_params_and_tasks(site: Path, airflow_home: None) -> None:
    for path in (ROOT / "dags").glob("*.py"):
        dag = runpy.run_path(str(path))["dag"]
        page = (site / "dags" / dag.dag_id / "index.html").read_text()
        assert {param for param in dag.params if f"<code>{param}</code>" not in page} == set()
        assert {task.label for task in dag.tasks if f"<code>{task.label}</code>" not in page} == set()


def test_every_operator_hook_and_trigger_has_an_entry(site: Path) -> None:
    for kind in ("operators", "hooks", "triggers", "links", "specs"):
        for path in (ROOT / "plugins" / "amazon_ml" / kind).glob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and node.name[0] != "_":
                    anchor = f'id="amazon_ml.{kind}.{path.stem}.{node.name}"'
                    assert anchor in (site / "reference" / kind / path.stem / "index.html").read_text()


def test_no_page_shows_the_markup_of_sphinx(site: Path) -> None:
    left = re.compile(r":(?:class|func|meth|data):|seealso::|:param ")
    assert not [page for page in (site / "reference").rglob("*.html") if left.search(page.read_text())]


@pytest.mark.parametrize("diagram", ["rooms", "reviews"])
def test_diagrams_are_drawn_from_their_sources(diagram: str) -> None:
    source = (ROOT / "docs" / "images" / f"{diagram}.mmd").read_text()
    drawn = html.unescape((ROOT / "docs" / "images" / f"{diagram}.svg").read_text())
    words = {word for label in re.findall(r'"([^"]+)"', source) for word in re.split(r"<br>|\s", label) if word}
    assert len(words) > 20
    assert {word for word in words if word not in drawn} == set()
