"""InvokeEndpointBatchOperator against localaws: answers, errors, kills, throttling, the rate."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from operator_kit import BUCKET, Airflow, FakeTask
from variants_kit import NAME, WORDS, Killed, answer_keys, answers, batch, record, weights

from amazon_ml.exceptions import DeadlineExceeded, RequestRefused, TaskKilled
from amazon_ml.invocations import Parts
from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator, _Pace


def test_each_variant_answers_every_record_in_order(aws: Any, airflow: Airflow, ti: FakeTask, both: Any) -> None:
    sent = airflow.run(batch(aws, [record("a"), record("b")], target_variant="each", clients=2), ti)
    assert (sent["requests"], sent["errors"]) == (4, 0)
    found = answers(aws)
    assert [(each["id"], each["variant"]) for each in found] == [
        (name, variant) for name in "ab" for variant in sorted(WORDS, key=list(WORDS).index)
    ]
    for each in found:
        assert json.loads(each["answer"])["word"] == WORDS[each["variant"]]
        assert each["status"] == 200 and each["latency_ms"] > 0


def test_a_request_that_fails_keeps_its_status_and_the_rest_go_on(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any
) -> None:
    sent = airflow.run(
        batch(aws, [record("good"), record("bad", "break"), record("fine")], target_variant="champion"), ti
    )
    assert (sent["requests"], sent["errors"], sent["variants"]) == (3, 1, {"champion": 3})
    bad = answers(aws)[1]
    assert (bad["id"], bad["variant"], bad["status"]) == ("bad", "champion", 500)
    assert "cannot read break" in bad["answer"] or "ModelError" in bad["answer"]


def test_records_without_a_body_and_unknown_endpoints_are_named(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any
) -> None:
    with pytest.raises(ValueError, match=r"line 1 of .* is not a record with id and body"):
        airflow.run(batch(aws, [{"id": "x"}]), ti)
    with pytest.raises(ValueError, match="There are no records"):
        airflow.run(batch(aws, []), ti)
    with pytest.raises(ValueError, match=r"line 2 of .*/junk.jsonl is not JSON"):
        aws("s3").put_object(Bucket=BUCKET, Key="batch/junk.jsonl", Body=b'{"id": 1, "body": ""}\n{"id":\n')
        airflow.run(batch(aws, [], source=f"s3://{BUCKET}/batch/junk.jsonl"), ti)
    with pytest.raises(ValueError, match="must be an S3 URI or a list"):
        airflow.run(batch(aws, [], source="[]"), ti)
    body: dict[str, Any] = {"records": "s3://b/k", "output": "s3://b/o/"}
    with pytest.raises(RequestRefused, match=r"Could not find endpoint .*nowhere"):
        airflow.run(lambda: InvokeEndpointBatchOperator(task_id="x", endpoint_name="nowhere", **body), ti)


def test_an_unknown_variant_fails_at_once_instead_of_every_request(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any
) -> None:
    with pytest.raises(RequestRefused, match=r"record r0: .*ValidationError.*nobody"):
        airflow.run(batch(aws, [record(f"r{n}") for n in range(50)], target_variant="nobody"), ti)


def test_nothing_is_sent_by_other_weights_than_those_expected(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(monkeypatch)
    for expected in ({"champion": 90, "challenger": 10}, {"champion": 1}):
        with pytest.raises(ValueError, match=r"draws by the weights .*0.5.*, and not by .*: set them first"):
            airflow.run(batch(aws, [record("a")], weights=expected), ti)
    assert requests.sent == []
    assert airflow.run(batch(aws, [record("a")], weights={"champion": 50, "challenger": 50}), ti)["requests"] == 1


def test_records_may_be_a_list(aws: Any, airflow: Airflow, ti: FakeTask, both: Any) -> None:
    sent = airflow.run(batch(aws, [], source=[record("a"), record("b")]), ti)
    assert (sent["requests"], [each["id"] for each in answers(aws)]) == (2, ["a", "b"])


class Requests:
    """Counts the requests that are sent, and ends the task's process at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.fatal = 0
        ask = InvokeEndpointBatchOperator._ask

        def noted(operator: Any, runtime: Any, record: Any, target: Any) -> dict[str, Any]:
            self.sent.append(record["id"])
            if len(self.sent) == self.fatal:
                raise Killed
            return ask(operator, runtime, record, target)

        monkeypatch.setattr(InvokeEndpointBatchOperator, "_ask", noted)


