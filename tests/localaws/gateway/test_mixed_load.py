"""Services at work side by side in one server: no two of them may wait for one another."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from feature_kit import Kit
from job_helpers import ROLE
from localaws_kit import LocalAws
from pipeline_kit import compare, condition, definition

from localaws.core.context import Context
from localaws.core.credentials import Credentials
from localaws.core.store import Store
from localaws.sagemaker.pipelines.execution import Execution, keep_definition

#: seconds for which the load goes on, and after which a request without an answer is taken for one that never gets it.
LOAD_S, NEVER_S = 4.0, 30.0
GATE = definition(condition("Gate", [compare("Equals", 1, 1)], [], []))


def test_an_execution_is_read_while_another_is_read_inside_a_transaction(tmp_path: Path) -> None:
    ctx = Context(tmp_path, "http://127.0.0.1:1", "us-east-1", Store(":memory:"), Credentials("a", "b"))
    key = keep_definition(GATE, ctx)
    first, second = (Execution({"PipelineExecutionArn": arn, "_Definition": key}, ctx) for arn in ("a", "b"))
    inside, reading = threading.Event(), threading.Event()

    def in_transaction() -> None:
        with ctx.store.transaction():
            inside.set()
            reading.wait(5)
            # The other thread now waits for the store's lock.
            time.sleep(0.2)
            assert list(first.definition.steps) == ["Gate"]

    def outside() -> None:
        inside.wait(5)
        reading.set()
        assert second.steps == {}

    threads = [threading.Thread(target=each, daemon=True) for each in (in_transaction, outside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


class Load:
    """Calls a thing again and again, in a thread of its own, until the time is over or it fails."""

    def __init__(self, name: str, service: str, group: str) -> None:
        settings = Config(read_timeout=NEVER_S, retries={"total_max_attempts": 1})
        self.name, self.group, self.client = name, group, boto3.session.Session().client(service, config=settings)
        self.calls = 0
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def call(self) -> Any:
        if self.name == "objects":
            return self.client.put_object(Bucket="mixed-load", Key=f"{self.calls % 50}", Body=b"x" * 2000)
        if self.name == "records":
            values = {"id": str(self.calls % 50), "at": str(time.time())}
            record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
            return self.client.put_record(FeatureGroupName=self.group, Record=record)
        if self.name == "queries":
            return self.client.start_query_execution(
                QueryString="SELECT 1", ResultConfiguration={"OutputLocation": "s3://mixed-load/results/"}
            )
        return self.client.start_pipeline_execution(PipelineName="mixed-load")

    def _run(self) -> None:
        deadline = time.monotonic() + LOAD_S
        try:
            while time.monotonic() < deadline:
                self.call()
                self.calls += 1
        except Exception as error:
            self.error = error


def test_services_under_load_do_not_wait_for_one_another(own_localaws: LocalAws) -> None:
    group = Kit().group()
    boto3.client("s3").create_bucket(Bucket="mixed-load")
    boto3.client("sagemaker").create_pipeline(PipelineName="mixed-load", PipelineDefinition=GATE, RoleArn=ROLE)
    kinds = {"objects": "s3", "records": "sagemaker-featurestore-runtime", "queries": "athena"}
    loads = [Load(name, service, group) for name, service in kinds.items()]
    loads += [Load("executions", "sagemaker", group) for _ in range(3)]
    for load in loads:
        load.thread.start()
    for load in loads:
        load.thread.join(LOAD_S + NEVER_S + 5)
    assert {load.name: load.error for load in loads if load.error} == {}
    assert all(load.calls for load in loads)
