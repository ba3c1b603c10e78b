"""What gates what in each DAG, and what is torn down when."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from flow_kit import SUCCESS, Flow

#: every DAG that begins otherwise than by finding the reviews.
FIRST = {
    "ingest_reviews": "estimate_cost",
    "leader_board": "estimate_cost",
    "sweep_idle": "find",
    "teardown": "find",
}
DAGS = [
    "ab_test",
    "autopilot_sentiment",
    "blazingtext_sentiment",
    "detect_bias",
    "human_review",
    "ingest_reviews",
    "leader_board",
    "sagemaker_pipeline",
    "sweep_idle",
    "teardown",
    "train_sentiment",
    "tune_sentiment",
]
#: DAG -> endpoint's task -> the task that deletes it.
ENDPOINTS = {
    ("ab_test", "deploy"): "delete_endpoint",
    ("ab_test", "remove_loser"): "delete_endpoint",
    ("autopilot_sentiment", "judge.deploy"): "judge.delete_endpoint",
    ("autopilot_sentiment", "deploy"): "delete_endpoint",
    ("blazingtext_sentiment", "deploy"): "delete_endpoint",
    ("sagemaker_pipeline", "deploy"): "delete_endpoint",
}
#: DAG -> tasks at which ways meet: each runs though some of those before it were skipped.
JOINS = {
    "ab_test": {"rivals", "verdict", "keep_champion", "shift_10.weights", "winner"},
    "human_review": {"round_1.a2i.loops", "round_2.a2i.loops", "ties", "labels"},
    "sagemaker_pipeline": {"approve"},
    "train_sentiment": {"train", "judge", "approve", "latest_approved", "served"},
    "tune_sentiment": {"judge", "approve"},
}


@pytest.fixture
def flow(dagbag: Any) -> Callable[[str], Flow]:
    """A DAG's flow, by its id."""
    return lambda dag_id: Flow(dagbag.dags[dag_id])


# -- every DAG


def test_every_dag_is_covered(dagbag: Any) -> None:
    assert sorted(dagbag.dags) == DAGS


@pytest.mark.parametrize("dag_id", DAGS)
def test_nothing_runs_before_the_first_task(flow: Any, dag_id: str) -> None:
    first = FIRST.get(dag_id, "find_reviews")
    dag = flow(dag_id)
    assert dag.downstream(first) | {first} == dag.tasks.keys()


@pytest.mark.parametrize("dag_id", DAGS)
def test_after_a_failure_only_teardown_and_roll_back_run(flow: Any, dag_id: str) -> None:
    dag = flow(dag_id)
    cleaning = {name for name, task in dag.tasks.items() if task.is_teardown} | {"roll_back"}
    for name in dag.tasks.keys() - cleaning:
        states = dag.run(failed=[name])
        ran = {other for other in dag.downstream(name) if states[other] == "success"}
        assert ran <= cleaning, f"{ran - cleaning} run though {name} has failed"


@pytest.mark.parametrize("dag_id", DAGS)
def test_what_was_skipped_holds_up_all_but_joins(flow: Any, dag_id: str) -> None:
    dag = flow(dag_id)
    others = {name for name, task in dag.tasks.items() if not task.is_teardown} - JOINS.get(dag_id, set())
    for name in others:
        for before in dag.tasks[name].upstream_task_ids:
            assert dag.run(skipped=[before])[name] == "skipped", f"{name} runs though {before} was skipped"


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_failed_teardown_does_not_fail_the_run(flow: Any, dag_id: str) -> None:
    for task in flow(dag_id).tasks.values():
        assert not (task.is_teardown and task.on_failure_fail_dagrun), task


# -- what costs money


def test_every_deployment_is_covered(dagbag: Any) -> None:
    shared = {("train_sentiment", "deploy")}
    deployments = {(dag_id, name) for dag_id, dag in dagbag.dags.items() for name in _deployments(dag)}
    assert deployments == ENDPOINTS.keys() | shared


