"""What holds for every DAG: it loads, it is documented, it has an owner, retries and limits, its templates resolve."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
HEAVY = {"boto3", "botocore", "pandas", "numpy", "torch", "transformers", "sagemaker", "pyarrow", "matplotlib"}
#: what the DAGs take of the Amazon provider.
PROVIDER = "".join(
    f"import airflow.providers.amazon.aws.operators.{name}\n" for name in ("athena", "glue_crawler", "s3", "sagemaker")
)


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
    from amazon_ml.retry import FailureBudget

    for task in tasks(dagbag):
        assert task.owner == "ml", task
        assert task.retries >= 10, f"{task} has no tries to lose to what runs it"
        assert isinstance(task.retry_policy, FailureBudget) and task.retry_policy.retries == 2, task
        assert task.retry_delay <= timedelta(minutes=5), task
        assert task.execution_timeout, task


def test_every_template_field_is_an_attribute(dagbag: Any) -> None:
    # A mapped task has none of the attributes: the operators that it becomes do.
    for task in (task for task in tasks(dagbag) if not task.is_mapped):
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
        assert len(path.read_text().splitlines()) <= 150, path
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


def test_parsing_all_dag_files_costs_less_than_importing_what_they_are_made_of() -> None:
    """In processor time, which another test's work does not lengthen; benchmarks/results/parse.md has the seconds."""
    code = (
        "import runpy, sys, time\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'plugins')!r}]\n"
        f"import airflow.sdk\n{PROVIDER}"
        "imported = time.process_time()\n"
        f"[runpy.run_path(str(path)) for path in {[str(path) for path in DAG_FILES]!r}]\n"
        "print(imported, time.process_time() - imported)\n"
    )
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    imported, parsed = map(float, answer.stdout.splitlines()[-1].split())
    assert parsed < imported, f"{parsed:.2f} s of processor time for {len(DAG_FILES)} files"


def _imported_by_the_provider() -> set[str]:
    code = f"import sys\n{PROVIDER}print(*({HEAVY!r} & set(sys.modules)))\n"
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split("\n")[-2].split()) if answer.stdout.strip() else set()


def test_training_waits_for_reviews_labels_and_the_clock(dagbag: Any) -> None:
    from include.assets import HUMAN_LABELS, REVIEWS
    from include.settings import settings

    assert REVIEWS in dagbag.dags["ingest_reviews"].get_task("check_counts").outlets
    timetable = dagbag.dags["train_sentiment"].timetable
    assert timetable.asset_condition == REVIEWS | HUMAN_LABELS
    assert timetable.timetable.expression == settings.retraining_cron


def test_a_new_airflow_waits_for_the_next_time_and_makes_up_for_none(
    dagbag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    from include.settings import settings

    assert settings.retraining_cron == "0 3 * * 1"
    dag: Any = DagSerialization.from_dict(DagSerialization.to_dict(dagbag.dags["train_sentiment"]))
    monday = datetime(2026, 11, 30, 9, tzinfo=UTC)
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: monday)
    first = dag.timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(dag.start_date, None, dag.catchup)
    )
    assert first and first.run_after == datetime(2026, 12, 7, 3, tzinfo=UTC)


def test_training_takes_all_events_that_wait_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in with the argument of Airflow 3.4."""
    from airflow.sdk import AssetOrTimeSchedule

    from include.assets import batched

    asked = []

    class Batching(AssetOrTimeSchedule):
        def __init__(self, *, timetable: Any, assets: Any, batch_asset_events: bool = False) -> None:
            super().__init__(timetable=timetable, assets=assets)
            asked.append(batch_asset_events)

    def without(*, timetable: Any, assets: Any) -> None:
        """The signature of Airflow 3.3."""

    assert batched(without) == {}
    monkeypatch.setattr("airflow.sdk.AssetOrTimeSchedule", Batching)
    runpy.run_path(str(ROOT / "dags" / "train_sentiment.py"))
    assert asked == [True]


def test_nothing_in_the_house_asks_where_it_runs() -> None:
    """DESIGN: the only switch between laptop and AWS is the endpoint; no code looks for the local one."""
    for folder in ("dags", "plugins", "include"):
        for path in (ROOT / folder).rglob("*.py"):
            texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert texts.isdisjoint({"127.0.0.1", "localhost", "AWS_ENDPOINT_URL"}), path
