"""Make a page of each DAG, from the DAG itself: its text, schedule, Assets, params and tasks."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation, at the place of ``dags/``."""
    pages = [{path.stem: f"dags/{path.name.replace('.py', '.md')}"} for path in _files()]
    config.nav = _filled(config.nav, ["dags/index.md", *pages])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each DAG, and one that lists them."""
    dags = load()
    for name, dag in dags.items():
        files.append(File.generated(config, f"dags/{name}.md", content=page(dag)))
    files.append(File.generated(config, "dags/index.md", content=_overview(dags)))
    return files


@cache
def load() -> dict[str, Any]:
    """Return the DAGs by their ids, with the settings that hold where the environment says nothing."""
    for name in [name for name in os.environ if name.startswith(("REVIEWS_", "SAGEMAKER_"))]:
        del os.environ[name]
    os.environ.setdefault("AIRFLOW_HOME", str(ROOT / ".local" / "docs" / "airflow"))
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    sys.path[:0] = [folder for folder in (str(ROOT), str(ROOT / "plugins")) if folder not in sys.path]
    dags = {}
    for path in _files():
        specification = importlib.util.spec_from_file_location(f"dag_{path.stem}", path)
        assert specification and specification.loader
        module = importlib.util.module_from_spec(specification)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            specification.loader.exec_module(module)
        dags[path.stem] = module.dag
    return dags


def page(dag: Any) -> str:
    """Return the Markdown page of a DAG."""
    title, _, text = dag.doc_md.strip().partition("\n")
    lines = [f"# {dag.dag_id}", "", f"**{title.lstrip('# ')}.**", "", text.strip(), ""]
    more = _pages_about(dag.dag_id)
    if more:
        lines += [f"More: {', '.join(more)}.", ""]
    lines += ["## When it runs", "", f"{schedule(dag)}.", ""]
    updated = sorted({f"`{asset.name}`" for task in dag.tasks for asset in task.outlets})
    lines += [f"It updates: {', '.join(updated)}." if updated else "It updates no Asset.", ""]
    lines += [
        "To start it, open the DAG in the Airflow UI and choose *Trigger*. The form has the params below. "
        f"By the REST API: `POST /api/v2/dags/{dag.dag_id}/dagRuns`.",
        "",
        f"Source: `dags/{dag.dag_id}.py`. A run ends after {dag.dagrun_timeout} at the latest.",
        "",
    ]
    lines += ["## Params", "", *_params(dag), "", "## Tasks", "", *_tasks(dag.task_group), ""]
    return "\n".join(lines)


def _pages_about(dag_id: str) -> list[str]:
    """Return links to the pages that name the DAG in their first paragraph."""
    links = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        title, first, *_ = path.read_text().split("\n\n", 2)
        if f"`{dag_id}`" in first:
            links.append(f"[{title.lstrip('# ')}](../{path.name})")
    return links


def schedule(dag: Any) -> str:
    """Return when a DAG runs, in words."""
    timetable = dag.timetable
    assets = _assets(getattr(timetable, "asset_condition", None))
    clock = getattr(getattr(timetable, "timetable", timetable), "expression", None)
    when = []
    if assets:
        when.append("when the Asset " + " or ".join(f"`{name}`" for name in assets) + " is updated")
    if clock:
        when.append(f"by the clock, `{clock}` (UTC)")
    words = ", and ".join(when) or "when somebody triggers it"
    return words[0].upper() + words[1:]


def _assets(condition: Any) -> list[str]:
    if condition is None:
        return []
    if hasattr(condition, "name"):
        return [condition.name]
    return [name for item in condition.objects for name in _assets(item)]


def _params(dag: Any) -> list[str]:
    if not len(dag.params):
        return ["None."]
    lines = ["| param | default | values | what it is |", "|---|---|---|---|"]
    for name in dag.params:
        param = dag.params.get_param(name)
        what = ". ".join(filter(None, [param.schema.get("title", "").rstrip("."), param.description]))
        cells = [f"`{name}`", f"`{json.dumps(param.value)}`", _values(param.schema), what]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return lines


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{sign} {schema[key]}" for key, sign in limits.items() if key in schema]
    return " ".join([" or ".join(kinds), ", ".join(said)]).strip()


def _tasks(group: Any, indent: str = "") -> Iterator[str]:
    for node in group.topological_sort():
        if hasattr(node, "children"):
            yield f"{indent}* **{node.label}**"
            yield from _tasks(node, f"{indent}    ")
        else:
            yield f"{indent}* `{node.label}` ({_operator(node)})"


def _operator(task: Any) -> str:
    kind = getattr(task, "operator_class", type(task))
    kind = kind if isinstance(kind, type) else type(task)
    mapped = ", mapped" if task.is_mapped else ""
    if kind.__module__.startswith("amazon_ml."):
        return f"[{kind.__name__}][{kind.__module__}.{kind.__qualname__}]{mapped}"
    return f"{getattr(kind, 'custom_operator_name', None) or kind.__name__}{mapped}"


def _overview(dags: dict[str, Any]) -> str:
    lines = ["# DAGs", "", "The pages of this part are made from the DAGs themselves.", ""]
    lines += ["| DAG | what it does | runs |", "|---|---|---|"]
    for name, dag in dags.items():
        lines.append(f"| [{name}]({name}.md) | {dag.description} | {schedule(dag)} |")
    return "\n".join(lines) + "\n"


def _files() -> list[Path]:
    return sorted((ROOT / "dags").glob("*.py"))


def _filled(nav: Any, pages: list[Any]) -> Any:
    if isinstance(nav, list):
        return [_filled(item, pages) for item in nav]
    if isinstance(nav, dict):
        return {title: _filled(item, pages) for title, item in nav.items()}
    return pages if nav == "dags/" else nav
