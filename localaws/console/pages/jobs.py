"""Training, processing, transform, tuning and AutoML jobs: lists, and a page a job with its log and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute

from localaws.console import words
from localaws.console.pages import logs, metrics
from localaws.console.pages.buckets import uri_link
from localaws.console.pages.shared import SIZE, given, next_page, page, texts, told, whole
from localaws.console.parts import (
    Cell,
    Facts,
    Link,
    Links,
    Note,
    Page,
    Part,
    Search,
    Section,
    Status,
    Table,
    href,
    is_busy,
)
from localaws.core.context import Context

Answer = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """
    One kind of job, by the names that the API has for it.

    :param noun: the start of its members, such as ``TrainingJob``.
    :param operation: its noun in boto3's methods.
    :param end: the member that has its end.
    :param begin: the member that has its start.
    :param plural: of the list operation.
    """

    title: str
    noun: str
    operation: str
    end: str
    begin: str = "CreationTime"
    plural: str = ""

    @property
    def group(self) -> str:
        """The log group, which is the metrics' namespace too."""
        return f"/aws/sagemaker/{self.noun}s"

    def list(self, ctx: Context, most: int = SIZE, **request: Any) -> Answer:
        """Return a page of summaries, the newest first."""
        method = getattr(ctx.client("sagemaker"), f"list_{self.plural or self.operation + 's'}")
        answer: Answer = method(MaxResults=most, SortBy="CreationTime", SortOrder="Descending", **request)
        return answer

    def describe(self, ctx: Context, name: str) -> Answer:
        """Return all of one."""
        method = getattr(ctx.client("sagemaker"), f"describe_{self.operation}")
        answer: Answer = method(**{f"{self.noun}Name": name})
        return answer


KINDS = {
    "training": Kind("Training", "TrainingJob", "training_job", "TrainingEndTime", "TrainingStartTime"),
    "processing": Kind("Processing", "ProcessingJob", "processing_job", "ProcessingEndTime", "ProcessingStartTime"),
    "transform": Kind("Transform", "TransformJob", "transform_job", "TransformEndTime", "TransformStartTime"),
    "tuning": Kind("Tuning", "HyperParameterTuningJob", "hyper_parameter_tuning_job", "HyperParameterTuningEndTime"),
    "automl": Kind("AutoML", "AutoMLJob", "auto_ml_job_v2", "EndTime", plural="auto_ml_jobs"),
}
_TRAIL = {key: Link(f"{kind.title} jobs", href("jobs", key)) for key, kind in KINDS.items()}


def routes() -> list[BaseRoute]:
    """Return the routes of this module."""
    return [page("/jobs/{kind}", _list), page("/jobs/{kind}/{name}", _job)]


def job_link(noun: str, name: str) -> Link:
    """Return a link to a job, by the noun that ARNs and members have for its kind."""
    key = next((key for key, kind in KINDS.items() if kind.noun.lower() == noun.lower()), "training")
    return Link(name, href("jobs", key, name))


def recent(ctx: Context) -> list[Part]:
    """Return the last jobs of each kind, those that run first."""
    rows = []
    for key, kind in KINDS.items():
        for each in kind.list(ctx, 8)[_summaries(kind)]:
            status = each[f"{kind.noun}Status"]
            row = (Link(each[f"{kind.noun}Name"], href("jobs", key, each[f"{kind.noun}Name"])), kind.title)
            rows.append((*row, Status(status), each["CreationTime"], is_busy(status)))
    rows.sort(key=lambda row: (row[4], row[3]), reverse=True)
    return [Table(("Job", "Kind", "Status", "Created"), [row[:4] for row in rows[:12]], "No job was started yet.")]


def _kind(request: Request) -> tuple[str, Kind]:
    key = request.path_params["kind"]
    if key not in KINDS:
        raise HTTPException(404)
    return key, KINDS[key]


def _summaries(kind: Kind) -> str:
    return f"{kind.noun}Summaries"


