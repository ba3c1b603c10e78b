"""For tests of several variants: two of them behind an endpoint, and records to send to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from operator_kit import BUCKET, ROLE, SERVING_IMAGE, Airflow, FakeTask
from serving_kit import packed_model

from amazon_ml.operators.endpoint_batch import InvokeEndpointBatchOperator
from amazon_ml.operators.endpoint_weights import EndpointWeightsOperator
from amazon_ml.operators.model import ModelOperator

NAME = "two-variants"
#: variant -> what its model says.
WORDS = {"champion": "one", "challenger": "two"}


def variants(aws: Any, airflow: Airflow) -> list[dict[str, Any]]:
    made = []
    for name, word in WORDS.items():
        aws("s3").put_object(Bucket=BUCKET, Key=f"models/{word}.tar.gz", Body=packed_model(word))
        task = FakeTask(task_id=name, run_id="two-variants")
        given = {"image_uri": SERVING_IMAGE, "role_arn": ROLE, "model_data": f"s3://{BUCKET}/models/{word}.tar.gz"}
        model = airflow.run(lambda name=name, given=given: ModelOperator(task_id=name, **given), task)
        kind = {"instance_type": "ml.m5.large", "instances": 1, "weight": 0.5}
        made.append({"name": name, "model": model["name"], **kind})
    return made


def weights(given: dict[str, float], name: str = NAME) -> Callable[[], EndpointWeightsOperator]:
    return lambda: EndpointWeightsOperator(task_id="weights", endpoint_name=name, weights=given)


def record(name: str, text: str = "hello") -> dict[str, str]:
    return {"id": name, "body": json.dumps({"features": [text]})}


def batch(aws: Any, records: list[dict[str, Any]], **changes: Any) -> Callable[[], InvokeEndpointBatchOperator]:
    body = "".join(json.dumps(record) + "\n" for record in records).encode()
    aws("s3").put_object(Bucket=BUCKET, Key="batch/records.jsonl", Body=body)
    given = {"output": f"s3://{BUCKET}/batch/answers/", **changes}
    given["records"] = given.pop("source", f"s3://{BUCKET}/batch/records.jsonl")
    return lambda: InvokeEndpointBatchOperator(task_id="batch", endpoint_name=NAME, **given)


def answers(aws: Any) -> list[dict[str, Any]]:
    lines: list[str] = []
    for key in answer_keys(aws):
        lines += aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    return [json.loads(line) for line in lines]


def answer_keys(aws: Any) -> list[str]:
    found = aws("s3").list_objects_v2(Bucket=BUCKET, Prefix="batch/answers/").get("Contents", [])
    return [each["Key"] for each in found]


class Killed(BaseException):
    """Nothing of the task runs after this."""