@pytest.mark.parametrize(("place", "delete"), ENDPOINTS.items())
def test_an_endpoint_is_deleted_whatever_happens_behind_deploy(flow: Any, place: tuple[str, str], delete: str) -> None:
    dag_id, deploy = place
    dag = flow(dag_id)
    deletion = dag.tasks[delete]
    setups = {name for name in deletion.upstream_task_ids if dag.tasks[name].is_setup}
    assert deploy in setups
    dag.runs_after_any(delete, *setups)
    assert dag.run(failed=[deploy])[delete] == SUCCESS, "an endpoint that failed to deploy stays, and costs money"
    assert str(deletion.endpoint_name) == str(dag.tasks[deploy].endpoint_name)


@pytest.mark.parametrize(("place", "delete"), [*ENDPOINTS.items(), (("train_sentiment", "deploy"), "delete_endpoint")])
def test_an_endpoint_is_deleted_when_all_have_asked_it(flow: Any, place: tuple[str, str], delete: str) -> None:
    dag_id, deploy = place
    dag = flow(dag_id)
    name = str(dag.tasks[deploy].endpoint_name)
    users = {task_id for task_id, task in dag.tasks.items() if name in map(str, _endpoints(task))}
    assert users - {delete} <= dag.upstream(delete)


def test_only_the_champions_endpoint_is_to_stay_for_ever(dagbag: Any) -> None:
    deployments = [task for dag in dagbag.dags.values() for task in _deployments(dag).values()]
    assert [task.dag_id for task in deployments if task.ttl is None] == ["train_sentiment"]
    for task in deployments:
        assert task.ttl is None or 0 < task.ttl.total_seconds() <= 24 * 3600, task


def test_all_that_the_tasks_create_is_tagged_with_the_project(dagbag: Any) -> None:
    from amazon_ml.operators.base import SageMakerOperator
    from include.settings import settings

    made = [task for dag in dagbag.dags.values() for task in dag.tasks if isinstance(task, SageMakerOperator)]
    assert made
    assert {task.project for task in made} == {settings.project}


def test_no_job_is_without_a_limit_of_its_time(dagbag: Any) -> None:
    jobs = [task for dag in dagbag.dags.values() for task in dag.tasks if hasattr(task, "job")]
    assert jobs
    for task in jobs:
        assert str(task.job.max_runtime) == "{{ params.max_runtime }}" or 0 < task.job.max_runtime <= 8 * 3600, task


def _deployments(dag: Any) -> dict[str, Any]:
    from amazon_ml.operators.endpoint import EndpointOperator

    return {task.task_id: task for task in dag.tasks if isinstance(task, EndpointOperator)}


def _endpoints(task: Any) -> list[Any]:
    """The endpoints that a task names: as its own, as its job's argument, or to its function."""
    given = [getattr(task, "endpoint_name", None), (getattr(task, "arguments", None) or {}).get("endpoint-name")]
    return [*given, *(each for each in getattr(task, "op_args", ()) if isinstance(each, str))]


# -- ingest_reviews


def test_reviews_are_transformed_only_once_they_are_uploaded(flow: Any) -> None:
    flow("ingest_reviews").needs("transform", "create_bucket", "upload_raw")


def test_athena_is_asked_only_of_crawled_reviews(flow: Any) -> None:
    dag = flow("ingest_reviews")
    for name in _queries(dag):
        dag.needs(name, "transform", "define_crawler", "crawl")


def test_every_answer_of_athena_is_in_the_charts(flow: Any) -> None:
    dag = flow("ingest_reviews")
    dag.needs("charts", *_queries(dag))
    assert len(_queries(dag)) == 5


def test_reviews_are_announced_only_once_all_count_the_same(flow: Any) -> None:
    dag = flow("ingest_reviews")
    dag.needs("check_counts", "upload_raw", "transform", "charts")
    assert [name for name, task in dag.tasks.items() if task.outlets] == ["check_counts"]
    dag.takes_from("check_counts", "upload_raw", "transform")


def _queries(dag: Flow) -> list[str]:
    return [name for name in dag.tasks if name.startswith("ask_")]


# -- detect_bias


