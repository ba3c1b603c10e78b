"""What the tests of AutoML jobs share: a tiny base model, texts whose class can be learnt, and jobs through boto3."""

from __future__ import annotations

import csv
import io
import json
import random
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from waiting_kit import until

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
ENDS = {"Completed", "Failed", "Stopped"}
#: the server's environment variable that names the base model of its AutoML jobs.
BASE_MODEL = "LOCALAWS_AUTOPILOT_BASE_MODEL"

WORDS = {
    "-1": ["awful", "poor", "returned", "itchy", "broken", "hate"],
    "0": ["okay", "average", "fine", "plain", "decent", "meh"],
    "1": ["love", "great", "perfect", "soft", "lovely", "best"],
}
FILLER = ["the", "dress", "shirt", "i", "this", "is", "it", "was", "very", "and", "color", "size", "with", "my"]


def text(label: str, generator: random.Random) -> str:
    words = [*generator.sample(WORDS[label], 3), *generator.choices(FILLER, k=5)]
    generator.shuffle(words)
    return " ".join(words)


def rows(count: int, seed: int = 1, labels: dict[str, str] | None = None) -> list[dict[str, str]]:
    """So many reviews, of each label alike; with a column that says nothing. ``labels``: others -> those of WORDS."""
    labels = labels or {label: label for label in WORDS}
    generator = random.Random(seed)
    found = []
    for number in range(count):
        label, like = list(labels.items())[number % len(labels)]
        found.append({"sentiment": label, "review_body": text(like, generator), "product_category": "Dresses"})
    return found


def table(records: list[dict[str, str]]) -> str:
    """CSV with a header."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return written.getvalue()


def tiny_bert(folder: Path, layers: int = 3) -> Path:
    """A randomly initialised BERT of small layers that knows the words above, in Hugging Face layout; its folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *(word for some in WORDS.values() for word in some)]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=128).save_pretrained(folder)
    torch.manual_seed(1)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=128, **sizes)).save_pretrained(folder)
    return folder


class AutoMl:
    """Drives AutoML jobs through boto3 alone."""

    def __init__(self, *, checks: bool = True) -> None:
        """``checks``: whether boto3 refuses by itself what its models forbid."""
        # Not the default session: it keeps the keys of the first server that it meets.
        session = boto3.Session()
        self.sagemaker = session.client("sagemaker", config=Config(parameter_validation=checks))
        self.runtime = session.client("sagemaker-runtime")
        self.s3 = session.client("s3")
        self.bucket = f"automl-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, key: str, body: str | bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def request(self, name: str, data: str | bytes | None, *, target: str = "sentiment", **more: Any) -> dict[str, Any]:
        """A CreateAutoMLJob request on data in one object; ``channel`` and ``config`` change parts of it."""
        uri = self.put(f"{name}/data/reviews", data) if data is not None else f"s3://{self.bucket}/nothing"
        source = {"S3DataType": "S3Prefix", "S3Uri": uri}
        channel = {"DataSource": {"S3DataSource": source}, "TargetAttributeName": target, **more.pop("channel", {})}
        config = {"CompletionCriteria": {"MaxCandidates": 1, **more.pop("criteria", {})}, **more.pop("config", {})}
        return {
            "AutoMLJobName": name,
            "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out"},
            "AutoMLJobConfig": config,
            "RoleArn": ROLE,
            **more,
        }

    def create(self, name: str, data: str | bytes | None, **more: Any) -> str:
        """Start a job; its ARN."""
        arn: str = self.sagemaker.create_auto_ml_job(**self.request(name, data, **more))["AutoMLJobArn"]
        return arn

    def create_v2(self, name: str, data: str | bytes, **more: Any) -> str:
        """Start a job of the second version; its ARN."""
        source = {"S3DataType": "S3Prefix", "S3Uri": self.put(f"{name}/data/reviews", data)}
        channel = {"ChannelType": "training", "DataSource": {"S3DataSource": source}}
        config: dict[str, Any] = {"ContentColumn": "review_body", "TargetLabelColumn": "sentiment"}
        config |= {"CompletionCriteria": {"MaxCandidates": 1}, **more.pop("text", {})}
        request = {
            "AutoMLJobName": name,
            "AutoMLJobInputDataConfig": [{**channel, **more.pop("channel", {})}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out/"},
            "AutoMLProblemTypeConfig": {"TextClassificationJobConfig": config},
            "RoleArn": ROLE,
            **more,
        }
        arn: str = self.sagemaker.create_auto_ml_job_v2(**request)["AutoMLJobArn"]
        return arn

    def describe(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self.sagemaker.describe_auto_ml_job_v2(AutoMLJobName=name)
        return job

    def ended(self, name: str, seconds: float = 120) -> dict[str, Any]:
        """The job once it has ended."""
        return self.until(name, lambda job: job["AutoMLJobStatus"] in ENDS, seconds)

    def until(self, name: str, done: Any, seconds: float = 60) -> dict[str, Any]:
        """Look at a job until it is as wanted; what was seen then, with ``seen``: the secondary statuses in order."""
        seen: list[str] = []

        def look() -> dict[str, Any]:
            job: dict[str, Any] = self.describe(name)
            if job["AutoMLJobSecondaryStatus"] not in seen[-1:]:
                seen.append(job["AutoMLJobSecondaryStatus"])
            return job

        return {**until(look, done, seconds), "seen": seen}

    def candidates(self, name: str, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=name, **more)[
            "Candidates"
        ]
        return found

    def children(self, name: str) -> dict[str, list[str]]:
        """The names of a job's processing and training jobs."""
        processing = self.sagemaker.list_processing_jobs(NameContains=f"{name}-")["ProcessingJobSummaries"]
        training = self.sagemaker.list_training_jobs(NameContains=f"{name}-")["TrainingJobSummaries"]
        return {
            "processing": [job["ProcessingJobName"] for job in processing],
            "training": [job["TrainingJobName"] for job in training],
        }

    def deploy(self, name: str, candidate: dict[str, Any], output: str) -> None:
        """An endpoint of a candidate, in service."""
        container = dict(candidate["InferenceContainers"][0])
        container["Environment"] = {**container["Environment"], "SAGEMAKER_INFERENCE_OUTPUT": output}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Containers=[container])
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 90}
        )

    def ask(self, endpoint: str, body: str, content_type: str = "text/csv") -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type)
        return str(answer["Body"].read().decode())

    def log(self, home: Path, kind: str, child: str) -> str:
        return (home / "localaws" / "jobs" / kind / child / "logs" / "algo-1.log").read_text()

    def notebook(self, uri: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get(uri))
        return document
