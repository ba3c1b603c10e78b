"""Executions of SageMaker Pipelines: the operator."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import XComArg

from amazon_ml.exceptions import JobFailed, PipelineRejected, RequestRefused
from amazon_ml.naming import RunKey, client_token, job_name
from amazon_ml.openlineage import of_job
from amazon_ml.operators.base import is_true
from amazon_ml.operators.job import LOG_GROUPS
from amazon_ml.operators.run import SageMakerRunOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

#: executions that are looked through for those of this task instance, newest first.
_EXECUTIONS = 1000


class PipelineExecutionOperator(SageMakerRunOperator):
    """
    Run a pipeline, one execution per task instance whatever its tries.

    The execution's display name is a function of DAG, task, map index and run. Each try first looks for the last
    execution of that name, and waits for one that runs, takes the result of one that succeeded with the same definition
    and parameters, and starts the next attempt where it failed or was stopped. Two tries at the same time share a
    ClientRequestToken, for which AWS starts one execution. What a user ends is stopped, see
    :class:`SageMakerRunOperator`. Each change of a step's state is a line in the task's log.

    Returns ``{"arn", "name", "pipeline", "status", "seconds", "steps"}``, steps being name -> ``{"kind", "status",
    "arn", "cached", "seconds"}``: the job, model or package of the step, and for a condition its ``"outcome"`` in place
    of the ARN. Later tasks take ``task.arn_of("RegisterModel")`` in templated fields, and depend on this task by it.

    :param pipeline_name: the pipeline. Templated.
    :param parameters: by name; what is None keeps the definition's default. Handed over as text. Templated.
    :param wait_for_completion: off, the task ends when the execution has started, with ``{"arn", "name", "pipeline",
        "status"}``, and no longer stops it. One that has succeeded by an earlier try gives its whole result.
    :param durable: wait for, or take the result of, what an earlier try has started, as above. Off, each try starts an
        execution of its own, after it has stopped one that still runs.
    :param force: run again even where an execution has succeeded with the same definition and parameters. Templated.
    :param timeout: of the try; then the execution is stopped.
    :param extra: further members of StartPipelineExecution, such as SelectiveExecutionConfig.
    :raises JobFailed: the execution ended Failed or Stopped; with the reason of the step that failed, the last lines of
        its job in the task's log.
    :raises PipelineRejected: it reached a Fail step; not tried again.

    .. seealso:: StartPipelineExecution in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (*SageMakerRunOperator.template_fields, "pipeline_name", "parameters", "force")
    template_fields_renderers = {"parameters": "json", "tags": "json"}

    kind = "PipelineExecution"
    waiter = "pipeline_execution_finished"

    def __init__(
        self,
        *,
        pipeline_name: str | XComArg,
        parameters: Mapping[str, Any] | None = None,
        wait_for_completion: bool = True,
        durable: bool = True,
        force: bool | str = False,
        timeout: timedelta = timedelta(hours=6),
        extra: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.pipeline_name = pipeline_name
        self.parameters = dict(parameters or {})
        self.wait_for_completion = wait_for_completion
        self.durable = durable
        self.force = force
        self.extra = dict(extra or {})

    def arn_of(self, step: str) -> XComArg:
        """Return the ARN of what the step made, for later tasks; None where the step was not reached."""
        return XComArg(self, key=f"arn_{step}")

    def _prepare(self, context: Context) -> None:
        self._key = RunKey.of(context)

    def _run(self, context: Context) -> Any:
        self._prepare(context)
        request = self._request()
        arn, status = self._find(request)
        self._attend(arn)
        self.check_alive()
        if status == "Succeeded":
            return self._finish(arn, context)
        if status == "Stopping":
            self.log.info("%s is being stopped: waiting for its end before the next attempt", arn)
            return self.wait(context, waiter=self.waiter, name=arn, then="execute_again")
        if not self.wait_for_completion:
            name = self.hook.require(self.kind, arn)["PipelineExecutionDisplayName"]
            return {"arn": arn, "name": name, "pipeline": str(self.pipeline_name), "status": status}
        return self.wait(context, waiter=self.waiter, name=arn, then="execute_complete")

    def _request(self) -> dict[str, Any]:
        """Return the request without its name; the description ends with a digest of definition and parameters."""
        pipeline = self.hook.describe("Pipeline", str(self.pipeline_name))
        if pipeline is None:
            raise RequestRefused(f"there is no pipeline {self.pipeline_name}")
        asked = {"PipelineParameters": to_parameters(self.parameters), **self.extra}
        key = self._run_key
        digest = client_token([json.loads(pipeline["PipelineDefinition"]), asked])[:16]
        origin = " ".join(f"{key.dag_id}.{key.task_id}, run {key.run_id}".split())
        return {
            "PipelineName": str(self.pipeline_name),
            "PipelineExecutionDescription": f"Airflow: {origin}; {digest}",
            **asked,
        }

    def _find(self, request: Mapping[str, Any]) -> tuple[str, str]:
        """ARN and status of the execution to wait for, or to take the result of; started if need be."""
        last = self._last_attempt()
        if last is None:
            return self._start(request, 1)
        arn, status = str(last["PipelineExecutionArn"]), str(last["PipelineExecutionStatus"])
        same = last.get("PipelineExecutionDescription") == request["PipelineExecutionDescription"]
        if not self.durable and status in {"Executing", "Stopping"}:
            self.log.info("Stopping %s of an earlier try: the task is not durable", arn)
            self.hook.stop(self.kind, arn)
            return arn, "Stopping"
        if status == "Succeeded" and same and self.durable and not is_true(self.force):
            self.log.info("%s of this run has succeeded already: taking its result", arn)
            return arn, status
        if status in {"Executing", "Stopping"}:
            self.log.info("%s of this run is %s: attaching to it", arn, status)
            if not same:
                self.log.warning("It was started with other parameters. To change them, end it first.")
            return arn, status
        self.log.info("%s of this run is %s: starting the next attempt", arn, status)
        return self._start(request, self._attempt(last["PipelineExecutionDisplayName"]) + 1)

    def _start(self, request: Mapping[str, Any], attempt: int) -> tuple[str, str]:
        name = self._name(attempt)
        token = client_token([request["PipelineName"], name])
        arn = self.hook.start_pipeline({**request, "PipelineExecutionDisplayName": name, "ClientRequestToken": token})
        self.log.info("Started %s as %s", arn, name)
        return arn, "Executing"

    def _latest(self, context: Context) -> str | None:
        self._prepare(context)
        last = self._last_attempt()
        return str(last["PipelineExecutionArn"]) if last else None

    def _last_attempt(self) -> Mapping[str, Any] | None:
        first = self._name(1)
        for summary in islice(self.hook.pipeline_executions(str(self.pipeline_name)), _EXECUTIONS):
            name = summary.get("PipelineExecutionDisplayName", "")
            if name == first or name.removeprefix(f"{first}-").isdigit():
                return dict(summary)
        return None

    def _finish(self, name: str, context: Context) -> dict[str, Any]:
        description = self.hook.describe(self.kind, name)
        if description is None:
            raise JobFailed(f"{self.kind} {name} no longer exists")
        steps = list(self.hook.pipeline_steps(name))
        if description["PipelineExecutionStatus"] != "Succeeded":
            self._fail(description, steps)
        result = {
            "arn": name,
            "name": description.get("PipelineExecutionDisplayName", ""),
            "pipeline": str(self.pipeline_name),
            "status": description["PipelineExecutionStatus"],
            "seconds": round((description["LastModifiedTime"] - description["CreationTime"]).total_seconds()),
            "steps": {step["StepName"]: step_entry(step) for step in steps},
        }
        for step, entry in result["steps"].items():
            context["ti"].xcom_push(key=f"arn_{step}", value=entry.get("arn"))
        self._note_data_of(result["steps"].values())
        self.log.info("%s succeeded: %s", name, result)
        return result

    def _note_data_of(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """For OpenLineage the execution has read and written what its jobs have."""
        read: list[str] = []
        written: list[str] = []
        for step in steps:
            if step["kind"] in LOG_GROUPS and step.get("arn"):
                job = self._job(step)
                for known, found in zip((read, written), of_job(step["kind"], job), strict=True):
                    known += found
        # What one step has handed to the next is no input of the whole.
        self.note_data([uri for uri in read if uri not in written], written)

    def _job(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """Describe the job of a step; Describe takes its name in any case."""
        return self.hook.describe(step["kind"], step["arn"].rpartition("/")[2]) or {}

    def _fail(self, description: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> NoReturn:
        failed = [step for step in steps if step["StepStatus"] == "Failed"]
        for step in failed:
            self._show_log(step)
        reasons = [f"step {step['StepName']}: {_reason(step)}" for step in failed]
        why = "; ".join(reasons) or description.get("FailureReason") or "AWS gives no reason"
        error = PipelineRejected if any("Fail" in step.get("Metadata", {}) for step in failed) else JobFailed
        raise error(
            f"{self.kind} {description['PipelineExecutionArn']} is {description['PipelineExecutionStatus']}: {why}"
        )

    def _show_log(self, step: Mapping[str, Any]) -> None:
        entry = step_entry(step)
        if entry["kind"] in LOG_GROUPS and entry.get("arn"):
            # Log streams have the job's name as it was given, ARNs have it in lower case.
            job = self._job(entry).get(f"{entry['kind']}Name", entry["arn"].rpartition("/")[2])
            tail = self.hook.logs.tail(LOG_GROUPS[entry["kind"]], f"{job}/")
            self.log.error("Last lines of step %s, %s %s:\n%s", step["StepName"], entry["kind"], job, "\n".join(tail))

    def _name(self, attempt: int) -> str:
        key = self._run_key
        return job_name(key.dag_id, key.task_id, key.map_index, key.run_id, attempt)

    def _attempt(self, name: str) -> int:
        suffix = name.removeprefix(self._name(1)).removeprefix("-")
        return int(suffix) if suffix else 1


def to_parameters(parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return AWS's list of parameters: text as it is, other values as JSON. None keeps the default."""
    return [
        {"Name": name, "Value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in sorted(parameters.items())
        if value is not None
    ]


def step_entry(step: Mapping[str, Any]) -> dict[str, Any]:
    """Summarise a step of an execution for XCom: see :class:`PipelineExecutionOperator`."""
    metadata: Mapping[str, Any] = step.get("Metadata") or {"": {}}
    kind, what = next(iter(metadata.items()))
    started, ended = step.get("StartTime"), step.get("EndTime")
    made = {"outcome": what.get("Outcome")} if kind == "Condition" else {"arn": what.get("Arn")}
    return {
        "kind": kind,
        "status": step["StepStatus"],
        **made,
        "cached": bool(step.get("CacheHitResult")),
        "seconds": round((ended - started).total_seconds(), 1) if started and ended else None,
    }


def _reason(step: Mapping[str, Any]) -> str:
    said = step.get("Metadata", {}).get("Fail", {}).get("ErrorMessage")
    return str(said or step.get("FailureReason") or "AWS gives no reason")
