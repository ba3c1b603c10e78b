"""SageMaker hyperparameter tuning jobs. Their children are ordinary training jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localaws.core import pagination, reconciler
from localaws.core.context import Context
from localaws.core.errors import ResourceInUse, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.experiments import trials as lineage_trials
from localaws.sagemaker.tags import api as tags
from localaws.sagemaker.tuning import definition, machine, trials, warm_start
from localaws.sagemaker.tuning.search import KIND

tuning_job = Service("sagemaker", resource="hyper-parameter-tuning-job")

Record = dict[str, Any]

_NAME, _STATUS = "HyperParameterTuningJobName", "HyperParameterTuningJobStatus"

reconciler.register(reconciler.Resource(KIND, _NAME, _STATUS, machine.advance, machine.fail))


class TuningResource:
    """What a service that starts tuning jobs does with one: the counterpart of a job's JobResource."""

    kind = KIND
    prefix = "HyperParameterTuningJob"

    @staticmethod
    def name(record: Record) -> str:
        """Return the job's name."""
        return str(record[_NAME])

    @staticmethod
    def status(record: Record) -> str:
        """Return the job's status."""
        return str(record[_STATUS])

    def shown(self, record: Record, ctx: Context) -> Record:
        """Return the record as it is now."""
        return ctx.store.get(KIND, self.name(record)) or record

    def stop(self, record: Record, ctx: Context) -> None:
        """
        Ask a job to stop, and with it the training jobs that run.

        :raises ValidationException: it has ended.
        """

        def change(stored: Record) -> None:
            if self.status(stored) in TERMINAL:
                raise ValidationException(_rejected(stored))
            stored |= {_STATUS: "Stopping", "LastModifiedTime": ctx.now()}

        ctx.store.update(KIND, self.name(record), change)
        reconciler.poke()


#: what there is to do with any tuning job.
JOBS = TuningResource()


@tuning_job.operation
def create_hyper_parameter_tuning_job(request: Record, ctx: Context) -> Record:
    """Start a job. Errors after this point appear in FailureReason."""
    return {"HyperParameterTuningJobArn": begin(request, ctx)["HyperParameterTuningJobArn"]}


def begin(request: Record, ctx: Context, **members: Any) -> Record:
    """
    Start a tuning job for another service; the record.

    :param members: further members of the Describe answer.
    :raises ResourceInUse: the name is taken.
    :raises ValidationException: the request contradicts itself, or no container could do it.
    :raises NotImplementedByLocalAws: it asks for what is not here.
    """
    what = definition.of(request, ctx)
    name = request[_NAME]
    arn = ctx.arn("sagemaker", f"hyper-parameter-tuning-job/{name}")
    now = ctx.now()
    record = {
        **{key: value for key, value in request.items() if key != "Tags"},
        **members,
        **definition.with_metrics(request),
        "HyperParameterTuningJobArn": arn,
        _STATUS: "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
        **trials.counters([]),
        "_Definition": what,
        "_Trials": [],
    }
    with ctx.store.transaction():
        if ctx.store.spelling(KIND, name) is not None:
            raise ResourceInUse(
                "Hyperparameter tuning job names must be unique within an AWS account and region, and a job with this "
                f"name already exists ({arn})"
            )
        ctx.store.insert(KIND, name, record)
        tags.put(ctx, arn, request.get("Tags", []))
        lineage_trials.begin(ctx, "TuningJobArn", name, arn)
    reconciler.poke()
    return record


def find(name: str, ctx: Context) -> Record:
    """
    Return the record of a job.

    :raises ResourceNotFound: there is none.
    """
    record = ctx.store.find(KIND, name)
    if record is None:
        raise ResourceNotFound(
            f"Amazon SageMaker can't find a tuning job with the name {name}. Review the job name and try your request "
            "again."
        )
    return record


@tuning_job.operation
def describe_hyper_parameter_tuning_job(request: Record, ctx: Context) -> Record:
    """Return the job, its counters, the best training job so far and, of a warm start, the best of all."""
    record = find(request[_NAME], ctx)
    until = record.get("HyperParameterTuningEndTime") or ctx.now()
    seconds = int((until - record["CreationTime"]).total_seconds())
    best = warm_start.overall_best(record, ctx)
    return {
        **record,
        "ConsumedResources": {"RuntimeInSeconds": seconds},
        **({"OverallBestTrainingJob": best} if best else {}),
    }


@tuning_job.operation
def list_hyper_parameter_tuning_jobs(request: Record, ctx: Context) -> Record:
    """Return jobs by name, status and time."""
    chosen = pagination.select(ctx.store.all(KIND), request, name=_NAME, status=_STATUS, by="Name", order="Ascending")
    found, more = pagination.page(chosen, request)
    return {"HyperParameterTuningJobSummaries": [_summary(record) for record in found], **more}


@tuning_job.operation
def list_training_jobs_for_hyper_parameter_tuning_job(request: Record, ctx: Context) -> Record:
    """List the training jobs of a tuning job, by name unless SortBy says otherwise."""
    record = find(request[_NAME], ctx)
    found = trials.look_at_all(record, ctx)
    if status := request.get("StatusEquals"):
        found = [trial for trial in found if trial["TrainingJobStatus"] == status]
    by = request.get("SortBy", "Name")
    if by == "FinalObjectiveMetricValue":
        # AWS, too, leaves out those that returned none.
        found = [trial for trial in found if trials.value(trial) is not None]
    found.sort(key=_ORDERS[by], reverse=request.get("SortOrder") == "Descending")
    page, more = pagination.page(found, request)
    return {"TrainingJobSummaries": page, **more}


@tuning_job.operation
def stop_hyper_parameter_tuning_job(request: Record, ctx: Context) -> Record:
    """Stop a job and the training jobs that run; what was found stays."""
    JOBS.stop(find(request[_NAME], ctx), ctx)
    return {}


@tuning_job.operation
def delete_hyper_parameter_tuning_job(request: Record, ctx: Context) -> Record:
    """Forget a job that has ended; its training jobs stay. One that is not there is no fault."""
    record = ctx.store.find(KIND, request[_NAME])
    if record is None:
        return {}
    if JOBS.status(record) not in TERMINAL:
        raise ValidationException(_rejected(record))
    tags.forget(ctx, record["HyperParameterTuningJobArn"])
    ctx.store.delete(KIND, record[_NAME])
    return {}


_ORDERS: dict[str, Callable[[Record], Any]] = {
    "Name": lambda trial: trial["TrainingJobName"],
    "CreationTime": lambda trial: trial["CreationTime"],
    "Status": lambda trial: trial["TrainingJobStatus"],
    "FinalObjectiveMetricValue": trials.value,
}


def _summary(record: Record) -> Record:
    config = record["HyperParameterTuningJobConfig"]
    return {**record, "Strategy": config["Strategy"], "ResourceLimits": config["ResourceLimits"]}


def _rejected(record: Record) -> str:
    return f"The request was rejected because the hyperparameter tuning job is in status {record[_STATUS]}."
