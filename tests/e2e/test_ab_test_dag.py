"""`ab_test` by a real scheduler: a faster challenger wins, takes the traffic in steps, and scales under load."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from runs_kit import BUCKET, ended, objects, until_known

from stack.airflow_api import AirflowApi
from stack.layout import Stack
from stack.rehearse import AB_TEST

pytestmark = pytest.mark.e2e

#: always positive, in no time: no accuracy to speak of, and much faster than any transformer.
CONSTANT = """
import json


def model_fn(folder):
    return None


def input_fn(body, content_type):
    return [line for line in (body if isinstance(body, str) else body.decode()).splitlines() if line.strip()]


def predict_fn(lines, model):
    return [{"probability": 0.9, "predicted_label": 1} for _ in lines]


def output_fn(answers, accept):
    return "".join(json.dumps(answer) + "\\n" for answer in answers)
"""


def archive(code: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(code.encode())
        packed.addfile(entry, io.BytesIO(code.encode()))
    return content.getvalue()


@pytest.fixture(scope="module")
def constant(client: Callable[[str], Any], champion: dict[str, Any]) -> str:
    """An approved version, of a group of its own, that answers at once."""
    sagemaker, key = client("sagemaker"), "models/constant/model.tar.gz"
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive(CONSTANT))
    package = sagemaker.describe_model_package(ModelPackageName=champion["arn"])
    container = {
        "Image": package["InferenceSpecification"]["Containers"][0]["Image"],
        "ModelDataUrl": f"s3://{BUCKET}/{key}",
    }
    sagemaker.create_model_package_group(ModelPackageGroupName="constant")
    made = sagemaker.create_model_package(
        ModelPackageGroupName="constant",
        ModelApprovalStatus="Approved",
        InferenceSpecification={**package["InferenceSpecification"], "Containers": [container]},
    )
    return str(made["ModelPackageArn"])


def test_a_faster_challenger_takes_over_in_steps_and_scales(
    api: AirflowApi, stack: Stack, constant: str, left: Callable[[str], list[str]]
) -> None:
    until_known(api, "ab_test")
    api.trigger("ab_test", "sample", {**AB_TEST, "challenger": constant})
    states = ended(api, "ab_test", "sample")
    assert states.pop("run") == "success", states
    skipped = {"compile", "register_twin", "approve", "keep_champion", "roll_back"}
    assert {name for name, state in states.items() if state == "skipped"} == skipped
    assert {state for name, state in states.items() if name not in skipped} == {"success"}

    verdict = api.xcom("ab_test", "sample", "verdict")
    assert (verdict["decision"], verdict["difference_found"], verdict["look"]) == ("challenger", False, 3)
    assert verdict["test"]["name"] == "McNemar"
    asked = api.xcom("ab_test", "sample", "requests", "result")
    assert verdict["reviews"] == asked["reviews"] == verdict["variants"]["champion"]["requests"]
    assert verdict["unattributed"] == 0

    for percent in (10, 50, 100):
        shifted = api.xcom("ab_test", "sample", f"shift_{percent}.weights")
        assert shifted["weights"] == {"champion": 100 - percent, "challenger": percent}
        health = api.xcom("ab_test", "sample", f"shift_{percent}.check")
        assert (health["requests"], health["errors"]) == (20, 0)
    assert health["variants"] == {"challenger": 20}
    (variant,) = api.xcom("ab_test", "sample", "remove_loser")["variants"]
    assert variant["name"] == "challenger"

    timeline = api.xcom("ab_test", "sample", "timeline", "result")
    assert (timeline["least"], timeline["most"]) == (1, 2)
    assert "Setting desired instance count to 2." in timeline["activities"]
    assert timeline["alarmed_after"] <= timeline["scaled_after"]
    loaded = api.xcom("ab_test", "sample", "load")
    assert (loaded["requests"], loaded["errors"]) == (180, 0)
    totals = api.xcom("ab_test", "sample", "metrics")["totals"]
    assert totals["champion"]["Invocations"] >= verdict["variants"]["champion"]["requests"]

    written = objects(stack, "reports/ab_test/sample/")
    assert written.keys() >= {"look-3/report.md", "look-3/accuracy.png", "look-3/latency.png", "look-3/looks.png"}
    assert written.keys() >= {"timeline/autoscaling.png", "timeline/traffic.png"}
    assert json.loads(written["look-3/report.json"])["decision"] == "challenger"
    assert left("sentiment-ab") == []
