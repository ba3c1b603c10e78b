"""An endpoint from its creation to its deletion, through boto3."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from endpoint_kit import IMAGE, MULTIPLIER, Hosting, archive, name
from waiting_kit import until

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SLOW_START = MULTIPLIER.replace('print("factor"', 'time.sleep(3)\n    print("factor"')


@pytest.fixture(scope="module")
def hosting(localaws: object) -> Hosting:
    return Hosting()


def message(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


def model_servers(*instances: str) -> list[int]:
    """The processes that stand for these instances."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "localaws.images.serving" in line and set(instances) & set(line):
            found.append(process.pid)
    return found


def instances(hosting: Hosting, endpoint: str) -> list[str]:
    """The instance ids of an endpoint, by the folders that its model servers are told of."""
    streams = hosting.logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")
    return [stream["logStreamName"].partition("/")[2] for stream in streams["logStreams"]]


def log_text(hosting: Hosting, endpoint: str, *wanted: str) -> str:
    """All that was logged, once it has what is wanted."""
    logs, group = hosting.logs, f"/aws/sagemaker/Endpoints/{endpoint}"

    def text() -> str:
        try:
            return "\n".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])
        except logs.exceptions.ResourceNotFoundException:
            return ""

    return until(text, lambda seen: all(each in seen for each in wanted), 30, every=0.2)


def test_an_endpoint_goes_from_creating_to_in_service_and_answers(hosting: Hosting) -> None:
    model = hosting.model(2)
    config = hosting.config(model, count=2)
    endpoint = name("Endpoint")
    answer = hosting.sagemaker.create_endpoint(
        EndpointName=endpoint, EndpointConfigName=config, Tags=[{"Key": "ttl", "Value": "1h"}]
    )
    assert answer["EndpointArn"] == f"{ARN}:endpoint/{endpoint.lower()}"
    first = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert (first["EndpointStatus"], "ProductionVariants" in first) == ("Creating", False)
    hosting.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})
    description = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert description["LastModifiedTime"] > description["CreationTime"]
    assert description["EndpointConfigName"] == config
    [variant] = description["ProductionVariants"]
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (2, 2, 1.0)
    assert hosting.invoke(endpoint, 21)["product"] == 42
    assert hosting.sagemaker.list_tags(ResourceArn=answer["EndpointArn"])["Tags"] == [{"Key": "ttl", "Value": "1h"}]
    [summary] = hosting.sagemaker.list_endpoints(NameContains=endpoint, StatusEquals="InService")["Endpoints"]
    assert summary["EndpointName"] == endpoint


def test_what_a_model_prints_is_in_the_endpoints_log_group(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(3))
    log_text(hosting, endpoint, "factor 3", "Model server started.")
    [stream] = hosting.logs.describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")["logStreams"]
    assert stream["logStreamName"].startswith("A/i-0")


def test_unknown_and_taken_names_are_refused_in_awss_words(hosting: Hosting) -> None:
    sagemaker = hosting.sagemaker
    endpoint = hosting.serve(hosting.model())
    config = hosting.config(hosting.model())
    assert (
        message(sagemaker.create_endpoint, EndpointName=endpoint, EndpointConfigName=config)
        == f'Cannot create already existing endpoint "{ARN}:endpoint/{endpoint}".'
    )
    assert (
        message(sagemaker.create_endpoint, EndpointName=name(), EndpointConfigName="unknown")
        == f'Could not find endpoint configuration "{ARN}:endpoint-config/unknown".'
    )
    unknown = f'Could not find endpoint "{ARN}:endpoint/unknown".'
    assert message(sagemaker.describe_endpoint, EndpointName="unknown") == unknown
    assert message(sagemaker.delete_endpoint, EndpointName="unknown") == unknown
    assert message(sagemaker.update_endpoint, EndpointName="unknown", EndpointConfigName=config) == unknown


def tar_with(member: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return content.getvalue()


def climbing() -> bytes:
    member = tarfile.TarInfo("../../escaped")
    member.size = 1
    return tar_with(member)


def leading_out() -> bytes:
    member = tarfile.TarInfo("passwords")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return tar_with(member)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param(climbing(), "'../../escaped' would be written outside", id="a member that climbs out"),
        pytest.param(leading_out(), "leads outside", id="a link that leads out"),
        pytest.param(b"this is no archive", "is not a whole tar archive", id="no archive"),
        pytest.param(archive({"code/inference.py": MULTIPLIER})[:150], "is not a whole tar archive", id="cut short"),
        pytest.param({"weights.bin": "x"}, "code/inference.py", id="no code"),
        pytest.param({"code/inference.py": "import no_such_module"}, "No module named 'no_such_module'", id="import"),
        pytest.param(
            {"code/inference.py": "def model_fn(d): raise KeyError('no weight')"},
            "KeyError: 'no weight'",
            id="model_fn",
        ),
        pytest.param(
            {"code/inference.py": "import os\ndef model_fn(d): os.kill(os.getpid(), 9)"},
            "killed by SIGKILL",
            id="killed",
        ),
    ],
)
def test_a_model_that_cannot_serve_fails_the_endpoint_with_the_reason(
    hosting: Hosting, files: dict[str, str] | bytes, reason: str
) -> None:
    endpoint = hosting.create(hosting.config(hosting.model(files=files)))
    description = hosting.settled(endpoint)
    assert description["EndpointStatus"] == "Failed"
    assert reason in description["FailureReason"]
    assert "A" in description["FailureReason"]
    with pytest.raises(ClientError, match=rf"Endpoint {endpoint} of account 123456789012 not found\."):
        hosting.invoke(endpoint, 1)
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)


