"""InvokeEndpoint through boto3: what goes to the model and what comes back, routing, and every kind of failure."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import MULTIPLIER, Hosting
from waiting_kit import until

ECHO = """
import json

def model_fn(model_dir):
    return None

def transform_fn(model, body, content_type, accept, context):
    if body == b"fail":
        raise ValueError("the model does not like this")
    if body == b"refuse":
        context.set_response_status(422)
        return "not like that"
    if body == b"large":
        return "x" * (6 * 1024 * 1024 + 1)
    attributes = context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
    if attributes:
        context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", "back: " + attributes)
    size = str(len(body)) if len(body) > 1000 else body if isinstance(body, str) else body.decode()
    return json.dumps([type(body).__name__, size, content_type, accept]), accept
"""


@pytest.fixture(scope="module")
def hosting(localaws: object) -> Hosting:
    return Hosting()


@pytest.fixture(scope="module")
def echo(hosting: Hosting) -> str:
    return hosting.serve(hosting.model(code=ECHO))


def error_of(call: Any, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response


def test_body_content_type_accept_and_custom_attributes_go_there_and_back(hosting: Hosting, echo: str) -> None:
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=echo,
        Body=b'{"features": ["caf\xc3\xa9"]}\n',
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        CustomAttributes="trace-1",
    )
    body = json.loads(answer["Body"].read())
    assert body == ["bytes", '{"features": ["café"]}\n', "application/jsonlines", "application/jsonlines"]
    assert answer["ContentType"] == "application/jsonlines"
    assert answer["CustomAttributes"] == "back: trace-1"
    assert answer["InvokedProductionVariant"] == "A"


def test_without_accept_the_answer_is_json(hosting: Hosting, echo: str) -> None:
    answer = hosting.runtime.invoke_endpoint(EndpointName=echo, Body=b"1", ContentType="text/csv")
    assert json.loads(answer["Body"].read()) == ["str", "1", "text/csv", "application/json"]
    assert answer["ContentType"] == "application/json"
    assert "CustomAttributes" not in answer


def test_a_body_of_five_megabytes_arrives_whole_and_one_over_six_is_refused(hosting: Hosting, echo: str) -> None:
    answer = hosting.runtime.invoke_endpoint(EndpointName=echo, Body=b"x" * 5_000_000, ContentType="a/b")
    assert json.loads(answer["Body"].read())[1] == "5000000"
    response = error_of(
        hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"x" * (6 * 1024 * 1024 + 1), ContentType="a/b"
    )
    assert response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413)
    assert "6291456" in response["Error"]["Message"]


def test_an_unknown_endpoint_or_variant_is_a_validation_error(hosting: Hosting, echo: str) -> None:
    unknown = error_of(hosting.runtime.invoke_endpoint, EndpointName="unknown", Body=b"1")["Error"]
    assert unknown == {
        "Code": "ValidationError",
        "Message": "Endpoint unknown of account 123456789012 not found.",
    }
    of_many = error_of(hosting.runtime.invoke_endpoint, EndpointName="unknown", Body=b"1", TargetModel="m")["Error"]
    assert of_many == unknown
    variant = error_of(hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"1", TargetVariant="Z")["Error"]
    assert (variant["Code"], "Z" in variant["Message"]) == ("ValidationError", True)
    model = error_of(hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"1", TargetModel="m")["Error"]
    assert (model["Code"], "TargetModel" in model["Message"]) == ("ValidationError", True)


def test_streams_and_async_invocations_are_not_implemented(hosting: Hosting, echo: str) -> None:
    response = error_of(hosting.runtime.invoke_endpoint_async, EndpointName=echo, InputLocation="s3://a/b")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_model_that_raises_is_a_model_error_with_its_words(hosting: Hosting, echo: str) -> None:
    response = error_of(hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"fail", ContentType="a/b")
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert response["OriginalMessage"].startswith("the model does not like this\nTraceback")
    assert response["LogStreamArn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/{echo}"
    message = response["Error"]["Message"]
    assert message.startswith('Received server error (500) from primary with message "the model does not like this')
    assert message.endswith(f"/aws/sagemaker/Endpoints/{echo} in account 123456789012 for more information.")


def test_a_model_that_refuses_is_a_client_error_and_a_too_large_answer_a_server_error(
    hosting: Hosting, echo: str
) -> None:
    response = error_of(hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"refuse", ContentType="a/b")
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (422, "not like that")
    assert response["Error"]["Message"].startswith("Received client error (422) from primary")
    response = error_of(hosting.runtime.invoke_endpoint, EndpointName=echo, Body=b"large", ContentType="a/b")
    assert "more than 6291456" in response["OriginalMessage"]


def test_a_model_that_does_not_answer_in_time_is_a_model_error(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(environment={"SAGEMAKER_MODEL_SERVER_TIMEOUT": "1"}))
    response = error_of(
        hosting.runtime.invoke_endpoint, EndpointName=endpoint, Body=b'{"sleep": 20}', ContentType="application/json"
    )
    assert (response["Error"]["Code"], response["OriginalStatusCode"]) == ("ModelError", 0)
    assert "timed out while waiting for a response from container primary" in response["OriginalMessage"]
    assert hosting.invoke(endpoint, 1)["product"] == 1


def test_a_crash_fails_the_requests_under_way_and_no_other(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(3))
    first = hosting.invoke(endpoint, 1)["process"]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(hosting.invoke, endpoint, {"sleep": 30}) for _ in range(2)]
        time.sleep(0.5)
        crash = pool.submit(hosting.invoke, endpoint, "crash")
        errors = [future.exception(20) for future in [*waiting, crash]]
    for error in errors:
        assert isinstance(error, ClientError)
        assert error.response["Error"]["Code"] == "ModelError"
        assert "ended before it had answered" in error.response["OriginalMessage"]
    # The next ones wait for the new process.
    answers = [hosting.invoke(endpoint, 2) for _ in range(5)]
    assert {answer["product"] for answer in answers} == {6}
    assert first not in {answer["process"] for answer in answers}
    assert hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


def test_a_crash_is_borne_by_the_other_instance(hosting: Hosting) -> None:
    slow = MULTIPLIER.replace("def model_fn(model_dir):", "def model_fn(model_dir):\n    time.sleep(2)")
    endpoint = hosting.serve(hosting.model(code=slow), count=2)
    processes = {hosting.invoke(endpoint, 1)["process"] for _ in range(4)}
    assert len(processes) == 2
    assert error_of(hosting.invoke, endpoint=endpoint, data="crash")["Error"]["Code"] == "ModelError"
    survivors = {hosting.invoke(endpoint, 1)["process"] for _ in range(6)}
    assert len(survivors) == 1
    assert survivors < processes


def test_requests_spread_over_the_instances_by_what_they_have_to_do(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(), count=2)
    turns = Counter(hosting.invoke(endpoint, 1)["process"] for _ in range(10))
    assert sorted(turns.values()) == [5, 5]
    busy: list[Any] = []
    thread = threading.Thread(target=lambda: busy.append(hosting.invoke(endpoint, {"sleep": 3})))
    thread.start()
    time.sleep(0.5)
    during = {hosting.invoke(endpoint, 1)["process"] for _ in range(10)}
    assert thread.is_alive()
    thread.join()
    assert during == set(turns) - {busy[0]["process"]}


def test_weights_share_the_traffic_and_a_target_variant_overrides_them(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(1), hosting.model(2), hosting.model(3), weights=(1, 3, 0))
    products = Counter(hosting.invoke(endpoint, 1)["product"] for _ in range(100))
    # Drawn independently: 100 draws at a quarter, within five standard deviations.
    assert set(products) == {1, 2}
    assert 4 <= products[1] <= 46
    answer = hosting.runtime.invoke_endpoint(
        EndpointName=endpoint, Body=b"1", ContentType="application/json", TargetVariant="C"
    )
    assert answer["InvokedProductionVariant"] == "C"
    assert json.loads(answer["Body"].read())["product"] == 3


def test_eight_clients_get_their_own_answers_and_no_error(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(7), count=2)

    def ask(client: int) -> list[float]:
        return [hosting.invoke(endpoint, client * 1000 + turn)["product"] for turn in range(25)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [[7 * (client * 1000 + turn) for turn in range(25)] for client in range(8)]


def test_cloudwatch_has_the_figures_of_each_variant(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(code=ECHO), hosting.model(code=ECHO), count=2)
    for body in (b"1", b"2", b"fail", b"refuse"):
        for variant in "AB":
            arguments = {"EndpointName": endpoint, "Body": body, "ContentType": "a/b", "TargetVariant": variant}
            if body in (b"fail", b"refuse"):
                error_of(hosting.runtime.invoke_endpoint, **arguments)
            else:
                hosting.runtime.invoke_endpoint(**arguments)
    expected = {
        "Invocations": 4.0,
        "InvocationsPerInstance": 2.0,
        "Invocation4XXErrors": 1.0,
        "Invocation5XXErrors": 1.0,
        "InvocationModelErrors": 2.0,
    }
    until(lambda: figures(hosting, endpoint, "A", expected), lambda found: found == expected, 30, every=0.5)
    for variant in "AB":
        assert figures(hosting, endpoint, variant, expected) == expected
        latency = figures(hosting, endpoint, variant, ["ModelLatency", "OverheadLatency"])
        # Microseconds: more than nothing, and less than a minute for four requests.
        assert all(0 < value < 60e6 for value in latency.values())


def figures(hosting: Hosting, endpoint: str, variant: str, names: Any) -> dict[str, float]:
    now = datetime.now(UTC)
    found = {}
    for metric in names:
        points = hosting.cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        found[metric] = sum(point["Sum"] for point in points)
    return found
