"""SageMaker hyperparameter tuning jobs: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.exceptions import BadResult, JobFailed, RequestRefused
from amazon_ml.naming import RunKey
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.tuning import MAX_TUNING_LENGTH, TuningJobSpec, best_first, objective_of, trial_entry

if TYPE_CHECKING:
    from airflow.sdk import Context

#: training jobs that go into XCom; a tuning job may start 750.
MOST_TRIALS = 20


class TuningJobOperator(SageMakerJobOperator[TuningJobSpec]):
    """
    Search for the best hyperparameters, exactly once per task instance; see :class:`SageMakerJobOperator`.

    Returns ``{"name", "arn", "status", "metric", "best": trial, "model_data": S3 URI, "training_jobs": [trial, ...]}``,
    the training jobs best first and twenty at most. A trial is ``{"name", "status", "value", "hyperparameters": {str:
    str}, "seconds"}``, and ``"definition"`` and ``"failure_reason"`` where it has one. Later tasks take ``task.best``
    and ``task.model_data``, the best training job and its ``model.tar.gz``, in templated fields, and depend on this
    task by them.

    :param job: image, script and resources of each training job, strategy and limits.
    :param ranges: hyperparameter -> :func:`~amazon_ml.specs.tuning.continuous`, ``integer`` or
        :func:`~amazon_ml.specs.tuning.categorical`. Templated.
    :param metric_regexes: metric name -> regex with one group, read from each log; ``job.objective_metric`` is one.
    :param channels: input channel -> S3 URI. Templated.
    :param hyperparameters: the same for all training jobs. Templated.
    :param definitions: name -> ``{"ranges": ..., "hyperparameters": ...}``, for a search of its own each; they add to
        those of all. Templated.
    :raises RequestRefused: a range that holds nothing, an objective without a regex, a warm start from a job that does
        not exist, and what AWS refuses.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason.
    :raises BadResult: training jobs completed, and no log had the metric.

    .. seealso:: CreateHyperParameterTuningJob in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerJobOperator.template_fields,
        "ranges",
        "channels",
        "hyperparameters",
        "definitions",
    )
    template_fields_renderers = dict.fromkeys(("ranges", "channels", "hyperparameters", "definitions", "tags"), "json")

    kind = "HyperParameterTuningJob"
    waiter = "tuning_job_finished"
    max_name_length = MAX_TUNING_LENGTH

    def __init__(
        self,
        *,
        job: TuningJobSpec,
        ranges: Mapping[str, Mapping[str, Any]],
        metric_regexes: Mapping[str, str],
        channels: Mapping[str, str] | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        definitions: Mapping[str, Mapping[str, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, **kwargs)
        self.ranges = dict(ranges)
        self.metric_regexes = dict(metric_regexes)
        self.channels = dict(channels or {})
        self.hyperparameters = dict(hyperparameters or {})
        self.definitions = dict(definitions or {})

    @property
    def best(self) -> XComArg:
        """The best training job, for later tasks."""
        return XComArg(self, key="best")

    @property
    def model_data(self) -> XComArg:
        """S3 URI of the best training job's ``model.tar.gz``, for later tasks."""
        return XComArg(self, key="model_data")

    def log_streams(self, name: str) -> tuple[str, str]:
        """Return the log group and the prefix of its streams: training jobs' names begin with the tuning job's."""
        return "/aws/sagemaker/TrainingJobs", f"{name}-"

    def request(self, spec: TuningJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateHyperParameterTuningJob request for this task instance."""
        return spec.to_tuning_request(
            name=name,
            dag_id=key.dag_id,
            code_uri=code_uri,
            region=self.hook.conn_region_name,
            channels=self.channels,
            ranges=self.ranges,
            hyperparameters=self.hyperparameters,
            metric_regexes=self.metric_regexes,
            definitions=self.definitions,
        )

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the training jobs with their metrics, and the URI of the best one's model."""
        name = description["HyperParameterTuningJobName"]
        objective, _ = objective_of(description)
        found = [trial_entry(summary) for summary in self.hook.training_jobs_of(name)]
        trials = best_first(found, objective["Type"])
        if "BestTrainingJob" not in description:
            raise self._no_objective(description)
        for trial in trials:
            self.log.info("%s: %s, %s", *(trial[member] for member in ("name", "value", "hyperparameters")))
        best = trial_entry(description["BestTrainingJob"])
        trained = self.hook.describe("TrainingJob", best["name"])
        if trained is None:
            raise BadResult(f"The best training job {best['name']} of tuning job {name} no longer exists")
        model_data = trained["ModelArtifacts"]["S3ModelArtifacts"]
        context["ti"].xcom_push(key="best", value=best)
        context["ti"].xcom_push(key="model_data", value=model_data)
        return {
            "name": name,
            "arn": description["HyperParameterTuningJobArn"],
            "status": description["HyperParameterTuningJobStatus"],
            "metric": objective["MetricName"],
            "best": best,
            "model_data": model_data,
            "training_jobs": trials[:MOST_TRIALS],
        }

    def _create(self, spec: TuningJobSpec, name: str, code_uri: str) -> dict[str, Any]:
        for parent in spec.parents:
            if self.hook.describe(self.kind, parent) is None:
                raise RequestRefused(f"Tuning job {name} cannot start from {parent}: there is no such tuning job")
        return super()._create(spec, name, code_uri)

    def _failure(self, name: str, description: Mapping[str, Any]) -> JobFailed | BadResult:
        """Tell an objective that no log had from training jobs that failed: a retry would find the same."""
        completed = description.get("TrainingJobStatusCounters", {}).get("Completed", 0)
        if self._status(description) == "Failed" and completed and "BestTrainingJob" not in description:
            return self._no_objective(description)
        return super()._failure(name, description)

    def _no_objective(self, description: Mapping[str, Any]) -> BadResult:
        name = description["HyperParameterTuningJobName"]
        objective, regex = objective_of(description)
        group, streams = self.log_streams(name)
        return BadResult(
            f"No training job of tuning job {name} had the objective {objective['MetricName']}: its regex {regex!r} "
            f"matched no line of the logs {group} {streams}*"
        )
