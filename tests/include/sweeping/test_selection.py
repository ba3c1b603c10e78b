"""What is torn down and what is swept: decisions on made-up inventories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.sweeping.selection import Limits, Resource, in_use, parse_filter, sweep, tear_down

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=40)
PAST, FUTURE = "2026-12-01T11:59:59Z", "2026-12-01T12:00:01Z"
LIMITS = Limits(idle_hours=24, unused_days=30)


def made(kind: str, name: str, *, run: str = "r1", expires: str = FUTURE, **given: Any) -> Resource:
    tags = {"project": "p", "dag": "d", "run": run, "expires-at": expires}
    return Resource(kind, name, f"arn:{kind}/{name}", **{"tags": tags, "ours": True, "created": LONG_AGO, **given})


def endpoint(name: str, *, config: str = "", invocations: float | None = 0, **given: Any) -> Resource:
    uses = {
        "uses": (config or f"{name}-config",),
        "status": "InService",
        "changed": LONG_AGO,
        "invocations": invocations,
    }
    return made("Endpoint", name, **{**uses, **given})


def config(name: str, *models: str, **given: Any) -> Resource:
    return made("EndpointConfig", name, uses=models, **given)


def actions(findings: Any) -> dict[str, str]:
    return {f"{each.kind} {each.name}": each.action for each in findings}


def swept(*inventory: Resource, limits: Limits = LIMITS) -> dict[str, str]:
    return actions(sweep(inventory, limits, NOW))


def torn_down(*inventory: Resource, durable: bool = False, **wanted: str) -> dict[str, str]:
    return actions(tear_down(inventory, wanted or {"run": "r1"}, durable=durable))


# -- teardown


def test_all_of_a_run_goes_in_the_order_that_leaves_nothing_running() -> None:
    found = tear_down(
        [
            made("Model", "m"),
            config("e-config", "m"),
            endpoint("e"),
            made("TrainingJob", "t", status="InProgress"),
            made("HyperParameterTuningJob", "h", status="InProgress"),
            made("Model", "other", run="r2"),
        ],
        {"run": "r1"},
        durable=False,
    )
    assert [(each.kind, each.action) for each in found] == [
        ("HyperParameterTuningJob", "stop"),
        ("TrainingJob", "stop"),
        ("Endpoint", "delete"),
        ("EndpointConfig", "delete"),
        ("Model", "delete"),
    ]


def test_what_an_endpoint_of_others_uses_stays_until_that_one_is_selected() -> None:
    inventory = [made("Model", "m"), config("e-config", "m"), endpoint("e", run="r2")]
    assert torn_down(*inventory) == {"EndpointConfig e-config": "keep", "Model m": "keep"}
    assert torn_down(*inventory, project="p") == {
        "Endpoint e": "delete",
        "EndpointConfig e-config": "delete",
        "Model m": "delete",
    }


def test_what_a_deployment_under_way_will_use_stays() -> None:
    updating = endpoint("e", run="r2", uses=("old", "new"), status="Updating")
    inventory = [made("Model", "m"), config("old", "n", run="r2"), config("new", "m"), updating]
    assert torn_down(*inventory) == {"EndpointConfig new": "keep", "Model m": "keep"}


def test_what_is_to_stay_goes_only_where_that_is_said() -> None:
    inventory = [
        endpoint("champion", expires="never"),
        config("champion-config", "m", expires="never"),
        made("Model", "m"),
        made("FeatureGroup", "g", expires="never"),
        made("", "model-package-group/registry", expires="never"),
    ]
    assert set(torn_down(*inventory).values()) == {"keep"}
    assert torn_down(*inventory, durable=True) == {
        "Endpoint champion": "delete",
        "EndpointConfig champion-config": "delete",
        "Model m": "delete",
        "FeatureGroup g": "delete",
        " model-package-group/registry": "keep",
    }


def test_an_ended_job_stays() -> None:
    assert torn_down(made("TrainingJob", "t", status="Ended")) == {"TrainingJob t": "keep"}


def test_all_tags_must_be_there() -> None:
    assert torn_down(made("Model", "m"), run="r1", dag="other") == {}


# -- sweep


def test_an_idle_endpoint_goes_with_nothing_else_yet() -> None:
    assert swept(endpoint("e"), config("e-config", "m"), made("Model", "m")) == {"Endpoint e": "delete"}


@pytest.mark.parametrize(
    "given",
    [
        {"invocations": 1},
        {"invocations": None},
        {"changed": NOW - timedelta(hours=23, minutes=59)},
        {"status": "Deleting", "expires": PAST},
        {"ours": False, "expires": PAST},
        {"expires": "tomorrow", "invocations": 3},
    ],
)
def test_an_endpoint_that_may_be_needed_is_not_mentioned(given: Any) -> None:
    assert swept(endpoint("e", **given)) == {}


def test_an_expired_endpoint_goes_though_it_is_asked() -> None:
    assert swept(endpoint("e", invocations=10, expires=PAST)) == {"Endpoint e": "delete"}
    assert swept(endpoint("e", invocations=10, expires="2026-12-01T12:00:00+01:00")) == {"Endpoint e": "delete"}


def test_a_dead_endpoint_goes_once_its_hours_are_over() -> None:
    assert swept(endpoint("e", status="Failed", invocations=None)) == {"Endpoint e": "delete"}
    assert swept(endpoint("e", status="Failed", changed=NOW)) == {}


@pytest.mark.parametrize("given", [{"protected": True}, {"expires": "never"}, {"protected": True, "expires": PAST}])
def test_a_protected_endpoint_is_reported_and_stays(given: Any) -> None:
    assert swept(endpoint("champion", **given)) == {"Endpoint champion": "keep"}


def test_configurations_and_models_go_when_no_endpoint_of_anybody_uses_them() -> None:
    used = [endpoint("e", ours=False, tags={}), config("e-config", "m"), made("Model", "m", expires=PAST)]
    assert swept(*used) == {}
    assert swept(*used[1:]) == {"EndpointConfig e-config": "delete", "Model m": "delete"}
    assert swept(made("Model", "young", created=NOW, expires=PAST)) == {"Model young": "delete"}
    assert swept(made("Model", "young", created=NOW), config("c", created=NOW, expires="never")) == {}
    assert swept(made("Model", "old", expires="never")) == {"Model old": "delete"}


def test_a_job_past_its_time_is_stopped() -> None:
    assert swept(made("ProcessingJob", "p", status="InProgress", expires=PAST)) == {"ProcessingJob p": "stop"}
    assert swept(made("ProcessingJob", "p", status="InProgress")) == {}


def test_models_of_lost_trials_go_after_their_days() -> None:
    assert swept(made("S3Object", "s3://b/model.tar.gz")) == {"S3Object s3://b/model.tar.gz": "delete"}
    assert swept(made("S3Object", "s3://b/model.tar.gz", created=NOW - timedelta(days=29))) == {}


def test_log_groups_are_cut_or_go_with_their_endpoint() -> None:
    def group(name: str, **given: Any) -> Resource:
        return Resource("LogGroup", f"/aws/sagemaker/{name}", **{"created": LONG_AGO, "ours": True, **given})

    found = swept(
        endpoint("e", invocations=1),
        group("TrainingJobs"),
        group("ProcessingJobs", retention=30),
        group("Endpoints/e"),
        group("Endpoints/gone", retention=30),
        group("Endpoints/lately", changed=NOW - timedelta(days=2)),
    )
    assert found == {
        "LogGroup /aws/sagemaker/TrainingJobs": "set retention",
        "LogGroup /aws/sagemaker/Endpoints/e": "set retention",
        "LogGroup /aws/sagemaker/Endpoints/gone": "delete",
        "LogGroup /aws/sagemaker/Endpoints/lately": "set retention",
    }


def test_an_endpoint_uses_the_models_of_its_configuration() -> None:
    inventory = [endpoint("e"), config("e-config", "m", "n"), config("unused", "o")]
    assert in_use(inventory) == {("EndpointConfig", "e-config"): "e", ("Model", "m"): "e", ("Model", "n"): "e"}
    assert in_use(inventory, without=["e"]) == {}


# -- input


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"idle_hours": 0}, "idle_hours must be above 0, and is 0"),
        ({"unused_days": -1}, "unused_days must be above 0, and is -1"),
        ({"retention_days": 31}, "retention_days must be one of 1, 3, 5.*: 31"),
    ],
)
def test_a_limit_that_makes_no_sense_is_said(given: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Limits(**given)


def test_a_filter_is_read() -> None:
    assert parse_filter("") == {}
    assert parse_filter(" team = ml , stage=a=b,\nrun=r ,") == {"team": "ml", "stage": "a=b", "run": "r"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("team", "must be key=value.* and 'team' is not"),
        ("=ml", "'=ml' is not"),
        ("team=", "'team=' is not"),
        ("run=a,run=b", "run=a and run=b: no resource has both"),
    ],
)
def test_a_malformed_filter_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_filter(text)
