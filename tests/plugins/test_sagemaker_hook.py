"""What the hook makes of AWS's answers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError

from amazon_ml.exceptions import BadResult, RequestRefused
from amazon_ml.hooks.base import ATTEMPTS, Hook
from amazon_ml.hooks.logs import LogsHook
from amazon_ml.hooks.s3 import ObjectsHook
from amazon_ml.hooks.sagemaker import AlreadyExists, SageMakerJobHook


class Answers:
    """A client that gives prepared answers, or raises prepared errors, and notes what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append((method, request))
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def error(code: str, message: str = "words", status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")  # type: ignore[arg-type]


def answering(hook_class: type[Hook], **answers: Any) -> Hook:
    made = hook_class()
    made.__dict__["conn"] = Answers(**answers)
    return made


def hook(**answers: Any) -> SageMakerJobHook:
    return answering(SageMakerJobHook, **answers)


@pytest.mark.parametrize(
    ("kind", "method", "failure"),
    [
        ("TrainingJob", "describe_training_job", error("ValidationException", "Requested resource not found.")),
        ("TrainingJob", "describe_training_job", error("ResourceNotFound", "")),
        (
            "ProcessingJob",
            "describe_processing_job",
            error("ValidationException", "Could not find requested job with name: x"),
        ),
        ("Endpoint", "describe_endpoint", error("ValidationException", 'Could not find endpoint "arn:aws:...".')),
        (
            "EndpointConfig",
            "describe_endpoint_config",
            error("ValidationException", 'Could not find endpoint configuration "arn:aws:...".'),
        ),
        ("Workforce", "describe_workforce", error("ValidationException", "No workforce found for the given name")),
        ("Workteam", "describe_workteam", error("ValidationException", "The work team x is not in this account")),
        ("FlowDefinition", "describe_flow_definition", error("ResourceNotFound", "")),
    ],
)
def test_every_way_of_saying_that_there_is_none_is_understood(kind: str, method: str, failure: ClientError) -> None:
    assert hook(**{method: failure}).describe(kind, "x") is None


def test_a_refusal_that_is_an_answer_is_none_and_every_other_is_said() -> None:
    codes = {"UserNotFoundException"}
    assert hook(admin_get_user={"Username": "a"})._call_unless(codes, "admin_get_user") == {"Username": "a"}
    assert hook(admin_get_user=error("UserNotFoundException"))._call_unless(codes, "admin_get_user") is None
    with pytest.raises(RequestRefused, match="NotAuthorizedException"):
        hook(admin_get_user=error("NotAuthorizedException"))._call_unless(codes, "admin_get_user")


def test_pages_have_the_size_that_the_service_takes() -> None:
    made = hook(list_models={"Models": []}, list_user_pools={"UserPools": []})
    assert list(made._pages("list_models")) == [{"Models": []}]
    assert list(made._pages("list_user_pools", MaxResults=60)) == [{"UserPools": []}]
    assert made.conn.asked == [("list_models", {"MaxResults": 100}), ("list_user_pools", {"MaxResults": 60})]


def test_another_validation_error_is_not_taken_for_that() -> None:
    bad = error("ValidationException", "1 validation error detected: Value 'x/y' failed to satisfy constraint")
    with pytest.raises(RequestRefused, match=r"describe_training_job\(x/y\): ValidationException: 1 validation error"):
        hook(describe_training_job=bad).describe("TrainingJob", "x/y")


@pytest.mark.parametrize(
    ("kind", "method", "failure"),
    [
        ("TrainingJob", "create_training_job", error("ResourceInUse", "Training job names must be unique")),
        (
            "Model",
            "create_model",
            error("ValidationException", 'Cannot create already existing model "arn:aws:..."'),
        ),
    ],
)
def test_every_way_of_saying_that_the_name_is_taken_is_understood(kind: str, method: str, failure: ClientError) -> None:
    with pytest.raises(AlreadyExists):
        hook(**{method: failure}).create(kind, {})


def test_a_job_that_has_ended_needs_no_stop() -> None:
    ended = error("ValidationException", "The request was rejected because the training job is in status Completed.")
    hook(stop_training_job=ended).stop("TrainingJob", "x")


def test_a_stop_that_is_not_allowed_is_said() -> None:
    with pytest.raises(RequestRefused, match="AccessDenied"):
        hook(stop_training_job=error("AccessDeniedException", status=403)).stop("TrainingJob", "x")


def test_what_is_not_there_was_deleted() -> None:
    assert hook(delete_model={}).delete("Model", "x") is True
    assert hook(delete_model=error("ValidationException", "Could not find model")).delete("Model", "x") is False


@pytest.mark.parametrize(
    "code", ["ResourceLimitExceeded", "ServiceQuotaExceededException", "ExpiredTokenException", "ThrottlingException"]
)
def test_what_may_pass_is_left_to_airflows_retries(code: str) -> None:
    with pytest.raises(ClientError, match=code):
        hook(create_model=error(code)).create("Model", {})


def test_a_malformed_request_is_refused_before_it_is_sent(localaws: Any) -> None:
    with pytest.raises(RequestRefused, match="Missing required parameter"):
        SageMakerJobHook().create("TrainingJob", {"TrainingJobName": "x"})


def test_the_connections_retries_go_before_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SageMakerJobHook().config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS}
    extra = '{"conn_type": "aws", "extra": {"config_kwargs": {"retries": {"mode": "adaptive", "max_attempts": 2}}}}'
    monkeypatch.setenv("AIRFLOW_CONN_AWS_SLOW", extra)
    assert SageMakerJobHook("aws_slow").config.retries["mode"] == "adaptive"


def test_a_result_is_read_from_s3() -> None:
    def s3(answer: Any) -> ObjectsHook:
        return answering(ObjectsHook, get_object=answer)

    good = {"ContentLength": 8, "Body": io.BytesIO(b'{"a": 1}')}
    assert s3(good).read_json("s3://b/k.json") == {"a": 1}
    with pytest.raises(BadResult, match=r"wrote no s3://b/k\.json"):
        s3(error("NoSuchKey", status=404)).read_json("s3://b/k.json")
    with pytest.raises(RequestRefused, match="AccessDenied"):
        s3(error("AccessDenied", status=403)).read_json("s3://b/k.json")


def test_a_log_that_cannot_be_read_is_said_and_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amazon_ml.hooks.logs._PAUSE", 0)
    made = answering(LogsHook, describe_log_streams=error("AccessDeniedException", "not for you"))
    (line,) = made.tail("/aws/sagemaker/TrainingJobs", "x/")
    assert "not for you" in line
