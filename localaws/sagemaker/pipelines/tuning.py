"""Tuning steps."""

from __future__ import annotations

from dataclasses import dataclass

from localaws.sagemaker.pipelines.jobs import JobKind
from localaws.sagemaker.pipelines.work import Record, Result, Work
from localaws.sagemaker.tuning import api as tuning_job

#: SageMaker's own limit on the name of a tuning job.
_LONGEST_NAME = 32
#: as many training jobs of a tuning job can be referred to.
_MOST_JOBS = 50


@dataclass(frozen=True, kw_only=True)
class Tuning(JobKind):
    """A tuning job, whose training jobs can be referred to as well, the best first."""

    def name(self, work: Work) -> str:
        """Short, and so without a beginning of its own."""
        return work.name("", _LONGEST_NAME)

    def result(self, work: Work, job: Record) -> Result:
        """Return the answers of Describe and of ListTrainingJobsForHyperParameterTuningJob."""
        objective = job["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective", {})
        asked = {
            "HyperParameterTuningJobName": job["HyperParameterTuningJobName"],
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Ascending" if objective.get("Type") == "Minimize" else "Descending",
            "MaxResults": _MOST_JOBS,
        }
        found = tuning_job.list_training_jobs_for_hyper_parameter_tuning_job(asked, work.ctx)
        return Result(self.metadata(work, job), {**job, "TrainingJobSummaries": found["TrainingJobSummaries"]})


TUNING = Tuning(
    type="Tuning",
    operation="CreateHyperParameterTuningJob",
    shown="TuningJob",
    described=("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
    cached=(
        "HyperParameterTuningJobConfig",
        "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges",
        "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters",
        "TrainingJobDefinition.TuningObjective",
        "TrainingJobDefinitions",
    ),
    start=tuning_job.begin,
    jobs=tuning_job.JOBS,
)
