"""Model and endpoint operators against localaws: make it, change it, find it, ask it, take it away."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from operator_kit import BUCKET, ROLE, SERVING_IMAGE, Airflow, FakeTask
from serving_kit import packed_model

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.runtime import RuntimeHook
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator


def put_model(aws: Any, word: str, key: str | None = None) -> str:
    """A model that answers ``word``, or does not load if that is "broken"; its URI."""
    key = f"models/{key or word}/model.tar.gz"
    aws("s3").put_object(Bucket=BUCKET, Key=key, Body=packed_model(word))
    return f"s3://{BUCKET}/{key}"


def model(ti: FakeTask, data: str, **changes: Any) -> Callable[[], ModelOperator]:
    given = {"task_id": ti.task_id, "image_uri": SERVING_IMAGE, "role_arn": ROLE, "model_data": data}
    return lambda: ModelOperator(**{**given, **changes})


def endpoint(ti: FakeTask, name: str, model_name: str, **changes: Any) -> Callable[[], EndpointOperator]:
    given = {"task_id": ti.task_id, "endpoint_name": name, "model_name": model_name, "instance_type": "ml.m5.large"}
    return lambda: EndpointOperator(**{**given, **changes})


def ask(ti: FakeTask, name: str, *records: Any, **changes: Any) -> Callable[[], InvokeEndpointOperator]:
    return lambda: InvokeEndpointOperator(task_id=ti.task_id, endpoint_name=name, records=list(records), **changes)


def delete(ti: FakeTask, name: str) -> Callable[[], DeleteEndpointOperator]:
    return lambda: DeleteEndpointOperator(task_id=ti.task_id, endpoint_name=name)


def configs(aws: Any, name: str) -> list[str]:
    found = aws("sagemaker").list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    return [config["EndpointConfigName"] for config in found]


def test_a_model_is_made_once_and_another_for_other_content(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    one, two = put_model(aws, "one"), put_model(aws, "two")
    made = airflow.run(model(ti, one), ti)
    assert ti.pushed == {"model_name": made["name"]}
    assert airflow.run(model(ti, one), ti.next_try()) == made
    other = airflow.run(model(ti, two), ti.next_try())
    assert other["name"] != made["name"]
    assert aws("sagemaker").describe_model(ModelName=made["name"])["PrimaryContainer"]["ModelDataUrl"] == one
    tags = {tag["Key"] for tag in aws("sagemaker").list_tags(ResourceArn=made["arn"])["Tags"]}
    assert tags == {"airflow:dag_id", "airflow:task_id", "airflow:run_id", "dag", "run", "expires-at"}


def test_an_endpoint_from_its_creation_to_its_end(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    name = "life"
    one = airflow.run(model(ti, put_model(aws, "one")), ti)["name"]
    two = airflow.run(model(ti, put_model(aws, "two")), ti)["name"]

    created = airflow.run(endpoint(ti, name, one, tags={"project": "reviews"}, ttl=timedelta(hours=2)), ti)
    assert created == {
        "name": name,
        "arn": f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{name}",
        "status": "InService",
        "config": configs(aws, name)[0],
        "variants": [
            {"name": "AllTraffic", "model": one, "instance_type": "ml.m5.large", "instances": 1, "weight": 1.0}
        ],
    }
    tags = {tag["Key"]: tag["Value"] for tag in aws("sagemaker").list_tags(ResourceArn=created["arn"])["Tags"]}
    assert (tags["project"], tags["dag"], tags["run"]) == ("reviews", ti.dag_id, ti.run_id)
    expires = datetime.fromisoformat(tags["expires-at"])
    assert timedelta(hours=1) < expires - datetime.now(UTC) < timedelta(hours=2)

    deferrals = len(airflow.deferrals)
    assert deferrals == 1
    assert airflow.run(endpoint(ti, name, one, tags={"project": "reviews"}), ti.next_try()) == created
    assert len(airflow.deferrals) == deferrals, "an endpoint that is as it should be was waited for"

    updated = airflow.run(endpoint(ti, name, two), ti.next_try())
    assert updated["config"] != created["config"]
    answer = airflow.run(ask(ti, name, "great", {"features": ["bad"]}, batch_size=1), ti)
    assert answer == {
        "endpoint": name,
        "predictions": [{"features": "great", "word": "two", "length": 5}, {"word": "two", "length": 3}],
    }
    with pytest.raises(JobFailed, match=r"the model failed with .*cannot read break"):
        airflow.run(ask(ti, name, "break"), ti)

    gone = airflow.run(delete(ti, name), ti)
    assert gone["endpoint"] == name
    assert gone["deleted"]["endpoint"] is True
    assert sorted(gone["deleted"]["configs"]) == sorted([created["config"], updated["config"]])
    assert sorted(gone["deleted"]["models"]) == sorted([one, two])
    assert configs(aws, name) == []
    again = airflow.run(delete(ti, name), ti.next_try())
    assert again == {"endpoint": name, "deleted": {"endpoint": False, "configs": [], "models": []}}


@pytest.mark.parametrize(
    ("before", "ttl", "owner"),
    [
        ("never", timedelta(hours=2), None),
        ("never", None, "never"),
        ("2026-12-01T00:00:00Z", None, "never"),
        ("2026-12-01T00:00:00Z", timedelta(hours=2), "later"),
    ],
)
def test_a_guest_of_an_endpoint_that_stays_does_not_own_it(
    before: str, ttl: timedelta | None, owner: str | None
) -> None:
    ti = FakeTask(run_id="guest")
    guest = endpoint(ti, "sentiment", "model", ttl=ttl, project="reviews")()
    guest.__dict__["hook"] = SimpleNamespace(tags_of=lambda arn: {"expires-at": before})
    made = {tag["Key"]: tag["Value"] for tag in guest._tags_of_update({"ti": ti}, "arn")}
    assert made["airflow:run_id"] == ti.run_id
    if owner is None:
        assert not made.keys() & {"project", "dag", "run", "expires-at"}
    else:
        assert made["run"] == ti.run_id
        assert (made["expires-at"] == "never") == (owner == "never")


def test_a_task_that_does_not_wait_ends_when_its_endpoint_has_begun_to_change(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    name = "in-the-making"
    made = airflow.run(model(ti, put_model(aws, "one")), ti)["name"]
    started = airflow.start(endpoint(ti, name, made, wait_for_completion=False), ti)
    assert (started["status"], airflow.deferrals) == ("Creating", [])
    assert airflow.run(endpoint(ti, name, made), ti.next_try()) == {**started, "status": "InService"}
    airflow.run(delete(ti, name), ti)


def test_an_endpoint_whose_creation_failed_is_recreated_by_the_next_try(
    aws: Any, airflow: Airflow, ti: FakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "second-chance"
    late = airflow.run(model(ti, put_model(aws, "broken", "late")), ti)["name"]
    with pytest.raises(JobFailed, match=f"Endpoint {name} is Failed: ."):
        airflow.run(endpoint(ti, name, late), ti)
    assert "ValueError: this model is broken" in capsys.readouterr().out
    put_model(aws, "mended", "late")
    assert airflow.run(endpoint(ti, name, late), ti.next_try())["status"] == "InService"
    airflow.run(delete(ti, name), ti)


def test_an_update_that_does_not_come_up_fails_the_task_and_leaves_the_old_one_serving(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    name = "rolled-back"
    good = airflow.run(model(ti, put_model(aws, "good")), ti)["name"]
    bad = airflow.run(model(ti, put_model(aws, "broken")), ti)["name"]
    created = airflow.run(endpoint(ti, name, good), ti)
    with pytest.raises(JobFailed, match=f"did not take .* with {created['config']}"):
        airflow.run(endpoint(ti, name, bad), ti.next_try())
    assert airflow.run(ask(ti, name, "x"), ti)["predictions"][0]["word"] == "good"
    airflow.run(delete(ti, name), ti)


def test_a_try_that_died_after_create_leaves_its_endpoint_to_the_next(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    name = "left-behind"
    one = airflow.run(model(ti, put_model(aws, "one")), ti)["name"]
    airflow.start(endpoint(ti, name, one), ti)  # killed after its deferral
    assert airflow.run(endpoint(ti, name, one), ti.next_try())["status"] == "InService"
    assert len(configs(aws, name)) == 1
    # A delete that died half-way: the endpoint is gone, its configuration and model are not.
    airflow.start(delete(ti, name), ti)
    rest = airflow.run(delete(ti, name), ti.next_try())["deleted"]
    assert (len(rest["configs"]), rest["models"]) == (1, [one])


def test_an_endpoint_that_is_not_there_is_said_at_once(aws: Any, airflow: Airflow, ti: FakeTask) -> None:
    with pytest.raises(RequestRefused, match=r"no-such-endpoint.* not found"):
        airflow.run(ask(ti, "no-such-endpoint", "x"), ti)


class Runtime:
    """Stands in for the runtime client: raises what it is given, in turn, then answers."""

    def __init__(self, body: bytes, *failures: str) -> None:
        self.body, self.failures, self.calls = body, list(failures), 0

    def sibling(self, hook_class: type[RuntimeHook]) -> RuntimeHook:
        hook = hook_class()
        hook.__dict__["_call"] = self.call
        return hook

    def describe(self, kind: str, name: str) -> dict[str, str]:
        return {f"{kind}Arn": f"arn:aws:sagemaker:us-east-1:1:endpoint/{name}"}

    def call(self, method: str, **_: Any) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        self.calls += 1
        if self.failures:
            raise ClientError({"Error": {"Code": self.failures.pop(0), "Message": ""}}, method)
        return {"Body": io.BytesIO(self.body)}


def asked(ti: FakeTask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Callable[[], Any]:
    def make() -> InvokeEndpointOperator:
        operator = ask(ti, "e", "x", **changes)()
        operator.__dict__["hook"] = runtime
        monkeypatch.setattr(operator, "note_console", lambda *_: None)
        monkeypatch.setattr(operator, "_pause", lambda _: None)
        return operator

    return make


def test_a_model_that_still_loads_is_asked_again(
    airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime(b'{"y": 1}\n', "ModelNotReadyException", "ThrottlingException")
    answer = airflow.run(asked(ti, runtime, monkeypatch), ti)
    assert (runtime.calls, answer["predictions"]) == (3, [{"features": "x", "y": 1}])


def test_asking_again_ends_with_the_time_out(
    airflow: Airflow, old_ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime(b"", *["ThrottlingException"] * 9)
    with pytest.raises(Exception, match="ThrottlingException"):
        airflow.run(asked(old_ti, runtime, monkeypatch), old_ti)
    assert runtime.calls == 1


@pytest.mark.parametrize(
    ("body", "says"), [(b"<html>", "did not answer in JSON Lines"), (b'{"y": 1}\n{"y": 2}', "answered 2 lines to 1")]
)
def test_an_answer_of_another_shape_fails_the_task(
    airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch, body: bytes, says: str
) -> None:
    with pytest.raises(JobFailed, match=says):
        airflow.run(asked(ti, Runtime(body), monkeypatch), ti)


def csv_asked(ti: FakeTask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    def make() -> InvokeEndpointOperator:
        records = ['so "good", yes', ["a field", 7]]
        operator = InvokeEndpointOperator(
            task_id=ti.task_id, endpoint_name="e", records=records, content_type="text/csv", columns=["label", "share"]
        )
        operator.__dict__["hook"] = runtime
        monkeypatch.setattr(operator, "note_console", lambda *_: None)
        return operator

    return make


def test_an_endpoint_is_asked_and_answers_in_csv(
    airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime(b'1,0.9\n"-1",0.5\n')
    sent: list[dict[str, Any]] = []
    call = runtime.call
    monkeypatch.setattr(runtime, "call", lambda method, **request: (sent.append(request), call(method))[1])  # type: ignore[func-returns-value]
    answer = airflow.run(csv_asked(ti, runtime, monkeypatch), ti)
    assert answer["predictions"] == [
        {"features": 'so "good", yes', "label": "1", "share": "0.9"},
        {"label": "-1", "share": "0.5"},
    ]
    (request,) = sent
    assert (request["ContentType"], request["Accept"]) == ("text/csv", "text/csv")
    assert request["Body"] == b'"so ""good"", yes"\n"a field","7"\n'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"1\n1\n", "did not answer in CSV with the columns label, share"),
        (b"1,0.9,x\n1,0.9,x\n", "did not answer in CSV"),
        (b"1,0.9\n", "answered 1 lines to 2 records"),
    ],
)
def test_an_answer_with_other_columns_or_rows_fails_the_task(
    airflow: Airflow, ti: FakeTask, monkeypatch: pytest.MonkeyPatch, body: bytes, says: str
) -> None:
    with pytest.raises(JobFailed, match=says):
        airflow.run(csv_asked(ti, Runtime(body), monkeypatch), ti)


@pytest.mark.parametrize("wrong", [{"content_type": "text/csv"}, {"columns": ["a"]}, {"content_type": "text/plain"}])
def test_csv_needs_its_columns_named_and_other_forms_are_refused(ti: FakeTask, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="with the columns of the answer"):
        ask(ti, "e", "x", **wrong)()


@pytest.mark.parametrize("keep", [True, "True", "true"])
def test_what_is_to_be_kept_is_not_touched_and_the_task_is_skipped(airflow: Airflow, ti: FakeTask, keep: Any) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="endpoint e is kept"):
        airflow.run(lambda: DeleteEndpointOperator(task_id=ti.task_id, endpoint_name="e", keep=keep), ti)


def test_one_container_in_a_list_is_the_same_model_and_several_are_sent_together(
    aws: Any, airflow: Airflow, ti: FakeTask
) -> None:
    uri = put_model(aws, "chained")
    container = {"image": SERVING_IMAGE, "model_data": uri, "environment": {"LEVEL": 1}}
    one = airflow.run(lambda: ModelOperator(task_id=ti.task_id, role_arn=ROLE, containers=[container]), ti)
    made = aws("sagemaker").describe_model(ModelName=one["name"])["PrimaryContainer"]
    assert (made["Image"], made["ModelDataUrl"], made["Environment"]) == (SERVING_IMAGE, uri, {"LEVEL": "1"})
    same = model(ti, uri, environment={"LEVEL": 1})
    assert airflow.run(same, ti.next_try())["name"] == one["name"]
    # localaws has no pipelines of containers: that it says so shows that both were sent.
    with pytest.raises(RequestRefused, match="several Containers"):
        airflow.run(lambda: ModelOperator(task_id=ti.task_id, role_arn=ROLE, containers=[container] * 2), ti)
