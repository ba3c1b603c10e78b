"""Amazon Augmented AI: people sign in to the worker portal and answer there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import TriggerRule, chain, task

from amazon_ml.operators.flow_definition import FlowDefinitionOperator
from amazon_ml.operators.human_loops import HumanLoopsOperator
from amazon_ml.operators.human_task_ui import HumanTaskUiOperator
from amazon_ml.operators.user_pool import UserPoolOperator
from amazon_ml.operators.worker import WorkerOperator
from amazon_ml.operators.workforce import WorkforceOperator
from amazon_ml.operators.workteam import WorkteamOperator
from include import paths
from include.human_review.backends.base import Answer, Answered, Round, as_label, as_utc, read_lines, write_answers
from include.settings import settings

#: the Cognito group and the work team of each round: who decides is nobody who answered before.
TEAMS = {1: "reviewers", 2: "referees"}
TEMPLATE = Path(__file__).with_name("worker_task.liquid.html")
#: the name of the template's classifier: the key of its answer.
QUESTION = "sentiment"
TITLE = "Is the review negative, neutral or positive?"
#: longest time that a run may wait for people; its form says how long it does.
LONGEST = timedelta(days=10)
#: where the temporary passwords of new workers are, in Secrets Manager.
SECRETS = "human_review"


class AugmentedAi:
    """A private work force, a work team for each round, and a human loop for each review."""

    name = "a2i"

    def ask(self, this: Round) -> tuple[Sequence[Any], Any]:
        """Set up, which changes nothing where all is there, then ask and wait."""
        team_name = TEAMS[this.number]
        pool = UserPoolOperator(
            task_id="user_pool",
            multiple_outputs=True,
            pool_name=settings.workforce,
            domain=settings.cognito_domain,
            client_name="worker-portal",
            groups=list(TEAMS.values()),
        )
        pool_id, client_id = (pool.output[key] for key in ("user_pool_id", "client_id"))
        people = task(task_id="people")(accounts)(team_name)
        workers = WorkerOperator.partial(task_id="workers", user_pool_id=pool_id, group=team_name).expand_kwargs(people)
        force = WorkforceOperator(
            task_id="workforce",
            multiple_outputs=True,
            workforce_name=settings.workforce,
            user_pool_id=pool_id,
            client_id=client_id,
        )
        team = WorkteamOperator(
            task_id="workteam",
            multiple_outputs=True,
            workteam_name=f"{settings.workforce}-{team_name}",
            workforce_name=force.output["name"],
            description="People who say what the model is not sure of",
            user_pool_id=pool_id,
            client_id=client_id,
            groups=[team_name],
        )
        page = HumanTaskUiOperator(
            task_id="task_ui", multiple_outputs=True, human_task_ui_name="sentiment-review", template=TEMPLATE
        )
        flow = FlowDefinitionOperator(
            task_id="flow",
            multiple_outputs=True,
            flow_definition_name=f"sentiment-{team_name}",
            human_task_ui_arn=page.output["arn"],
            workteam_arn=team.output["arn"],
            output_path=f"{paths.HUMAN_REVIEW}/a2i",
            role_arn=settings.role_arn,
            title=TITLE,
            description="Read a customer's review of a garment and say what its writer thinks of it",
            task_count=this.people,
            availability_lifetime=f"{{{{ ({this.minutes} * 60) | int }}}}",
            time_limit=timedelta(minutes=15),
            keywords=["sentiment", "reviews"],
        )
        loops = HumanLoopsOperator(
            task_id="loops",
            multiple_outputs=True,
            flow_definition_arn=flow.output["arn"],
            items=this.items,
            output=f"{this.place}loops/",
            batch=this.batch,
            timeout=LONGEST,
            execution_timeout=LONGEST + timedelta(hours=1),
            # Where nobody is new the accounts are skipped, and the team is as it was.
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )
        collected = task(task_id="collect")(collect)(loops.output["answers"], this.answers)
        chain(people, workers, loops)
        return [pool, people, page], collected


def accounts(team: str, params: Any = None) -> list[dict[str, str]]:
    """Return who is to have an account in a team: arguments of :class:`WorkerOperator`."""
    people = params["workers"] if team == TEAMS[1] else params["referees"]
    return [{"username": email, "email_address": email, "secret_name": f"{SECRETS}/{email}"} for email in people]


def collect(loops: str, answers: str) -> dict[str, Any]:
    """Read what the loops came to, and write it for the human_labels job."""
    return write_answers(answers, map(read_loop, read_lines(loops)))


def read_loop(line: Mapping[str, Any]) -> Answered:
    """
    Return what came of a loop: a line of HumanLoopsOperator, with AWS's ``output.json`` under ``output``.

    Of a loop that ended before all had answered the answers that there are count.
    """
    given = (line["output"] or {}).get("humanAnswers", [])
    answers = [
        Answer(
            label=as_label(str(each["answerContent"][QUESTION]["label"])),
            worker=each["workerId"],
            at=as_utc(each["submissionTime"]),
            seconds=each.get("timeSpentInSeconds"),
        )
        for each in given
    ]
    failure = line.get("failure_code") or ""
    return Answered(
        str(line["id"]), answers, "" if answers else f"the human loop is {line['status']} {failure}".strip()
    )
