"""Names are functions of the run, fit AWS's rules, and can be told apart by people and by machines."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from amazon_ml.naming import (
    MAX_ATTEMPTS,
    RunKey,
    derived_name,
    endpoint_config_name,
    is_endpoint_config_name,
    job_name,
    tags,
)

AWS_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
RUN = "scheduled__2026-11-24T03:00:00+00:00"
KEY = RunKey("train_sentiment", "train", -1, RUN)


@pytest.mark.parametrize(
    ("dag", "task", "run"),
    [
        ("train_sentiment", "train", RUN),
        ("a" * 250, "group.inner." + "b" * 200, "x" * 250),
        ("a" * 250, "t", RUN),
        ("d", "t" * 250, RUN),
        ("...", "___", ""),
        ("überwachung", "训练", "手动"),
        ("-lead-", "-trail-", RUN),
    ],
)
@pytest.mark.parametrize("attempt", [1, 2, 10, MAX_ATTEMPTS])
def test_a_job_name_is_one_that_sagemaker_takes(dag: str, task: str, run: str, attempt: int) -> None:
    name = job_name(dag, task, 3, run, attempt)
    assert AWS_NAME.fullmatch(name)
    assert len(name) <= 63


def test_a_job_name_can_be_read() -> None:
    assert job_name("train_sentiment", "train", -1, RUN).startswith("train-sentiment-train-")


def test_a_long_dag_id_leaves_room_for_the_task() -> None:
    name = job_name("d" * 200, "evaluate", -1, RUN)
    assert re.match(r"d{20,}-evaluate-[0-9a-f]{12}$", name)


def test_a_job_name_is_the_same_for_ever() -> None:
    assert job_name("train_sentiment", "train", -1, RUN) == "train-sentiment-train-e8a0471e681d"


def test_a_task_that_is_not_mapped_has_one_name() -> None:
    assert job_name("d", "t", None, RUN) == job_name("d", "t", -1, RUN)


def test_each_part_of_the_identity_changes_the_name() -> None:
    names = {
        job_name("d", "t", -1, RUN),
        job_name("d2", "t", -1, RUN),
        job_name("d", "t2", -1, RUN),
        job_name("d", "t", 0, RUN),
        job_name("d", "t", 1, RUN),
        job_name("d", "t", -1, RUN + "x"),
        # the same characters, elsewhere
        job_name("d_t", "t", -1, RUN),
        job_name("d", "t_t", -1, RUN),
    }
    assert len(names) == 8


def test_attempts_share_all_but_their_suffix() -> None:
    first = job_name("d" * 99, "t" * 99, -1, RUN)
    assert [job_name("d" * 99, "t" * 99, -1, RUN, n) for n in (1, 2, 12)] == [first, f"{first}-2", f"{first}-12"]


@pytest.mark.parametrize("attempt", [0, -1, MAX_ATTEMPTS + 1])
def test_an_attempt_out_of_range_is_refused(attempt: int) -> None:
    with pytest.raises(ValueError, match="attempt"):
        job_name("d", "t", -1, RUN, attempt)


def test_a_model_has_another_name_when_its_content_changes() -> None:
    assert derived_name(KEY, {"a": 1, "b": 2}) == derived_name(KEY, {"b": 2, "a": 1})
    assert derived_name(KEY, {"a": 1}) != derived_name(KEY, {"a": 2})
    assert AWS_NAME.fullmatch(derived_name(KEY, {}))


@pytest.mark.parametrize("endpoint", ["sentiment", "e" * 63])
def test_a_configuration_is_known_by_its_endpoint(endpoint: str) -> None:
    name = endpoint_config_name(endpoint, KEY, ["variants"])
    assert AWS_NAME.fullmatch(name)
    assert is_endpoint_config_name(name, endpoint)
    assert not is_endpoint_config_name(name, "sentiment2")
    assert not is_endpoint_config_name(f"{endpoint}-by-hand", endpoint)
    assert not is_endpoint_config_name(endpoint_config_name("sentiment-b", KEY, []), "sentiment")


def test_tags_say_where_it_comes_from_in_characters_that_aws_takes() -> None:
    made = {tag["Key"]: tag["Value"] for tag in tags(RunKey("d", "t", -1, "a\tb;c" + "x" * 300), {"team": "ml <core>"})}
    assert made["airflow:dag_id"] == "d"
    assert made["airflow:task_id"] == "t"
    assert made["airflow:run_id"].startswith("a_b_cxxx")
    assert len(made["airflow:run_id"]) == 256
    assert made["team"] == "ml _core_"
    assert (made["dag"], made["run"]) == ("d", made["airflow:run_id"])


def test_tags_say_whose_it_is_and_until_when() -> None:
    def made(**given: Any) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in tags(KEY, **given)}

    cet = timezone(timedelta(hours=1))
    until = made(project="reviews", expires=datetime(2026, 12, 1, 10, 30, 59, 999, tzinfo=cet))
    assert (until["project"], until["expires-at"]) == ("reviews", "2026-12-01T09:30:59Z")
    assert made()["expires-at"] == "never"
    assert "project" not in made()
