"""
The tasks of each DAG, and what follows each of them, in the order in which they run.

A task that comes or goes, or an edge that changes, is to be seen here: by whoever reviews the change.
"""

from __future__ import annotations

from typing import Any

import pytest

#: from a model's evaluation to its approval: include/challenge.py.
CHALLENGE: dict[str, set[str]] = {
    "evaluate": {"judge", "replace_champion"},
    "has_champion": {"evaluate_champion"},
    "evaluate_champion": {"judge"},
    "judge": {"register", "replace_champion"},
    "register": {"replace_champion"},
    "replace_champion": {"who_approves"},
    "who_approves": {"ask", "approve"},
    "ask": {"approve", "reject"},
    "reject": set(),
}
#: of ab_test.
TEARDOWN = {"settle", "stop_scaling", "delete_endpoint"}
EDGES: dict[str, dict[str, set[str]]] = {
    "ab_test": {
        "find_reviews": {"features", "which"},
        "features": {"requests", "look_1.compare", "look_2.compare", "look_3.compare"},
        "which": {"compile", "rivals"},
        "compile": {"register_twin"},
        "register_twin": {"rivals"},
        "rivals": {"champion_model", "challenger_model"},
        "requests": {"look_1.ask"},
        "champion_model": {"deploy", *TEARDOWN},
        "challenger_model": {"deploy", *TEARDOWN},
        "deploy": {"equal_weights", *TEARDOWN},
        "equal_weights": {"look_1.ask"},
        "look_1.ask": {"look_1.compare"},
        "look_1.compare": {"look_1.enough"},
        "look_1.enough": {"look_2.ask", "verdict"},
        "look_2.ask": {"look_2.compare"},
        "look_2.compare": {"look_2.enough"},
        "look_2.enough": {"look_3.ask", "verdict"},
        "look_3.ask": {"look_3.compare"},
        "look_3.compare": {"verdict"},
        "verdict": {"decide"},
        "decide": {"approve", "keep_champion", "shift_10.weights"},
        "approve": {"keep_champion", "shift_10.weights"},
        "keep_champion": {"winner"},
        "shift_10.weights": {"roll_back", "shift_10.ask"},
        "shift_10.ask": {"roll_back", "shift_10.check"},
        "shift_10.check": {"roll_back", "shift_50.weights"},
        "shift_50.weights": {"roll_back", "shift_50.ask"},
        "shift_50.ask": {"roll_back", "shift_50.check"},
        "shift_50.check": {"roll_back", "shift_100.weights"},
        "shift_100.weights": {"roll_back", "shift_100.ask"},
        "shift_100.ask": {"roll_back", "shift_100.check"},
        "shift_100.check": {"roll_back", "winner"},
        "roll_back": {"settle"},
        "winner": {"remove_loser"},
        "remove_loser": {"scale", *TEARDOWN},
        "scale": {"before_load", *TEARDOWN},
        "before_load": {"load", "watch"},
        "load": {"metrics"},
        "watch": {"metrics"},
        "metrics": {"timeline"},
        "timeline": {"settle"},
        "settle": {"stop_scaling"},
        "stop_scaling": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
    "autopilot_sentiment": {
        "find_reviews": {"features"},
        "features": {"balance", "judge.evaluate"},
        "balance": {"autopilot"},
        "autopilot": {"candidates", "plan"},
        "candidates": {"show_candidates"},
        "show_candidates": {"plan"},
        "plan": {"judge.model", "judge.deploy", "judge.evaluate", "judge.delete_endpoint", "best"},
        "judge.model": {"judge.deploy", "judge.evaluate"},
        "judge.deploy": {"judge.evaluate", "judge.delete_endpoint"},
        "judge.evaluate": {"judge.delete_endpoint", "best"},
        "judge.delete_endpoint": set(),
        "best": {"model"},
        "model": {"deploy"},
        "deploy": {"smoke", "delete_endpoint"},
        "smoke": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
    "blazingtext_sentiment": {
        "find_reviews": {"features"},
        "features": {"prepare", "evaluate"},
        "prepare": {"train"},
        "train": {"model", "evaluate"},
        "model": {"deploy", "evaluate"},
        "deploy": {"smoke", "delete_endpoint"},
        "smoke": {"evaluate"},
        "evaluate": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
    "detect_bias": {
        "find_reviews": {"bias_before", "balance"},
        "bias_before": {"compare"},
        "balance": {"bias_after", "check_balance"},
        "bias_after": {"compare"},
        "compare": {"check_balance"},
        "check_balance": set(),
    },
    "human_review": {
        "find_reviews": {"features"},
        "features": {"candidates"},
        "candidates": {"score"},
        "score": {"select"},
        "select": {"anything"},
        "anything": {"round_1.backend"},
        "round_1.backend": {
            "round_1.a2i.people",
            "round_1.a2i.task_ui",
            "round_1.a2i.user_pool",
            "round_1.airflow.forms",
            "round_1.label_studio.push",
        },
        "round_1.a2i.user_pool": {"round_1.a2i.workers", "round_1.a2i.workforce", "round_1.a2i.workteam"},
        "round_1.a2i.people": {"round_1.a2i.workers"},
        "round_1.a2i.workers": {"round_1.a2i.loops"},
        "round_1.a2i.workforce": {"round_1.a2i.workteam"},
        "round_1.a2i.workteam": {"round_1.a2i.flow"},
        "round_1.a2i.task_ui": {"round_1.a2i.flow"},
        "round_1.a2i.flow": {"round_1.a2i.loops"},
        "round_1.a2i.loops": {"round_1.a2i.collect"},
        "round_1.a2i.collect": {"ties"},
        "round_1.airflow.forms": {"round_1.airflow.ask"},
        "round_1.airflow.ask": {"round_1.airflow.collect"},
        "round_1.airflow.collect": {"ties"},
        "round_1.label_studio.push": {"round_1.label_studio.collect", "round_1.label_studio.wait"},
        "round_1.label_studio.wait": {"round_1.label_studio.collect"},
        "round_1.label_studio.collect": {"ties"},
        "ties": {"labels", "round_2.backend"},
        "round_2.backend": {
            "round_2.a2i.people",
            "round_2.a2i.task_ui",
            "round_2.a2i.user_pool",
            "round_2.airflow.forms",
            "round_2.label_studio.push",
        },
        "round_2.a2i.user_pool": {"round_2.a2i.workers", "round_2.a2i.workforce", "round_2.a2i.workteam"},
        "round_2.a2i.people": {"round_2.a2i.workers"},
        "round_2.a2i.workers": {"round_2.a2i.loops"},
        "round_2.a2i.workforce": {"round_2.a2i.workteam"},
        "round_2.a2i.workteam": {"round_2.a2i.flow"},
        "round_2.a2i.task_ui": {"round_2.a2i.flow"},
        "round_2.a2i.flow": {"round_2.a2i.loops"},
        "round_2.a2i.loops": {"round_2.a2i.collect"},
        "round_2.a2i.collect": {"labels"},
        "round_2.airflow.forms": {"round_2.airflow.ask"},
        "round_2.airflow.ask": {"round_2.airflow.collect"},
        "round_2.airflow.collect": {"labels"},
        "round_2.label_studio.push": {"round_2.label_studio.collect", "round_2.label_studio.wait"},
        "round_2.label_studio.wait": {"round_2.label_studio.collect"},
        "round_2.label_studio.collect": {"labels"},
        "labels": {"announce", "new_labels", "show"},
        "show": {"new_labels"},
        "new_labels": {"feature_group", "table"},
        "table": {"announce"},
        "feature_group": {"ingest"},
        "ingest": {"announce"},
        "announce": set(),
    },
    "ingest_reviews": {
        "create_bucket": {"upload_raw"},
        "upload_raw": {"transform", "check_counts"},
        "transform": {"define_crawler", "check_counts"},
        "define_crawler": {"crawl"},
        "crawl": {"ask_sentiments", "ask_categories", "ask_average_sentiment", "ask_split", "ask_words"},
        "ask_sentiments": {"charts"},
        "ask_categories": {"charts"},
        "ask_average_sentiment": {"charts"},
        "ask_split": {"charts"},
        "ask_words": {"charts"},
        "charts": {"check_counts"},
        "check_counts": set(),
    },
    "leader_board": {
        "leader_board": {"show"},
        "show": set(),
    },
    "sagemaker_pipeline": {
        "find_reviews": {"code", "pipeline"},
        "code": {"execute"},
        "pipeline": {"execute"},
        "execute": {"who_approves", "approve", "reject"},
        "who_approves": {"ask", "approve"},
        "ask": {"approve", "reject"},
        "approve": {"latest_approved"},
        "reject": set(),
        "latest_approved": {"model"},
        "model": {"deploy"},
        "deploy": {"smoke", "lineage", "delete_endpoint"},
        "smoke": {"delete_endpoint"},
        "lineage": {"lineage_graph"},
        "lineage_graph": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
    "train_sentiment": {
        "find_reviews": {"look"},
        "look": {"next_step", "has_champion", "replace_champion"},
        "next_step": {"features", "redeploy"},
        "features": {
            "feature_group",
            "ingest",
            "check_store",
            "features_from",
            "evaluate",
            "evaluate_champion",
            "evaluate_endpoint",
            "register",
        },
        "feature_group": {"ingest", "check_store"},
        "ingest": {"check_store"},
        "check_store": {"unload_train", "unload_validation"},
        "features_from": {"unload_train", "unload_validation", "train"},
        "unload_train": {"train"},
        "unload_validation": {"train"},
        "train": {"evaluate", "has_champion", "register"},
        **CHALLENGE,
        "approve": {"latest_approved"},
        "redeploy": {"latest_approved"},
        "latest_approved": {"serve", "served"},
        "serve": {"compile", "served"},
        "compile": {"register_twin"},
        "register_twin": {"served"},
        "served": {"model"},
        "model": {"deploy", "evaluate_endpoint"},
        "deploy": {"smoke", "lineage"},
        "smoke": {"evaluate_endpoint"},
        "evaluate_endpoint": {"delete_endpoint"},
        "lineage": {"lineage_graph"},
        "lineage_graph": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
    "tune_sentiment": {
        "find_reviews": {"look"},
        "look": {"features", "start_from", "has_champion", "replace_champion"},
        "features": {"register", "start_from", "evaluate", "evaluate_champion"},
        "start_from": {"tune"},
        "tune": {"report", "evaluate", "has_champion", "register"},
        "report": {"show_trials"},
        "show_trials": set(),
        **CHALLENGE,
        "approve": set(),
    },
}


def test_every_dag_is_listed(dagbag: Any) -> None:
    assert set(dagbag.dags) == set(EDGES)


@pytest.mark.parametrize("dag_id", EDGES)
def test_structure(dagbag: Any, dag_id: str) -> None:
    dag = dagbag.dags[dag_id]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == EDGES[dag_id]


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
