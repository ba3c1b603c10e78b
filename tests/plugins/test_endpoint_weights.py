"""EndpointWeightsOperator against localaws."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operator_kit import Airflow, FakeTask
from variants_kit import NAME, answers, batch, record, weights

from amazon_ml.exceptions import RequestRefused
from amazon_ml.operators.endpoint import EndpointOperator
from amazon_ml.operators.endpoint_weights import EndpointWeightsOperator


def test_weights_are_changed_once_and_sent_traffic_follows(
    aws: Any, airflow: Airflow, ti: FakeTask, both: list[dict[str, Any]]
) -> None:
    found = airflow.run(weights({"champion": 0, "challenger": 100}), ti)
    assert found["weights"] == {"champion": 0.0, "challenger": 100.0}
    assert found["before"] == {"champion": 0.5, "challenger": 0.5}
    waited = len(airflow.deferrals)
    again = airflow.run(weights({"champion": 0, "challenger": 100}), ti.next_try())
    assert again["weights"] == found["weights"] == again["before"]
    assert len(airflow.deferrals) == waited, "nothing was left to do"
    sent = airflow.run(batch(aws, [record(f"r{n}") for n in range(12)]), ti)
    assert sent["variants"] == {"challenger": 12}
    assert [json.loads(each["answer"])["word"] for each in answers(aws)] == ["two"] * 12


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("no-such-endpoint", {"champion": 1.0}, "Could not find endpoint .*no-such-endpoint"),
        (NAME, {"champoin": 1.0}, "variant name.*champoin.* not present within endpoint configuration"),
        (NAME, {"champion": 0, "challenger": 0}, "At least one production variant must have a weight greater than 0"),
        (NAME, {"champion": -1}, "Invalid value for parameter .*DesiredWeight, value: -1"),
    ],
)
def test_weights_that_cannot_be_fail_at_once_in_the_words_of_aws(
    airflow: Airflow, ti: FakeTask, both: Any, name: str, given: dict[str, float], reason: str
) -> None:
    with pytest.raises(RequestRefused, match=reason):
        airflow.run(weights(given, name), ti)


def test_an_instance_count_of_zero_is_refused(airflow: Airflow, ti: FakeTask, both: Any) -> None:
    given = {"endpoint_name": NAME, "weights": {}, "counts": {"champion": 0}}
    with pytest.raises(RequestRefused, match="DesiredInstanceCount"):
        airflow.run(lambda: EndpointWeightsOperator(task_id="weights", **given), ti)
    with pytest.raises(ValueError, match="weights must be a dictionary of variants, and is 'half'"):
        airflow.run(lambda: EndpointWeightsOperator(task_id="weights", endpoint_name=NAME, weights="half"), ti)


class Store(dict[str, Any]):
    """Airflow's state store of a task instance, which outlives a try."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_what_a_killed_try_found_is_what_its_next_returns(airflow: Airflow, ti: FakeTask, both: Any) -> None:
    airflow.context["task_state_store"] = Store()
    airflow.start(weights({"champion": 0.9, "challenger": 0.1}), ti)  # killed after its deferral
    found = airflow.run(weights({"champion": 0.9, "challenger": 0.1}), ti.next_try())
    assert found["weights"] == {"champion": 0.9, "challenger": 0.1}
    assert found["before"] == {"champion": 0.5, "challenger": 0.5}


@pytest.mark.parametrize("given", [str({"champion": 0.5, "gone": 0.5}), {"champion": 0.5, "gone": 1}])
def test_restoring_passes_over_variants_that_are_gone(airflow: Airflow, ti: FakeTask, both: Any, given: Any) -> None:
    airflow.run(weights({"champion": 0.1}), ti)

    def restore() -> EndpointWeightsOperator:
        return EndpointWeightsOperator(task_id="restore", endpoint_name=NAME, weights=given, restore=True)

    restored = {"champion": 0.5, "challenger": 0.5}
    assert airflow.run(restore, ti)["weights"] == restored
    assert airflow.run(restore, ti.next_try())["weights"] == restored


@pytest.mark.parametrize(("name", "given"), [("no-such-endpoint", {"champion": 1.0}), (NAME, "None"), (NAME, "")])
def test_restoring_succeeds_where_there_is_nothing_to_do(
    airflow: Airflow, ti: FakeTask, both: Any, name: str, given: Any
) -> None:
    deferrals = len(airflow.deferrals)
    found = airflow.run(
        lambda: EndpointWeightsOperator(task_id="restore", endpoint_name=name, weights=given, restore=True), ti
    )
    assert found["weights"] == ({} if name != NAME else {"champion": 0.5, "challenger": 0.5})
    assert len(airflow.deferrals) == deferrals


def test_restoring_leaves_a_variant_that_has_all_of_the_traffic(
    aws: Any, airflow: Airflow, ti: FakeTask, both: list[dict[str, Any]]
) -> None:
    alone = [{**both[1], "weight": 1.0}]
    airflow.run(lambda: EndpointOperator(task_id="alone", endpoint_name=NAME, variants=alone), ti)
    before = aws("sagemaker").describe_endpoint(EndpointName=NAME)
    given = {"champion": 100, "challenger": 0}
    found = airflow.run(
        lambda: EndpointWeightsOperator(task_id="restore", endpoint_name=NAME, weights=given, restore=True), ti
    )
    assert found["weights"] == {"challenger": 1.0}
    assert aws("sagemaker").describe_endpoint(EndpointName=NAME)["LastModifiedTime"] == before["LastModifiedTime"]
