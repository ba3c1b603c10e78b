"""What the tests of human review share: a team, a flow, and workers who call the portal's functions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.config import Config
from localaws_kit import LocalAws
from waiting_kit import until

from localaws.core.context import Context
from localaws.core.credentials import load_or_create
from localaws.core.store import Store
from localaws.sagemaker.human_review import events, flow_definition, flows, human_loop, sweep, task_ui

BUCKET = "reviews"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
ENDED = {"Completed", "Failed", "Stopped"}
TEMPLATE = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-classifier name="sentiment" categories="['-1', '0', '1']" initial-value="{{ task.input.initialValue }}"
                    header="What does the writer think?">
    <classification-target>{{ task.input.taskObject }}</classification-target>
    <full-instructions header="Instructions">Choose one.</full-instructions>
    <short-instructions>Choose one.</short-instructions>
  </crowd-classifier>
</crowd-form>
"""
REVIEW = json.dumps({"initialValue": "1", "taskObject": "Lovely <b>dress</b>"})


@dataclass(frozen=True)
class Person:
    """A worker, as the portal gives him to the seats."""

    username: str
    teams: tuple[str, ...]
    issuer: str = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_test"
    provider: str = "Cognito"

    @property
    def sub(self) -> str:
        return f"sub-of-{self.username}"

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"

    @property
    def worker_id(self) -> str:
        return hashlib.sha256(f"{self.issuer} {self.sub}".encode()).hexdigest()[:16]


def label(value: str) -> dict[str, Any]:
    """The answer of the template's one question."""
    return {"sentiment": {"label": value}}


def context(home: Path, url: str = "http://127.0.0.1:9") -> Context:
    """A second opening of a localaws' store: SQLite lets several processes in."""
    state = home / "localaws"
    return Context(state, url, "us-east-1", Store(state / "state.db"), load_or_create(home / "credentials"))


def team(ctx: Context, name: str = "reviewers") -> str:
    """Put a work team without members into the store; its ARN."""
    arn = ctx.arn("sagemaker", f"workteam/private-crowd/{name}")
    at = Context.now()
    record = {"WorkteamName": name, "WorkteamArn": arn, "Description": name, "MemberDefinitions": []}
    ctx.store.put("workteam", name, {**record, "CreateDate": at, "LastUpdatedDate": at})
    return arn


