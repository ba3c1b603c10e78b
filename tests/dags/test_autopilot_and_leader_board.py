"""What `autopilot_sentiment` and `leader_board` judge, and what sets the board off."""

from __future__ import annotations

import re
from typing import Any

import pytest


def test_all_three_dags_judge_by_one_split_and_update_the_evaluations(dagbag: Any) -> None:
    from include.assets import EVALUATIONS

    judges = {
        ("autopilot_sentiment", "judge.evaluate"): "csv",
        ("blazingtext_sentiment", "evaluate"): "blazingtext",
        ("train_sentiment", "evaluate_endpoint"): "jsonlines",
    }
    features = [dagbag.dags[dag_id].get_task("features") for dag_id, _ in judges]
    for other in features[1:]:
        assert (other.inputs, other.job) == (features[0].inputs, features[0].job)
        assert not {"seed", "test-share", "validation-share"} & set(other.arguments)
    for (dag_id, task_id), protocol in judges.items():
        task = dagbag.dags[dag_id].get_task(task_id)
        arguments = task.partial_kwargs["arguments"] if task.is_mapped else task.arguments
        assert arguments["protocol"] == protocol
        outlets = {task.task_id for task in dagbag.dags[dag_id].tasks if EVALUATIONS in (task.outlets or [])}
        # Of the candidates once, when all are judged.
        assert outlets == ({"best"} if dag_id == "autopilot_sentiment" else {task_id})


def test_no_candidate_is_judged_while_another_one_is(dagbag: Any) -> None:
    assert dagbag.dags["autopilot_sentiment"].get_task("judge.evaluate").max_active_tis_per_dagrun == 1


@pytest.mark.parametrize("group", ["", "judge."])
def test_every_endpoint_goes_whatever_became_of_the_run(dagbag: Any, group: str) -> None:
    dag = dagbag.dags["autopilot_sentiment"]
    delete, deploy = dag.get_task(f"{group}delete_endpoint"), dag.get_task(f"{group}deploy")
    assert delete.is_teardown
    assert not delete.on_failure_fail_dagrun
    assert deploy.is_setup


def test_the_endpoint_of_the_best_stays_only_if_wanted(dagbag: Any) -> None:
    dag = dagbag.dags["autopilot_sentiment"]
    assert dag.get_task("delete_endpoint").keep == "{{ params.keep_endpoint }}"
    assert dag.params["keep_endpoint"] is False
    assert (
        dag.get_task("deploy").endpoint_name == dag.get_task("delete_endpoint").endpoint_name == "sentiment-autopilot"
    )


def test_autopilot_has_the_limits_that_the_form_sets(dagbag: Any) -> None:
    dag = dagbag.dags["autopilot_sentiment"]
    job = dag.get_task("autopilot").job
    assert (job.version, job.target, job.content) == (2, "sentiment", "review_body")
    limits = {name: dag.params[name] for name in ("max_candidates", "max_runtime_per_training_job", "max_runtime")}
    assert limits == {"max_candidates": 3, "max_runtime_per_training_job": 1200, "max_runtime": 7200}
    for name in limits:
        assert getattr(job, name) == f"{{{{ params.{name} }}}}"


def test_it_learns_from_balanced_reviews_that_are_not_in_the_test_split(dagbag: Any) -> None:
    balance = dagbag.dags["autopilot_sentiment"].get_task("balance")
    assert balance.arguments["by"] == "sentiment"
    assert balance.arguments["columns"] == ["sentiment", "review_body"]
    assert set(balance.inputs) == {"reviews", "test"}


def test_the_board_is_made_whenever_a_model_was_judged(dagbag: Any) -> None:
    from include import assets, paths

    dag = dagbag.dags["leader_board"]
    assert dag.schedule == assets.EVALUATIONS
    job = dag.get_task("leader_board")
    assert job.inputs == {"models": f"{paths.EVALUATIONS}/"}
    assert assets.EVALUATIONS.uri == paths.EVALUATIONS


# -- what the plan of the judging is made of


def candidate(name: str, status: str = "Completed", supported: str = "predicted_label,probability") -> dict[str, Any]:
    environment = {"SAGEMAKER_INFERENCE_SUPPORTED": supported, "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"}
    container = {"image": "i", "model_data": f"s3://b/{name}.tar.gz", "environment": environment}
    return {"name": name, "status": status, "value": 0.5, "training_seconds": 3.0, "containers": [container]}


def test_each_candidate_that_completed_gets_an_endpoint_and_a_place_by_its_rank() -> None:
    from include.tasks.autopilot import to_judge

    names = ["job-full-0a1b2c3d", "job-linear-0a1b2c3d", "other"]
    job = {"name": "job", "candidates": [*map(candidate, names), candidate("job-x-0a1b2c3d", "Failed")]}
    planned = to_judge(job, endpoint="sentiment-autopilot", reports="s3://b/reports/models")
    assert [each["name"] for each in planned] == ["autopilot-1", "autopilot-2", "autopilot-3"]
    assert [each["kind"] for each in planned] == ["Autopilot: full", "Autopilot: linear", "Autopilot: other"]
    first = planned[0]
    assert first["endpoint"] == "sentiment-autopilot-1"
    assert first["report"] == "s3://b/reports/models/autopilot-1/"
    assert first["model_data"] == ["s3://b/job-full-0a1b2c3d.tar.gz"]
    output = first["containers"][0]["environment"]["SAGEMAKER_INFERENCE_OUTPUT"]
    assert output == "predicted_label,probability"
    assert all(re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", each["endpoint"]) for each in planned)


def test_a_candidate_that_cannot_say_how_sure_it_is_is_no_candidate_for_the_board() -> None:
    from include.tasks.autopilot import to_judge

    job = {"name": "job", "candidates": [candidate("a", supported="predicted_label")]}
    with pytest.raises(ValueError, match="does not answer with probability"):
        to_judge(job, endpoint="e", reports="s3://b")
