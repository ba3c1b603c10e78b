"""The scripted worker at the real portal: a first sign-in, and answers from the ratings with a set error rate."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from localaws_kit import LocalAws
from waiting_kit import until

from stack.scripted_worker import LABELS, Page, PortalProblem, ScriptedWorker, same_text, work

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
TEMPORARY, CHOSEN = "Temporary-horse-1", "Chosen-horse-2"
REVIEWS = {
    f'Number {number}: a dress & a half.\nIt is <{label.lower()}>, I\'d say "so" {{{{ number }}}}': label
    for number, label in enumerate(LABELS * 4)
}
TRUTH = {same_text(text): label for text, label in REVIEWS.items()}


@pytest.fixture
def portal(own_localaws: LocalAws) -> str:
    """The portal of a localaws with a work team of one, and a human loop for each of the reviews."""
    server = own_localaws
    url = str(json.loads((server.home / "localaws" / "portal.json").read_text())["url"])
    idp, sagemaker = server.client("cognito-idp"), server.client("sagemaker")
    server.client("s3").create_bucket(Bucket="answers")
    pool = idp.create_user_pool(PoolName="people")["UserPool"]["Id"]
    client = idp.create_user_pool_client(
        UserPoolId=pool,
        ClientName="portal",
        GenerateSecret=True,
        CallbackURLs=[f"{url}/oauth2/idpresponse"],
        AllowedOAuthFlows=["code"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["email", "openid", "profile"],
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]["ClientId"]
    idp.create_user_pool_domain(UserPoolId=pool, Domain="people-domain")
    idp.create_group(UserPoolId=pool, GroupName="reviewers")
    who = {"UserPoolId": pool, "Username": "worker@example.com"}
    email = [{"Name": "email", "Value": "worker@example.com"}]
    idp.admin_create_user(**who, UserAttributes=email, TemporaryPassword=TEMPORARY, MessageAction="SUPPRESS")
    idp.admin_add_user_to_group(**who, GroupName="reviewers")
    config = {"UserPool": pool, "ClientId": client}
    sagemaker.create_workforce(WorkforceName="people", CognitoConfig=config)
    team = sagemaker.create_workteam(
        WorkteamName="reviewers",
        WorkforceName="people",
        Description="People",
        MemberDefinitions=[{"CognitoMemberDefinition": {**config, "UserGroup": "reviewers"}}],
    )["WorkteamArn"]
    template = (ROOT / "include" / "human_review" / "backends" / "worker_task.liquid.html").read_text()
    page = sagemaker.create_human_task_ui(HumanTaskUiName="review", UiTemplate={"Content": template})
    flow = sagemaker.create_flow_definition(
        FlowDefinitionName="review",
        RoleArn=ROLE,
        OutputConfig={"S3OutputPath": "s3://answers/a2i"},
        HumanLoopConfig={
            "WorkteamArn": team,
            "HumanTaskUiArn": page["HumanTaskUiArn"],
            "TaskTitle": "Sentiment",
            "TaskDescription": "Say what it is",
            "TaskCount": 1,
        },
    )["FlowDefinitionArn"]
    until(
        lambda: sagemaker.describe_flow_definition(FlowDefinitionName="review")["FlowDefinitionStatus"],
        lambda status: status == "Active",
        every=0.2,
    )
    runtime = server.client("sagemaker-a2i-runtime")
    for number, text in enumerate(REVIEWS):
        shown = {"initialValue": "Neutral", "taskObject": text, "title": "A title" if number % 2 else "", "body": text}
        runtime.start_human_loop(
            HumanLoopName=f"loop-{number}",
            FlowDefinitionArn=flow,
            HumanLoopInput={"InputContent": json.dumps(shown)},
        )
    return url


def worker(portal: str, password: str = TEMPORARY, **more: Any) -> ScriptedWorker:
    return ScriptedWorker(portal, "worker@example.com", password, new_password=CHOSEN, **more)


def outputs(server: LocalAws) -> dict[str, str]:
    """Text -> label, of the answers in S3, as Augmented AI writes them."""
    runtime, s3, found = server.client("sagemaker-a2i-runtime"), server.client("s3"), {}
    for number in range(len(REVIEWS)):
        loop = until(
            partial(runtime.describe_human_loop, HumanLoopName=f"loop-{number}"),
            lambda seen: seen["HumanLoopStatus"] != "InProgress",
            every=0.2,
        )
        assert loop["HumanLoopStatus"] == "Completed"
        bucket, _, key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").partition("/")
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        (answer,) = document["humanAnswers"]
        found[document["inputContent"]["body"]] = answer["answerContent"]["sentiment"]["label"]
    return found


def test_a_worker_changes_the_temporary_password_and_answers_by_the_ratings(
    own_localaws: LocalAws, portal: str
) -> None:
    first = worker(portal)
    first.sign_in()
    assert first.changed_password
    rounds = iter((True, False))
    assert work(first, TRUTH, lambda: next(rounds), pause=0) == len(REVIEWS)
    assert outputs(own_localaws) == REVIEWS
    again = worker(portal, CHOSEN)
    again.sign_in()
    assert not again.changed_password and again.answer_all(lambda _: None) == 0


def test_answers_are_wrong_at_the_set_rate(own_localaws: LocalAws, portal: str) -> None:
    mistaken = worker(portal, error_rate=0.5, seed=1)
    mistaken.sign_in()
    assert mistaken.answer_all(lambda text: TRUTH.get(same_text(text))) == len(REVIEWS)
    wrong = sum(label != REVIEWS[text] for text, label in outputs(own_localaws).items())
    assert 0 < wrong < len(REVIEWS)


def test_a_wrong_password_is_said(portal: str) -> None:
    with pytest.raises(PortalProblem, match=r"worker@example\.com could not sign in"):
        worker(portal, "Wrong-horse-3").sign_in()


def test_a_review_that_is_not_known_is_not_answered(portal: str) -> None:
    lost = worker(portal)
    lost.sign_in()
    with pytest.raises(PortalProblem, match="a review that is not in the table"):
        lost.answer_all(lambda _: None)


def test_a_page_gives_its_forms_data_and_reviewed_text() -> None:
    page = Page(
        '<div id="task" data-place="/t/1"></div><form action="/a/take"><input name="csrf" value="x"></form>'
        "<p>not this</p><classification-target><h2>Title</h2><p>the &lt;text&gt;</p></classification-target>"
    )
    assert page.data["task"] == {"place": "/t/1"}
    form = page.form_to("/take")
    assert form is not None and form.fields == {"csrf": "x"}
    assert page.paragraphs == ["the <text>"]
