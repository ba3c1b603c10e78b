"""
InvokeEndpoint against calling the same model in this process: a MiniLM classifier, one review a request. Then the train
job's model against its twin of the compile job.

    python -m benchmarks.endpoint [--calls 150]     # prints Markdown; the server and its folder are its own

The classifier's head is random: what is timed does not depend on it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.crowd import CLIENTS, crowded, timed
from benchmarks.local import BUCKET, ROLE, offline_hub, session
from localaws.core import packing
from localaws.images import hub

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6-cpu-py312"
BLOCKS = 5
REVIEWS = (
    "I love this product!",
    "OK, but not great.",
    "This is not the right product.",
    "The fabric is soft and the fit is true to size, but after two washes the colour had faded and one of the seams "
    "came apart. I wrote to the shop, they answered within a day and sent another one, which has held up so far.",
)
CODE = """
import json
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

def model_fn(model_dir):
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).eval()
    return AutoTokenizer.from_pretrained(model_dir), model

def input_fn(body, content_type):
    return [json.loads(line)["features"][0] for line in body.decode().splitlines()]

def predict_fn(texts, loaded):
    tokenizer, model = loaded
    with torch.inference_mode():
        batch = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
        return model(**batch).logits.softmax(-1)

def output_fn(probabilities, accept):
    rows = zip(probabilities.argmax(-1).tolist(), probabilities.max(-1).values.tolist())
    return "".join(json.dumps({"predicted_label": c - 1, "probability": p}) + "\\n" for c, p in rows)
"""


def main() -> None:
    from benchmarks import twins  # which imports from here

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=150)
    calls = parser.parse_args().calls
    threads = os.environ.get("OMP_NUM_THREADS")
    against_in_process(calls)
    # The second part is of the models as they are served: with as many threads as they take.
    os.environ.pop("OMP_NUM_THREADS")
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = threads
    twins.main(calls)


def against_in_process(calls: int) -> None:
    # One thread a model, here and there: two would wait for each other at every layer, and so time the neighbours.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder, session(Path(folder) / "home") as aws:
        model = build(Path(folder) / "model")
        packing.pack(model, archive := Path(folder) / "model.tar.gz")
        runtime, seconds = deploy(aws, archive)
        local = in_process(model)

        def remote(body: bytes) -> bytes:
            answer = runtime.invoke_endpoint(EndpointName="bench", Body=body, ContentType="application/jsonlines")
            return bytes(answer["Body"].read())

        bodies = [json.dumps({"features": [text]}).encode() for text in REVIEWS]
        same = all(labels(local(body)) == labels(remote(body)) for body in bodies)
        alone = one_client({"in this process": local, "InvokeEndpoint": remote}, bodies, calls)
        crowd = {
            name: crowded(call, [bodies[turn % len(bodies)] for turn in range(calls)])
            for name, call in (("in this process", local), ("InvokeEndpoint", remote))
        }
    report(alone, crowd, seconds, same)


def report(
    alone: dict[str, list[float]], crowd: dict[str, tuple[list[float], int, float]], seconds: float, same: bool
) -> None:
    allowed = 1.3 * percentile(alone["in this process"], 50) + 5
    measured = percentile(alone["InvokeEndpoint"], 50)
    print("# Endpoint: InvokeEndpoint against the model in-process\n")
    print("A MiniLM classifier (6 layers), one review of 4 to 45 words a request, JSON Lines; milliseconds.")
    print(f"OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']} for both.\n")
    print("| | p50 | p95 | calls | errors | calls/s |\n|---|---:|---:|---:|---:|---:|")
    for name, times in alone.items():
        figures = f"{percentile(times, 50):.1f} | {percentile(times, 95):.1f} | {len(times)} | 0"
        print(f"| one client, {name} | {figures} | {1000 * len(times) / sum(times):.0f} |")
    for name, (times, errors, took) in crowd.items():
        figures = f"{percentile(times, 50):.1f} | {percentile(times, 95):.1f} | {len(times)} | {errors}"
        print(f"| {CLIENTS} at once, {name} | {figures} | {len(times) / took:.0f} |")
    print(f"\nGoal: p50 of one client at most 1.3 x in-process + 5 ms = {allowed:.1f} ms; measured {measured:.1f} ms.")
    print(f"Goal: {CLIENTS} clients, no error; there were {crowd['InvokeEndpoint'][1]}.")
    print(f"The two give the same labels: {'yes' if same else 'NO'}. CreateEndpoint to InService: {seconds:.1f} s.")


def build(folder: Path) -> Path:
    """The base encoder with a classifier's head, as a model archive has it, in ``folder``."""
    offline_hub()
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(hub.MODEL, num_labels=3).save_pretrained(folder)
    AutoTokenizer.from_pretrained(hub.MODEL).save_pretrained(folder)
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(CODE)
    return folder


def deploy(aws: Any, archive: Path, name: str = "bench", image: str = IMAGE) -> tuple[Any, float]:
    """The runtime client of an endpoint that serves a model's archive, and the seconds that it took."""
    aws.client("s3").upload_file(str(archive), BUCKET, f"{name}/model.tar.gz")
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": image, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz"},
    )
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    began = time.monotonic()
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    while (status := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Creating":
        time.sleep(0.05)
    if status["EndpointStatus"] != "InService":
        raise SystemExit(status["FailureReason"])
    return aws.client("sagemaker-runtime"), time.monotonic() - began


def in_process(model: Path) -> Callable[[bytes], bytes]:
    """The same code, called here."""
    spec = importlib.util.spec_from_file_location("inference", model / "code" / "inference.py")
    assert spec is not None and spec.loader is not None
    code: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    loaded = code.model_fn(str(model))

    def call(body: bytes) -> bytes:
        data = code.input_fn(body, "application/jsonlines")
        answer: str = code.output_fn(code.predict_fn(data, loaded), "application/jsonlines")
        return answer.encode()

    return call


def labels(body: bytes) -> list[int]:
    return [json.loads(line)["predicted_label"] for line in body.splitlines()]


def one_client(ways: dict[str, Callable[[bytes], bytes]], bodies: list[bytes], calls: int) -> dict[str, list[float]]:
    """
    Milliseconds of each call, by way.

    The ways take turns, so that what else the machine does meets them alike; but a block at a time, after a pause:
    the threads of a numerical library wait for their next work in a busy loop, and would hold up the other way's.
    """
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(BLOCKS):
        for way, call in ways.items():
            time.sleep(0.2)
            for body in bodies:
                call(body)
            times[way] += [timed(call, bodies[turn % len(bodies)]) for turn in range(calls // BLOCKS)]
    return times


def percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


if __name__ == "__main__":
    main()
