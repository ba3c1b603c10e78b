"""
The tasks of each DAG, and what follows each of them, in the order in which they run.

A task that comes or goes, or an edge that changes, is to be seen here: by whoever reviews the change.
"""

from __future__ import annotations

from typing import Any

import pytest

EDGES: dict[str, dict[str, set[str]]] = {
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
        "find_reviews": {"code", "pipeline", "data_version"},
        "code": {"execute"},
        "pipeline": {"execute"},
        "data_version": {"execute"},
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
        },
        "feature_group": {"ingest", "check_store"},
        "ingest": {"check_store"},
        "check_store": {"unload_train", "unload_validation"},
        "features_from": {"unload_train", "unload_validation", "train"},
        "unload_train": {"train"},
        "unload_validation": {"train"},
        "train": {"evaluate", "has_champion", "register", "evaluate_endpoint"},
        "evaluate": {"judge", "replace_champion"},
        "has_champion": {"evaluate_champion"},
        "evaluate_champion": {"judge"},
        "judge": {"register", "replace_champion"},
        "register": {"replace_champion"},
        "replace_champion": {"who_approves"},
        "who_approves": {"ask", "approve"},
        "ask": {"approve", "reject"},
        "approve": {"latest_approved"},
        "reject": set(),
        "redeploy": {"latest_approved"},
        "latest_approved": {"model"},
        "model": {"deploy", "evaluate_endpoint"},
        "deploy": {"smoke", "lineage"},
        "smoke": {"evaluate_endpoint"},
        "evaluate_endpoint": {"delete_endpoint"},
        "lineage": {"lineage_graph"},
        "lineage_graph": {"delete_endpoint"},
        "delete_endpoint": set(),
    },
}


def test_every_dag_is_listed(dagbag: Any) -> None:
    assert set(dagbag.dags) == set(EDGES)


@pytest.mark.parametrize("dag_id", EDGES)
def test_structure(dagbag: Any, dag_id: str) -> None:
    dag = dagbag.dags[dag_id]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == EDGES[dag_id]
