"""Augmented AI's human review workflows: the operator that says who answers which page, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import JobFailed
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.versions import find_version

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class FlowDefinitionOperator(SageMakerOperator):
    """
    Create an active flow definition, or find the one that has these settings.

    A flow definition cannot be changed. The first settings get ``flow_definition_name``; others get that name and a
    digest of theirs. So a retry finds its own, and loops under way keep theirs. One that has failed serves nobody: the
    next try deletes it and makes it again. No other is deleted, since a flow definition costs nothing.

    Returns ``{"name", "arn"}``.

    :param flow_definition_name: lower-case letters, digits and hyphens. Templated.
    :param human_task_ui_arn: the page. Templated.
    :param workteam_arn: who answers. Templated.
    :param output_path: S3 URI below which AWS writes the answers. Templated.
    :param role_arn: ARN of the role that AWS takes to write them. Templated.
    :param title: of the task, at most 128 characters. Templated.
    :param description: of the task, at most 255 characters. Templated.
    :param task_count: how many people answer each item, 1 to 3. Templated.
    :param availability_lifetime: how long an item waits for its answers; seconds where it is a number. Templated.
    :param time_limit: how long a person has for an item, at least 30 seconds. Templated.
    :param keywords: up to five. Templated.
    :raises JobFailed: AWS could not make it, with AWS's reason.

    .. seealso:: CreateFlowDefinition in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "flow_definition_name",
        "human_task_ui_arn",
        "workteam_arn",
        "output_path",
        "role_arn",
        "title",
        "description",
        "task_count",
        "availability_lifetime",
        "time_limit",
        "keywords",
    )

    def __init__(
        self,
        *,
        flow_definition_name: str,
        human_task_ui_arn: str | XComArg,
        workteam_arn: str | XComArg,
        output_path: str,
        role_arn: str,
        title: str,
        description: str,
        task_count: int | str = 1,
        availability_lifetime: timedelta | int | str = timedelta(days=5),
        time_limit: timedelta | int | str = timedelta(hours=1),
        keywords: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_definition_name = flow_definition_name
        self.human_task_ui_arn = human_task_ui_arn
        self.workteam_arn = workteam_arn
        self.output_path = output_path
        self.role_arn = role_arn
        self.title = title
        self.description = description
        self.task_count = task_count
        self.availability_lifetime = availability_lifetime
        self.time_limit = time_limit
        self.keywords = list(keywords)

    def execute(self, context: Context) -> Any:
        """Find the flow definition, or create it."""
        return self._converge(context, acted=False)

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None, *, acted: bool) -> Any:
        """Return the result after the wait, or raise."""
        self.check_event(event, "FlowDefinition")
        return self._converge(context, acted=acted)

    def _converge(self, context: Context, *, acted: bool) -> Any:
        """
        One step towards an active flow definition.

        :param acted: this try has created it, and what is there now is the outcome.
        """
        wanted = self._settings()
        name, found = find_version(
            self.hook, "FlowDefinition", self.flow_definition_name, wanted, lambda each: _same(each, wanted)
        )
        self.note_console("FlowDefinition", name)
        status = found["FlowDefinitionStatus"] if found else None
        if found and status == "Active":
            self.log.info("Flow definition %s is active", name)
            self.note_data([], [found["FlowDefinitionArn"]])
            return {"name": name, "arn": found["FlowDefinitionArn"]}
        if found and status == "Failed" and acted:
            reason = found.get("FailureReason", "AWS gives no reason")
            raise JobFailed(f"Flow definition {name} is Failed: {reason}")
        if status == "Failed":
            self.log.info("Flow definition %s is Failed: deleting it to make it again", name)
            self.hook.delete("FlowDefinition", name)
        elif found is None:
            self._create(name, wanted, context)
            acted = True
        gone = status in {"Failed", "Deleting"}
        waiter = "flow_definition_deleted" if gone else "flow_definition_active"
        return self.wait(context, waiter=waiter, name=name, then="execute_complete", acted=acted and not gone)

    def _create(self, name: str, wanted: Mapping[str, Any], context: Context) -> None:
        self.check_alive()
        try:
            self.hook.create(
                "FlowDefinition",
                {"FlowDefinitionName": name, **wanted, "Tags": self.resource_tags(RunKey.of(context))},
            )
            self.log.info("Creating flow definition %s", name)
        except AlreadyExists:
            self.log.info("Flow definition %s was made by another process in the meantime", name)

    def _settings(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "WorkteamArn": str(self.workteam_arn),
            "HumanTaskUiArn": str(self.human_task_ui_arn),
            "TaskTitle": self.title,
            "TaskDescription": self.description,
            "TaskCount": int(self.task_count),
            "TaskAvailabilityLifetimeInSeconds": _seconds(self.availability_lifetime),
            "TaskTimeLimitInSeconds": _seconds(self.time_limit),
        }
        if self.keywords:
            config["TaskKeywords"] = list(self.keywords)
        return {
            "HumanLoopConfig": config,
            "OutputConfig": {"S3OutputPath": self.output_path},
            "RoleArn": self.role_arn,
        }


def _seconds(span: timedelta | int | str) -> int:
    """Whole seconds; a number that is a template is text."""
    return int(span.total_seconds() if isinstance(span, timedelta) else span)


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return True if a description has these settings. The request always names those that have a default."""
    config = found.get("HumanLoopConfig", {})
    others = {key: found.get(key) for key in ("OutputConfig", "RoleArn")}
    return {**others, "HumanLoopConfig": {key: value for key, value in config.items() if value}} == wanted