def _list(request: Request, ctx: Context) -> Page:
    key, kind = _kind(request)
    name = request.query_params.get("name", "")

    def build() -> list[Part]:
        found = kind.list(ctx, **given(NextToken=request.query_params.get("next"), NameContains=name))
        rows = [_row(key, kind, each) for each in found[_summaries(kind)]]
        more = next_page(request, "jobs", key, token=found.get("NextToken"))
        empty = "No job has this in its name." if name else f"No {kind.title.lower()} job was started yet."
        return [Table(("Name", "Status", "Created", "Lasted"), rows, empty, more)]

    tabs = Links([Link(each.title, href("jobs", other)) for other, each in KINDS.items()], kind.title)
    sections = [Section("", lambda: [tabs, Search("name", "Name contains", name)]), Section("", build, live=True)]
    return Page(f"{kind.title} jobs", sections, live=True)


def _row(key: str, kind: Kind, each: Answer) -> Sequence[Cell]:
    name = each[f"{kind.noun}Name"]
    lasted = words.lasted(each["CreationTime"], each.get(kind.end))
    return Link(name, href("jobs", key, name)), Status(each[f"{kind.noun}Status"]), each["CreationTime"], lasted


def _job(request: Request, ctx: Context) -> Page:
    key, kind = _kind(request)
    name = request.path_params["name"]
    job = kind.describe(ctx, name)
    status = Status(job[f"{kind.noun}Status"])
    live = is_busy(status.text)
    sections = [Section("", lambda: _facts(kind, job), live=True), *_of_kind(ctx, key, name, job)]
    if key in ("training", "processing", "transform"):
        sections += [
            Section("Metrics", lambda: _metrics(ctx, kind, name, job), live=True),
            Section("Log", lambda: logs.stream_parts(request, ctx, kind.group, f"{name}/", live=live), live=True),
        ]
    sections.append(Section("Description", lambda: whole(job)))
    return Page(name, sections, [_TRAIL[key]], status, live)


def _facts(kind: Kind, job: Answer) -> list[Part]:
    begin = job.get(kind.begin) or job["CreationTime"]
    rows: list[tuple[str, Cell]] = [
        ("Created", job["CreationTime"]),
        ("Began", job.get(kind.begin)),
        ("Ended", job.get(kind.end)),
        ("Lasted", words.lasted(begin, job.get(kind.end))),
        *_more_facts(job),
    ]
    return told(rows, job.get("FailureReason") or job.get("ExitMessage"))


def _more_facts(job: Answer) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = []
    if "SecondaryStatus" in job or "AutoMLJobSecondaryStatus" in job:
        rows.append(("Secondary status", job.get("SecondaryStatus") or job.get("AutoMLJobSecondaryStatus")))
    if "BillableTimeInSeconds" in job:
        rows.append(("Billable", f"{job['BillableTimeInSeconds']} s"))
    cluster = job.get("ResourceConfig") or job.get("ProcessingResources", {}).get("ClusterConfig")
    cluster = cluster or job.get("TransformResources")
    if cluster:
        rows.append(("Instances", f"{cluster.get('InstanceCount', 1)} x {cluster.get('InstanceType', '')}"))
    image = job.get("AlgorithmSpecification", {}).get("TrainingImage") or job.get("AppSpecification", {}).get(
        "ImageUri"
    )
    if image:
        rows.append(("Image", image.rpartition("/")[2]))
    if "ModelName" in job:
        rows.append(("Model", Link(job["ModelName"], href("models", job["ModelName"]))))
    if job.get("TuningJobArn"):
        rows.append(("Tuning job", job_link("HyperParameterTuningJob", job["TuningJobArn"].rpartition("/")[2])))
    return rows


def _metrics(ctx: Context, kind: Kind, name: str, job: Answer) -> list[Part]:
    begin, end = job["CreationTime"], job.get(kind.end)
    # What is delivered after the end belongs to it.
    end = end + timedelta(seconds=30) if end else None
    of_job = {f"{kind.noun}Name": name}
    own: list[Part] = []
    for metric in metrics.names(ctx, kind.group, of_job)[:_MOST_CHARTS]:
        own += metrics.parts(ctx, metric, [(metric, kind.group, metric, of_job, "Average")], begin, end)
    host = {"Host": f"{name}/algo-1"}
    usage = [
        (label, kind.group, metric, host, "Average")
        for label, metric in (("CPU", "CPUUtilization"), ("memory", "MemoryUtilization"), ("GPU", "GPUUtilization"))
    ]
    machine = metrics.parts(ctx, "Use of the machine, percent", usage, begin, end)
    return [*own, *machine] or [Note("No metric was published yet.")]


