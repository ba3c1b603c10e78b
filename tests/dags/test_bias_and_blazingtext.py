"""What `detect_bias` and `blazingtext_sentiment` are made of, and what sets them off."""

from __future__ import annotations

from typing import Any


def test_bias_is_looked_for_whenever_there_are_new_reviews_and_balanced_reviews_come_of_it(dagbag: Any) -> None:
    from include.assets import BALANCED_REVIEWS, REVIEWS

    dag = dagbag.dags["detect_bias"]
    assert dag.schedule == REVIEWS
    assert dag.get_task("check_balance").outlets == [BALANCED_REVIEWS]
    assert [task.task_id for task in dag.tasks if task.outlets] == ["check_balance"]


def test_the_endpoint_goes_whatever_became_of_the_run_and_its_end_is_not_the_run_s(dagbag: Any) -> None:
    dag = dagbag.dags["blazingtext_sentiment"]
    delete, deploy = dag.get_task("delete_endpoint"), dag.get_task("deploy")
    assert delete.is_teardown
    assert not delete.on_failure_fail_dagrun
    assert deploy.is_setup
    assert delete.endpoint_name == deploy.endpoint_name != "sentiment"


def test_every_hyperparameter_of_blazingtext_can_be_set_in_the_form(dagbag: Any) -> None:
    dag = dagbag.dags["blazingtext_sentiment"]
    hyperparameters = dict(dag.get_task("train").hyperparameters)
    assert hyperparameters.pop("mode") == "supervised"
    assert {value.strip("{} ").removeprefix("params.") for value in hyperparameters.values()} == set(hyperparameters)
    assert set(hyperparameters) <= set(dag.params)


def test_both_judge_by_the_split_that_train_sentiment_judges_by(dagbag: Any) -> None:
    ours = dagbag.dags["blazingtext_sentiment"].get_task("features")
    theirs = dagbag.dags["train_sentiment"].get_task("features")
    assert ours.inputs == theirs.inputs
    assert ours.job == theirs.job
    # Neither names shares or a seed of its own: the script's defaults make the split.
    for operator in (ours, theirs):
        assert not {"seed", "test-share", "validation-share"} & set(operator.arguments)
