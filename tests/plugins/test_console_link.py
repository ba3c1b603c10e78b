"""The button on the task's page leads to AWS's console, and nowhere when AWS's console has nothing to show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from amazon_ml.links.sagemaker import SageMakerConsoleLink, console_url

AWS: dict[str, Any] = {
    "region": "eu-west-1",
    "partition": "aws",
    "endpoint_url": "https://api.sagemaker.eu-west-1.amazonaws.com",
}


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("TrainingJob", "jobs/x-1"),
        ("ProcessingJob", "processing-jobs/x-1"),
        ("TransformJob", "transform-jobs/x-1"),
        ("HyperParameterTuningJob", "hyper-tuning-jobs/x-1"),
        ("Model", "models/x-1"),
        ("Endpoint", "endpoints/x-1"),
        ("AutoMLJob", "studio-landing"),
        ("AutoMLJobV2", "studio-landing"),
        ("Pipeline", "studio-landing"),
        ("PipelineExecution", "studio-landing"),
    ],
)
def test_each_kind_has_its_page(kind: str, page: str) -> None:
    assert console_url(kind, "x-1", **AWS) == (
        f"https://console.aws.amazon.com/sagemaker/home?region=eu-west-1#/{page}"
    )


@pytest.mark.parametrize(
    ("kind", "page"),
    [("FlowDefinition", "human-review-workflows/x-1"), ("HumanTaskUi", "worker-task-templates/x-1")],
)
def test_augmented_ai_has_a_console_of_its_own(kind: str, page: str) -> None:
    assert console_url(kind, "x-1", **AWS) == f"https://console.aws.amazon.com/a2i/home?region=eu-west-1#/{page}"


def test_china_has_its_own_console() -> None:
    china = {"partition": "aws-cn", "endpoint_url": "https://api.sagemaker.cn-north-1.amazonaws.com.cn"}
    assert console_url("Model", "x", **{**AWS, **china}).startswith("https://console.amazonaws.cn/")


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint_url": "http://127.0.0.1:4566"},
        {"endpoint_url": "https://amazonaws.com.example.org"},
        {"partition": "aws-iso"},
    ],
)
def test_elsewhere_there_is_no_page(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CONSOLE_URL", raising=False)
    assert console_url("TrainingJob", "x", **{**AWS, **change}) == ""


ELSEWHERE = {**AWS, "endpoint_url": "http://127.0.0.1:4566"}


@pytest.mark.parametrize("base", ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"])
def test_elsewhere_the_setting_names_a_console_with_the_paths_of_aws(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONSOLE_URL", base)
    page = "http://127.0.0.1:4566/sagemaker/home?region=eu-west-1#/jobs/x-1"
    assert console_url("TrainingJob", "x-1", **ELSEWHERE) == page
    assert console_url("FlowDefinition", "x", **ELSEWHERE).startswith("http://127.0.0.1:4566/a2i/home?")


def test_the_setting_leaves_the_links_of_aws_endpoints_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONSOLE_URL", "http://127.0.0.1:4566")
    assert console_url("TrainingJob", "x", **AWS).startswith("https://console.aws.amazon.com/")


@pytest.mark.parametrize("base", ["javascript:alert(1)//", "127.0.0.1:4566", "file:///etc", " "])
def test_a_setting_that_is_no_web_address_gives_no_link(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONSOLE_URL", base)
    assert console_url("TrainingJob", "x", **ELSEWHERE) == ""


def test_the_link_is_what_the_operator_noted() -> None:
    link = SageMakerConsoleLink()
    key: Any = None
    assert link.get_link(SimpleNamespace(console_url="https://there"), ti_key=key) == "https://there"  # type: ignore[arg-type]
    assert link.get_link(SimpleNamespace(), ti_key=key) == ""  # type: ignore[arg-type]
