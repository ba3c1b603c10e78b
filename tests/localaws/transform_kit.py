"""What the tests of transform jobs share: tiny models, and a job's request in few words."""

from __future__ import annotations

from typing import Any

from endpoint_kit import Hosting, name
from job_helpers import ENDS
from waiting_kit import until

#: answers each line in upper case, and says on the way what it was asked and with which variables.
SHOUT = """
import os, time

def model_fn(model_dir):
    return {key: value for key, value in os.environ.items() if key.startswith("SAGEMAKER_") or key == "GREETING"}

def input_fn(body, content_type):
    print(f"asked {len(body)} {content_type}\\n", end="", flush=True)
    return body if isinstance(body, str) else body.decode()

def predict_fn(text, model):
    if "slow" in text:
        time.sleep(30)
    if "broken" in text:
        raise ValueError("cannot shout this")
    if "crash" in text:
        os._exit(7)
    if "environment" in text:
        return str(sorted(model.items()))
    return text.upper()

def output_fn(prediction, accept):
    return prediction
"""


class Transforms(Hosting):
    """The clients of one localaws, a bucket, and transform jobs of its objects."""

    def put(self, objects: dict[str, str | bytes]) -> str:
        """Put objects under a prefix of their own; its URI."""
        prefix = name("in")
        for key, body in objects.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}/{key}", Body=body)
        return f"s3://{self.bucket}/{prefix}/"

    def begin(
        self, model: str, source: str, *, data: dict[str, Any] | None = None, instances: int = 1, **members: Any
    ) -> str:
        """Create a job; its name. ``members`` and those of ``data`` (TransformInput) change the request."""
        job = name("transform")
        data = dict(data or {})
        kind = data.pop("S3DataType", "S3Prefix")
        output = {"S3OutputPath": f"s3://{self.bucket}/out/{job}", **members.pop("output", {})}
        self.sagemaker.create_transform_job(
            TransformJobName=job,
            ModelName=model,
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": source}},
                "ContentType": "text/csv",
                "SplitType": "Line",
                **data,
            },
            TransformOutput=output,
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": instances},
            **members,
        )
        return job

    def ended(self, job: str) -> dict[str, Any]:
        """The description once it has ended."""
        return until(
            lambda: self.sagemaker.describe_transform_job(TransformJobName=job),
            lambda found: found["TransformJobStatus"] in ENDS,
        )

    def run(self, model: str, source: str, **members: Any) -> dict[str, str]:
        """Run a job that completes; its outputs by key."""
        job = self.begin(model, source, **members)
        description = self.ended(job)
        assert description["TransformJobStatus"] == "Completed", description.get("FailureReason")
        return self.outputs(job)

    def outputs(self, job: str) -> dict[str, str]:
        """What a job wrote, by key relative to S3OutputPath."""
        prefix = f"out/{job}/"
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"].removeprefix(prefix): self.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"]
            .read()
            .decode()
            for entry in found
        }

    def lines(self, job: str) -> list[str]:
        """What it said in CloudWatch."""
        group = "/aws/sagemaker/TransformJobs"
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=job)["logStreams"]
        names = [stream["logStreamName"] for stream in streams]
        answers = [
            self.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True) for stream in names
        ]
        return [event["message"] for answer in answers for event in answer["events"]]
