"""Endpoints under guardrails, against a localaws whose minutes are short: deployments, roll-backs, bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from localaws_kit import LocalAws, put_quiet_alarm, start
from operator_kit import BUCKET, ROLE, SERVING_IMAGE, Airflow, FakeTask
from serving_kit import packed_model

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.base import ServiceHook
from amazon_ml.operators.endpoint import EndpointOperator, InvokeEndpointOperator
from amazon_ml.operators.model import ModelOperator

NAME = "guarded"
ALARM = "errors-guarded"
MODELS: dict[str, str] = {}


@pytest.fixture(scope="module")
def localaws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A localaws of this module's own, in which a minute takes two seconds."""
    server = start(tmp_path_factory.mktemp("guardrails"), LOCALAWS_CLOCK_FACTOR="30")
    with pytest.MonkeyPatch.context() as patch:
        for key, value in server.environment.items():
            patch.setenv(key, value)
        # boto3's default session keeps the keys of the first server that it met.
        patch.setattr("boto3.DEFAULT_SESSION", None)
        yield server
    server.stop()


@pytest.fixture
def served(aws: Any, airflow: Airflow) -> dict[str, str]:
    """The endpoint in service, with variant A on the model "one"; the names of the models by their word."""
    for word in ("one", "two", "broken"):
        if word not in MODELS:
            MODELS[word] = make_model(aws, airflow, word)
    airflow.run(endpoint("one"), FakeTask(task_id="deploy", run_id="guarded"))
    return MODELS


def make_model(aws: Any, airflow: Airflow, word: str) -> str:
    aws("s3").put_object(Bucket=BUCKET, Key=f"models/{word}.tar.gz", Body=packed_model(word))
    given = {"image_uri": SERVING_IMAGE, "role_arn": ROLE, "model_data": f"s3://{BUCKET}/models/{word}.tar.gz"}
    made: dict[str, str] = airflow.run(lambda: ModelOperator(task_id=word, **given), FakeTask(task_id=word))
    return made["name"]


def endpoint(word: str, **changes: Any) -> Callable[[], EndpointOperator]:
    """The endpoint with variant A on a model."""
    variant = {"name": "A", "model": MODELS[word], "instance_type": "ml.m5.large", **changes.pop("variant", {})}
    given = {"endpoint_name": NAME, "variants": [variant], **changes}
    return lambda: EndpointOperator(task_id="deploy", **given)


def canary(percent: Any = 50, wait: Any = 60, timeout: int = 600, alarms: tuple[str, ...] = ()) -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    routing = {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": wait}
    policy = {"TrafficRoutingConfiguration": routing, "MaximumExecutionTimeoutInSeconds": timeout}
    watched = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}} if alarms else {}
    return {"BlueGreenUpdatePolicy": policy, **watched}


