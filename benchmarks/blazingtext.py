"""
BlazingText on the balanced reviews: a training job, and its model on the test split of the features job.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.blazingtext     # prints Markdown; made-up reviews without one

The test split is held out before balancing, as in the DAG `blazingtext_sentiment`.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import fasttext
import pyarrow.parquet as pq

from benchmarks.job_code import bundle
from benchmarks.local import BUCKET, ROLE, ended, offline_hub, raw_reviews, script, session
from localaws.images import hub

IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
GOAL_SECONDS, GOAL_ACCURACY, PUBLISHED = 60, 0.70, 0.533
#: the DAG's defaults, and what the reference workflow took; its buckets are fewer, for its model's size.
SETTINGS = {
    "DAG's defaults": {
        "epochs": "5",
        "early_stopping": "True",
        "patience": "3",
        "learning_rate": "0.2",
        "min_count": "2",
        "vector_dim": "10",
        "word_ngrams": "2",
        "buckets": "100000",
    },
    "reference's": {
        "epochs": "10",
        "learning_rate": "0.01",
        "min_count": "2",
        "vector_dim": "300",
        "word_ngrams": "3",
        "buckets": "100000",
    },
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name, session(Path(name) / "home") as aws:
        folder = Path(name)
        kind = raw_reviews(folder / "raw")
        offline_hub()
        script("transform", input=folder / "raw", output=folder / "cleaned")
        (folder / "in").mkdir()
        (folder / "cleaned" / "table").rename(folder / "in" / "reviews")
        script("features", input=folder / "in" / "reviews", output=folder / "split", base_model=hub.MODEL)
        (folder / "split" / "test").rename(folder / "in" / "test")
        script("blazingtext_prepare", input=folder / "in", output=folder / "prepared")
        counts = json.loads((folder / "prepared" / "report" / "report.json").read_text())
        for channel in ("train", "validation"):
            path = folder / "prepared" / channel / f"{channel}.txt"
            aws.client("s3").upload_file(str(path), BUCKET, f"{channel}/{channel}.txt")
        print("# BlazingText\n")
        print(
            f"On {kind}: {counts['train']:,} balanced reviews to train, {counts['validation']} to validate; "
            f"{counts['held_out']} of the test split left out. Goal: test accuracy of {GOAL_ACCURACY:.2f} (published "
            f"for the reference, on its validation split: {PUBLISHED}) in under {GOAL_SECONDS} s of training.\n"
        )
        print("| hyperparameters | training, s | train accuracy | validation | test | test reviews | model, MB |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for number, (label, settings) in enumerate(SETTINGS.items()):
            job = train(aws, f"blazingtext-{number}", settings)
            metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
            right, asked, size = judge(aws, job, folder)
            accuracies = f"{metrics['train:accuracy']:.3f} | {metrics['validation:accuracy']:.3f} | {right / asked:.3f}"
            print(f"| {label} | {job['TrainingTimeInSeconds']} | {accuracies} | {asked} | {size / 1e6:.0f} |")
        print("\nThe training's seconds are the job's own, from download to upload.")


def train(aws: Any, name: str, settings: dict[str, str]) -> dict[str, Any]:
    """A training job that has completed."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        HyperParameters={"mode": "supervised", **settings},
        InputDataConfig=[
            {
                "ChannelName": channel,
                "DataSource": {"S3DataSource": {"S3Uri": f"s3://{BUCKET}/{channel}/", "S3DataType": "S3Prefix"}},
            }
            for channel in ("train", "validation")
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models"},
        ResourceConfig={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    return ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")


def judge(aws: Any, job: dict[str, Any], folder: Path) -> tuple[int, int, int]:
    """Right answers on the test split, its size, and the bytes of the model."""
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
    aws.client("s3").download_file(BUCKET, key, str(folder / "model.tar.gz"))
    with tarfile.open(folder / "model.tar.gz") as archive:
        archive.extractall(folder / "model", filter="data")
    path = folder / "model" / "model.bin"
    model = fasttext.load_model(str(path))
    sys.path.insert(0, str(bundle("blazingtext_prepare")))
    from tokens import tokenise

    rows = pq.read_table(folder / "in" / "test", columns=["sentiment", "review_body"]).to_pylist()
    right = sum(model.predict(tokenise(row["review_body"]))[0] == (f"__label__{row['sentiment']}",) for row in rows)
    return right, len(rows), path.stat().st_size


if __name__ == "__main__":
    main()
