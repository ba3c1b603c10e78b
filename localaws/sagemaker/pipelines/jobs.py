"""Steps that are a job of SageMaker: Processing, Training and Transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from localaws.core.context import Context
from localaws.core.errors import AwsError
from localaws.sagemaker.pipelines import failures, shapes
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.experiment import arguments
from localaws.sagemaker.pipelines.work import Job, Record, Result, Work, request
from localaws.sagemaker.processing import api as processing
from localaws.sagemaker.training import api as training
from localaws.sagemaker.transform import api as transform_job

#: the member of a job's record that names the attempt which began it.
ATTEMPT = "_PipelineStep"


class Jobs(Protocol):
    """What the service of a kind of jobs offers, such as a :class:`localaws.sagemaker.jobs.resource.JobResource`."""

    @property
    def kind(self) -> str:
        """In the store."""

    @property
    def prefix(self) -> str:
        """Of the members for name, ARN and status."""

    def status(self, record: Record) -> str:
        """Return the job's primary status."""

    def shown(self, record: Record, ctx: Context) -> Record:
        """Return the job as it is now."""

    def stop(self, record: Record, ctx: Context) -> None:
        """Ask it to stop."""


@dataclass(frozen=True, kw_only=True)
class JobKind(Job):
    """
    A type of steps that is one kind of jobs.

    :param operation: that creates the job.
    :param shown: the member of a step's Metadata.
    :param start: creates the job for another service.
    """

    type: str
    operation: str
    shown: str
    described: tuple[str, ...]
    properties: tuple[str, ...] = ()
    cached: tuple[str, ...]
    start: Callable[..., Record]
    jobs: Jobs

    def check(self, step: Step) -> None:
        """Check that the arguments are those of the operation."""
        shapes.check(self.operation, step, made=f"{self.jobs.prefix}Name")

    def begin(self, work: Work) -> Record:
        """Start the job; one that the attempt has started is taken as it is."""
        name = self.name(work)
        found = work.ctx.store.get(self.jobs.kind, name)
        if found is not None and found.get(ATTEMPT) == work.id:
            return found
        asked = request(self.operation, {**arguments(self.operation, work), f"{self.jobs.prefix}Name": name})
        try:
            return self.start(asked, work.ctx, **{ATTEMPT: work.id})
        except AwsError as error:
            raise failures.of_call(self.operation, error) from error

    def name(self, work: Work) -> str:
        """Return the job's name, which begins with the name in the arguments if there is one."""
        given = work.arguments.get(f"{self.jobs.prefix}Name")
        # What Execution.TrainingJobName is must be known before expressions are resolved: so one has no beginning.
        return work.name(given) if isinstance(given, str) and given else work.name()

    def look(self, name: str, ctx: Context) -> Record | None:
        """Return the job's record, updated from its directory, or ``None``."""
        record = ctx.store.get(self.jobs.kind, name)
        return None if record is None else self.jobs.shown(record, ctx)

    def status(self, job: Record) -> str:
        """As its service has it."""
        return self.jobs.status(job)

    def stop(self, job: Record, ctx: Context) -> None:
        """Unless it stops or has ended."""
        if self.jobs.status(job) == "InProgress":
            self.jobs.stop(job, ctx)

    def child(self, job: Record) -> tuple[str, str]:
        """Return where the store has it."""
        return self.jobs.kind, job[f"{self.jobs.prefix}Name"]

    def metadata(self, work: Work, job: Record) -> Record:
        """Return its ARN."""
        return {self.shown: {"Arn": job[f"{self.jobs.prefix}Arn"]}}

    def result(self, work: Work, job: Record) -> Result:
        """Return the Describe answer."""
        return Result(self.metadata(work, job), job)


PROCESSING = JobKind(
    type="Processing",
    operation="CreateProcessingJob",
    shown="ProcessingJob",
    described=("DescribeProcessingJob",),
    cached=("AppSpecification", "Environment", "ProcessingInputs"),
    start=processing.begin,
    jobs=processing.JOBS,
)
TRAINING = JobKind(
    type="Training",
    operation="CreateTrainingJob",
    shown="TrainingJob",
    described=("DescribeTrainingJob",),
    cached=(
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    start=training.begin,
    jobs=training.JOBS,
)
TRANSFORM = JobKind(
    type="Transform",
    operation="CreateTransformJob",
    shown="TransformJob",
    described=("DescribeTransformJob",),
    cached=("DataProcessing", "Environment", "ModelName", "TransformInput"),
    start=transform_job.begin,
    jobs=transform_job.JOBS,
)


def reason(job: Record) -> str:
    """Return why a job has failed, in its own words."""
    words = [job.get("FailureReason"), job.get("ExitMessage")]
    return ": ".join(dict.fromkeys(str(word) for word in words if word)) or "The job failed."
