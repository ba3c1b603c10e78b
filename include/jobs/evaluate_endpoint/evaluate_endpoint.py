"""
Processing job: an endpoint and the test split -> how good the model behind it is, how fast and how large.

Reads the Parquet parts of the features job's test split in ``INPUT/test/`` and asks the endpoint about every review, in
the form that its kind of endpoint takes (``--protocol``, see :mod:`protocols`). Writes::

    OUTPUT/report/evaluation.json       {"model", "kind", "metrics": {"accuracy": {"value"}, "macro_f1": {"value"},
                                         "confusion_matrix": {"value": rows true, columns predicted, -1 0 1},
                                         "per_class": {"value": {sentiment: {precision, recall, f1, support}}}},
                                         "reviews", "test_split": {"sha256", "reviews"},
                                         "latency_ms": {"p50", "p95", "requests"}, "training_seconds", "model_bytes",
                                         "sagemaker_model", "evaluated_at", "synthetic"}
    OUTPUT/report/confusion_matrix.png
    OUTPUT/report/predictions.csv       review_id, sentiment, predicted_label, probability: all of them
    OUTPUT/report/misclassified.csv     the errors the model was surest of, at most 100

Latencies are of requests with one review each, from this job's instance, one after the other. ``test_split`` is the
same for two evaluations on the same reviews, and only then can they be compared.

Exit status 2, and one sentence, when the input cannot be used; nothing is written then.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from job import BadInput, aws_failure, is_synthetic, processing_parser, run
from judging import Answer, measure, read_reviews, write_judgement
from protocols import PROTOCOLS

BATCH = 100
TIMED = 100
#: seconds that an endpoint may be away.
PATIENCE = 120.0


def fingerprint(review_ids: Sequence[str]) -> dict[str, Any]:
    """Return what tells a test split from another: a hash of its review ids in any order, and their number."""
    joined = "\n".join(sorted(map(str, review_ids)))
    return {"sha256": hashlib.sha256(joined.encode()).hexdigest(), "reviews": len(review_ids)}


def model_bytes(uris: Sequence[str], region: str | None) -> int | None:
    """Return the size of the model's archives in S3 together, None without any. :raises BadInput: one is missing."""
    s3 = boto3.client("s3", region_name=region)
    total = 0
    for uri in uris:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            total += s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except (BotoCoreError, ClientError) as error:
            raise aws_failure(f"the model data {uri} cannot be looked at", error) from error
    return total or None


class Endpoint:
    """An endpoint and how to talk to it. :raises BadInput: it does not answer, or another protocol."""

    def __init__(self, name: str, protocol: str, region: str | None) -> None:
        self.name = name
        self.kind = protocol
        self.protocol = PROTOCOLS[protocol]
        self.runtime = boto3.client("sagemaker-runtime", region_name=region)

    def ask(self, texts: Sequence[str]) -> list[Answer]:
        """Return the most probable sentiment of each text, and its probability."""
        body = self._answer(self.protocol.write(texts))
        try:
            found = self.protocol.read(body.decode())
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadInput(
                f"the endpoint {self.name} does not answer like {self.kind} ({error!r}): {body[:200]!r}"
            ) from error
        if len(found) != len(texts):
            raise BadInput(f"the endpoint {self.name} does not answer like {self.kind}: {len(found)} for {len(texts)}")
        return found

    def _answer(self, body: str) -> bytes:
        """Ask the endpoint, and again while it does not answer: a model's container may be starting again."""
        content_type = self.protocol.content_type
        # Not by tenacity, which AWS's images do not have.
        deadline, pause = time.monotonic() + PATIENCE, 1.0
        while True:
            try:
                answer = self.runtime.invoke_endpoint(
                    EndpointName=self.name, Body=body, ContentType=content_type, Accept=content_type
                )
                return bytes(answer["Body"].read())
            except (BotoCoreError, ClientError) as error:
                failure = aws_failure(f"the endpoint {self.name} does not answer", error)
                if isinstance(failure, BadInput) or time.monotonic() + pause > deadline:
                    raise failure from error
                print(f"{failure}; asking again in {pause:.0f} s")
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def latencies(self, texts: Sequence[str]) -> dict[str, float]:
        """Measure the milliseconds of a request with one text: median and 95th percentile."""
        seconds = []
        for text in texts:
            began = time.perf_counter()
            self.ask([text])
            seconds.append(time.perf_counter() - began)
        p50, p95 = np.percentile(seconds, (50, 95)) * 1000
        return {"p50": round(float(p50), 2), "p95": round(float(p95), 2), "requests": len(seconds)}


def evaluate(source: Path, target: Path, endpoint: Endpoint, notes: dict[str, Any]) -> dict[str, Any]:
    """
    Ask the endpoint about the whole split and write the report below ``target``; the figures.

    :param notes: what the report says of the model beside them; ``model`` and ``synthetic`` at least.
    """
    reviews = read_reviews(source / "test")
    texts = reviews["review_body"].to_pylist()
    answers = [answer for start in range(0, len(texts), BATCH) for answer in endpoint.ask(texts[start : start + BATCH])]
    predicted = np.array([label for label, _ in answers])
    report = {
        **measure(reviews["sentiment"].to_numpy(), predicted),
        "test_split": fingerprint(reviews["review_id"].to_pylist()),
        "latency_ms": endpoint.latencies(texts[:TIMED]),
        **notes,
    }
    write_judgement(target / "report", report, reviews, answers)
    return report


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the job's options."""
    parser = processing_parser("an endpoint and the test split -> how good its model is")
    parser.add_argument("--endpoint-name", required=True)
    parser.add_argument("--protocol", required=True, choices=sorted(PROTOCOLS))
    parser.add_argument("--model", required=True, help="what the model is called on the leader board")
    parser.add_argument("--kind", default="", help="what it is, in a few words")
    parser.add_argument("--model-name", default="", help="SageMaker's model behind the endpoint")
    parser.add_argument("--model-data", nargs="*", default=[], help="S3 URIs of its archives, for its size")
    parser.add_argument("--training-seconds", type=float, help="how long its training took")
    parser.add_argument("--region", help="default: the container's AWS settings")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status."""
    options = parse(arguments)

    def work() -> None:
        now = datetime.now(timezone.utc)  # noqa: UP017 (the containers' Python may be 3.10, which has no datetime.UTC)
        notes = {
            "model": options.model,
            "kind": options.kind,
            "training_seconds": options.training_seconds,
            "model_bytes": model_bytes(options.model_data, options.region),
            "sagemaker_model": options.model_name,
            "evaluated_at": now.isoformat(timespec="seconds"),
            "synthetic": is_synthetic(options),
        }
        endpoint = Endpoint(options.endpoint_name, options.protocol, options.region)
        report = evaluate(options.input, options.output, endpoint, notes)
        accuracy, f1 = (report["metrics"][name]["value"] for name in ("accuracy", "macro_f1"))
        print(f"test_accuracy: {accuracy:.4f} - test_macro_f1: {f1:.4f} on {report['reviews']} reviews")
        print(f"latency: {report['latency_ms']['p50']} ms p50, {report['latency_ms']['p95']} ms p95")

    return run("evaluate_endpoint", work, options.reason)


if __name__ == "__main__":
    sys.exit(main())
