"""
The last runs of the DAGs of part 1 on the stack that is up, and the leader board that they left.

    make demo REVIEWS_SOURCE=reviews.csv.zip    # then start autopilot_sentiment and blazingtext_sentiment
    python -m benchmarks.workflows              # prints Markdown
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import Any

import boto3

from stack.airflow_api import AirflowApi
from stack.layout import Stack, StackError

BUCKET = "sentiment-reviews"
#: DAG -> what is asked of it.
GOALS = {"detect_bias": "", "blazingtext_sentiment": "", "autopilot_sentiment": "20 min", "leader_board": ""}


def main() -> int:
    stack = Stack.from_environment()
    api = AirflowApi(stack)
    try:
        rows = [(dag, goal, last_success(api, dag)) for dag, goal in GOALS.items()]
    except (StackError, OSError) as error:
        print(f"the stack does not answer: make demo first ({error})", file=sys.stderr)
        return 1
    print("# The workflows beside `make demo`\n")
    print("The last successful run of each, from its start to its end, and of this in its longest task.\n")
    print("| DAG | goal | seconds | longest task | seconds |\n|---|---:|---:|---|---:|")
    for dag, goal, run in rows:
        if run is None:
            print(f"| {dag} | {goal} | not run | | |")
            continue
        longest = max(api.tasks(dag, run["dag_run_id"]), key=lambda task: task["duration"] or 0)
        print(f"| {dag} | {goal} | {seconds(run):.0f} | {longest['task_id']} | {longest['duration']:.0f} |")
    print("\nAutopilot's best candidate is to have at least 0.66, BlazingText at least 0.60 (published: 0.533).\n")
    print(board(stack))
    return 0


def last_success(api: AirflowApi, dag: str) -> dict[str, Any] | None:
    """The latest run that went well, or ``None``."""
    parameters = {"state": "success", "order_by": "-start_date", "limit": 1}
    runs = api.call("GET", f"/dags/{dag}/dagRuns", params=parameters)["dag_runs"]
    return dict(runs[0]) if runs else None


def seconds(run: dict[str, Any]) -> float:
    """How long a run took."""
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()


def board(stack: Stack) -> str:
    """The leader board in Markdown, one heading deeper."""
    os.environ |= stack.aws_environment()
    answer = boto3.client("s3").get_object(Bucket=BUCKET, Key="reports/leader_board/leader_board.md")
    text = answer["Body"].read().decode()
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
