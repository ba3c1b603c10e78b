"""A model compiled to eight bits by a processing job, and served: the archive of the one is the endpoint's model."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from endpoint_kit import Hosting, name
from job_helpers import BUCKET, IMAGE, Jobs
from localaws_kit import LocalAws

from include.job_code import write
from localaws.core import packing

SERVING_IMAGE = (
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/"
    "huggingface-pytorch-inference:2.6.0-transformers4.51.3-cpu-py312-ubuntu22.04"
)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "a", "dress"]
TEXTS = ["good", "bad dress", "a good dress", "bad bad bad", "a dress", "unknown word"]


def classifier(folder: Path) -> Path:
    """A model's archive as the train job makes it, of a tiny BERT that nobody has trained."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast  # type: ignore[attr-defined]

    (folder / "code").mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    config = BertConfig(
        vocab_size=len(WORDS),
        max_position_embeddings=32,
        id2label={0: "-1", 1: "0", 2: "1"},
        label2id={"-1": 0, "0": 1, "1": 2},
        initializer_range=0.5,
        **sizes,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    code = write("train", folder.with_name("train")).parent
    for file in ("inference.py", "classifier.py", "microbatch.py", "model_input.py", "ngrams.py", "precision.py"):
        shutil.copyfile(code / file, folder / "code" / file)
    return folder


@pytest.fixture(scope="module")
def hosting(localaws: LocalAws) -> Hosting:
    return Hosting(localaws)


@pytest.fixture(scope="module")
def archives(localaws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The archive of a model, and what the job made of it."""
    folder, jobs, job = tmp_path_factory.mktemp("model"), Jobs(localaws.home), name("compile")
    packing.pack(classifier(folder / "model"), folder / "model.tar.gz")
    original = (folder / "model.tar.gz").read_bytes()
    jobs.put(f"{job}/model/model.tar.gz", original)
    columns = {
        "review_id": [str(n) for n in range(len(TEXTS))],
        "review_body": TEXTS,
        "sentiment": [1, -1, 1, -1, 0, 0],
    }
    pq.write_table(pa.table(columns), folder / "part.parquet")
    jobs.put(f"{job}/validation/part.parquet", (folder / "part.parquet").read_bytes())
    for file in write("compile", folder / "compile").parent.iterdir():
        jobs.put(f"{job}/source/{file.name}", file.read_bytes())
    jobs.processing(
        job,
        "",
        inputs={key: {"S3Uri": f"s3://{BUCKET}/{job}/{key}/"} for key in ("source", "model", "validation")},
        outputs={key: {} for key in ("model", "report")},
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/source/compile.py"],
            # A model that nobody has trained is right by chance only.
            "ContainerArguments": ["--most-loss", "1"],
        },
    )
    described = jobs.processed(job, timeout=300)
    assert described["ProcessingJobStatus"] == "Completed", described
    places = {
        output["OutputName"]: output["S3Output"]["S3Uri"].rstrip("/")
        for output in described["ProcessingOutputConfig"]["Outputs"]
    }
    report = json.loads(jobs.get(f"{places['report']}/report.json"))
    assert report["reviews"] == len(TEXTS) and report["compiled"]["agreement"] > 0.8
    return {"original": original, "twin": jobs.get(f"{places['model']}/model.tar.gz")}


def ask(hosting: Hosting, endpoint: str, body: str, **more: Any) -> list[dict[str, Any]]:
    request = {"EndpointName": endpoint, "Body": body, "ContentType": "application/jsonlines", **more}
    answer = hosting.runtime.invoke_endpoint(**request)["Body"].read().decode()
    return [json.loads(line) for line in answer.splitlines()]


def test_the_twin_is_served_beside_its_original_and_answers_alike(hosting: Hosting, archives: dict[str, bytes]) -> None:
    models = [hosting.model(files=archives[which], image=SERVING_IMAGE) for which in ("original", "twin")]
    endpoint = hosting.serve(*models)
    body = "".join(json.dumps({"features": [text]}) + "\n" for text in TEXTS)
    original, twin = (ask(hosting, endpoint, body, TargetVariant=variant) for variant in ("A", "B"))
    assert len(original) == len(twin) == len(TEXTS)
    same = [
        mine
        for mine, theirs in zip(original, twin, strict=True)
        if mine["predicted_label"] == theirs["predicted_label"]
    ]
    assert len(same) >= 5
    for mine, theirs in zip(original, twin, strict=True):
        assert set(theirs) == {"predicted_label", "probability"}
        if mine in same:
            assert theirs["probability"] == pytest.approx(mine["probability"], abs=0.2)
    # In eight bits nothing is the same to the last digit: it is the other model that has answered.
    assert [one["probability"] for one in original] != [one["probability"] for one in twin]
    for variant in ("A", "B"):
        with pytest.raises(ClientError, match="line 1 has no text") as failure:
            ask(hosting, endpoint, '{"text": "no"}', TargetVariant=variant)
        assert failure.value.response["OriginalStatusCode"] == 400
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_an_archive_that_asks_for_another_runtime_does_not_come_into_service(
    hosting: Hosting, archives: dict[str, bytes], tmp_path: Path
) -> None:
    with tarfile.open(fileobj=io.BytesIO(archives["twin"])) as archive:
        archive.extractall(tmp_path / "twin", filter="data")
    (tmp_path / "twin" / "code" / "requirements.txt").write_text("onnxruntime>=999\n")
    packing.pack(tmp_path / "twin", tmp_path / "model.tar.gz")
    files = (tmp_path / "model.tar.gz").read_bytes()
    endpoint = hosting.create(hosting.config(hosting.model(files=files, image=SERVING_IMAGE)))
    described = hosting.settled(endpoint)
    assert described["EndpointStatus"] == "Failed"
    assert "onnxruntime>=999 (installed: " in described["FailureReason"]
    hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