def test_clarify_looks_again_at_what_was_balanced(flow: Any) -> None:
    dag = flow("detect_bias")
    dag.needs("bias_after", "balance")
    assert "bias_before" not in dag.upstream("bias_after")


def test_reviews_are_balanced_where_clarify_says_so_twice(flow: Any) -> None:
    dag = flow("detect_bias")
    dag.needs("compare", "bias_before", "bias_after")
    dag.needs("check_balance", "balance", "compare")
    dag.takes_from("check_balance", "balance", "compare")


# -- leader_board


def test_the_board_is_shown_once_it_is_made(flow: Any) -> None:
    flow("leader_board").needs("show", "leader_board")


# -- train_sentiment


def test_where_nothing_has_changed_nothing_is_done(flow: Any) -> None:
    dag = flow("train_sentiment")
    states = dag.run(skipped=["features", "redeploy"])
    assert {name for name, state in states.items() if state == "success"} == {"find_reviews", "look", "next_step"}
    dag.needs("next_step", "look")


def test_an_approved_version_is_deployed_without_a_training(flow: Any) -> None:
    states = flow("train_sentiment").run(skipped=["features"])
    assert {states[name] for name in ("features", "train", "judge", "approve")} == {"skipped"}
    assert {states[name] for name in ("redeploy", "latest_approved", "deploy", "smoke")} == {"success"}


def test_features_are_in_the_store_and_counted_before_use(flow: Any) -> None:
    dag = flow("train_sentiment")
    dag.needs("ingest", "features", "feature_group")
    dag.needs("check_store", "ingest", "feature_group")
    dag.takes_from("ingest", "features")
    # How many records there should be, and in which table.
    dag.takes_from("check_store", "features", "feature_group")
    for unload in ("unload_train", "unload_validation"):
        dag.needs(unload, "check_store", "features_from")
        dag.needs("train", unload)


def test_training_from_s3_does_without_the_store(flow: Any) -> None:
    dag = flow("train_sentiment")
    dag.does_without("train", "unload_train", "unload_validation")
    dag.needs("train", "features", "features_from")


@pytest.mark.parametrize(("dag_id", "trained"), [("train_sentiment", "train"), ("tune_sentiment", "tune")])
class TestChallenge:
    """A model against the champion, by training or by tuning."""

    def test_a_model_is_judged_on_the_test_split(self, flow: Any, dag_id: str, trained: str) -> None:
        dag = flow(dag_id)
        dag.needs("evaluate", trained, "features")
        dag.needs("judge", "evaluate")
        dag.takes_from("evaluate", "features")

    def test_a_champion_is_judged_on_the_same_split(self, flow: Any, dag_id: str, trained: str) -> None:
        dag = flow(dag_id)
        dag.needs("evaluate_champion", "has_champion", "features", "look", trained)
        dag.needs("judge", "evaluate_champion")
        dag.takes_from("evaluate_champion", "features", "has_champion")

    def test_the_first_model_needs_no_champion(self, flow: Any, dag_id: str, trained: str) -> None:
        dag = flow(dag_id)
        dag.does_without("judge", "evaluate_champion")
        # Only the champion's evaluation is skipped by it: what follows obeys its own trigger rule.
        assert not dag.tasks["has_champion"].ignore_downstream_trigger_rules
        dag.takes_from("has_champion", "look")

    def test_every_judged_model_is_registered(self, flow: Any, dag_id: str, trained: str) -> None:
        dag = flow(dag_id)
        dag.needs("register", "judge", trained, "features")
        assert "replace_champion" not in dag.upstream("register")
        # The version names its model and its splits.
        dag.takes_from("register", trained, "features")

    def test_only_a_better_model_is_put_up_for_approval(self, flow: Any, dag_id: str, trained: str) -> None:
        dag = flow(dag_id)
        dag.needs("replace_champion", "register", "judge", "evaluate", "look")
        dag.takes_from("replace_champion", "judge", "evaluate", "look")
        dag.needs_one_of("who_approves", "replace_champion")
        # All that follows is skipped, whatever its trigger rule.
        assert dag.tasks["replace_champion"].ignore_downstream_trigger_rules


