"""
What a run will cost on AWS: an estimate from the DAG's own tasks, before it starts.

The estimate is in the trigger form, as the description of the param ``max_cost``, and in the log of the first task,
with the params of the run. It counts every task of the DAG once; what a run skips costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow.providers.amazon.aws.operators.glue_crawler import GlueCrawlerRunOperator
from airflow.sdk import Param, task

from amazon_ml.operators.athena import AthenaQueryOperator
from amazon_ml.operators.auto_ml import AutoMLJobOperator
from amazon_ml.operators.clarify import ClarifyBiasOperator
from amazon_ml.operators.endpoint import EndpointOperator
from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.feature_group import FeatureIngestOperator
from amazon_ml.operators.pipeline_execution import PipelineExecutionOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.operators.transform import TransformJobOperator
from amazon_ml.operators.tuning import TuningJobOperator
from amazon_ml.specs.algorithm import AlgorithmJobSpec
from include.cost import estimate, prices
from include.cost.bill import Line, amount, dollars, instances, shown, total, without_price

#: use -> botocore's list of the instance types that SageMaker has for it.
_TYPES = {
    "processing": "ProcessingInstanceType",
    "training": "TrainingInstanceType",
    "hosting": "ProductionVariantInstanceType",
    "transform": "TransformInstanceType",
}
_USES = {
    "processing": (ProcessingJobOperator, ClarifyBiasOperator),
    "training": (TrainingJobOperator, TuningJobOperator),
    "transform": (TransformJobOperator,),
}
_PARAM = re.compile(r"\{\{ params\.(\w+) \}\}")


#: param of every DAG.
MAX_COST = "max_cost"


def show(dag: Any) -> None:
    """
    Put the estimate of a run with the DAG's defaults into its trigger form and its documentation.

    It gives the DAG the param ``max_cost``: a run that is expected to cost more is refused by its first task.

    :param dag: with all of its tasks.
    """
    run = _Run(dag, dag.params.dump(), estimate.assumed()["reviews"])
    lines = list(run.lines())
    dearest = sorted(lines, key=lambda line: -(line.usd or 0))[:3]
    parts = ", ".join(f"{line.task} {dollars(line.usd or 0)}" for line in dearest)
    standing = f" Its endpoint then costs {dollars(hour)} an hour." if (hour := run.standing()) else ""
    text = (
        f"A run with these defaults costs about {amount(lines)} on AWS, at most where it skips nothing ({parts})."
        f"{standing} By the {prices.date_and_region()}, and assumed run times for {run.reviews:,} reviews."
    )
    dag.params[MAX_COST] = Param(
        None,
        type=["number", "null"],
        minimum=0,
        title="Most that the run may cost, USD",
        description=f"A run whose estimate is higher starts nothing. {text}",
    )
    dag.doc_md = f"{dag.doc_md}\n**Cost.** {text} The log of the first task has the estimate of each run.\n"


def estimated(params: Any = None, dag: Any = None) -> dict[str, Any]:
    """
    Log what this run is expected to cost, for a task of its own at a DAG's start.

    :param params: of the run, which Airflow gives.
    :param dag: of the run, which Airflow gives.
    """
    # A sample, where the run takes one; the reviews themselves are not there yet.
    return check(dag, params, params.get("max_reviews") or estimate.assumed()["reviews"])


def estimate_cost() -> Any:
    """Return the first task of a DAG that does not begin with ``find_reviews``: it tells what the run will cost."""
    return task(task_id="estimate_cost")(estimated)()


def check(dag: Any, params: Mapping[str, Any], reviews: int) -> dict[str, Any]:
    """
    Log what a run is expected to cost; ``{"usd", "reviews", "prices"}``.

    :param reviews: that there are.
    :raises AirflowFailException: SageMaker does not have an instance type, or the run would cost more than its param
        ``max_cost``. Nothing is tried again.
    """
    from airflow.sdk.exceptions import AirflowFailException

    run = _Run(dag, params, reviews)
    for use, kind in dict.fromkeys(run.machines()):
        if kind not in _known(use):
            raise AirflowFailException(
                f"SageMaker has no instance type {kind!r} for {use}: nothing was started. Set another one: docs/aws.md "
                "has the variables"
            )
    lines = list(run.lines())
    notes = [
        f"By the {prices.date_and_region()}, and assumed run times for {reviews:,} reviews: include/data/.",
        "Every task is counted; what the run skips costs nothing. Storage, logs and requests are not counted.",
    ]
    if hour := run.standing():
        notes.append(f"The endpoint that the run leaves costs {dollars(hour)} an hour ({dollars(24 * hour)} a day).")
    for line in shown("This run is expected to cost on AWS", lines, notes):
        print(line)
    usd, most = total(lines), params.get(MAX_COST)
    if most is not None and (usd > most or without_price(lines)):
        raise AirflowFailException(
            f"the run is expected to cost {amount(lines)}, more than max_cost of {dollars(most)} allows: nothing was "
            "started"
        )
    return {"usd": round(usd, 4), "reviews": reviews, "prices": prices.date_and_region()}


def _known(use: str) -> list[str]:
    """Return the instance types that SageMaker has for a use."""
    from botocore.session import Session

    model = Session().get_service_model("sagemaker")
    return list(model.shape_for(_TYPES[use]).enum)


class _Run:
    """
    A run of a DAG as it is expected.

    :param params: of the run.
    :param reviews: that there are.
    """

    def __init__(self, dag: Any, params: Mapping[str, Any], reviews: int) -> None:
        self.dag, self.params, self.reviews = dag, params, reviews

    def lines(self) -> Iterator[Line]:
        """Yield what each task costs that costs something."""
        endpoints: list[Any] = []
        for each in self.dag.topological_sort():
            if isinstance(each, EndpointOperator):
                # A later task that changes the same endpoint costs nothing of its own.
                if each.endpoint_name not in endpoints:
                    endpoints.append(each.endpoint_name)
                    yield from self._endpoint(each)
                continue
            for kind, lines in _LINES.items():
                if isinstance(each, kind):
                    yield from lines(self, each)

    def machines(self) -> Iterator[tuple[str, str]]:
        """Yield use and instance type of all that the run starts; without what another task is to decide."""
        for each in self.dag.tasks:
            for use, kind in self._machines(each):
                if "{{" not in (found := str(self._value(kind))):
                    yield use, found

    def _machines(self, each: Any) -> Iterator[tuple[str, Any]]:
        for use, kinds in _USES.items():
            if isinstance(each, kinds):
                yield use, each.job.instance_type
        if isinstance(each, EndpointOperator):
            yield from (("hosting", kind) for kind, _ in _variants(each))
        elif isinstance(each, PipelineExecutionOperator):
            yield "processing", each.parameters["ProcessingInstanceType"]
            yield "training", each.parameters["TrainInstanceType"]

    def standing(self) -> float:
        """Return USD an hour of endpoints that the run leaves behind: where the param ``keep_endpoint`` is on."""
        if not self.params.get("keep_endpoint"):
            return 0.0
        *_, last = (each for each in self.dag.topological_sort() if isinstance(each, EndpointOperator))
        return total(instances("", "hosting", kind, 3600, count) for kind, count in _variants(last))

    def _processing(self, each: Any) -> Iterator[Line]:
        kind, count = self._cluster(each)
        use = "transform" if isinstance(each, TransformJobOperator) else "processing"
        yield instances(each.task_id, use, kind, self._seconds(each), count, self._times(each))

    def _training(self, each: Any) -> Iterator[Line]:
        kind, count = self._cluster(each)
        seconds = (
            estimate.blazingtext_seconds()
            if isinstance(each.job, AlgorithmJobSpec)
            else estimate.training_seconds(kind, self.params, self.reviews, count)
        )
        yield instances(each.task_id, "training", kind, seconds, count)

    def _tuning(self, each: Any) -> Iterator[Line]:
        kind, count = self._cluster(each)
        seconds = estimate.training_seconds(kind, self.params, self.reviews, count)
        yield instances(each.task_id, "training", kind, seconds, count, int(self._value(each.job.max_jobs)))

    def _auto_ml(self, each: Any) -> Iterator[Line]:
        most = int(self._value(each.job.max_runtime_per_training_job))
        yield estimate.autopilot(each.task_id, int(self._value(each.job.max_candidates)), most)

    def _pipeline(self, each: Any) -> Iterator[Line]:
        given = each.parameters
        for step, job in (("Processing", "features"), ("EvaluateModel", "evaluate")):
            seconds = estimate.processing_seconds(job, self.reviews)
            yield instances(f"{each.task_id}: {step}", "processing", given["ProcessingInstanceType"], seconds)
        kind = given["TrainInstanceType"]
        seconds = estimate.training_seconds(kind, self.params, self.reviews)
        yield instances(f"{each.task_id}: Train", "training", kind, seconds)

    def _endpoint(self, each: Any) -> Iterator[Line]:
        """Yield what an endpoint costs while the run has it: for its creation, and what is behind it."""
        behind = each.get_flat_relatives(upstream=False)
        seconds = estimate.assumed()["endpoint_seconds"] + sum(self._seconds(other) for other in behind)
        for kind, count in _variants(each):
            yield instances(each.task_id, "hosting", kind, seconds, count, self._times(each))

    def _seconds(self, each: Any) -> float:
        """Return how long a task is expected to take, as far as it holds up an endpoint."""
        for kinds, job in ((ClarifyBiasOperator, "clarify"), (TransformJobOperator, "batch_transform")):
            if isinstance(each, kinds):
                return estimate.processing_seconds(job, self.reviews, self._cluster(each)[1])
        if isinstance(each, ProcessingJobOperator):
            job = str(each.job.entry_point).removesuffix(".py")
            return estimate.processing_seconds(job, self.reviews, self._cluster(each)[1])
        if isinstance(each, InvokeEndpointBatchOperator):
            if each.rate is not None:
                return float(self.params.get("load_minutes", 0)) * 60
            return estimate.asking_seconds(self.reviews)
        return 0.0

    def _times(self, each: Any) -> int:
        """Return how often a task is expected to run; what is mapped is so over the candidates of Autopilot."""
        mapped = next(each.iter_mapped_task_groups(), None) is not None
        return int(self.params.get("max_candidates", 1)) if mapped else 1

    def _cluster(self, each: Any) -> tuple[str, int]:
        """Return type and number of a job's instances; one, where another task is to decide."""
        count = str(self._value(each.job.instance_count))
        return str(self._value(each.job.instance_type)), int(count) if count.isdecimal() else 1

    def _value(self, value: Any) -> Any:
        """Return a value, or that of the param which it is a template of."""
        found = _PARAM.fullmatch(str(value))
        return self.params[found[1]] if found else value


_LINES: dict[Any, Callable[[_Run, Any], Iterator[Line]]] = {
    ProcessingJobOperator: _Run._processing,
    ClarifyBiasOperator: _Run._processing,
    TransformJobOperator: _Run._processing,
    TrainingJobOperator: _Run._training,
    TuningJobOperator: _Run._tuning,
    AutoMLJobOperator: _Run._auto_ml,
    PipelineExecutionOperator: _Run._pipeline,
    AthenaQueryOperator: lambda _, each: iter([estimate.query(each.task_id)]),
    GlueCrawlerRunOperator: lambda _, each: iter([estimate.crawl(each.task_id)]),
    FeatureIngestOperator: lambda run, each: iter([estimate.ingestion(each.task_id, run.reviews)]),
}


def _variants(each: Any) -> list[tuple[str, int]]:
    """Return instance type and number of instances of an endpoint's variants."""
    if each.variants:
        return [(variant["instance_type"], int(variant.get("instances", 1))) for variant in each.variants]
    return [(each.instance_type, int(each.instance_count))]
