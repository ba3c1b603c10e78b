"""SageMaker Pipelines: the operator that brings a definition to AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey, client_token
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class PipelineOperator(SageMakerOperator):
    """
    Create a pipeline from its definition, or update it if it differs.

    Nothing is uploaded and nothing is run. Returns ``{"name", "arn", "outcome"}``, outcome being "created", "updated"
    or "unchanged".

    :param pipeline_name: the pipeline. Templated.
    :param definition: the JSON itself, or the path of its file. Templated.
    :param role_arn: ARN of the role that the executions take. Templated.
    :param description: for people. Templated.
    :param max_parallel_steps: of one execution; default AWS's.
    :raises RequestRefused: the definition is not JSON, its file is not there, or AWS finds a fault in it.

    .. seealso:: CreatePipeline and UpdatePipeline in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "pipeline_name",
        "definition",
        "role_arn",
        "description",
    )

    def __init__(
        self,
        *,
        pipeline_name: str,
        definition: str | Path,
        role_arn: str,
        description: str = "",
        max_parallel_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_name = pipeline_name
        self.definition = str(definition)
        self.role_arn = role_arn
        self.description = description
        self.max_parallel_steps = max_parallel_steps

    def execute(self, context: Context) -> dict[str, str]:
        """Create or update the pipeline if needed."""
        wanted = self._wanted()
        self.note_console("Pipeline", self.pipeline_name)
        found = self.hook.describe("Pipeline", self.pipeline_name)
        if found is None:
            key = RunKey.of(context)
            request = {
                **wanted,
                "ClientRequestToken": client_token([*astuple(key), wanted]),
                "Tags": self.resource_tags(key),
            }
            try:
                return self._outcome(self.hook.create("Pipeline", request), "created")
            except AlreadyExists:
                self.log.info("Pipeline %s was made by another process in the meantime", self.pipeline_name)
                found = self.hook.require("Pipeline", self.pipeline_name)
        if all(_same(found.get(member), value) for member, value in wanted.items()):
            return self._outcome(found, "unchanged")
        return self._outcome(self.hook.update("Pipeline", wanted), "updated")

    def _wanted(self) -> dict[str, Any]:
        text = self.definition
        try:
            if not text.lstrip().startswith("{"):
                text = Path(text).read_text(encoding="utf-8")
            json.loads(text)
        except (OSError, ValueError) as error:
            raise RequestRefused(f"the definition of pipeline {self.pipeline_name}: {error}") from error
        wanted: dict[str, Any] = {
            "PipelineName": self.pipeline_name,
            "PipelineDefinition": text,
            "RoleArn": self.role_arn,
        }
        if self.description:
            wanted["PipelineDescription"] = self.description
        if self.max_parallel_steps is not None:
            wanted["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": self.max_parallel_steps}
        return wanted

    def _outcome(self, answer: Mapping[str, Any], outcome: str) -> dict[str, str]:
        self.log.info("Pipeline %s: %s", self.pipeline_name, outcome)
        return {"name": self.pipeline_name, "arn": answer["PipelineArn"], "outcome": outcome}


def _same(found: Any, wanted: Any) -> bool:
    """Return True if AWS has this definition, whatever its spaces and the order of its keys."""
    if isinstance(found, str) and isinstance(wanted, str) and wanted.lstrip().startswith("{"):
        return bool(json.loads(found) == json.loads(wanted))
    return bool(found == wanted)
