"""What the benchmark of variants asks an endpoint with: tiny models, clients without retries, and load."""

from __future__ import annotations

import http.client
import io
import json
import tarfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

from benchmarks.local import BUCKET, ROLE
from localaws.sagemaker.endpoints.channel import Channel

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6-cpu-py312"
CLIENTS = 8
#: Seconds that a change may take.
PATIENCE = 300
CODE = """
import json, time

def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return json.loads(body)

def predict_fn(data, model):
    end = time.thread_time() + WORK
    while time.thread_time() < end:
        pass
    time.sleep(WAIT)
    return data * FACTOR

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""


class Endpoints:
    """Models and endpoints of a localaws."""

    def __init__(self, aws: boto3.Session) -> None:
        self.session = aws
        self.sagemaker = aws.client("sagemaker")
        self.cloudwatch = aws.client("cloudwatch")
        self.autoscaling = aws.client("application-autoscaling")
        # A retry would hide a request that failed.
        once = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=CLIENTS)
        self.runtime = aws.client("sagemaker-runtime", config=once)

    def model(self, factor: int = 1, work: float = 0.0, wait: float = 0.0) -> str:
        """Register a model that takes ``work`` seconds of a core, then ``wait`` seconds of nothing; return its name."""
        code = CODE.replace("WORK", str(work)).replace("WAIT", str(wait)).replace("FACTOR", str(factor))
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            member = tarfile.TarInfo("code/inference.py")
            member.size = len(code)
            tar.addfile(member, io.BytesIO(code.encode()))
        name = f"model-{uuid.uuid4().hex[:8]}"
        self.session.client("s3").put_object(Bucket=BUCKET, Key=f"{name}.tar.gz", Body=content.getvalue())
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}.tar.gz"}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        return name

    def config(self, *models: str, weights: tuple[float, ...] = (), count: int = 1) -> str:
        """Register an endpoint config with a variant a model, A and B; return its name."""
        name = f"config-{uuid.uuid4().hex[:8]}"
        variants = [
            {
                "VariantName": "AB"[place],
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": count,
                "InitialVariantWeight": weights[place] if weights else 1.0,
            }
            for place, model in enumerate(models)
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
        return name

    def serve(self, *models: str, weights: tuple[float, ...] = (), count: int = 1) -> str:
        """Create an endpoint and wait until it is in service; return its name."""
        name = f"endpoint-{uuid.uuid4().hex[:8]}"
        config = self.config(*models, weights=weights, count=count)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.settled(name)
        return name

    def settled(self, endpoint: str) -> dict[str, Any]:
        """Return the description once it is in service and nothing is under way; end the benchmark if it failed."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            if found["EndpointStatus"] == "InService":
                return found
            if found["EndpointStatus"] == "Failed":
                raise SystemExit(found["FailureReason"])
            time.sleep(0.1)
        raise SystemExit(f"{endpoint} is not in service after {PATIENCE} s")

    def delete(self, endpoint: str) -> None:
        """Begin to delete an endpoint."""
        self.sagemaker.delete_endpoint(EndpointName=endpoint)

    def invoke(self, endpoint: str) -> tuple[str, Any]:
        """Return the variant that answered, and what it answered."""
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1", ContentType="application/json")
        return answer["InvokedProductionVariant"], json.loads(answer["Body"].read())


class Wire:
    """One connection, and one request that is signed again only when its signature would expire."""

    headers: Mapping[str, str] = {"Content-Type": "application/json"}
    _AGE = 120.0

    def __init__(self, endpoints: Endpoints, endpoint: str) -> None:
        self._client = endpoints.runtime
        self._credentials = endpoints.session.get_credentials()
        self._path = f"/endpoints/{endpoint}/invocations"
        address = urlsplit(self._client.meta.endpoint_url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._signed: dict[str, str] = {}
        self._since = -self._AGE

    def ask(self) -> str:
        """Return the variant that answered."""
        if time.monotonic() - self._since >= self._AGE:
            url = f"{self._client.meta.endpoint_url}{self._path}"
            request = AWSRequest(method="POST", url=url, data=b"1", headers=dict(self.headers))
            SigV4Auth(self._credentials, "sagemaker", self._client.meta.region_name).add_auth(request)
            self._signed, self._since = dict(request.headers.items()), time.monotonic()
        self._connection.request("POST", self._path, b"1", self._signed)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"InvokeEndpoint: HTTP {answer.status} {body.decode(errors='replace')}")
        return answer.headers["x-Amzn-Invoked-Production-Variant"] or ""


def worker_channel(home: Path, endpoint: str) -> Channel:
    """Return a channel to the socket of an endpoint's only model server."""
    (saved,) = (home / "localaws" / "endpoints" / endpoint).glob("d-*/*/i-*/process.json")
    return Channel(Path(json.loads(saved.read_text())["socket"]))


class Load:
    """Clients that ask all the while; counts answers by variant and value, and what was no answer."""

    def __init__(self, endpoints: Endpoints, endpoint: str) -> None:
        self.answers: Counter[Any] = Counter()
        self.failures: Counter[str] = Counter()
        self._endpoints = endpoints
        self._endpoint = endpoint
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    @property
    def total(self) -> int:
        """Requests so far."""
        with self._lock:
            return sum(self.answers.values()) + sum(self.failures.values())

    def wait_for(self, count: int) -> None:
        """Wait until there were ``count`` requests."""
        deadline = time.monotonic() + PATIENCE
        while self.total < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.total} of {count} requests in {PATIENCE} s: {self.failures}")
            time.sleep(0.05)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                answer = self._endpoints.invoke(self._endpoint)
            except Exception as error:
                with self._lock:
                    self.failures[f"{type(error).__name__}: {error}"] += 1
            else:
                with self._lock:
                    self.answers[answer] += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
