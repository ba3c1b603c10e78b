"""What the jobs of a run have cost, at its end: from what AWS describes of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from airflow.sdk import task

from amazon_ml.links.sagemaker import is_aws
from amazon_ml.naming import MAX_ATTEMPTS, job_name
from amazon_ml.operators.athena import AthenaQueryOperator
from amazon_ml.operators.auto_ml import AutoMLJobOperator
from amazon_ml.operators.endpoint import DeleteEndpointOperator, EndpointOperator
from amazon_ml.operators.feature_group import FeatureIngestOperator
from amazon_ml.operators.job import SageMakerJobOperator
from include.cost import prices, spent
from include.cost.bill import Line, dollars, shown, total

#: kind of job -> what its jobs have cost.
_SPENT = {"TrainingJob": spent.training, "ProcessingJob": spent.processing, "TransformJob": spent.transform}


def report_costs(dag: Any) -> None:
    """
    Give a DAG its last task, ``report_costs``: it tells what the run has cost, whatever became of it.

    Its result is ``{"usd", "lines": [{"task", "what", "usd"}, ...], "prices"}``. Skipped where nothing costs money.

    :param dag: with all of its other tasks.
    """
    last = dag.leaves
    # A teardown: a run that has failed stays failed though this task succeeds.
    last >> task(task_id="report_costs")(report)().as_teardown()


def report(ti: Any = None, dag: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """
    Log what this run has cost until now, and return it.

    :param ti: the task instance, which Airflow gives.
    :param dag: of the run, which Airflow gives.
    :param dag_run: the run, which Airflow gives.
    :raises AirflowSkipException: the run has started nothing that costs money.
    """
    from airflow.sdk.exceptions import AirflowSkipException

    from amazon_ml.hooks.sagemaker import SageMakerJobHook

    hook = SageMakerJobHook()
    bill = _Bill(hook, ti, dag, dag_run)
    lines = [line for each in dag.topological_sort() for line in bill.of(each)]
    if not lines:
        raise AirflowSkipException("the run has started nothing that costs money")
    where = hook.conn_client_meta.endpoint_url
    title = "This run has cost" if is_aws(where) else f"On AWS this run would have cost (it ran at {where})"
    notes = [f"By the {prices.date_and_region()}, and billable seconds. Storage, logs and requests are not counted."]
    for line in shown(title, lines, [*notes, *bill.standing]):
        print(line)
    listed = [{"task": line.task, "what": line.what, "usd": line.usd} for line in lines]
    return {"usd": round(total(lines), 6), "lines": listed, "prices": prices.date_and_region()}


class _Bill:
    """What AWS says of the tasks of a run."""

    def __init__(self, hook: Any, ti: Any, dag: Any, dag_run: Any) -> None:
        self.hook, self.ti, self.dag, self.dag_run = hook, ti, dag, dag_run
        self.standing: list[str] = []
        self._endpoints: set[str] = set()

    def of(self, each: Any) -> Iterator[Line]:
        """Yield what a task has cost."""
        if isinstance(each, SageMakerJobOperator):
            yield from self._jobs(each)
        elif isinstance(each, EndpointOperator):
            yield from self._endpoint(each)
        elif isinstance(each, AthenaQueryOperator) and (query := self._result(each.task_id)):
            yield spent.query(each.task_id, each.hook.get_conn().get_query_execution(QueryExecutionId=query))
        elif isinstance(each, FeatureIngestOperator) and (found := self._result(each.task_id)):
            yield spent.ingestion(each.task_id, int(found["records"]))

    def _jobs(self, each: Any) -> list[Line]:
        """Return what the jobs of a task have cost: all attempts are billed, those that failed too."""
        found = [description for index in self._indices(each) for description in self._attempts(each, index)]
        if each.kind == "HyperParameterTuningJob":
            children = (
                summary["TrainingJobName"]
                for job in found
                for summary in self.hook.training_jobs_of(job["HyperParameterTuningJobName"])
            )
            return spent.training(each.task_id, [self.hook.require("TrainingJob", name) for name in children])
        if isinstance(each, AutoMLJobOperator):
            return self._candidates(each.task_id, found)
        return _SPENT[each.kind](each.task_id, found)

    def _candidates(self, task_id: str, jobs: list[Mapping[str, Any]]) -> list[Line]:
        """Return what the jobs have cost that Autopilot has started for its candidates."""
        started = {
            (step["CandidateStepType"].rpartition("::")[2], step["CandidateStepName"])
            for job in jobs
            for candidate in self.hook.candidates(job["AutoMLJobName"])
            for step in candidate.get("CandidateSteps", [])
        }
        lines: list[Line] = []
        for kind, lines_of in _SPENT.items():
            names = sorted(name for found, name in started if found == kind)
            lines += lines_of(task_id, [self.hook.require(kind, name) for name in names])
        return lines

    def _attempts(self, each: Any, index: int) -> Iterator[Mapping[str, Any]]:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            name = job_name(
                self.dag.dag_id, each.task_id, index, self.dag_run.run_id, attempt, max_length=each.max_name_length
            )
            description = self.hook.describe(each.kind, name)
            if description is None:
                return
            yield description

    def _indices(self, each: Any) -> Iterator[int]:
        """Yield the map indices of a task: as many as have a job."""
        if next(each.iter_mapped_task_groups(), None) is None:
            yield -1
            return
        for index in count():
            if next(self._attempts(each, index), None) is None:
                return
            yield index

    def _endpoint(self, each: Any) -> Iterator[Line]:
        """Yield what the endpoints of a task have cost since the run began."""
        for index in self._deployed(each):
            result = self._result(each.task_id, index)
            # A later task that changes the same endpoint costs nothing of its own.
            if result["name"] in self._endpoints:
                continue
            self._endpoints.add(result["name"])
            seconds = self._lived(each, result, index)
            if seconds is None:
                yield Line(each.task_id, f"how long endpoint {result['name']} was there is not known", None)
            else:
                yield from spent.hosting(each.task_id, result["variants"], seconds)

    def _deployed(self, each: Any) -> Iterator[int]:
        """Yield the map indices of a task that have deployed an endpoint."""
        mapped = next(each.iter_mapped_task_groups(), None) is not None
        for index in count() if mapped else [-1]:
            if self._result(each.task_id, index) is None:
                return
            yield index

    def _lived(self, each: Any, result: Mapping[str, Any], index: int) -> float | None:
        """Return how long there has been an endpoint in this run; None where nobody knows."""
        now, began = datetime.now(UTC), self.dag_run.start_date
        for other in self.dag.tasks:
            if isinstance(other, DeleteEndpointOperator) and str(other.endpoint_name) == str(each.endpoint_name):
                seconds = self._result(other.task_id, index, key="lived_seconds")
                if seconds is not None:
                    since_start: float = (now - began).total_seconds()
                    return min(float(seconds), since_start)
        description = self.hook.describe("Endpoint", result["name"])
        if description is None:
            return None
        hour = total(spent.hosting("", result["variants"], 3600))
        self.standing.append(
            f"Endpoint {result['name']} is there, and costs {dollars(hour)} an hour ({dollars(24 * hour)} a day)."
        )
        since: datetime = max(description["CreationTime"], began)
        return (now - since).total_seconds()

    def _result(self, task_id: str, index: int = -1, key: str = "return_value") -> Any:
        """Return an XCom of a task of this run; None without one."""
        indices = {"map_indexes": index} if index >= 0 else {}
        return self.ti.xcom_pull(task_ids=task_id, key=key, **indices)