#: metrics of a job's log that are drawn.
_MOST_CHARTS = 6


def _of_kind(ctx: Context, key: str, name: str, job: Answer) -> list[Section]:
    makers: dict[str, Callable[[], list[Section]]] = {
        "training": lambda: [
            Section("Hyperparameters", lambda: _hyperparameters(job)),
            Section("Data", lambda: _training_data(job)),
        ],
        "processing": lambda: [Section("Data", lambda: _processing_data(job))],
        "transform": lambda: [Section("Data", lambda: _transform_data(job))],
        "tuning": lambda: [Section("Training jobs", lambda: _trials(ctx, name, job), live=True)],
        "automl": lambda: [Section("Leader board", lambda: _candidates(ctx, name, job), live=True)],
    }
    return makers[key]()


def _hyperparameters(job: Answer) -> list[Part]:
    found = sorted(job.get("HyperParameters", {}).items())
    finals = [(f"{each['MetricName']} (last)", each["Value"]) for each in job.get("FinalMetricDataList", [])]
    return [Facts([*found, *finals])] if found or finals else [Note("None.")]


def _data(rows: list[tuple[str, str, str]]) -> list[Part]:
    return [Table(("Direction", "Name", "Place"), [(way, name, uri_link(uri)) for way, name, uri in rows], "None.")]


def _training_data(job: Answer) -> list[Part]:
    rows = [
        ("in", each["ChannelName"], each["DataSource"].get("S3DataSource", {}).get("S3Uri", ""))
        for each in job.get("InputDataConfig", [])
    ]
    rows.append(("out", "model", job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")))
    if "CheckpointConfig" in job:
        rows.append(("out", "checkpoints", job["CheckpointConfig"]["S3Uri"]))
    return _data([row for row in rows if row[2]])


def _processing_data(job: Answer) -> list[Part]:
    rows = [
        ("in", each["InputName"], each.get("S3Input", {}).get("S3Uri", "")) for each in job.get("ProcessingInputs", [])
    ]
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
    rows += [("out", each["OutputName"], each.get("S3Output", {}).get("S3Uri", "")) for each in outputs]
    return _data([row for row in rows if row[2]])


def _transform_data(job: Answer) -> list[Part]:
    source = job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return _data([("in", "records", source), ("out", "predictions", job["TransformOutput"]["S3OutputPath"])])


def _trials(ctx: Context, name: str, job: Answer) -> list[Part]:
    found = ctx.client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=100, SortBy="FinalObjectiveMetricValue", SortOrder=_order(job)
    )
    rows = [
        (
            job_link("TrainingJob", each["TrainingJobName"]),
            Status(each["TrainingJobStatus"]),
            each.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
            texts([f"{key}={value}" for key, value in sorted(each["TunedHyperParameters"].items())]),
        )
        for each in found["TrainingJobSummaries"]
    ]
    counters = job.get("TrainingJobStatusCounters", {})
    return [Facts(sorted(counters.items())), Table(("Job", "Status", "Objective", "Hyperparameters"), rows)]


def _order(job: Answer) -> str:
    objective = job.get("HyperParameterTuningJobConfig", {}).get("HyperParameterTuningJobObjective", {})
    return "Ascending" if objective.get("Type") == "Minimize" else "Descending"


def _candidates(ctx: Context, name: str, job: Answer) -> list[Part]:
    found = ctx.client("sagemaker").list_candidates_for_auto_ml_job(AutoMLJobName=name, MaxResults=100)
    best = job.get("BestCandidate", {}).get("CandidateName")
    rows = []
    for each in found["Candidates"]:
        metric = each.get("FinalAutoMLJobObjectiveMetric", {})
        title = each["CandidateName"] + (" (best)" if each["CandidateName"] == best else "")
        rows.append((title, Status(each["CandidateStatus"]), metric.get("MetricName"), metric.get("Value")))
    rows.sort(key=lambda row: row[3] if row[3] is not None else float("-inf"), reverse=True)
    return [Table(("Candidate", "Status", "Metric", "Value"), rows, "No candidate was made yet.")]
