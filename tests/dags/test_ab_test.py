"""What `ab_test` decides from, how it shifts, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_every_argument_of_the_comparison_comes_from_the_form(dagbag: Any) -> None:
    dag = dagbag.dags["ab_test"]
    for number in (1, 2, 3):
        arguments = dag.get_task(f"look_{number}.compare").arguments
        assert (arguments["look"], arguments["looks"]) == (number, 3)
        asked = {value.strip("{} ") for value in arguments.values() if isinstance(value, str)}
        assert asked >= {f"params.{name}" for name in ("design", "spending", "alpha", "max_loss", "min_speedup")}


def test_looks_and_steps_ask_with_traffic_of_their_own(dagbag: Any) -> None:
    dag = dagbag.dags["ab_test"]
    names = [f"look_{number}.ask" for number in (1, 2, 3)] + [f"shift_{percent}.ask" for percent in (10, 50, 100)]
    tasks = [dag.get_task(name) for name in [*names, "load"]]
    assert len({task.records for task in tasks}) == len({task.output_uri for task in tasks}) == len(tasks)
    assert dag.get_task("requests").arguments["steps"] == 3


def test_the_shift_gives_the_challenger_more_at_each_step(dagbag: Any) -> None:
    dag = dagbag.dags["ab_test"]
    shares = [dag.get_task(f"shift_{percent}.weights").weights["challenger"] for percent in (10, 50, 100)]
    assert shares == [10, 50, 100]
    assert dag.get_task("keep_champion").weights == {"champion": 100, "challenger": 0}


def test_any_failed_step_rolls_back(dagbag: Any) -> None:
    dag = dagbag.dags["ab_test"]
    roll_back = dag.get_task("roll_back")
    assert roll_back.trigger_rule == "one_failed"
    parts = ("weights", "ask", "check")
    steps = {f"shift_{percent}.{part}" for percent in (10, 50, 100) for part in parts}
    assert roll_back.upstream_task_ids == steps


def test_whatever_became_of_the_run_the_endpoint_is_settled_and_goes(dagbag: Any) -> None:
    dag = dagbag.dags["ab_test"]
    for name in ("settle", "stop_scaling", "delete_endpoint"):
        assert dag.get_task(name).is_teardown
        assert not dag.get_task(name).on_failure_fail_dagrun
    for name in ("champion_model", "challenger_model", "deploy", "remove_loser", "scale"):
        assert dag.get_task(name).is_setup
    assert dag.params["endpoint"] == "sentiment-ab"
    keep = dag.get_task("delete_endpoint").keep
    assert keep == "{{ params.keep_endpoint or params.endpoint == 'sentiment' }}"


def test_nobody_s_answer_keeps_the_champion(dagbag: Any) -> None:
    ask = dagbag.dags["ab_test"].get_task("approve")
    assert ask.options_mapping == {"Approve": "shift_10.weights", "Reject": "keep_champion"}
    assert ask.defaults == ["Reject"]
    assert ask.response_timeout


@pytest.mark.parametrize(
    ("decision", "require_approval", "task"),
    [
        ("champion", False, "keep_champion"),
        ("champion", True, "keep_champion"),
        ("challenger", False, "shift_10.weights"),
        ("challenger", True, "approve"),
    ],
)
def test_only_a_challenger_that_has_won_is_shifted_to(
    dagbag: Any, decision: str, require_approval: bool, task: str
) -> None:
    from include.ab_test.shift import next_step

    assert next_step({"decision": decision}, {"require_approval": require_approval}) == task


class Pulled:
    """A task instance that knows these results."""

    def __init__(self, **results: Any) -> None:
        self.results = {name.replace("__", "."): result for name, result in results.items()}

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.results.get(task_ids)


def test_the_verdict_is_that_of_the_first_look_that_decides() -> None:
    from include.ab_test.looks import find_verdict

    go_on, first, later = ({"decision": name, "because": "so"} for name in ("continue", "champion", "challenger"))
    assert find_verdict(Pulled(look_1__compare=go_on, look_2__compare=first, look_3__compare=later)) == first
    with pytest.raises(ValueError, match=r"clear `look_1.ask` and what follows"):
        find_verdict(Pulled(look_1__compare=go_on))


LIMITS = {"max_error_rate": 0.05, "max_latency_ms": 100}


def health(monkeypatch: pytest.MonkeyPatch, statuses: list[int], milliseconds: float) -> dict[str, Any]:
    from include.ab_test import shift

    lines = [
        {"id": f"r{at}", "variant": "challenger", "latency_ms": milliseconds, "status": status, "answer": "x"}
        for at, status in enumerate(statuses)
    ]
    monkeypatch.setattr(shift, "read_answers", lambda prefix: lines)
    return shift.check_health("s3://b/health/", LIMITS)


def test_a_sound_step_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = health(monkeypatch, [200] * 39 + [503], 40.0)
    assert found == {"requests": 40, "errors": 1, "p95_ms": 40.0, "variants": {"challenger": 40}}


@pytest.mark.parametrize(
    ("statuses", "milliseconds", "reason"),
    [
        ([200] * 37 + [500] * 3, 40.0, "3 of 40 requests failed, more than 5.0%"),
        ([200] * 40, 140.0, "the 95th percentile is 140 ms, above 100 ms"),
        ([500] * 40, 1.0, "40 of 40 requests failed"),
    ],
)
def test_errors_and_slow_answers_end_the_shift_without_another_try(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], milliseconds: float, reason: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=reason):
        health(monkeypatch, statuses, milliseconds)


def test_a_step_without_answers_is_no_sound_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="there are no answers"):
        health(monkeypatch, [], 1.0)


def test_the_form_takes_a_twin_the_last_version_or_an_arn(dagbag: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = dagbag.dags["ab_test"].params.get_param("challenger")
    for value in ("twin", "last", "arn:aws:sagemaker:us-east-1:123456789012:model-package/sentiment/3"):
        assert param.resolve(value) == value
    with pytest.raises(ParamValidationError):
        param.resolve("newest")


@pytest.mark.parametrize("name", ["alpha", "min_difference"])
def test_the_form_refuses_what_the_comparison_would(dagbag: Any, name: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = dagbag.dags["ab_test"].params.get_param(name)
    assert param.resolve(0.2) == 0.2
    for value in (0, 1):
        with pytest.raises(ParamValidationError):
            param.resolve(value)


def test_the_policy_is_a_request_of_auto_scaling() -> None:
    from include.ab_test.plan import SCALING

    (policy,) = json.loads(json.dumps(SCALING))
    config = policy["TargetTrackingScalingPolicyConfiguration"]
    metric = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "SageMakerVariantInvocationsPerInstance"
