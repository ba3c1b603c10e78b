"""From a task in the Airflow UI to its job, model or endpoint in the AWS console, or in one with its paths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

#: the base address of a console for endpoints that are not AWS's own, such as ``http://127.0.0.1:4566``. Its paths are
#: those of AWS's console.
VARIABLE = "AWS_CONSOLE_URL"
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_PAGES = {
    "TrainingJob": "jobs",
    "ProcessingJob": "processing-jobs",
    "TransformJob": "transform-jobs",
    "HyperParameterTuningJob": "hyper-tuning-jobs",
    "Model": "models",
    "EndpointConfig": "endpointConfig",
    "Endpoint": "endpoints",
}
# Of Augmented AI, whose console is one of its own.
_REVIEW_PAGES = {"FlowDefinition": "human-review-workflows", "HumanTaskUi": "worker-task-templates"}
# Studio shows AutoML jobs and pipelines, and has no address for one of them.
_STUDIO = {"AutoMLJob", "AutoMLJobV2", "Pipeline", "PipelineExecution"}


def console_url(kind: str, name: str, *, region: str, partition: str, endpoint_url: str) -> str:
    """
    Return the console page, or "" where there is none.

    AWS's console shows what AWS's own endpoints made. A client that talks to any other address gets a link to the
    console that ``AWS_CONSOLE_URL`` names, and none without it rather than one to a page that says "not found".
    """
    base = _base(partition, endpoint_url)
    if not base or kind not in {*_PAGES, *_STUDIO, *_REVIEW_PAGES}:
        return ""
    if kind in _REVIEW_PAGES:
        page = f"{_REVIEW_PAGES[kind]}/{quote(name, safe='')}"
        return f"{base}/a2i/home?region={region}#/{page}"
    page = "studio-landing" if kind in _STUDIO else f"{_PAGES[kind]}/{quote(name, safe='')}"
    return f"{base}/sagemaker/home?region={region}#/{page}"


def is_aws(endpoint_url: str) -> bool:
    """Return True if an endpoint is AWS's own."""
    host = urlsplit(endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def _base(partition: str, endpoint_url: str) -> str:
    if is_aws(endpoint_url):
        return f"https://{_CONSOLES[partition]}" if partition in _CONSOLES else ""
    set_by_user = os.environ.get(VARIABLE, "").rstrip("/")
    # It becomes a link in Airflow's pages: an address of another scheme could be a script.
    return set_by_user if urlsplit(set_by_user).scheme in ("http", "https") else ""


class SageMakerConsoleLink(BaseOperatorLink):
    """The button on the task's page; Airflow keeps the address in XCom when the task defers and when it ends."""

    name = "SageMaker console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address that the operator noted while it ran, or ""."""
        return getattr(operator, "console_url", "")
