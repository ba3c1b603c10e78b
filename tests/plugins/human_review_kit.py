"""A team, a page and a flow definition for the tests of human review, and people who answer."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localaws_kit import JOBS_PYTHON, LocalAws
from operator_kit import BUCKET, ROLE, Airflow, FakeTask

from amazon_ml.operators.flow_definition import FlowDefinitionOperator
from amazon_ml.operators.human_loops import HumanLoopsOperator
from amazon_ml.operators.human_task_ui import HumanTaskUiOperator
from amazon_ml.operators.user_pool import UserPoolOperator
from amazon_ml.operators.worker import WorkerOperator
from amazon_ml.operators.workforce import WorkforceOperator
from amazon_ml.operators.workteam import WorkteamOperator

PEOPLE = Path(__file__).parent / "people.py"
TEMPLATE = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-classifier name="sentiment" categories="['-1', '0', '1']" header="What does the writer think?">
    <classification-target>{{ task.input.text }}</classification-target>
    <full-instructions header="Instructions">Choose one.</full-instructions>
    <short-instructions>Choose one.</short-instructions>
  </crowd-classifier>
</crowd-form>
"""


#: the one workforce of the session's localaws, and what belongs to it.
POOL = {"pool_name": "people", "domain": "people-of-tests", "client_name": "portal", "groups": ["reviewers"]}


def pool(**changes: Any) -> Callable[[], UserPoolOperator]:
    return lambda: UserPoolOperator(task_id="pool", **{**POOL, **changes})


def workforce(pool_id: str, client_id: str, name: str = "default") -> Callable[[], WorkforceOperator]:
    given: dict[str, Any] = {"workforce_name": name, "user_pool_id": pool_id, "client_id": client_id}
    return lambda: WorkforceOperator(task_id="workforce", **given)


def team(pool_id: str, client_id: str, name: str = "reviewers", **changes: Any) -> Callable[[], WorkteamOperator]:
    given = {
        "workteam_name": name,
        "workforce_name": "default",
        "description": "Read reviews",
        "user_pool_id": pool_id,
        "client_id": client_id,
        "groups": ["reviewers"],
    }
    return lambda: WorkteamOperator(task_id="team", **{**given, **changes})


def worker(name: str, pool_id: str, **changes: Any) -> Callable[[], WorkerOperator]:
    given = {"username": name, "email_address": f"{name}@example.com", "user_pool_id": pool_id, "group": "reviewers"}
    return lambda: WorkerOperator(task_id="worker", **{**given, **changes})


def make_team(airflow: Airflow) -> str:
    """The team of the session's workforce, made where it is not there; its ARN."""
    made = airflow.run(pool(), FakeTask(task_id="pool"))
    ids = made["user_pool_id"], made["client_id"]
    airflow.run(workforce(*ids), FakeTask(task_id="workforce"))
    return str(airflow.run(team(*ids), FakeTask(task_id="team"))["arn"])


def ui(name: str, template: str = TEMPLATE, **changes: Any) -> Callable[[], HumanTaskUiOperator]:
    return lambda: HumanTaskUiOperator(task_id="ui", human_task_ui_name=name, template=template, **changes)


def flow(name: str, ui_arn: str, team_arn: str, **changes: Any) -> Callable[[], FlowDefinitionOperator]:
    given = {
        "flow_definition_name": name,
        "human_task_ui_arn": ui_arn,
        "workteam_arn": team_arn,
        "output_path": f"s3://{BUCKET}/a2i",
        "role_arn": ROLE,
        "title": "Sentiment",
        "description": "Say what the writer thinks.",
    }
    return lambda: FlowDefinitionOperator(task_id="flow", **{**given, **changes})


def make_flow(airflow: Airflow, test: str, **changes: Any) -> str:
    """An active flow definition for a test; its ARN."""
    page = airflow.run(ui("page"), FakeTask(task_id="ui"))["arn"]
    given = {"flow_definition_name": f"flow-{hashlib.sha256(test.encode()).hexdigest()[:12]}", **changes}
    made = airflow.run(flow("", page, make_team(airflow), **given), FakeTask(task_id="flow"))
    airflow.deferrals.clear()
    return str(made["arn"])


def loops(ti: FakeTask, flow_arn: str, items: Any, **changes: Any) -> Callable[[], HumanLoopsOperator]:
    output = f"s3://{BUCKET}/human/{ti.run_id}/"
    given = {"task_id": ti.task_id, "flow_definition_arn": flow_arn, "items": items, "output": output}
    return lambda: HumanLoopsOperator(**{**given, **changes})


def items(count: int, prefix: str = "r") -> list[dict[str, Any]]:
    return [{"id": f"{prefix}{number}", "input": {"text": f"review {number}"}} for number in range(count)]


def statuses(aws: Any, flow_arn: str) -> dict[str, str]:
    """The status of each loop of a flow definition, by its name."""
    runtime, token, found = aws("sagemaker-a2i-runtime"), dict[str, str](), dict[str, str]()
    while True:
        page = runtime.list_human_loops(FlowDefinitionArn=flow_arn, MaxResults=100, **token)
        found |= {loop["HumanLoopName"]: loop["HumanLoopStatus"] for loop in page["HumanLoopSummaries"]}
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def people(localaws: LocalAws, what: str, *arguments: str) -> str:
    command = [JOBS_PYTHON, str(PEOPLE), str(localaws.home), localaws.url, what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def answer(localaws: LocalAws, flow_arn: str, label: str = "1", count: int = 1, who: str = "ann") -> int:
    """Have somebody answer tasks, up to a number of them; how many there were."""
    return int(people(localaws, "answer", flow_arn.rpartition("/")[2], who, label, str(count)))


def answers(aws: Any, uri: str) -> list[dict[str, Any]]:
    """The lines of a file of answers."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]