def test_a_killed_batch_goes_on_behind_its_last_part(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amazon_ml.operators.endpoint_batch.PART", 4)
    records = [record(f"r{n:02}") for n in range(10)]
    requests = Requests(monkeypatch)
    requests.fatal = 7
    put = Parts.put

    def unless_killed(self: Parts, number: int, part: Any) -> Any:
        if len(part) < 4:
            raise Killed  # as SIGKILL: what was answered since the last part is lost
        return put(self, number, part)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Parts, "put", unless_killed)
        airflow.run(batch(aws, records, clients=1), ti)
    assert answer_keys(aws) == ["batch/answers/part-000000.jsonl"]
    requests.fatal, requests.sent = 0, []
    found = airflow.run(batch(aws, records, clients=1), ti.next_try())
    assert requests.sent == [f"r{n:02}" for n in range(4, 10)]
    assert (found["requests"], found["resumed"], sum(found["variants"].values())) == (10, 4, 10)
    assert [each["id"] for each in answers(aws)] == [each["id"] for each in records]


def test_what_ends_in_good_order_keeps_all_answers(
    aws: Any, airflow: Airflow, ti: FakeTask, both: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [record(f"r{n:02}") for n in range(10)]
    requests = Requests(monkeypatch)
    requests.fatal = 7
    with pytest.raises(Killed):
        airflow.run(batch(aws, records, clients=1), ti)
    assert [each["id"] for each in answers(aws)] == [f"r{n:02}" for n in range(6)]
    # Other weights make another measurement: nothing of the first is taken for it.
    airflow.run(weights({"champion": 0, "challenger": 1}), ti)
    requests.fatal, requests.sent = 0, []
    found = airflow.run(batch(aws, records, clients=1), ti.next_try())
    assert (found["resumed"], found["variants"]) == (0, {"challenger": 10})
    # A complete measurement starts over.
    again = airflow.run(batch(aws, records, clients=1), ti.next_try())
    assert (again["resumed"], again["requests"], len(requests.sent), len(answers(aws))) == (0, 10, 20, 10)


def test_a_batch_ends_with_its_time(aws: Any, airflow: Airflow, old_ti: FakeTask, both: Any) -> None:
    with pytest.raises(DeadlineExceeded, match="the next try continues"):
        airflow.run(batch(aws, [record("a")], timeout=timedelta(minutes=1)), old_ti)


class Throttled:
    """A runtime that throttles the first requests, then answers."""

    def __init__(self, refusals: int) -> None:
        self.left, self.asked = refusals, 0

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.asked += 1
        if self.left:
            self.left -= 1
            error = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
            raise ClientError({**error, "ResponseMetadata": {"HTTPStatusCode": 400}}, "InvokeEndpoint")
        return {"Body": io.BytesIO(b"{}"), "InvokedProductionVariant": "champion"}


@pytest.mark.parametrize(("refusals", "asked", "status"), [(2, 3, 200), (9, 4, 400)])
def test_a_throttled_request_is_sent_again_as_often_as_it_may(
    monkeypatch: pytest.MonkeyPatch, refusals: int, asked: int, status: int
) -> None:
    given: dict[str, Any] = {"records": "s3://b/k", "output": "s3://b/o/", "attempts": 4}
    operator = InvokeEndpointBatchOperator(task_id="x", endpoint_name=NAME, **given)
    paused: list[float] = []
    monkeypatch.setattr(operator, "_pause", paused.append)
    runtime = Throttled(refusals)
    found = operator._ask(runtime, record("a"), None)
    assert (runtime.asked, found["status"]) == (asked, status)
    assert paused == [0.25, 0.5, 1.0][: asked - 1]


def test_a_killed_task_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"records": "s3://b/k", "output": "s3://b/o/"}
    operator = InvokeEndpointBatchOperator(task_id="x", endpoint_name=NAME, **given)
    operator.on_kill()
    with pytest.raises(TaskKilled):
        operator._ask(Throttled(1), record("a"), None)


def test_the_rate_limits_all_clients_together(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("amazon_ml.operators.endpoint_batch.time.sleep", slept.append)
    pace = _Pace(100, lambda: None)
    for _ in range(11):
        pace.wait()
    assert sum(1 for seconds in slept if seconds > 0) >= 9
    assert 0.05 < max(slept) <= 0.11
