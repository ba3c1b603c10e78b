"""The tuning jobs of a task: that of a run, and the last one before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amazon_ml.naming import RunKey, job_name, tags
from amazon_ml.specs.tuning import MAX_TUNING_LENGTH

if TYPE_CHECKING:
    from amazon_ml.hooks.sagemaker import SageMakerJobHook

KIND = "HyperParameterTuningJob"


def own_tuning_job(hook: SageMakerJobHook, key: RunKey) -> dict[str, Any] | None:
    """Return the description of the first tuning job that this task instance has started; None where it has not."""
    return hook.describe(KIND, _name(key))


def last_tuning_job(hook: SageMakerJobHook, key: RunKey) -> dict[str, Any] | None:
    """
    Return the description of the newest completed tuning job of the same task in another run; None without one.

    Its tags are in it, as ``{"Tags": {key: value}}``.
    """
    mine = {tag["Key"]: tag["Value"] for tag in tags(key)}
    # All runs of a task share what stands before the hash, with other tasks too: the tags tell.
    for summary in hook.completed_tuning_jobs(_name(key).rpartition("-")[0]):
        found = hook.tags_of(summary["HyperParameterTuningJobArn"])
        same = all(found.get(tag) == mine[tag] for tag in ("airflow:dag_id", "airflow:task_id"))
        if same and found.get("airflow:run_id") != mine["airflow:run_id"]:
            description = hook.describe(KIND, summary["HyperParameterTuningJobName"])
            if description is not None:
                return {**description, "Tags": found}
    return None


def channels(description: Mapping[str, Any]) -> dict[str, str]:
    """Return the input channels of a tuning job's training jobs: name -> S3 URI."""
    given = description["TrainingJobDefinition"].get("InputDataConfig", [])
    return {channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in given}


def parents(description: Mapping[str, Any]) -> list[str]:
    """Return the names of the tuning jobs that this one has started from."""
    given = description.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    return [parent["HyperParameterTuningJobName"] for parent in given]


def _name(key: RunKey) -> str:
    return job_name(key.dag_id, key.task_id, key.map_index, key.run_id, max_length=MAX_TUNING_LENGTH)
