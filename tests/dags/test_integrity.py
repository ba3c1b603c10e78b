"""What holds for every DAG: it loads, it is documented, it has an owner, retries and limits, its templates resolve."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = {"boto3", "botocore", "pandas", "numpy", "torch", "transformers", "sagemaker", "pyarrow", "matplotlib"}


def tasks(dagbag: Any) -> list[Any]:
    return [task for dag in dagbag.dags.values() for task in dag.tasks]


def test_every_dag_file_loads(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert {Path(dag.fileloc).name for dag in dagbag.dags.values()} == {path.name for path in DAG_FILES}


def test_every_dag_is_documented_and_tagged(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        assert dag.doc_md and dag.doc_md.strip().startswith("###"), dag.dag_id
        assert dag.description, dag.dag_id
        assert dag.tags, dag.dag_id
        assert dag.max_active_runs == 1, f"{dag.dag_id}: two runs at once would write the same places"
        assert dag.dagrun_timeout, dag.dag_id
        assert dag.dag_id == Path(dag.fileloc).stem


def test_every_task_has_owner_retries_and_a_timeout(dagbag: Any) -> None:
    for task in tasks(dagbag):
        assert task.owner == "ml", task
        assert task.retries >= 1, task
        assert task.retry_delay <= timedelta(minutes=5), task
        assert task.execution_timeout, task


def test_every_template_field_is_an_attribute(dagbag: Any) -> None:
    for task in tasks(dagbag):
        for name in task.template_fields:
            assert hasattr(task, name), f"{task}: template field {name}"


def test_every_param_says_what_it_is(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        for name in dag.params:
            schema = dag.params.get_param(name).schema
            assert schema.get("type"), f"{dag.dag_id}.{name} has no JSON schema type"
            assert schema.get("title"), f"{dag.dag_id}.{name} has no title for the trigger form"
        dag.params.validate()


def test_every_dag_reads_like_a_table_of_contents() -> None:
    for path in DAG_FILES:
        assert len(path.read_text().splitlines()) <= 160, path
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_parsing_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'plugins')!r}]\n"
        f"[runpy.run_path(str(path)) for path in {[str(path) for path in DAG_FILES]!r}]\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    # The provider's own operators import botocore and boto3 at module level; nothing of ours may add to that.
    assert answer.stdout.splitlines()[-1] == str(sorted(_imported_by_the_provider()))


def _imported_by_the_provider() -> set[str]:
    code = (
        "import sys\n"
        "import airflow.providers.amazon.aws.operators.athena, airflow.providers.amazon.aws.operators.glue_crawler\n"
        "import airflow.providers.amazon.aws.operators.s3, airflow.providers.amazon.aws.operators.sagemaker\n"
        f"print(*({HEAVY!r} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split("\n")[-2].split()) if answer.stdout.strip() else set()


@pytest.mark.parametrize(
    ("dag_id", "edges"),
    [
        (
            "ingest_reviews",
            {
                "create_bucket": {"upload_raw"},
                "upload_raw": {"transform", "check_counts"},
                "transform": {"define_crawler", "check_counts"},
                "define_crawler": {"crawl"},
                "crawl": {
                    f"ask_{name}" for name in ("sentiments", "categories", "average_sentiment", "split", "words")
                },
                "ask_sentiments": {"charts"},
                "ask_words": {"charts"},
                "charts": {"check_counts"},
                "check_counts": set(),
            },
        ),
        (
            "train_sentiment",
            {
                "find_reviews": {"look"},
                "look": {"worth_training", "has_champion"},
                "worth_training": {"features"},
                "features": {
                    "feature_group",
                    "ingest",
                    "check_store",
                    "features_from",
                    "evaluate",
                    "evaluate_champion",
                    "evaluate_endpoint",
                },
                "feature_group": {"ingest", "check_store"},
                "ingest": {"check_store"},
                "check_store": {"unload_train", "unload_validation"},
                "features_from": {"unload_train", "unload_validation", "train"},
                "unload_train": {"train"},
                "unload_validation": {"train"},
                "train": {"evaluate", "register", "evaluate_endpoint"},
                "evaluate": {"has_champion", "judge"},
                "has_champion": {"evaluate_champion"},
                "evaluate_champion": {"judge"},
                "judge": {"register", "replace_champion"},
                "register": {"replace_champion"},
                "replace_champion": {"who_approves"},
                "who_approves": {"ask", "approve"},
                "ask": {"approve", "reject"},
                "reject": set(),
                "approve": {"latest_approved"},
                "latest_approved": {"model"},
                "model": {"deploy", "evaluate_endpoint"},
                "deploy": {"smoke", "lineage"},
                "lineage": {"lineage_graph"},
                "lineage_graph": {"delete_endpoint"},
                "smoke": {"evaluate_endpoint"},
                "evaluate_endpoint": {"delete_endpoint"},
                "delete_endpoint": set(),
            },
        ),
    ],
)
def test_structure(dagbag: Any, dag_id: str, edges: dict[str, set[str]]) -> None:
    dag = dagbag.dags[dag_id]
    for task_id, downstream in edges.items():
        assert dag.get_task(task_id).downstream_task_ids == downstream, task_id


def test_training_waits_for_reviews_labels_and_the_clock(dagbag: Any) -> None:
    from include.assets import HUMAN_LABELS, REVIEWS
    from include.settings import settings

    assert REVIEWS in dagbag.dags["ingest_reviews"].get_task("check_counts").outlets
    timetable = dagbag.dags["train_sentiment"].timetable
    assert timetable.asset_condition == REVIEWS | HUMAN_LABELS
    assert timetable.timetable.expression == settings.retraining_cron


def test_nothing_in_the_house_asks_where_it_runs() -> None:
    """DESIGN: the only switch between laptop and AWS is the endpoint; no code looks for the local one."""
    for folder in ("dags", "plugins", "include"):
        for path in (ROOT / folder).rglob("*.py"):
            texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert texts.isdisjoint({"127.0.0.1", "localhost", "AWS_ENDPOINT_URL"}), path
