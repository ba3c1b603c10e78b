"""What the tests of models and endpoints share: tiny models, and short words for the calls around an endpoint."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from localaws_kit import LocalAws
from waiting_kit import until

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6-cpu-py312"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"

#: a model that needs nothing: multiplies, and says which process it is.
MULTIPLIER = """
import json, os, time, uuid

def model_fn(model_dir):
    with open(os.path.join(model_dir, "factor.json")) as file:
        factor = json.load(file)
    print("factor", factor)
    return {"factor": factor, "process": uuid.uuid4().hex}

def input_fn(body, content_type):
    return json.loads(body)

def predict_fn(data, model):
    if data == "crash":
        os._exit(9)
    if isinstance(data, dict):
        time.sleep(data["sleep"])
        data = 1
    return {"product": data * model["factor"], "process": model["process"]}

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""


def name(prefix: str = "x") -> str:
    """A name of its own for each test: the tests share one server."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def archive(files: dict[str, str]) -> bytes:
    """A ``.tar.gz`` of texts by path."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


class Hosting:
    """
    The clients of one localaws, and a bucket.

    :param server: That one; else the one of the environment.
    """

    def __init__(self, server: LocalAws | None = None) -> None:
        # Not the default session: it keeps the keys of the first server that it meets.
        client = server.client if server else boto3.Session().client
        self.sagemaker = client("sagemaker")
        # A retry would hide a request that failed.
        once = Config(retries={"total_max_attempts": 1, "mode": "standard"})
        self.runtime = client("sagemaker-runtime", config=once)
        self.s3 = client("s3")
        self.logs = client("logs")
        self.cloudwatch = client("cloudwatch")
        self.bucket = name("models")
        self.s3.create_bucket(Bucket=self.bucket)

    def data(self, files: dict[str, str] | bytes) -> str:
        """Put an archive into the bucket; its URI."""
        key = f"{uuid.uuid4().hex}/model.tar.gz"
        body = files if isinstance(files, bytes) else archive(files)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def model(
        self,
        factor: float = 1,
        *,
        code: str = MULTIPLIER,
        files: dict[str, str] | bytes | None = None,
        image: str = IMAGE,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Register a model; its name."""
        if files is None:
            files = {"factor.json": json.dumps(factor), "code/inference.py": code}
        model = name("model")
        container = {"Image": image, "ModelDataUrl": self.data(files), "Environment": environment or {}}
        self.sagemaker.create_model(ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return model

    def config(self, *models: str, count: int = 1, weights: tuple[float, ...] = ()) -> str:
        """Register an endpoint config with a variant a model, A, B, ...; its name."""
        config = name("config")
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {
                    "VariantName": "ABCDEFGH"[place],
                    "ModelName": model,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": count,
                    "InitialVariantWeight": weights[place] if weights else 1.0,
                }
                for place, model in enumerate(models)
            ],
        )
        return config

    def create(self, config: str) -> str:
        """Begin to create an endpoint; its name."""
        endpoint = name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
        return endpoint

    def serve(self, *models: str, count: int = 1, weights: tuple[float, ...] = ()) -> str:
        """Create an endpoint and see it in service; its name."""
        endpoint = self.create(self.config(*models, count=count, weights=weights))
        description = self.settled(endpoint)
        assert description["EndpointStatus"] == "InService", description.get("FailureReason")
        return endpoint

    def settled(self, endpoint: str) -> dict[str, Any]:
        """The description once nothing is in progress."""
        return until(
            lambda: dict(self.sagemaker.describe_endpoint(EndpointName=endpoint)),
            lambda description: not description["EndpointStatus"].endswith("ing"),
        )

    def gone(self, endpoint: str) -> None:
        """Wait until a deleted endpoint has gone."""

        def gone() -> bool:
            try:
                self.sagemaker.describe_endpoint(EndpointName=endpoint)
            except self.sagemaker.exceptions.ClientError as error:
                assert "Could not find endpoint" in str(error)
                return True
            return False

        until(gone, what=f"{endpoint} is gone")

    def invoke(self, endpoint: str, data: Any, **more: Any) -> Any:
        """Let the multiplier answer."""
        response = self.runtime.invoke_endpoint(
            EndpointName=endpoint, Body=json.dumps(data), ContentType="application/json", **more
        )
        return json.loads(response["Body"].read())


@contextmanager
def load(hosting: Hosting, endpoint: str, clients: int = 3, pause: float = 0) -> Iterator[Counter[Any]]:
    """
    Ask all the while; counts the products, and whatever was no answer.

    :param pause: Seconds between two requests of a client.
    """
    answers: Counter[Any] = Counter()
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(pause):
            try:
                answers[hosting.invoke(endpoint, 1)["product"]] += 1
            except Exception as error:
                answers[repr(error)] += 1

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()