@pytest.mark.parametrize("dag_id", ["train_sentiment", "tune_sentiment", "sagemaker_pipeline"])
class TestApproval:
    """A version is approved by a person where the run asks for one."""

    def test_a_person_who_is_asked_approves_or_rejects(self, flow: Any, dag_id: str) -> None:
        dag = flow(dag_id)
        for answer in ("approve", "reject"):
            dag.needs(answer, "who_approves", "ask")

    def test_where_nobody_is_asked_nobody_rejects(self, flow: Any, dag_id: str) -> None:
        dag = flow(dag_id)
        dag.does_without("approve", "ask")
        dag.takes_from("approve", "who_approves", "ask")
        dag.needs_one_of("reject", "ask")
        dag.needs_one_of("ask", "who_approves")

    def test_nothing_follows_a_rejection(self, flow: Any, dag_id: str) -> None:
        assert flow(dag_id).downstream("reject") <= {"report_costs"}


def test_nothing_is_deployed_before_it_is_approved(flow: Any) -> None:
    flow("train_sentiment").needs_one_of("deploy", "approve", "redeploy")
    flow("sagemaker_pipeline").needs_one_of("deploy", "approve")
    for dag_id in ("train_sentiment", "sagemaker_pipeline"):
        flow(dag_id).needs("deploy", "latest_approved", "model")


def test_a_twin_is_served_only_once_it_is_compiled(flow: Any) -> None:
    dag = flow("train_sentiment")
    dag.needs("serve", "latest_approved")
    dag.needs("compile", "serve")
    dag.needs("register_twin", "compile")
    dag.needs("served", "latest_approved", "register_twin")
    dag.does_without("served", "compile", "register_twin")
    dag.needs("model", "served")
    # Which version it is; and the way on where nothing is compiled.
    dag.takes_from("served", "latest_approved", "serve")


def test_a_deployed_model_is_asked_and_judged(flow: Any) -> None:
    dag = flow("train_sentiment")
    dag.needs("smoke", "deploy")
    dag.needs("evaluate_endpoint", "smoke", "model", "features")
    # By the name of its model, and by the test split, whatever lies between.
    dag.takes_from("evaluate_endpoint", "model", "features")


@pytest.mark.parametrize("dag_id", ["train_sentiment", "sagemaker_pipeline"])
def test_a_deployed_model_is_traced_to_its_origin(flow: Any, dag_id: str) -> None:
    dag = flow(dag_id)
    dag.needs("lineage", "deploy")
    dag.needs("lineage_graph", "lineage")
    assert "smoke" not in dag.upstream("lineage")
    assert "lineage_graph" in dag.upstream("delete_endpoint")


def test_the_shared_endpoint_stays_unless_the_form_says_otherwise(flow: Any) -> None:
    dag = flow("train_sentiment")
    assert not dag.tasks["delete_endpoint"].is_teardown
    assert dag.tasks["delete_endpoint"].keep == "{{ params.keep_endpoint }}"
    assert dag.dag.params["keep_endpoint"] is True
    dag.needs("delete_endpoint", "evaluate_endpoint", "lineage_graph")


@pytest.mark.parametrize(
    ("dag_id", "stages"),
    [
        ("train_sentiment", ["features", "train", "judge", "approve", "deploy", "report"]),
        ("autopilot_sentiment", ["reviews", "autopilot", "judge", "deploy"]),
    ],
)
def test_the_graph_shows_the_stages_in_their_order(dagbag: Any, dag_id: str, stages: list[str]) -> None:
    # Sorting fails where two stages wait for one another.
    nodes = dagbag.dags[dag_id].task_group.topological_sort()
    groups = [node for node in nodes if hasattr(node, "children")]
    assert [group.group_display_name or group.group_id for group in groups] == stages


