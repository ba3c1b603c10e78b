"""UpdateEndpoint under a DeploymentConfig: traffic moves in steps, alarms roll it back, and no request fails."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting, load
from localaws_kit import LocalAws, put_quiet_alarm, start
from waiting_kit import until

from localaws.sagemaker.endpoints import guardrails

#: A minute takes three seconds.
FACTOR = "20"
OLD, NEW = 2, 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    found = start(tmp_path_factory.mktemp("guardrails"), LOCALAWS_CLOCK_FACTOR=FACTOR)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def hosting(server: LocalAws) -> Hosting:
    return Hosting(server)


@pytest.fixture(scope="module")
def models(hosting: Hosting) -> tuple[str, str]:
    return hosting.model(OLD), hosting.model(NEW)


def canary(percent: int = 30, wait: int = 60, **more: Any) -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    routing = {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": wait}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


def alarm(hosting: Hosting, endpoint: str) -> str:
    """An alarm that is in alarm only when somebody says so."""
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "A"}]
    put_quiet_alarm(hosting.cloudwatch, f"errors-{endpoint}", Dimensions=dimensions)
    return f"errors-{endpoint}"


def watched(config: dict[str, Any], *alarms: str) -> dict[str, Any]:
    return {**config, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": each} for each in alarms]}}


def statuses(hosting: Hosting, endpoint: str) -> list[tuple[str, str]]:
    """What is told of variant A until the update is over, each once."""
    told: list[tuple[str, str]] = []
    while True:
        description = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
        if "PendingDeploymentSummary" in description:
            (variant,) = description["PendingDeploymentSummary"]["ProductionVariants"]
            (status,) = variant["VariantStatus"]
            found = status["Status"], status.get("StatusMessage", "")
            if found not in told:
                told.append(found)
        if not description["EndpointStatus"].endswith(("ing", "Back")):
            return told
        time.sleep(0.02)


def update(hosting: Hosting, endpoint: str, config: str, **more: Any) -> None:
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, **more)


def test_a_canary_takes_its_share_and_then_everything(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0], count=2)
    config = hosting.config(models[1], count=2)
    deployment = watched(canary(30, 400, TerminationWaitInSeconds=20), alarm(hosting, endpoint))
    with load(hosting, endpoint) as answers:
        update(hosting, endpoint, config, DeploymentConfig=deployment)
        until(lambda: answers[NEW], lambda count: count > 0)
        before = Counter(answers)
        until(lambda: sum(answers.values()) - sum(before.values()), lambda count: count >= 150)
        during = answers - before
        told = statuses(hosting, endpoint)
        after = Counter(answers)
        until(lambda: sum(answers.values()) - sum(after.values()), lambda count: count >= 50)
        last = answers - after
    assert set(answers) == {OLD, NEW}
    # 150 draws at 0.3, within five standard deviations.
    assert 0.11 <= during[NEW] / sum(during.values()) <= 0.49
    assert set(last) == {NEW}
    assert (
        "Baking",
        "Baking for 400 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s).",
    ) in told
    assert (
        "Baking",
        "Baking for 20 seconds (TerminationWaitInSeconds) with traffic enabled on full capacity of 2 instance(s).",
    ) in told
    description = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert (description["EndpointConfigName"], description["LastDeploymentConfig"]) == (config, deployment)
    # The new fleet's figures were told apart while there were two.
    dimensions = [
        {"Name": "EndpointName", "Value": endpoint},
        {"Name": "VariantName", "Value": "A"},
        {"Name": "EndpointConfigName", "Value": config},
    ]
    found = hosting.cloudwatch.list_metrics(Namespace="AWS/SageMaker", MetricName="Invocations", Dimensions=dimensions)[
        "Metrics"
    ]
    assert len(found) == 1


def test_an_alarm_brings_all_traffic_back(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0])
    before = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    watching = alarm(hosting, endpoint)
    with load(hosting, endpoint) as answers:
        update(hosting, endpoint, hosting.config(models[1]), DeploymentConfig=watched(canary(50, 1200), watching))
        until(lambda: answers[NEW], lambda count: count > 0)
        hosting.cloudwatch.set_alarm_state(AlarmName=watching, StateValue="ALARM", StateReason="a drill")
        description = until(
            lambda: hosting.sagemaker.describe_endpoint(EndpointName=endpoint),
            lambda each: each["EndpointStatus"] == "InService",
        )
        after = Counter(answers)
        until(lambda: sum(answers.values()) - sum(after.values()), lambda count: count >= 50)
        last = answers - after
    assert set(answers) == {OLD, NEW}
    assert set(last) == {OLD}
    assert description["EndpointConfigName"] == before
    assert description["FailureReason"] == (
        f"The deployment was rolled back, because the alarm {watching} is in the state ALARM: a drill"
    )
    assert "PendingDeploymentSummary" not in description
    assert "LastDeploymentConfig" not in description


def test_linear_steps_and_a_retained_config(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0])
    size = {"Type": "CAPACITY_PERCENT", "Value": 40}
    routing = {"Type": "LINEAR", "LinearStepSize": size, "WaitIntervalInSeconds": 10}
    deployment = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    with load(hosting, endpoint, 1) as answers:
        update(hosting, endpoint, hosting.config(models[1]), DeploymentConfig=deployment)
        told = statuses(hosting, endpoint)
        update(hosting, endpoint, hosting.config(models[0]), RetainDeploymentConfig=True)
        again = statuses(hosting, endpoint)
    assert set(answers) == {OLD, NEW}
    assert [status for status, _ in told if status == "Baking"] == ["Baking"]
    assert {status for status, _ in again} >= {"Baking"}


def test_rolling_batches_keep_the_number_of_instances_and_roll_back(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0], count=2)
    watching = alarm(hosting, endpoint)
    # A composite alarm guards as well as a metric alarm.
    hosting.cloudwatch.put_composite_alarm(AlarmName=f"any-{endpoint}", AlarmRule=f'ALARM("{watching}")')
    policy = {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}, "WaitIntervalInSeconds": 60}
    deployment = watched({"RollingUpdatePolicy": policy}, f"any-{endpoint}")
    with load(hosting, endpoint) as answers:
        update(hosting, endpoint, hosting.config(models[1], count=2), DeploymentConfig=deployment)
        told = statuses(hosting, endpoint)
        assert hosting.settled(endpoint)["EndpointStatus"] == "InService"
        update(hosting, endpoint, hosting.config(models[0], count=2), DeploymentConfig=deployment)
        until(lambda: hosting.sagemaker.describe_endpoint(EndpointName=endpoint), _deletes)
        hosting.cloudwatch.set_alarm_state(AlarmName=watching, StateValue="ALARM", StateReason="a drill")
        statuses(hosting, endpoint)
        description = hosting.settled(endpoint)
        after = Counter(answers)
        until(lambda: sum(answers.values()) - sum(after.values()), lambda count: count >= 30)
        last = answers - after
    assert set(answers) == {OLD, NEW}
    assert set(last) == {NEW}
    assert ("Creating", "Launching 1 instance(s).") in told
    assert ("Deleting", "Terminating 1 instance(s).") in told
    assert f"rolled back, because the alarm any-{endpoint} is in the state ALARM" in description["FailureReason"]
    (variant,) = description["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2


def _deletes(description: dict[str, Any]) -> bool:
    (variant,) = description["PendingDeploymentSummary"]["ProductionVariants"]
    return bool(
        variant["VariantStatus"][0]["Status"] == "Deleting"
        or "full" in variant["VariantStatus"][0].get("StatusMessage", "")
    )


def test_a_rollout_that_is_killed_starts_again_and_ends(
    server: LocalAws, hosting: Hosting, models: tuple[str, str]
) -> None:
    endpoint = hosting.serve(models[0])
    update(hosting, endpoint, hosting.config(models[1]), DeploymentConfig=canary(50, 200))
    until(lambda: {hosting.invoke(endpoint, 1)["product"] for _ in range(20)}, lambda seen: NEW in seen)
    server.kill()
    server.restart()
    assert hosting.invoke(endpoint, 1)["product"] in (OLD, NEW)
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"
    assert {hosting.invoke(endpoint, 1)["product"] for _ in range(20)} == {NEW}


COUNTS = {"A": 4}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (canary(51), "CanarySize must be 1 to 50 percent of the capacity, and is 51"),
        (
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "CANARY",
                        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 3},
                        "WaitIntervalInSeconds": 0,
                    }
                }
            },
            "at most 50 percent of the instances of variant A, and is 3 of 4",
        ),
        (
            {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 0}}},
            "CanarySize must be given",
        ),
        (canary(20, 3600, MaximumExecutionTimeoutInSeconds=600), "must be larger than the 3600 seconds of all waits"),
        (
            {
                **canary(),
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                    "WaitIntervalInSeconds": 0,
                },
            },
            "Only one of",
        ),
        (
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 4},
                    "WaitIntervalInSeconds": 0,
                }
            },
            "MaximumBatchSize must be 5 to 50 percent",
        ),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        guardrails.check(config, COUNTS)


def test_steps_and_batches() -> None:
    linear = {
        "TrafficRoutingConfiguration": {
            "Type": "LINEAR",
            "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 5,
        }
    }
    assert [(step.active["A"], step.share, step.seconds) for step in guardrails.steps(linear, COUNTS)] == [
        (1, 0.25, 5),
        (2, 0.5, 5),
        (3, 0.75, 5),
        (4, 1.0, 0),
    ]
    rolling = {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    assert guardrails.batches(rolling, {"A": 5, "B": 1}) == [{"A": 3, "B": 1}, {"A": 5, "B": 1}]


def test_unknown_alarms_bad_steps_and_unequal_variants_are_refused(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0])
    config = hosting.config(models[1])
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find the CloudWatch alarm\(s\) nobody"):
        update(hosting, endpoint, config, DeploymentConfig=watched(canary(), "nobody"))
    for deployment, words in (
        (canary(51), "CanarySize must be 1 to 50 percent of the capacity, and is 51"),
        (canary(50, 3600, MaximumExecutionTimeoutInSeconds=600), "must be larger than the 3600 seconds of all waits"),
    ):
        with pytest.raises(ClientError, match=rf"ValidationException.*{words}"):
            update(hosting, endpoint, config, DeploymentConfig=deployment)
    other = hosting.config(models[0], models[1])
    with pytest.raises(ClientError, match="needs the same variants"):
        update(hosting, endpoint, other, RetainAllVariantProperties=True)
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"


def test_a_new_fleet_that_does_not_start_leaves_the_old_one(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(models[0])
    broken = hosting.model(
        files={"factor.json": "no json", "code/inference.py": "def model_fn(x): raise OSError('gone')"}
    )
    with load(hosting, endpoint, 1) as answers:
        update(hosting, endpoint, hosting.config(broken), DeploymentConfig=canary())
        description = hosting.settled(endpoint)
    assert description["EndpointStatus"] == "InService"
    assert "did not pass the ping health check" in description["FailureReason"]
    assert set(answers) == {OLD}


#: What each request to a new model comes to -> its code.
BAD = {
    "dies": "import os\ndef model_fn(x): return 1\ndef transform_fn(*_): os._exit(9)",
    "answers 500": "def model_fn(x): return 1\ndef transform_fn(*_): raise ValueError('no idea')",
    "hangs": "import time\ndef model_fn(x): return 1\ndef transform_fn(*_): time.sleep(60)",
}


def test_a_new_model_that_dies_fails_or_hangs_under_load_is_rolled_back_with_the_reason(
    hosting: Hosting, models: tuple[str, str]
) -> None:
    with ThreadPoolExecutor(len(BAD)) as pool:
        for kind, (answers, last, description) in zip(
            BAD, pool.map(lambda code: _rolled_back(hosting, models[0], code), BAD.values()), strict=True
        ):
            assert set(last) == {OLD}, kind
            # Some requests of the canary's share failed, as the model's.
            assert all("ModelError" in str(each) for each in set(answers) - {OLD}), kind
            assert "rolled back, because the alarm errors-" in description["FailureReason"], kind
            assert "Threshold Crossed: 1 out of the last 1 datapoint" in description["FailureReason"], kind


def _rolled_back(hosting: Hosting, old: str, code: str) -> tuple[Counter[Any], Counter[Any], dict[str, Any]]:
    """Give a bad model half of the traffic, watched by an alarm on the errors of the new fleet alone."""
    endpoint = hosting.serve(old)
    bad = hosting.model(code=code, environment={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "1"})
    config = hosting.config(bad)
    dimensions = {"EndpointName": endpoint, "VariantName": "A", "EndpointConfigName": config}
    hosting.cloudwatch.put_metric_alarm(
        AlarmName=f"errors-{endpoint}",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanThreshold",
    )
    with load(hosting, endpoint, 2, 0.02) as answers:
        update(hosting, endpoint, config, DeploymentConfig=watched(canary(50, 3600), f"errors-{endpoint}"))
        description = until(
            lambda: hosting.sagemaker.describe_endpoint(EndpointName=endpoint),
            lambda found: found["EndpointStatus"] == "InService",
        )
        after = Counter(answers)
        until(lambda: sum(answers.values()) - sum(after.values()), lambda count: count >= 30)
        last = answers - after
    assert len(answers) > 1
    return answers, last, description


def test_draws_by_weight_are_independent(hosting: Hosting, models: tuple[str, str]) -> None:
    endpoint = hosting.serve(*models, weights=(0.7, 0.3))
    drawn = [hosting.invoke(endpoint, 1)["product"] == OLD for _ in range(400)]
    # Wald and Wolfowitz: the runs of a sequence of independent draws, within five standard deviations.
    old, new = sum(drawn), len(drawn) - sum(drawn)
    runs = 1 + sum(one != other for one, other in itertools.pairwise(drawn))
    mean = 2 * old * new / (old + new) + 1
    deviation = ((mean - 1) * (mean - 2) / (old + new - 1)) ** 0.5
    assert abs(runs - mean) <= 5 * deviation
    assert 0.58 <= old / len(drawn) <= 0.82
