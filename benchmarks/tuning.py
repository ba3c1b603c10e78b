"""
What tuning in parallel costs: the training jobs of a tuning job, two at once, against the same ones one after another.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.tuning [--jobs 4] [--rows 512]     # prints Markdown

The training jobs are those of `tune_sentiment`: MiniLM, one epoch, a learning rate and a batch size by Random search.
Each tells the processor time of its process at its end. First the tuning job runs, then the same trainings as training
jobs of their own, with the machine to themselves. Goal: the tuning's jobs take at most 1.15 times the processor time.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

from benchmarks.features import MODEL, job_into
from benchmarks.job_code import bundle
from benchmarks.local import BUCKET, ROLE, ended, offline_hub, raw_reviews, session

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-training:2.9.0-transformers5.3.0-gpu-py312"
GOAL = 1.15
PARALLEL = 2
#: the train script, and then what it has used; a script that is stopped early says nothing.
MEASURED = """
import resource, sys
import train

status = train.main()
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(f"cpu_seconds: {sum(each.ru_utime + each.ru_stime for each in used):.2f}", flush=True)
sys.exit(status)
"""
METRICS = [
    {"Name": "validation:accuracy", "Regex": "val_acc: ([0-9.]+)"},
    {"Name": "cpu_seconds", "Regex": "cpu_seconds: ([0-9.]+)"},
]
RANGES = {
    "ContinuousParameterRanges": [{"Name": "learning_rate", "MinValue": "5e-5", "MaxValue": "3e-4"}],
    "CategoricalParameterRanges": [{"Name": "train_batch_size", "Values": ["16", "32", "64"]}],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--rows", type=int, default=512, help="reviews an epoch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offline_hub()
        kind = raw_reviews(folder / "raw")
        job_into(folder / "features", "features", folder / "raw", "--base-model", MODEL)
        with session(folder / "home") as aws:
            prepare(aws.client("s3"), folder)
            compare(aws, options, kind)


def prepare(s3: Any, folder: Path) -> None:
    """Put code and splits into S3."""
    source = folder / "source"
    shutil.copytree(bundle("train"), source)
    (source / "measured.py").write_text(MEASURED)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for file in source.iterdir():
            tar.add(file, file.name)
    s3.put_object(Bucket=BUCKET, Key="sourcedir.tar.gz", Body=raw.getvalue())
    for split in ("train", "validation"):
        for file in (folder / "features" / split).iterdir():
            s3.upload_file(str(file), BUCKET, f"{split}/{file.name}")


def definition() -> dict[str, Any]:
    """What CreateTrainingJob and TrainingJobDefinition have in common, without hyperparameters."""
    return {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": METRICS},
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "ChannelName": split,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{split}/"}},
            }
            for split in ("train", "validation")
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
    }


def hyperparameters(rows: int) -> dict[str, str]:
    """The same for all training jobs."""
    return {
        "sagemaker_program": "measured.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/sourcedir.tar.gz",
        "base_model": MODEL,
        "epochs": "1",
        "balance": "oversample",
        "max_epoch_rows": str(rows),
    }


def compare(aws: boto3.Session, options: argparse.Namespace, kind: str) -> None:
    sagemaker = aws.client("sagemaker")
    # The first training job reads model and libraries from the disk: neither side has that.
    alone(sagemaker, "warm-up", options.rows, {"learning_rate": "1e-4", "train_batch_size": "32"})
    began = time.perf_counter()
    together = tuned(sagemaker, options)
    wall = time.perf_counter() - began
    began = time.perf_counter()
    single = [
        alone(sagemaker, f"alone-{number}", options.rows, job["tuned"]) for number, job in enumerate(together, start=1)
    ]
    wall_alone = time.perf_counter() - began
    report(options, kind, together, single, wall, wall_alone)


def tuned(sagemaker: Any, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the tuning job; what each of its training jobs was given and has used."""
    name = "tune"
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "RandomSeed": 1,
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": options.jobs, "MaxParallelTrainingJobs": PARALLEL},
            "ParameterRanges": RANGES,
        },
        TrainingJobDefinition={
            **definition(),
            "StaticHyperParameters": hyperparameters(options.rows),
        },
    )
    ended(
        lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
        "HyperParameterTuningJobStatus",
    )
    summaries = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
    )["TrainingJobSummaries"]
    return [
        {"tuned": summary["TunedHyperParameters"], **used(sagemaker, summary["TrainingJobName"])}
        for summary in summaries
    ]


def alone(sagemaker: Any, name: str, rows: int, values: dict[str, str]) -> dict[str, Any]:
    """Run one training job with nothing beside it; what it has used."""
    given = {**hyperparameters(rows), **values}
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters=given, **definition())
    return used(sagemaker, name)


def used(sagemaker: Any, name: str) -> dict[str, float]:
    job = ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    metrics = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    return {"cpu": metrics["cpu_seconds"], "accuracy": metrics["validation:accuracy"]}


def report(
    options: argparse.Namespace,
    kind: str,
    together: list[dict[str, Any]],
    single: list[dict[str, Any]],
    wall: float,
    wall_alone: float,
) -> None:
    cpu, cpu_alone = (sum(job["cpu"] for job in jobs) for jobs in (together, single))
    print("# Tuning in parallel\n")
    print(
        f"A tuning job of {options.jobs} training jobs on {kind}, {PARALLEL} at once, against the same trainings one "
        f"after another: MiniLM, one epoch of {options.rows} reviews. Goal: at most {GOAL} times the processor time.\n"
    )
    print("| training job | learning rate | batch | accuracy | processor, s | alone | ratio |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for number, (job, one) in enumerate(zip(together, single, strict=True), start=1):
        rate, batch = float(job["tuned"]["learning_rate"]), job["tuned"]["train_batch_size"]
        figures = f"{job['accuracy']:.2f} % | {job['cpu']:.1f} | {one['cpu']:.1f} | {job['cpu'] / one['cpu']:.2f}"
        print(f"| {number} | {rate:.2e} | {batch} | {figures} |")
    print(f"| all | | | | {cpu:.1f} | {cpu_alone:.1f} | **{cpu / cpu_alone:.2f}** |")
    same = [job["accuracy"] for job in together] == [job["accuracy"] for job in single]
    print(
        f"\nWall clock: {wall:.0f} s in parallel, {wall_alone:.0f} s one after another. The accuracies are "
        f"{'the same' if same else 'not the same'} in both. Load of the machine, mean of 1, 5 and 15 minutes: "
        f"{statistics.fmean(os.getloadavg()):.1f}."
    )
    print(f"\nGoal {'reached' if cpu <= GOAL * cpu_alone else 'missed'}.")


if __name__ == "__main__":
    main()