class Bucket:
    """S3 as outputs need it, in memory; ``broken`` is raised instead of taking one."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken: Exception | None = None

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:
        if self.broken is not None:
            raise self.broken
        self.objects[Key] = Body

    def head_bucket(self, **_: Any) -> None:
        return


@dataclass(frozen=True)
class Clocked(Context):
    """A context whose time a test sets, and whose S3 is a :class:`Bucket`."""

    clock: list[datetime] = field(default_factory=lambda: [datetime(2026, 11, 24, 12, tzinfo=UTC)])
    bucket: Bucket = field(default_factory=Bucket)

    def now(self) -> datetime:  # type: ignore[override]
        return self.clock[0]

    def wait(self, seconds: float) -> None:
        """Let time pass, and the reconciler do what is due."""
        self.clock[0] += timedelta(seconds=seconds)
        sweep.sweep(self)

    def client(self, service: str, region: str = "") -> Any:
        assert service == "s3"
        return self.bucket


class Desk:
    """Human review without a server: the operations as functions, the reconciler by hand, a clock of its own."""

    def __init__(self, home: Path) -> None:
        credentials = load_or_create(home / "credentials")
        self.ctx = Clocked(home, "http://127.0.0.1:9", "us-east-1", Store(home / "state.db"), credentials)
        self.team = team(self.ctx)

    def worker(self, name: str = "ann", *teams: str) -> Person:
        return Person(name, teams or (self.team,))

    def flow(self, name: str, *, template: str = TEMPLATE, **config: Any) -> str:
        """A flow definition that is Active; its ARN."""
        ui = task_ui.create_human_task_ui({"HumanTaskUiName": name, "UiTemplate": {"Content": template}}, self.ctx)
        what = {
            "WorkteamArn": self.team,
            "HumanTaskUiArn": ui["HumanTaskUiArn"],
            "TaskTitle": "Sentiment of a review",
            "TaskDescription": "Say what the writer thinks.",
            "TaskCount": 1,
            **config,
        }
        request = {
            "FlowDefinitionName": name,
            "HumanLoopConfig": what,
            "OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/answers"},
            "RoleArn": ROLE,
        }
        arn = flow_definition.create_flow_definition(request, self.ctx)["FlowDefinitionArn"]
        flows.advance(self.ctx.store.get(flows.KIND, name) or {}, self.ctx)
        return str(arn)

    def start(self, name: str, flow: str, content: str = REVIEW) -> None:
        request = {"HumanLoopName": name, "FlowDefinitionArn": flow, "HumanLoopInput": {"InputContent": content}}
        human_loop.start_human_loop(request, self.ctx)

    def describe(self, name: str) -> dict[str, Any]:
        return human_loop.describe_human_loop({"HumanLoopName": name}, self.ctx)

    def stop(self, name: str) -> None:
        human_loop.stop_human_loop({"HumanLoopName": name}, self.ctx)

    def output(self, name: str) -> Any:
        key = self.describe(name)["HumanLoopOutput"]["OutputS3Uri"].removeprefix(f"s3://{BUCKET}/")
        return json.loads(self.ctx.bucket.objects[key])

    def events(self) -> list[dict[str, Any]]:
        """The events that were told."""
        return [json.loads(line) for line in events.path(self.ctx).read_text().splitlines()]


class Humans:
    """Drives human review: boto3 for the operations, the portal's functions for workers."""

    def __init__(self, server: LocalAws) -> None:
        self.server = server
        # botocore's own checks would hide the server's.
        self.sagemaker = server.client("sagemaker", config=Config(parameter_validation=False))
        self.loops = server.client("sagemaker-a2i-runtime")
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.ctx = context(server.home, server.url)
        self.team = team(self.ctx)

    def worker(self, name: str = "ann", *teams: str) -> Person:
        return Person(name, teams or (self.team,))

    def ui(self, name: str, template: str = TEMPLATE) -> str:
        made = self.sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": template})
        return str(made["HumanTaskUiArn"])

    def flow(self, name: str, *, template: str = TEMPLATE, path: str = f"s3://{BUCKET}/answers", **config: Any) -> str:
        """A flow definition that is Active; its ARN."""
        arn = self.create_flow(name, self.ui(f"ui-of-{name}", template), path, **config)
        until(lambda: self.flow_status(name) == "Active")
        return arn

    def create_flow(self, name: str, ui: str, path: str = f"s3://{BUCKET}/answers", **config: Any) -> str:
        what = {
            "WorkteamArn": self.team,
            "HumanTaskUiArn": ui,
            "TaskTitle": "Sentiment of a review",
            "TaskDescription": "Say what the writer thinks.",
            "TaskCount": 1,
            **config,
        }
        made = self.sagemaker.create_flow_definition(
            FlowDefinitionName=name, HumanLoopConfig=what, OutputConfig={"S3OutputPath": path}, RoleArn=ROLE
        )
        return str(made["FlowDefinitionArn"])

    def flow_status(self, name: str) -> str:
        return str(self.sagemaker.describe_flow_definition(FlowDefinitionName=name)["FlowDefinitionStatus"])

    def start(self, name: str, flow_arn: str, content: str = REVIEW) -> str:
        made = self.loops.start_human_loop(
            HumanLoopName=name, FlowDefinitionArn=flow_arn, HumanLoopInput={"InputContent": content}
        )
        return str(made["HumanLoopArn"])

    def describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.loops.describe_human_loop(HumanLoopName=name)
        return answer

    def ended(self, name: str) -> dict[str, Any]:
        """The description of a loop once it has ended."""
        until(lambda: self.describe(name)["HumanLoopStatus"] in ENDED)
        return self.describe(name)

    def output(self, name: str) -> Any:
        bucket, _, key = self.describe(name)["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").partition("/")
        return json.loads(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
