"""UpdateTrainingJob: the profiler of a job that runs."""

from __future__ import annotations

import json
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ResourceNotFound, ValidationException
from localaws.core.operations import Service
from localaws.core.statuses import TERMINAL
from localaws.sagemaker.jobs.folder import JobFolder
from localaws.sagemaker.training import api as training
from localaws.sagemaker.training import profiling

training_job_update = Service("sagemaker", resource="training-job")

#: members that the profiler is set by.
_PROFILER = ("ProfilerConfig", "ProfilerRuleConfigurations")


@training_job_update.operation
def update_training_job(request: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Change the profiler's settings, turn it on or off, or add rules; the job's supervisor takes note at once."""
    for member in ("ResourceConfig", "RemoteDebugConfig"):
        if member in request:
            raise NotImplementedByLocalAws(f"{member} of UpdateTrainingJob is not implemented by localaws.")
    with ctx.store.transaction():
        record = ctx.store.find(training.KIND, request["TrainingJobName"])
        if record is None:
            raise ResourceNotFound("Requested resource not found.")
        record = training.JOBS.sync(record, ctx)
        status = record["TrainingJobStatus"]
        if status in {*TERMINAL, "Stopping"}:
            raise ValidationException(f"The training job is in status {status}: only one that runs can be updated.")
        _change(record, request, ctx)
    return {"TrainingJobArn": record["TrainingJobArn"]}


def _change(record: dict[str, Any], request: dict[str, Any], ctx: Context) -> None:
    now, added = ctx.now(), request.get("ProfilerRuleConfigurations", [])
    changed = {
        "ProfilerConfig": {**record.get("ProfilerConfig", {}), **request.get("ProfilerConfig", {})},
        "ProfilerRuleConfigurations": [*record.get("ProfilerRuleConfigurations", []), *added],
    }
    profiling.check(changed)
    told = [*record.get("ProfilerRuleEvaluationStatuses", []), *profiling.statuses(added, "InProgress", now)]
    members = {
        **{member: value for member, value in changed.items() if value},
        **profiling.begun(changed, now),
        **({"ProfilerRuleEvaluationStatuses": told} if told else {}),
        "LastModifiedTime": now,
    }
    name = record["TrainingJobName"]
    ctx.store.update(training.KIND, name, lambda stored: stored.update(members))
    path = JobFolder.of(ctx.home, training.KIND, name).profiler_settings
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(changed))
    partial.replace(path)