@pytest.mark.parametrize("dag_id", ["train_sentiment", "autopilot_sentiment"])
def test_a_stage_leaves_the_ids_of_its_tasks_alone(dagbag: Any, dag_id: str) -> None:
    """A job is named after its task: another id is another job, and the run that is under way would start it again."""
    assert not [task.task_id for task in dagbag.dags[dag_id].tasks if task.task_id.startswith("stage_")]


# -- tune_sentiment


def test_the_search_begins_once_it_is_known_from_where(flow: Any) -> None:
    dag = flow("tune_sentiment")
    dag.needs("features", "look")
    dag.needs("start_from", "look", "features")
    dag.takes_from("start_from", "look", "features")
    dag.needs("tune", "start_from")


def test_the_trials_are_shown_whatever_the_gate_says(flow: Any) -> None:
    dag = flow("tune_sentiment")
    dag.needs("report", "tune")
    dag.needs("show_trials", "report")
    assert "evaluate" not in dag.upstream("show_trials")


def test_a_tuning_deploys_nothing(dagbag: Any) -> None:
    assert not _deployments(dagbag.dags["tune_sentiment"])


# -- sagemaker_pipeline


def test_the_pipeline_runs_once_code_and_definition_are_there(flow: Any) -> None:
    dag = flow("sagemaker_pipeline")
    dag.needs("execute", "code", "pipeline")
    dag.needs("who_approves", "execute")
    # Both tell the version's ARN.
    for answer in ("approve", "reject"):
        dag.takes_from(answer, "execute")


def test_the_pipeline_s_model_is_asked_before_it_goes(flow: Any) -> None:
    dag = flow("sagemaker_pipeline")
    dag.needs("smoke", "deploy")
    assert "smoke" in dag.upstream("delete_endpoint")


# -- blazingtext_sentiment


def test_blazingtext_learns_from_prepared_features(flow: Any) -> None:
    dag = flow("blazingtext_sentiment")
    dag.needs("prepare", "features")
    dag.needs("train", "prepare")


def test_blazingtext_is_judged_once_it_is_deployed_and_answers(flow: Any) -> None:
    dag = flow("blazingtext_sentiment")
    dag.needs("model", "train")
    dag.needs("deploy", "model")
    dag.needs("smoke", "deploy")
    dag.needs("evaluate", "smoke")
    # The test split, the size of the archive, the name of the model.
    dag.takes_from("evaluate", "features", "train", "model")


# -- autopilot_sentiment


def test_autopilot_learns_from_balanced_reviews(flow: Any) -> None:
    dag = flow("autopilot_sentiment")
    dag.needs("balance", "features")
    dag.needs("autopilot", "balance")


def test_candidates_are_shown_before_they_are_judged(flow: Any) -> None:
    dag = flow("autopilot_sentiment")
    dag.needs("candidates", "autopilot")
    dag.needs("show_candidates", "candidates")
    dag.needs("plan", "autopilot", "show_candidates")
    dag.takes_from("plan", "autopilot")


def test_each_candidate_is_judged_behind_its_own_endpoint(flow: Any) -> None:
    dag = flow("autopilot_sentiment")
    dag.needs("judge.deploy", "judge.model")
    dag.needs("judge.evaluate", "judge.deploy")
    planned = {name for name in dag.tasks if name.startswith("judge.")}
    assert planned <= dag.tasks["plan"].downstream_task_ids
    dag.takes_from("judge.evaluate", "features", "judge.model")


def test_the_best_is_deployed_once_all_are_judged(flow: Any) -> None:
    dag = flow("autopilot_sentiment")
    dag.needs("best", "judge.evaluate", "plan")
    dag.takes_from("best", "plan")
    dag.needs("model", "best")
    dag.needs("deploy", "model")
    dag.needs("smoke", "deploy")
    # An endpoint of a candidate that is hard to get rid of keeps nobody waiting.
    assert "judge.delete_endpoint" not in dag.upstream("best")


# -- ab_test


def test_rivals_are_chosen_and_compiled_where_need_be(flow: Any) -> None:
    dag = flow("ab_test")
    dag.needs("compile", "which")
    dag.needs("register_twin", "compile")
    dag.needs("rivals", "register_twin")
    dag.does_without("rivals", "compile", "register_twin")
    dag.takes_from("rivals", "which")


