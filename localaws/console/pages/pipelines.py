"""SageMaker Pipelines: pipelines, their executions, and an execution's steps."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages.jobs import job_link
from localaws.console.pages.shared import SIZE, after, next_page, page, told, whole
from localaws.console.parts import Cell, Link, Page, Part, Section, Status, Table, href, is_busy
from localaws.core.context import Context

_TRAIL = Link("Pipelines", "/pipelines")
#: what a step's metadata has the ARN of, that has a page.
_JOBS = {
    "TrainingJob": "TrainingJob",
    "ProcessingJob": "ProcessingJob",
    "TransformJob": "TransformJob",
    "TuningJob": "HyperParameterTuningJob",
    "AutoMLJob": "AutoMLJob",
}


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/pipelines", _list), page("/pipelines/execution", _execution), page("/pipelines/{name}", _pipeline)]


def _list(request: Request, ctx: Context) -> Page:
    def build() -> list[Part]:
        found = ctx.client("sagemaker").list_pipelines(MaxResults=SIZE, **after(request))
        rows = [
            (
                Link(each["PipelineName"], href("pipelines", each["PipelineName"])),
                each["CreationTime"],
                each.get("LastExecutionTime"),
            )
            for each in found["PipelineSummaries"]
        ]
        more = next_page(request, "pipelines", token=found.get("NextToken"))
        return [Table(("Pipeline", "Created", "Last execution"), rows, "No pipeline was created yet.", more)]

    return Page("Pipelines", [Section("", build)])


def _pipeline(request: Request, ctx: Context) -> Page:
    name = request.path_params["name"]
    pipeline = ctx.client("sagemaker").describe_pipeline(PipelineName=name)

    def executions() -> list[Part]:
        asked = after(request)
        found = ctx.client("sagemaker").list_pipeline_executions(PipelineName=name, MaxResults=SIZE, **asked)
        rows = [
            (
                Link(
                    each.get("PipelineExecutionDisplayName") or each["PipelineExecutionArn"].rpartition("/")[2],
                    href("pipelines", "execution", arn=each["PipelineExecutionArn"]),
                ),
                Status(each["PipelineExecutionStatus"]),
                each["StartTime"],
                each.get("PipelineExecutionFailureReason"),
            )
            for each in found["PipelineExecutionSummaries"]
        ]
        more = next_page(request, "pipelines", name, token=found.get("NextToken"))
        return [Table(("Execution", "Status", "Began", "Failure"), rows, "It was not executed yet.", more)]

    sections = [Section("Executions", executions, live=True), Section("Description", lambda: whole(pipeline))]
    return Page(name, sections, [_TRAIL], Status(pipeline["PipelineStatus"]), live=True)


def _execution(request: Request, ctx: Context) -> Page:
    arn = request.query_params.get("arn", "")
    execution = ctx.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    status = Status(execution["PipelineExecutionStatus"])
    name = execution["PipelineArn"].rpartition("/")[2]

    def facts() -> list[Part]:
        rows: list[tuple[str, Cell]] = [
            ("Began", execution["CreationTime"]),
            ("Changed", execution["LastModifiedTime"]),
        ]
        return told(rows, execution.get("FailureReason"))

    sections = [
        Section("", facts, live=True),
        Section("Steps", lambda: _steps(ctx, arn), live=True),
        Section("Description", lambda: whole(execution)),
    ]
    title = execution.get("PipelineExecutionDisplayName") or arn.rpartition("/")[2]
    return Page(title, sections, [_TRAIL, Link(name, href("pipelines", name))], status, is_busy(status.text))


def _steps(ctx: Context, arn: str) -> list[Part]:
    found = ctx.client("sagemaker").list_pipeline_execution_steps(
        PipelineExecutionArn=arn, MaxResults=100, SortOrder="Ascending"
    )
    rows = [
        (
            each["StepName"],
            Status(each["StepStatus"]),
            words.lasted(each.get("StartTime"), each.get("EndTime")),
            _made(each.get("Metadata", {})),
            each.get("FailureReason"),
        )
        for each in found["PipelineExecutionSteps"]
    ]
    return [Table(("Step", "Status", "Lasted", "Made", "Failure"), rows, "No step has begun yet.")]


def _made(metadata: dict[str, Any]) -> Cell:
    for key, body in metadata.items():
        arn = str(body.get("Arn", "")) if isinstance(body, dict) else ""
        name = arn.rpartition("/")[2]
        if name and key in _JOBS:
            return job_link(_JOBS[key], name)
        if name and key == "Model":
            return Link(name, href("models", name))
        if key == "Condition":
            return f"condition: {body.get('Outcome', '')}"
        return name or key
    return None