def test_an_image_that_nobody_plays_fails_the_endpoint_by_its_name(hosting: Hosting) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:1"
    description = hosting.settled(hosting.create(hosting.config(hosting.model(image=image))))
    assert description["EndpointStatus"] == "Failed"
    assert image in description["FailureReason"]


def test_model_data_that_went_away_fails_the_endpoint(hosting: Hosting) -> None:
    model = hosting.model()
    uri = hosting.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    hosting.s3.delete_object(Bucket=bucket, Key=key)
    description = hosting.settled(hosting.create(hosting.config(model)))
    assert description["EndpointStatus"] == "Failed"
    assert uri in description["FailureReason"]


def test_a_failed_endpoint_is_not_updated_but_deleted(hosting: Hosting) -> None:
    endpoint = hosting.create(hosting.config(hosting.model(files={"code/inference.py": "1 / 0"})))
    hosting.settled(endpoint)
    config = hosting.config(hosting.model())
    assert (
        message(hosting.sagemaker.update_endpoint, EndpointName=endpoint, EndpointConfigName=config)
        == f'Cannot update failed endpoint "{ARN}:endpoint/{endpoint}".'
    )
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
    hosting.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"


def test_an_endpoint_in_progress_is_neither_updated_nor_deleted(hosting: Hosting) -> None:
    endpoint = hosting.create(hosting.config(hosting.model(code=SLOW_START)))
    sagemaker, other = hosting.sagemaker, hosting.config(hosting.model(5, code=SLOW_START))
    busy = f'Cannot update in-progress endpoint "{ARN}:endpoint/{endpoint}".'
    assert message(sagemaker.delete_endpoint, EndpointName=endpoint) == busy
    assert message(sagemaker.update_endpoint, EndpointName=endpoint, EndpointConfigName=other) == busy
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=other)
    third = hosting.config(hosting.model())
    assert message(sagemaker.update_endpoint, EndpointName=endpoint, EndpointConfigName=third) == busy
    assert message(sagemaker.delete_endpoint, EndpointName=endpoint) == busy
    description = hosting.settled(endpoint)
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", other)
    in_use = f'Cannot update endpoint with the currently in use endpoint configuration "{other}".'
    assert message(sagemaker.update_endpoint, EndpointName=endpoint, EndpointConfigName=other) == in_use


class Hammer:
    """Clients that invoke without a pause; what they got, and what failed."""

    def __init__(self, hosting: Hosting, endpoint: str, clients: int = 4) -> None:
        self.products: list[float] = []
        self.failures: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(hosting, endpoint)) for _ in range(clients)]

    def _run(self, hosting: Hosting, endpoint: str) -> None:
        while not self._stop.is_set():
            try:
                self.products.append(hosting.invoke(endpoint, 1)["product"])
            except Exception as error:
                self.failures.append(error)

    def __enter__(self) -> Hammer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_an_update_fails_no_request_and_ends_the_old_model_servers(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(1), count=2)
    log_text(hosting, endpoint, "Model server started.")
    old = instances(hosting, endpoint)
    assert len(model_servers(*old)) >= 2
    config = hosting.config(hosting.model(2))
    with Hammer(hosting, endpoint) as hammer:
        while len(hammer.products) < 20:
            time.sleep(0.01)
        hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        pending = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
        description = hosting.settled(endpoint)
        seen = len(hammer.products)
        while len(hammer.products) < seen + 20:
            time.sleep(0.01)
    assert hammer.failures == []
    assert set(hammer.products) == {1, 2}
    # Once the new one answered, the old one never did again.
    assert 1 not in hammer.products[seen + 4 :]
    assert pending["EndpointStatus"] == "Updating"
    assert pending["PendingDeploymentSummary"]["EndpointConfigName"] == config
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", config)
    assert "PendingDeploymentSummary" not in description
    assert model_servers(*old) == []


def test_an_update_lets_a_slow_request_finish(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(1))
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(hosting.invoke(endpoint, {"sleep": 3})))
    slow.start()
    time.sleep(0.3)
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=hosting.config(hosting.model(2)))
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"
    slow.join()
    assert [answer["product"] for answer in answers] == [1]
    assert hosting.invoke(endpoint, 1)["product"] == 2