def sound_alarm(aws: Any, state: str = "ALARM") -> None:
    aws("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue=state, StateReason="the test says so")


def answered(airflow: Airflow, ti: FakeTask) -> str:
    """The word that the endpoint answers."""
    ask = InvokeEndpointOperator(task_id="ask", endpoint_name=NAME, records=["x"])
    return str(airflow.run(lambda: ask, ti)["predictions"][0]["word"])


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The configurations that UpdateEndpoint was asked for."""
    asked: list[str] = []
    call = ServiceHook._call

    def noted(self: ServiceHook, method: str, **request: Any) -> dict[str, Any]:
        if method == "update_endpoint":
            asked.append(request["EndpointConfigName"])
        return call(self, method, **request)

    monkeypatch.setattr(ServiceHook, "_call", noted)
    return asked


def test_an_alarm_rolls_a_canary_back_and_fails_the_task(
    aws: Any, airflow: Airflow, ti: FakeTask, served: dict[str, str]
) -> None:
    put_quiet_alarm(aws("cloudwatch"), ALARM)
    make = endpoint("two", deployment=canary(wait=3000, timeout=6000, alarms=(ALARM,)))
    deferred = airflow.start(make, ti)
    sound_alarm(aws)
    with pytest.raises(JobFailed, match=rf"did not take .*rolled back, because the alarm {ALARM} .*the test says so"):
        airflow.resume(make, ti, deferred, airflow.fire(deferred))
    assert answered(airflow, ti) == "one"
    # The next try finds what that one has left, and is not taken for its outcome.
    sound_alarm(aws, "OK")
    assert airflow.run(endpoint("two", deployment=canary(alarms=(ALARM,))), ti.next_try())["status"] == "InService"
    assert answered(airflow, ti) == "two"


def test_a_deployment_that_a_killed_try_left_is_waited_for(
    airflow: Airflow, ti: FakeTask, served: dict[str, str], updates: list[str]
) -> None:
    make = endpoint("two", deployment=canary("50", "60"))
    assert isinstance(airflow.start(make, ti), TaskDeferred)  # killed after its deferral
    found = airflow.run(make, ti.next_try())
    assert (found["status"], updates) == ("InService", [found["config"]])
    assert airflow.run(make, ti.next_try()) == found
    assert updates == [found["config"]], "what was done is done again"


def test_a_roll_back_of_what_a_killed_try_left_fails_its_next(
    aws: Any, airflow: Airflow, ti: FakeTask, served: dict[str, str], updates: list[str]
) -> None:
    put_quiet_alarm(aws("cloudwatch"), ALARM)
    sound_alarm(aws, "OK")
    make = endpoint("two", deployment=canary(wait=3000, timeout=6000, alarms=(ALARM,)))
    airflow.start(make, ti)  # killed after its deferral
    deferred = airflow.start(make, ti.next_try())
    sound_alarm(aws)
    with pytest.raises(JobFailed, match=f"because the alarm {ALARM}"):
        airflow.resume(make, ti.next_try(), deferred, airflow.fire(deferred))
    assert len(updates) == 1, "another deployment was begun"


def test_an_update_waits_for_a_change_that_came_between(
    aws: Any, airflow: Airflow, ti: FakeTask, served: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = endpoint("two")()
    update = operator._update
    asked: list[Any] = []

    def raced(request: Any) -> bool:
        if not asked:
            wanted = [{"VariantName": "A", "DesiredInstanceCount": 2}]
            aws("sagemaker").update_endpoint_weights_and_capacities(
                EndpointName=NAME, DesiredWeightsAndCapacities=wanted
            )
        asked.append(request)
        return update(request)

    monkeypatch.setattr(operator, "_update", raced)
    monkeypatch.setattr(operator, "deferrable", False)
    assert airflow.run(lambda: operator, ti)["status"] == "InService"
    assert (len(asked), answered(airflow, ti)) == (2, "two")


def test_what_an_update_keeps_can_be_excluded(aws: Any, airflow: Airflow, ti: FakeTask, served: dict[str, str]) -> None:
    wanted = [{"VariantName": "A", "DesiredWeight": 0.25}]
    aws("sagemaker").update_endpoint_weights_and_capacities(EndpointName=NAME, DesiredWeightsAndCapacities=wanted)
    new = {"weight": 0.75, "instances": 2}
    airflow.run(endpoint("two", variant=new, retain_variant_properties=["DesiredWeight"]), ti)
    (variant,) = aws("sagemaker").describe_endpoint(EndpointName=NAME)["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (0.75, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": {"weight": 0}}, "At least one production variant must have a weight greater than 0"),
        ({"variant": {"instances": 0}}, "InitialInstanceCount"),
        (
            {"variant": {"name": "B"}, "retain_variant_properties": True},
            "needs the same variants in the current and the new endpoint configuration: A and B",
        ),
        ({"deployment": canary(60)}, "CanarySize must be 1 to 50 percent of the capacity, and is 60"),
        ({"deployment": canary(wait=600)}, "must be larger than the 600 seconds of all waits"),
        ({"deployment": canary(alarms=("no-such",))}, r"Could not find the CloudWatch alarm\(s\) no-such"),
        ({"deployment": {"BlueGreen": {}}}, "Unknown parameter in DeploymentConfig"),
    ],
)
def test_bad_input_fails_at_once_in_the_words_of_aws(
    airflow: Airflow, ti: FakeTask, served: dict[str, str], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(RequestRefused, match=said):
        airflow.run(endpoint("two", **changes), ti)
    assert answered(airflow, ti) == "one"