def test_traffic_begins_when_both_serve_with_equal_weights(flow: Any) -> None:
    dag = flow("ab_test")
    for model in ("champion_model", "challenger_model"):
        dag.needs(model, "rivals")
        dag.needs("deploy", model)
    dag.needs("equal_weights", "deploy")
    dag.needs("look_1.ask", "equal_weights", "requests")
    dag.needs("requests", "features")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_look_compares_what_was_answered_with_the_labels(flow: Any, number: int) -> None:
    dag = flow("ab_test")
    dag.needs(f"look_{number}.compare", f"look_{number}.ask", "features")
    dag.takes_from(f"look_{number}.compare", "features")


@pytest.mark.parametrize("number", [1, 2])
def test_an_experiment_goes_on_only_until_a_look_is_enough(flow: Any, number: int) -> None:
    dag = flow("ab_test")
    enough, after = f"look_{number}.enough", f"look_{number + 1}.ask"
    dag.needs(enough, f"look_{number}.compare")
    dag.needs(after, enough)
    dag.does_without("verdict", after)
    dag.needs("verdict", "look_3.compare")
    dag.takes_from("verdict", enough)


def test_traffic_is_shifted_only_after_the_decision(flow: Any) -> None:
    dag = flow("ab_test")
    dag.needs("decide", "verdict")
    dag.needs("approve", "decide")
    for weights in ("shift_10.weights", "keep_champion"):
        dag.needs(weights, "decide", "approve")
        dag.does_without(weights, "approve")
        # Both of these may choose it.
        dag.takes_from(weights, "decide", "approve")


def test_a_step_of_the_shift_follows_a_healthy_one(flow: Any) -> None:
    dag = flow("ab_test")
    for percent in (10, 50, 100):
        dag.needs(f"shift_{percent}.ask", f"shift_{percent}.weights")
        dag.needs(f"shift_{percent}.check", f"shift_{percent}.ask")
    dag.needs("shift_50.weights", "shift_10.check")
    dag.needs("shift_100.weights", "shift_50.check")


def test_a_failed_step_rolls_back_before_the_teardown(flow: Any) -> None:
    dag = flow("ab_test")
    steps = [name for name in dag.tasks if name.startswith("shift_")]
    assert len(steps) == 9
    assert dag.run()["roll_back"] == "skipped"
    for step in steps:
        assert dag.run(failed=[step])["roll_back"] == "success"
        dag.takes_from("roll_back", step)
    assert "roll_back" in dag.upstream("settle")


def test_the_loser_leaves_only_once_there_is_a_winner(flow: Any) -> None:
    dag = flow("ab_test")
    dag.needs_one_of("winner", "keep_champion", "shift_100.check")
    dag.needs("remove_loser", "winner")


def test_load_comes_when_the_winner_scales(flow: Any) -> None:
    dag = flow("ab_test")
    dag.needs("scale", "remove_loser")
    dag.needs("before_load", "scale")
    for task_id in ("load", "watch"):
        dag.needs(task_id, "before_load")
        dag.needs("metrics", task_id)
    # Watched while it is there.
    assert "load" not in dag.upstream("watch")
    dag.needs("timeline", "metrics")
    assert "timeline" in dag.upstream("settle")


def test_the_champion_gets_the_traffic_back_before_all_goes(flow: Any) -> None:
    dag = flow("ab_test")
    setups = {"champion_model", "challenger_model", "deploy", "remove_loser", "scale"}
    teardown = ["settle", "stop_scaling", "delete_endpoint"]
    for before, after in pairwise(teardown):
        dag.takes_from(after, before)
    for name in teardown:
        assert dag.tasks[name].is_teardown
        assert {each for each in dag.tasks[name].upstream_task_ids if dag.tasks[each].is_setup} == setups
        dag.runs_after_any(name, *setups)


# -- human_review