def test_a_failed_update_leaves_the_old_one_in_service_and_says_why(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(1))
    before = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    broken = hosting.config(hosting.model(files={"code/inference.py": "def model_fn(d): raise KeyError('no weight')"}))
    with Hammer(hosting, endpoint, clients=1) as hammer:
        hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=broken)
        description = hosting.settled(endpoint)
    assert hammer.failures == []
    assert set(hammer.products) == {1}
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", before)
    assert "KeyError: 'no weight'" in description["FailureReason"]
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=hosting.config(hosting.model(2)))
    description = hosting.settled(endpoint)
    assert "FailureReason" not in description
    assert hosting.invoke(endpoint, 1)["product"] == 2


def test_weights_and_instance_counts_change_without_a_failed_request(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model(1), hosting.model(2), weights=(1, 1))
    with Hammer(hosting, endpoint, clients=2) as hammer:
        hosting.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint,
            DesiredWeightsAndCapacities=[
                {"VariantName": "A", "DesiredWeight": 0},
                {"VariantName": "B", "DesiredInstanceCount": 2},
            ],
        )
        first = hosting.sagemaker.describe_endpoint(EndpointName=endpoint)
        description = hosting.settled(endpoint)
    assert hammer.failures == []
    assert first["EndpointStatus"] == "Updating"
    a, b = description["ProductionVariants"]
    assert (a["CurrentWeight"], a["DesiredWeight"], a["CurrentInstanceCount"]) == (0, 0, 1)
    assert (b["CurrentWeight"], b["CurrentInstanceCount"], b["DesiredInstanceCount"]) == (1, 2, 2)
    answers = [hosting.invoke(endpoint, 1) for _ in range(20)]
    assert {answer["product"] for answer in answers} == {2}
    assert len({answer["process"] for answer in answers}) == 2
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "B", "DesiredInstanceCount": 1}]
    )
    hosting.settled(endpoint)
    assert len({hosting.invoke(endpoint, 1)["process"] for _ in range(20)}) == 1
    # A later update may keep them.
    config = hosting.config(hosting.model(3), hosting.model(4), weights=(1, 1))
    hosting.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config, RetainAllVariantProperties=True)
    assert [each["CurrentWeight"] for each in hosting.settled(endpoint)["ProductionVariants"]] == [0, 1]


def test_weights_of_an_unknown_variant_and_of_nothing_are_refused(hosting: Hosting) -> None:
    endpoint = hosting.serve(hosting.model())
    change = hosting.sagemaker.update_endpoint_weights_and_capacities
    for wanted, word in (
        ({"VariantName": "Z", "DesiredWeight": 1}, '"Z"'),
        ({"VariantName": "A", "DesiredWeight": 0}, "greater than 0"),
        ({"VariantName": "A", "DesiredInstanceCount": 0}, "at least 1"),
    ):
        assert word in message(change, EndpointName=endpoint, DesiredWeightsAndCapacities=[wanted])
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"


def test_a_deleted_endpoint_leaves_no_process_and_its_model_and_config_stay(hosting: Hosting) -> None:
    model = hosting.model()
    config = hosting.config(model, count=2)
    endpoint = hosting.create(config)
    hosting.settled(endpoint)
    log_text(hosting, endpoint, "Model server started.")
    ids = instances(hosting, endpoint)
    assert model_servers(*ids)
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)
    assert model_servers(*ids) == []
    with pytest.raises(ClientError, match="not found"):
        hosting.invoke(endpoint, 1)
    hosting.sagemaker.describe_model(ModelName=model)
    hosting.sagemaker.describe_endpoint_config(EndpointConfigName=config)


def test_an_endpoint_serves_on_when_its_model_config_and_data_are_deleted(hosting: Hosting) -> None:
    model = hosting.model(4)
    config = hosting.config(model)
    endpoint = hosting.create(config)
    hosting.settled(endpoint)
    hosting.sagemaker.delete_model(ModelName=model)
    hosting.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    assert hosting.invoke(endpoint, 1)["product"] == 4
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    hosting.gone(endpoint)


def test_an_uncompressed_model_and_code_from_a_submit_directory_are_staged(hosting: Hosting) -> None:
    prefix = f"{name()}/"
    hosting.s3.put_object(Bucket=hosting.bucket, Key=f"{prefix}factor.json", Body=b"6")
    code = hosting.data({"inference.py": MULTIPLIER})
    model = name("model")
    source = {"S3Uri": f"s3://{hosting.bucket}/{prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
    hosting.sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/sagemaker",
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataSource": {"S3DataSource": source},
            "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": code, "SAGEMAKER_PROGRAM": "inference.py"},
        },
    )
    assert hosting.invoke(hosting.serve(model), 7)["product"] == 42
