"""SageMaker Autopilot: the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from amazon_ml.exceptions import BadResult
from amazon_ml.naming import MAX_AUTO_ML_LENGTH, RunKey
from amazon_ml.operators.job import SageMakerJobOperator
from amazon_ml.specs.auto_ml import AutoMLJobSpec, best_first, candidate_entry

if TYPE_CHECKING:
    from airflow.sdk import Context

#: candidates that go into XCom; an AutoML job may try 750.
MOST_CANDIDATES = 20


class AutoMLJobOperator(SageMakerJobOperator[AutoMLJobSpec]):
    """
    Let Autopilot find a model, exactly once per task instance; see :class:`SageMakerJobOperator`.

    Returns ``{"name", "arn", "status", "best": candidate, "candidates": [candidate, ...]}``, the candidates best first
    and twenty at most. A candidate is ``{"name", "status", "metric", "value", "training_seconds", "containers":
    [{"image", "model_data", "environment"}, ...]}``, and ``"failure_reason"`` where it has one; ``containers`` is what
    :class:`~amazon_ml.operators.model.ModelOperator` takes. Later tasks take ``task.best`` and ``task.candidates`` in
    templated fields and as arguments of ``@task`` functions; ``task.candidates`` can be expanded over.

    :param job: what to learn, and the limits.
    :param training: S3 URI of the rows to learn from. Templated.
    :param validation: S3 URI of rows to compare the candidates by; without it Autopilot sets some apart. Templated.
    :param output_uri: S3 prefix of models and notebooks; default ``s3://<bucket>/<prefix>/<dag id>/<job name>/``.
        Templated.
    :raises JobFailed: the job ended Failed or Stopped; with AWS's reason.
    :raises BadResult: it completed without a candidate.

    .. seealso:: CreateAutoMLJob and CreateAutoMLJobV2 in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (*SageMakerJobOperator.template_fields, "training", "validation", "output_uri")

    max_name_length = MAX_AUTO_ML_LENGTH

    def __init__(
        self,
        *,
        job: AutoMLJobSpec,
        training: str | XComArg,
        validation: str | XComArg | None = None,
        output_uri: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(job=job, **kwargs)
        # AWS describes what the first version made by the first version's members: each by its own.
        self.kind = "AutoMLJob" if job.version == 1 else "AutoMLJobV2"
        self.waiter = "auto_ml_job_finished" if job.version == 1 else "auto_ml_job_v2_finished"
        self.training = training
        self.validation = validation
        self.output_uri = output_uri

    @property
    def best(self) -> XComArg:
        """The best candidate, for later tasks."""
        return XComArg(self, key="best")

    @property
    def candidates(self) -> XComArg:
        """The candidates that completed, best first, for later tasks."""
        return XComArg(self, key="candidates")

    def log_streams(self, name: str) -> tuple[str, str]:
        """Autopilot's jobs carry the AutoML job's name in front of their own."""
        return "/aws/sagemaker/TrainingJobs", name

    def request(self, spec: AutoMLJobSpec, key: RunKey, name: str, code_uri: str) -> dict[str, Any]:
        """Return the CreateAutoMLJob request for this task instance."""
        return spec.to_request(
            name=name,
            dag_id=key.dag_id,
            training=str(self.training),
            validation=str(self.validation) if self.validation else None,
            output=self.output_uri,
        )

    def summarise(self, description: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Summarise the candidates: where their models are and how good they are."""
        name = description["AutoMLJobName"]
        found = best_first(list(self.hook.candidates(name)))
        candidates = [candidate_entry(candidate) for candidate in found[:MOST_CANDIDATES]]
        if len(found) > len(candidates):
            self.log.info("%s has %d candidates, of which the best %d are kept", name, len(found), len(candidates))
        completed = [candidate for candidate in candidates if candidate["status"] == "Completed"]
        if not completed:
            raise BadResult(f"AutoML job {name} completed without a candidate: {description.get('FailureReason', '')}")
        chosen = description.get("BestCandidate")
        best = candidate_entry(chosen) if chosen else completed[0]
        for candidate in candidates:
            self.log.info("%s: %s = %s, %s", *(candidate[member] for member in ("name", "metric", "value", "status")))
        context["ti"].xcom_push(key="best", value=best)
        context["ti"].xcom_push(key="candidates", value=completed)
        return {
            "name": name,
            "arn": description["AutoMLJobArn"],
            "status": description["AutoMLJobStatus"],
            "best": best,
            "candidates": candidates,
        }