def test_people_are_asked_only_where_there_is_something_to_ask(flow: Any) -> None:
    dag = flow("human_review")
    for before, after in [("features", "candidates"), ("candidates", "score"), ("score", "select")]:
        dag.needs(after, before)
    dag.needs("anything", "select")
    assert dag.tasks["anything"].ignore_downstream_trigger_rules
    dag.needs_one_of("round_1.backend", "anything")


@pytest.mark.parametrize("number", [1, 2])
class TestRound:
    """A round of questions."""

    def test_each_back_end_waits_to_be_chosen(self, flow: Any, number: int) -> None:
        dag = flow("human_review")
        begin = f"round_{number}."
        own = {name for name in dag.tasks if name.startswith(begin)} - {f"{begin}backend"}
        assert own
        for name in own:
            dag.needs_one_of(name, f"{begin}backend")
        chosen = {"a2i.people", "a2i.task_ui", "a2i.user_pool", "airflow.forms", "label_studio.push"}
        assert dag.tasks[f"{begin}backend"].downstream_task_ids == {f"{begin}{name}" for name in chosen}

    def test_loops_start_when_page_team_and_flow_are_there(self, flow: Any, number: int) -> None:
        dag, begin = flow("human_review"), f"round_{number}.a2i."
        dag.needs(f"{begin}workforce", f"{begin}user_pool")
        dag.needs(f"{begin}workteam", f"{begin}workforce", f"{begin}user_pool")
        dag.takes_from(f"{begin}workteam", f"{begin}user_pool")
        dag.needs(f"{begin}flow", f"{begin}workteam", f"{begin}task_ui")
        dag.needs(f"{begin}loops", f"{begin}flow")

    def test_people_are_in_the_pool_before_they_are_asked(self, flow: Any, number: int) -> None:
        dag, begin = flow("human_review"), f"round_{number}.a2i."
        dag.needs(f"{begin}workers", f"{begin}user_pool", f"{begin}people")
        dag.needs(f"{begin}loops", f"{begin}workers")
        # A pool may have its people already: nobody is to be added then.
        dag.does_without(f"{begin}loops", f"{begin}workers")

    def test_answers_are_collected_once_they_are_waited_for(self, flow: Any, number: int) -> None:
        dag, begin = flow("human_review"), f"round_{number}."
        dag.needs(f"{begin}a2i.collect", f"{begin}a2i.loops")
        dag.needs(f"{begin}airflow.ask", f"{begin}airflow.forms")
        dag.needs(f"{begin}airflow.collect", f"{begin}airflow.ask")
        dag.needs(f"{begin}label_studio.wait", f"{begin}label_studio.push")
        dag.needs(f"{begin}label_studio.collect", f"{begin}label_studio.wait")
        # The project that was made.
        dag.takes_from(f"{begin}label_studio.collect", f"{begin}label_studio.push")

    def test_one_back_end_s_answers_are_enough(self, flow: Any, number: int) -> None:
        collected = [f"round_{number}.{name}.collect" for name in ("a2i", "airflow", "label_studio")]
        dag = flow("human_review")
        if number == 1:
            dag.needs_one_of("ties", *collected)
        else:
            dag.does_without("labels", *collected)
            dag.needs("labels", *collected)


def test_a_third_person_is_asked_only_about_ties(flow: Any) -> None:
    dag = flow("human_review")
    dag.needs_one_of("round_2.backend", "ties")
    dag.does_without("labels", "round_2.backend")
    dag.takes_from("labels", "ties")


def test_only_new_labels_are_published(flow: Any) -> None:
    dag = flow("human_review")
    dag.needs("show", "labels")
    dag.needs("new_labels", "labels", "show")
    assert dag.tasks["new_labels"].ignore_downstream_trigger_rules
    dag.takes_from("new_labels", "labels")
    for name in ("table", "feature_group"):
        dag.needs_one_of(name, "new_labels")


def test_labels_are_announced_once_table_and_store_have_them(flow: Any) -> None:
    dag = flow("human_review")
    dag.needs("ingest", "feature_group")
    dag.needs("announce", "table", "ingest")
    # The batch, by its report.
    dag.takes_from("announce", "labels")
