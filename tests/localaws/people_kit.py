"""People at work in the portal: a team of a user pool, a flow for each test, and browsers that are signed in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from human_kit import BUCKET, Humans, context
from localaws_kit import LocalAws
from portal_kit import address
from workforce_kit import PASSWORD, add_worker, make_people, make_team

from localaws.sagemaker.workforce.members import Worker

REVIEWS = (
    "I love this dress! It is soft, and it fits as if it was made for me.",
    "Runs small, and the zipper broke on the second day.",
    "It is okay for the price.",
)


class Office(Humans):
    """A localaws with a work team whose workers sign in by Cognito; ``lea`` leads it."""

    def __init__(self, server: LocalAws, *workers: str) -> None:
        self.server = server
        self.sagemaker = server.client("sagemaker")
        self.loops = server.client("sagemaker-a2i-runtime")
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.ctx = context(server.home, server.url)
        self.people = make_people(server, "people")
        idp = server.client("cognito-idp")
        idp.create_group(UserPoolId=self.people.pool_id, GroupName="leads")
        for name in (*workers, "lea"):
            add_worker(server, self.people, name)
        idp.admin_add_user_to_group(UserPoolId=self.people.pool_id, Username="lea", GroupName="leads")
        self.team = make_team(server, self.people, "reviewers")

    @property
    def portal(self) -> str:
        return address(self.server)

    def job(self, name: str, count: int = 1, *, texts: tuple[str, ...] = REVIEWS, **config: Any) -> str:
        """A flow with loops ``name-0``, ``name-1`` and so on; the ARN of the flow."""
        arn = self.flow(name, **{"TaskTitle": f"Sentiment, {name}", **config})
        for number in range(count):
            content = {"initialValue": "", "taskObject": texts[number % len(texts)]}
            self.start(f"{name}-{number}", arn, json.dumps(content))
        return arn

    def answers(self, loop: str) -> list[dict[str, Any]]:
        """The contents of a loop's answers, once it has ended."""
        self.ended(loop)
        return [one["answerContent"] for one in self.output(loop)["humanAnswers"]]

    def member(self, username: str) -> Worker:
        """A worker as the portal has him."""
        pool = {"UserPoolId": self.people.pool_id, "Username": username}
        user = self.server.client("cognito-idp").admin_get_user(**pool)
        sub = next(one["Value"] for one in user["UserAttributes"] if one["Name"] == "sub")
        issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{self.people.pool_id}"
        return Worker(sub, username, "", issuer, self.people.pool_id, (self.team,))

    def hire(self, username: str, *, permanent: bool = True) -> None:
        add_worker(self.server, self.people, username, permanent=permanent)

    def dismiss(self, username: str) -> None:
        where = {"UserPoolId": self.people.pool_id, "Username": username, "GroupName": self.people.group}
        self.server.client("cognito-idp").admin_remove_user_from_group(**where)

    def other_team(self, username: str) -> str:
        """A worker of another team of the same pool; the name given."""
        group = {"UserPoolId": self.people.pool_id, "GroupName": "others"}
        self.server.client("cognito-idp").create_group(**group)
        add_worker(self.server, self.people, username, group="others")
        member = {"CognitoMemberDefinition": {**self.people.cognito_config, "UserGroup": "others"}}
        team = {"WorkteamName": "others", "Description": "Others", "MemberDefinitions": [member]}
        self.sagemaker.create_workteam(**team)
        return username

    @contextmanager
    def at_work(self, browser: Any, username: str, **more: Any) -> Iterator[Any]:
        """A page of a browser of its own in which a worker is signed in. A script error fails the test."""
        surroundings = browser.new_context(base_url=self.portal, **more)
        page = surroundings.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        self.sign_in(page, username)
        yield page
        surroundings.close()
        assert faults == []

    def sign_in(self, page: Any, username: str, password: str = PASSWORD) -> None:
        page.goto("/")
        fill_sign_in(page, username, password)
        page.wait_for_url(f"{self.portal}/")


def fill_sign_in(page: Any, username: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def start_job(page: Any, name: str) -> Any:
    """Take a task of a job from the list; its frame, once the task is shown."""
    page.goto("/")
    page.get_by_role("button", name=f"Sentiment, {name}").click()
    return shown(page)


def shown(page: Any) -> Any:
    """The frame of the task that the page has, once its elements are there."""
    page.wait_for_url("**/tasks/*")
    frame = page.frame_locator("#frame")
    frame.get_by_role("button", name="Submit").wait_for()
    return frame
