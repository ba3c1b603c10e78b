"""An execution in the store: its record, the records of its steps, and the definition that it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.utils import cached_property

from localaws.core.context import Context
from localaws.sagemaker.pipelines import failures
from localaws.sagemaker.pipelines.definition import Definition, Step, parse
from localaws.sagemaker.pipelines.readiness import Standing
from localaws.sagemaker.pipelines.values import Scope
from localaws.sagemaker.pipelines.work import Work

Record = dict[str, Any]

#: kinds in the store. A step's record is named ``<execution's ARN>/<step's name>``.
KIND, STEPS, DEFINITIONS = "pipeline-execution", "pipeline-step", "pipeline-definition"

#: the ends of an execution.
TERMINAL = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})


def keep_definition(text: str, ctx: Context) -> str:
    """Keep a definition's text by its content, once however many pipelines and executions have it; its key."""
    key = hashlib.sha256(text.encode()).hexdigest()
    ctx.store.insert(DEFINITIONS, key, {"Text": text})
    return key


def definition_text(key: str, ctx: Context) -> str:
    """Return the text of a stored definition."""
    found = ctx.store.get(DEFINITIONS, key)
    if found is None:
        raise LookupError(f"the definition {key} is not in the store")
    return str(found["Text"])


def forget(record: Record, ctx: Context) -> None:
    """Drop an execution and its steps."""
    found = Execution(record, ctx)
    for name in found.steps:
        ctx.store.delete(STEPS, found.step_id(name))
    ctx.store.delete(KIND, found.arn)


@dataclass
class Execution:
    """An execution as it is in the store."""

    record: Record
    ctx: Context

    @property
    def arn(self) -> str:
        """Its ARN, which is its name in the store."""
        return str(self.record["PipelineExecutionArn"])

    @property
    def id(self) -> str:
        """Its id, twelve characters."""
        return self.arn.rpartition("/")[2]

    @cached_property
    def definition(self) -> Definition:
        """Return the definition that it runs, even if the pipeline has changed since."""
        return parse(definition_text(self.record["_Definition"], self.ctx))

    @cached_property
    def steps(self) -> dict[str, Record]:
        """Return the records of the steps that have begun, by name, in the definition's order."""
        found = {name: self.ctx.store.get(STEPS, self.step_id(name)) for name in self.definition.steps}
        return {name: step for name, step in found.items() if step is not None}

    def step_id(self, name: str) -> str:
        """Return a step's name in the store."""
        return f"{self.arn}/{name}"

    def standing(self) -> Standing:
        """Return how the steps stand now."""
        only = self.record.get("_Only")
        return Standing(self.definition, self.steps, None if only is None else frozenset(only))

    def save(self, step: Record) -> None:
        """Keep a step's record."""
        self.steps[step["StepName"]] = step
        self.ctx.store.put(STEPS, step["_Id"], step)

    def forget_unsuccessful(self) -> None:
        """Drop the records of the steps that have failed or were stopped: they start again."""
        for name, step in list(self.steps.items()):
            if step["StepStatus"] != "Succeeded":
                del self.steps[name]
                self.ctx.store.delete(STEPS, step["_Id"])

    def properties(self, name: str) -> Record:
        """Return the properties that later steps may refer to."""
        found: Record = self.steps.get(name, {}).get("_Properties", {})
        return found

    def begun(self, step: Step) -> Record:
        """Return the record of a step that begins."""
        return {
            "StepName": step.name,
            "StepDisplayName": step.body.get("DisplayName"),
            "StepDescription": step.body.get("Description"),
            "StepType": step.type,
            "StepStatus": "Starting",
            "StartTime": self.ctx.now(),
            "AttemptCount": 1,
            "Metadata": {},
            "_Id": self.step_id(step.name),
        }

    def work(self, step: Record) -> Work:
        """Return a step's attempt, from its record. Each attempt has its own id, also in retried executions."""
        attempt = f"{step['_Id']} {self.record['_Retries']} {step['AttemptCount']}"
        found = self.definition.steps[step["StepName"]]
        body = step.get("_Body", {"Arguments": {}})
        return Work(found, body, self.id, attempt, self.record.get("PipelineExperimentConfig"), self.ctx)

    def scope(self, job_name: str) -> Scope:
        """Return where a step's expressions are resolved."""
        return Scope(self.record, self.definition, self.properties, self.ctx, job_name)

    def change(self, change: Callable[[Record], None]) -> None:
        """Change the record in the store, and here."""

        def with_time(stored: Record) -> None:
            change(stored)
            stored["LastModifiedTime"] = self.ctx.now()

        self.record = self.ctx.store.update(KIND, self.arn, with_time) or self.record

    def end(self, status: str, failed: Iterable[Record] = (), reason: str | None = None) -> None:
        """
        End it.

        :param failed: the steps that the reason names.
        :param reason: in place of that of the steps.
        """
        words = [f"{step['StepName']}: {step['FailureReason']}" for step in failed]
        if words:
            reason = f"Step failure: One or multiple steps failed. {'; '.join(words)}"
        members = {"PipelineExecutionStatus": status}
        if reason:
            members["FailureReason"] = reason[: failures.EXECUTION_REASON]
        self.change(lambda stored: stored.update(members))
