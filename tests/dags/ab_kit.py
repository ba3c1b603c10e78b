"""For runs of `ab_test`: models that take no time to load, and stand-ins for the jobs."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.settings import settings
from include.tasks import compiling

#: text in a review on which a model of :func:`archive` with ``breaks`` fails.
POISON = "poison"
#: the right answer is the last word of the text.
MODEL = """
import json, pathlib, zlib

def model_fn(folder):
    return json.loads(pathlib.Path(folder, "model.json").read_text())

def input_fn(body, content_type):
    text = body.decode() if isinstance(body, bytes) else body
    return [json.loads(line)["features"][0] for line in text.splitlines() if line.strip()]

def predict_fn(texts, model):
    if model["breaks"] and any("poison" in text for text in texts):
        raise ValueError("this model cannot read poison")
    wrong = [model["wrong"] and zlib.crc32(text.encode()) % model["wrong"] == 0 for text in texts]
    labels = [int(text.split()[-1]) for text in texts]
    return [{"predicted_label": -label or 1 if off else label} for label, off in zip(labels, wrong)]

def output_fn(answers, accept):
    return "".join(json.dumps(answer) + "\\n" for answer in answers)
"""


def archive(wrong: int = 0, *, breaks: bool = False) -> bytes:
    """
    A ``model.tar.gz``.

    :param wrong: the wrong answers are one in this number; 0 for none.
    :param breaks: whether it fails on ``POISON``.
    """
    packed = io.BytesIO()
    files = {"model.json": json.dumps({"wrong": wrong, "breaks": breaks}), "code/inference.py": MODEL}
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


class World:
    """
    What `ab_test` finds: a bucket, and approved versions.

    :ivar versions: ARNs of those that are registered, the oldest first.
    :ivar poisoned: parts of the traffic that have ``POISON`` in them.
    :ivar decisions: of the looks, in their order.
    :ivar real: tasks whose jobs have no stand-in.
    :ivar ran: the tasks whose jobs had one, in the order in which they ran.
    """

    def __init__(self, client: Any) -> None:
        self.s3, self.sagemaker = client("s3"), client("sagemaker")
        self.s3.create_bucket(Bucket=settings.bucket)
        self.sagemaker.create_model_package_group(ModelPackageGroupName=settings.model_group)
        self.versions: list[str] = []
        self.poisoned: set[str] = set()
        self.decisions = ["challenger"]
        self.real: set[str] = set()
        self.ran: list[str] = []
        self._traffic = ""

    def register(self, name: str, content: bytes) -> str:
        """Register an approved version; its ARN."""
        self._put(f"models/{name}/model.tar.gz", content)
        model = {"Image": settings.inference_image, "ModelDataUrl": settings.uri("models", name, "model.tar.gz")}
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName=settings.model_group,
            ModelApprovalStatus="Approved",
            CustomerMetadataProperties={compiling.VALIDATION: settings.uri("validation/")},
            InferenceSpecification={
                "Containers": [model],
                "SupportedContentTypes": ["application/jsonlines"],
                "SupportedResponseMIMETypes": ["application/jsonlines"],
            },
        )
        self.versions.append(made["ModelPackageArn"])
        return self.versions[-1]

    def serve(self, endpoint: str, version: str) -> None:
        """Put a version on an endpoint by itself, whatever is there."""
        name = f"alone-{uuid.uuid4().hex[:8]}"
        container = {"ModelPackageName": version}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=settings.role_arn, Containers=[container])
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        there = self.sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"]
        known = endpoint in {each["EndpointName"] for each in there}
        put = self.sagemaker.update_endpoint if known else self.sagemaker.create_endpoint
        put(EndpointName=endpoint, EndpointConfigName=name)
        self.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1})

    def weights(self, endpoint: str) -> dict[str, float]:
        """The weights of the variants of an endpoint in service."""
        found = self.sagemaker.describe_endpoint(EndpointName=endpoint)
        assert found["EndpointStatus"] == "InService", found
        return {each["VariantName"]: each["CurrentWeight"] for each in found["ProductionVariants"]}

    def left(self) -> list[str]:
        """What serves, or could."""
        names = [each["EndpointName"] for each in self.sagemaker.list_endpoints()["Endpoints"]]
        names += [each["EndpointConfigName"] for each in self.sagemaker.list_endpoint_configs()["EndpointConfigs"]]
        return [*names, *(each["ModelName"] for each in self.sagemaker.list_models()["Models"])]

    def write_traffic(self) -> None:
        """Write the traffic of the last run, as ``poisoned`` has it now."""
        counts = {"load": 4, **{f"look-{number}": 6 for number in (1, 2, 3)}, **{f"health-{n}": 10 for n in (1, 2, 3)}}
        for part, count in counts.items():
            word = POISON if part in self.poisoned else "fine"
            bodies = [json.dumps({"features": [f"{word} review {number} of {part} 1"]}) for number in range(count)]
            lines = [json.dumps({"id": f"{part}-{number}", "body": body}) for number, body in enumerate(bodies)]
            self._put(f"{self._traffic}{part}/requests.jsonl", "\n".join(lines).encode())

    def run_job(self, operator: Any, context: Any, really: Any) -> Any:
        """Stand in for ``ProcessingJobOperator.execute``, which is ``really``."""
        name = operator.task_id.rpartition(".")[2]
        if name in self.real:
            return really(operator, context)
        self.ran.append(operator.task_id)
        stand_in = getattr(self, f"_{name}", None)
        result = stand_in(operator) if stand_in else {}
        for output, uri in operator.output_uris.items():
            context["ti"].xcom_push(key=f"output_{output}", value=uri or settings.uri("jobs", name, f"{output}/"))
        context["ti"].xcom_push(key="result", value=result)
        return {"result": result}

    def _put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=settings.bucket, Key=key, Body=body)

    def _features(self, operator: Any) -> dict[str, Any]:
        labels = [number % 3 - 1 for number in range(150)]
        columns = {
            "review_id": [f"r{number}" for number in range(len(labels))],
            "review_body": [f"fine review {number} of sentiment {label}" for number, label in enumerate(labels)],
            "sentiment": labels,
        }
        content = io.BytesIO()
        pq.write_table(pa.table(columns), content)
        self._put("jobs/features/test/part-algo-1.parquet", content.getvalue())
        return {}

    def _requests(self, operator: Any) -> dict[str, Any]:
        self._traffic = operator.output_uris["requests"].removeprefix(f"s3://{settings.bucket}/")
        self.write_traffic()
        return {"reviews": 18}

    def _compare(self, operator: Any) -> dict[str, Any]:
        look = operator.arguments["look"]
        return {"decision": self.decisions[look - 1], "because": f"look {look} says so"}

    def _compile(self, operator: Any) -> dict[str, Any]:
        self._put("jobs/compile/model/model.tar.gz", archive(breaks=True))
        figures = {"accuracy": 0.7, "agreement": 0.99}
        return {"synthetic": False, "reviews": 100, "compiled": figures, "original": figures}
