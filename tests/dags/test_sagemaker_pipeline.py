"""What `sagemaker_pipeline` hands to the pipeline, and who approves."""

from __future__ import annotations

import json
from typing import Any


def test_the_endpoint_goes_whatever_became_of_the_run(dagbag: Any) -> None:
    assert dagbag.dags["sagemaker_pipeline"].get_task("delete_endpoint").is_teardown


def test_it_touches_nothing_of_train_sentiment(dagbag: Any) -> None:
    dag = dagbag.dags["sagemaker_pipeline"]
    names = {dag.get_task(task_id).endpoint_name for task_id in ("deploy", "smoke", "delete_endpoint")}
    assert names == {"sentiment-pipeline"}
    assert dag.get_task("execute").parameters["ModelPackageGroupName"] == "sentiment-pipeline"
    assert dag.get_task("execute").pipeline_name == dag.get_task("pipeline").pipeline_name


def test_every_parameter_without_a_default_is_given_and_no_unknown_one(dagbag: Any) -> None:
    dag = dagbag.dags["sagemaker_pipeline"]
    with open(dag.get_task("pipeline").definition) as file:
        parameters = {parameter["Name"]: parameter for parameter in json.load(file)["Parameters"]}
    given = set(dag.get_task("execute").parameters)
    assert given <= set(parameters)
    assert {name for name, parameter in parameters.items() if "DefaultValue" not in parameter} <= given


def test_every_field_of_the_form_reaches_the_pipeline(dagbag: Any) -> None:
    dag = dagbag.dags["sagemaker_pipeline"]
    handed_on = {
        value.strip("{} ").removeprefix("params.")
        for value in dag.get_task("execute").parameters.values()
        if isinstance(value, str) and "params." in value
    }
    assert handed_on == set(dag.params) - {"require_approval", "keep_endpoint", "max_cost"}


def test_a_person_is_asked_only_where_the_run_says_so_and_silence_is_no_approval(dagbag: Any) -> None:
    dag = dagbag.dags["sagemaker_pipeline"]
    choose = dag.get_task("who_approves").python_callable
    assert choose(params={"require_approval": False}) == "approve"
    assert choose(params={"require_approval": True}) == "ask"
    ask = dag.get_task("ask")
    assert ask.options_mapping == {"Approve": "approve", "Reject": "reject"}
    assert ask.defaults == ["Reject"]
    assert ask.response_timeout
    assert (dag.get_task("approve").status, dag.get_task("reject").status) == ("Approved", "Rejected")
