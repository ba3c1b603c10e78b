"""Training jobs as a client of AWS sees them: the container contract, the life cycle, the artefacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from job_helpers import BUCKET, IMAGE, Jobs
from localaws_kit import LocalAws
from waiting_kit import until


@pytest.fixture(scope="module")
def jobs(localaws: LocalAws) -> Jobs:
    return Jobs(localaws.home)


SAVE = "import os, pathlib; pathlib.Path(os.environ['SM_MODEL_DIR'], 'model.bin').write_text('weights')\n"


def _secondary(job: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def test_a_script_gets_its_channels_parameters_and_folders_and_its_model_is_uploaded(jobs: Jobs) -> None:
    script = """
import argparse, json, os, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
arguments = parser.parse_args()
root = pathlib.Path("/opt/ml")
seen = {
    "arguments": vars(arguments),
    "train": {str(p.relative_to(root)): p.read_text() for p in sorted((root / "input/data").rglob("*")) if p.is_file()},
    "channel": os.environ["SM_CHANNEL_TRAIN"],
    "parameters": json.loads((root / "input/config/hyperparameters.json").read_text()),
    "channels": json.loads((root / "input/config/inputdataconfig.json").read_text()),
    "resources": json.loads((root / "input/config/resourceconfig.json").read_text()),
    "cwd": os.getcwd(),
    "extra": os.environ["EXTRA"],
    "python": sys.version_info[:2],
}
print("seen", json.dumps(seen))
(root / "model/nested").mkdir()
(root / "model/nested/weights.bin").write_bytes(b"weights")
(root / "output/data/notes.txt").write_text("notes")
"""
    jobs.put("contract/train/a.csv", "a")
    jobs.put("contract/train/deep/b.csv", "b")
    jobs.put("contract/validation/only.csv", "v")
    job = jobs.train(
        "contract",
        script,
        parameters={"epochs": 3, "name": "a b"},
        channels={
            "train": f"s3://{BUCKET}/contract/train",
            "validation": f"s3://{BUCKET}/contract/validation/only.csv",
        },
        Environment={"EXTRA": "from the request"},
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    line = next(line for line in jobs.log("training-job", "contract").splitlines() if line.startswith("seen "))
    seen = json.loads(line.removeprefix("seen "))
    assert seen["arguments"] == {"epochs": 3, "name": "a b"}
    assert seen["train"] == {
        "input/data/train/a.csv": "a",
        "input/data/train/deep/b.csv": "b",
        "input/data/validation/only.csv": "v",
    }
    assert seen["channel"].endswith("/input/data/train")
    assert seen["parameters"]["epochs"] == "3"
    assert seen["channels"]["train"]["TrainingInputMode"] == "File"
    assert seen["resources"]["hosts"] == ["algo-1"]
    assert seen["cwd"].endswith("/code")
    assert seen["extra"] == "from the request"
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == f"s3://{BUCKET}/contract-out/contract/output/model.tar.gz"
    assert jobs.unpack(artifacts) == {"nested/weights.bin": b"weights"}
    assert jobs.unpack(artifacts.replace("model.tar", "output.tar")) == {"notes.txt": b"notes"}


def test_the_life_cycle_is_told_as_aws_tells_it(jobs: Jobs) -> None:
    arn = jobs.training("cycle", SAVE + "import time; time.sleep(0.3)")
    job = jobs.trained("cycle")
    assert job["TrainingJobArn"] == arn == "arn:aws:sagemaker:us-east-1:123456789012:training-job/cycle"
    assert _secondary(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    for one, next_one in zip(job["SecondaryStatusTransitions"], job["SecondaryStatusTransitions"][1:], strict=False):
        assert one["StartTime"] <= one["EndTime"] == next_one["StartTime"]
        assert one["StatusMessage"]
    assert job["SecondaryStatus"] == "Completed"
    assert job["CreationTime"] <= job["TrainingStartTime"] < job["TrainingEndTime"] == job["LastModifiedTime"]
    assert job["TrainingTimeInSeconds"] >= 1
    assert job["BillableTimeInSeconds"] >= 1
    assert "FailureReason" not in job


def test_a_name_that_is_taken_is_refused_and_a_deleted_one_is_free(jobs: Jobs) -> None:
    jobs.train("taken", SAVE)
    with pytest.raises(ClientError, match="must be unique within an AWS account and region") as caught:
        jobs.training("taken", SAVE)
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    jobs.sagemaker.delete_training_job(TrainingJobName="taken")
    assert jobs.train("taken", "print('again')")["TrainingJobStatus"] == "Completed"
    assert "again" in jobs.log("training-job", "taken")


def test_an_unknown_job_is_a_validation_exception(jobs: Jobs) -> None:
    for call in (
        jobs.sagemaker.describe_training_job,
        jobs.sagemaker.stop_training_job,
        jobs.sagemaker.delete_training_job,
    ):
        with pytest.raises(ClientError) as caught:
            call(TrainingJobName="nobody")
        assert caught.value.response["Error"] == {
            **caught.value.response["Error"],
            "Code": "ValidationException",
            "Message": "Requested resource not found.",
        }


def test_an_ended_job_cannot_be_stopped(jobs: Jobs) -> None:
    jobs.train("over", SAVE)
    with pytest.raises(ClientError) as caught:
        jobs.sagemaker.stop_training_job(TrainingJobName="over")
    message = "The request was rejected because the training job is in status Completed."
    assert caught.value.response["Error"]["Message"] == message
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_jobs_are_listed_by_name_status_and_page(jobs: Jobs) -> None:
    for number in range(3):
        jobs.training(f"listed-{number}", SAVE if number else "raise SystemExit(3)")
    for number in range(3):
        jobs.trained(f"listed-{number}")
    names = lambda **query: [  # noqa: E731
        job["TrainingJobName"]
        for job in jobs.sagemaker.list_training_jobs(NameContains="listed-", **query)["TrainingJobSummaries"]
    ]
    assert names(SortBy="Name", SortOrder="Ascending") == ["listed-0", "listed-1", "listed-2"]
    assert names(StatusEquals="Failed") == ["listed-0"]
    first = jobs.sagemaker.list_training_jobs(
        NameContains="listed-", SortBy="Name", SortOrder="Ascending", MaxResults=2
    )
    assert len(first["TrainingJobSummaries"]) == 2
    assert names(SortBy="Name", SortOrder="Ascending", NextToken=first["NextToken"], MaxResults=2) == ["listed-2"]
    summary = first["TrainingJobSummaries"][0]
    assert summary["TrainingJobStatus"] == "Failed"
    assert {"TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime"} <= summary.keys()


def test_metrics_are_read_off_the_log_into_the_job_and_into_cloudwatch(jobs: Jobs) -> None:
    script = """
for epoch, loss in enumerate([0.9, 0.76]):
    print(f"epoch {epoch} val_loss: {loss} - val_acc: {60 + epoch * 10.92:.2f}%")
print("val_loss: nonsense")
"""
    definitions = [
        {"Name": "validation:loss", "Regex": "val_loss: ([0-9.]+|nonsense)"},
        {"Name": "validation:accuracy", "Regex": r"val_acc: ([0-9.]+)%"},
        {"Name": "never", "Regex": "nothing: ([0-9.]+)"},
    ]
    job = jobs.train("metrics", script, algorithm={"MetricDefinitions": definitions})
    found = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
    assert found == pytest.approx({"validation:loss": 0.76, "validation:accuracy": 70.92}, rel=1e-6)
    series = jobs.cloudwatch.get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="validation:loss",
        Dimensions=[{"Name": "TrainingJobName", "Value": "metrics"}],
        StartTime=job["CreationTime"].replace(second=0, microsecond=0),
        EndTime=job["CreationTime"].replace(year=job["CreationTime"].year + 1),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert sum(point["SampleCount"] for point in series) == 2
    assert sum(point["Sum"] for point in series) == pytest.approx(1.66)


def test_what_the_script_prints_is_in_cloudwatch_logs(jobs: Jobs) -> None:
    script = "import sys; print('to stdout', flush=True); print('to stderr: ünï ☃', file=sys.stderr)"
    jobs.train("logged", script)
    events = jobs.events("/aws/sagemaker/TrainingJobs", "logged/")
    (stream,) = events
    assert stream.startswith("logged/algo-1-")
    assert events[stream][-2:] == ["to stdout", "to stderr: ünï ☃"]


def test_a_manifest_and_sharding_divide_the_objects_between_two_hosts(jobs: Jobs) -> None:
    script = """
import json, os, pathlib
for channel in ("shards", "listed", "all"):
    root = pathlib.Path("/opt/ml/input/data") / channel
    print(channel, json.dumps(sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())))
pathlib.Path("/opt/ml/model", os.environ["SM_CURRENT_HOST"]).write_text(os.environ["SM_HOSTS"])
"""
    for number in range(5):
        jobs.put(f"shard-data/part-{number}", str(number))
    manifest = jobs.put(
        "shards.manifest", json.dumps([{"prefix": f"s3://{BUCKET}/shard-data/"}, "part-0", "part-3", "part-4"])
    )
    shards = {"S3Uri": f"s3://{BUCKET}/shard-data/part-", "S3DataDistributionType": "ShardedByS3Key"}
    job = jobs.train(
        "shards",
        script,
        instances=2,
        channels={
            "shards": shards,
            "listed": {**shards, "S3DataType": "ManifestFile", "S3Uri": manifest},
            "all": f"s3://{BUCKET}/shard-data/",
        },
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    logs = [jobs.log("training-job", "shards", host) for host in ("algo-1", "algo-2")]
    assert 'shards ["part-0", "part-2", "part-4"]' in logs[0]
    assert 'shards ["part-1", "part-3"]' in logs[1]
    assert 'listed ["part-0", "part-4"]' in logs[0]
    assert 'listed ["part-3"]' in logs[1]
    assert all('all ["part-0", "part-1", "part-2", "part-3", "part-4"]' in log for log in logs)
    model = jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert model == {"algo-1": b'["algo-1", "algo-2"]', "algo-2": b'["algo-1", "algo-2"]'}
    assert len(jobs.events("/aws/sagemaker/TrainingJobs", "shards/")) == 2


def test_two_jobs_at_once_see_their_own_opt_ml(jobs: Jobs) -> None:
    script = """
import pathlib, sys, time
mine = pathlib.Path("/opt/ml/model/who")
mine.write_text(sys.argv[2])
time.sleep(0.7)
assert mine.read_text() == sys.argv[2], "another job wrote here"
"""
    for name in ("neighbour-a", "neighbour-b"):
        jobs.training(name, script, parameters={"who": name})
    for name in ("neighbour-a", "neighbour-b"):
        job = jobs.trained(name)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"who": name.encode()}


def test_keys_and_file_names_of_all_letters_survive_the_way_there_and_back(jobs: Jobs) -> None:
    names = ["plain", "ü ñ☃.csv", "a+b %20&=?#'\"().csv", "deep/er/x", "tilde~star*.csv"]
    script = """
import pathlib, shutil
shutil.copytree("/opt/ml/input/data/odd", "/opt/ml/model/odd")
"""
    for name in names:
        jobs.put(f"odd keys/{name}", name.encode())
    output = {"S3OutputPath": f"s3://{BUCKET}/odd-out/", "CompressionType": "NONE"}
    channels = {"odd": f"s3://{BUCKET}/odd keys/"}
    job = jobs.train("odd", script, channels=channels, OutputDataConfig=output)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    keys = jobs.keys("odd-out/")
    assert keys == sorted(f"odd-out/odd/output/model/odd/{name}" for name in names)
    assert {jobs.get(f"s3://{BUCKET}/{key}").decode() for key in keys} == set(names)


def test_torchrun_spans_two_instances(jobs: Jobs) -> None:
    script = """
import os, torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(total)
print("rank", dist.get_rank(), "of", dist.get_world_size(), "sum", total.item())
if dist.get_rank() == 0:
    open(os.path.join(os.environ["SM_MODEL_DIR"], "sum"), "w").write(str(total.item()))
dist.destroy_process_group()
"""
    job = jobs.train("distributed", script, instances=2, parameters={"sagemaker_torch_distributed_enabled": True})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert jobs.unpack(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"sum": b"3.0"}
    assert "rank 0 of 2 sum 3.0" in jobs.log("training-job", "distributed", "algo-1")
    assert "rank 1 of 2 sum 3.0" in jobs.log("training-job", "distributed", "algo-2")


def test_checkpoints_of_a_former_job_are_there_and_new_ones_are_kept_though_the_job_fails(jobs: Jobs) -> None:
    checkpoints = {"S3Uri": f"s3://{BUCKET}/checkpoints"}
    script = """
import pathlib
folder = pathlib.Path("/opt/ml/checkpoints")
number = len(list(folder.iterdir()))
print("found", number)
(folder / f"step-{number}").write_text("x")
raise SystemExit(0 if number else 5)
"""
    assert jobs.train("first-try", script, CheckpointConfig=checkpoints)["TrainingJobStatus"] == "Failed"
    assert jobs.keys("checkpoints/") == ["checkpoints/step-0"]
    assert jobs.train("second-try", script, CheckpointConfig=checkpoints)["TrainingJobStatus"] == "Completed"
    assert jobs.keys("checkpoints/") == ["checkpoints/step-0", "checkpoints/step-1"]


def test_a_model_without_compression_is_uploaded_file_by_file(jobs: Jobs) -> None:
    output = {"S3OutputPath": f"s3://{BUCKET}/plain-out/", "CompressionType": "NONE"}
    job = jobs.train("plain", SAVE, OutputDataConfig=output)
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/plain-out/plain/output/model/"
    assert jobs.keys("plain-out/") == ["plain-out/plain/output/model/model.bin"]


def test_a_container_entry_point_takes_the_place_of_script_mode(jobs: Jobs) -> None:
    algorithm = {
        "TrainingInputMode": "FastFile",
        "ContainerEntrypoint": ["python3", "-c", "import sys; print('entry', sys.argv[1:])"],
        "ContainerArguments": ["--x", "1"],
    }
    assert jobs.train("entry", "", algorithm=algorithm)["TrainingJobStatus"] == "Completed"
    assert "entry ['--x', '1']" in jobs.log("training-job", "entry")


def test_the_base_encoder_is_found_by_name_in_a_job(jobs: Jobs) -> None:
    script = """
from transformers import AutoConfig
print("hidden", AutoConfig.from_pretrained("sentence-transformers/all-MiniLM-L6-v2").hidden_size)
"""
    job = jobs.train("encoder", script)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert "hidden 384" in jobs.log("training-job", "encoder")


def test_a_script_reaches_s3_with_the_environment_that_it_is_given(jobs: Jobs) -> None:
    script = f"import boto3; print(boto3.client('s3').get_object(Bucket='{BUCKET}', Key='reach')['Body'].read())"
    jobs.put("reach", "reached")
    jobs.train("reaching", script)
    assert "b'reached'" in jobs.log("training-job", "reaching")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"algorithm": {"TrainingInputMode": "Pipe"}}, "NotImplemented", "Pipe mode"),
        ({"TrainingJobName": "../climbing"}, "ValidationException", "regular expression pattern"),
        ({"algorithm": {"MetricDefinitions": [{"Name": "m", "Regex": "("}]}}, "ValidationException", "metric m"),
        ({"algorithm": {"MetricDefinitions": [{"Name": "m", "Regex": "x"}]}}, "ValidationException", "no group"),
        ({"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/etc/x"}}, "ValidationException", "under /opt/ml"),
        (
            {"channels": {"a": {"S3Uri": "s3://b/c", "S3DataType": "AugmentedManifestFile"}}},
            "NotImplemented",
            "Augmented",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(jobs: Jobs, change: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        jobs.training("refused", SAVE, **change)
    assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="not found"):
        jobs.sagemaker.describe_training_job(TrainingJobName="refused")


def test_the_volume_of_an_ended_job_is_given_back_and_its_log_is_kept(jobs: Jobs) -> None:
    jobs.train("volume", SAVE + "print('kept')")
    folder = jobs.folder("training-job", "volume")
    until(lambda: (folder / "ml").exists(), lambda there: not there)
    assert "kept" in jobs.log("training-job", "volume")
    assert not list(Path(folder).glob("*.tar.gz"))


def test_an_image_of_an_inference_container_does_not_train(jobs: Jobs) -> None:
    job = jobs.train("wrong-image", SAVE, image=IMAGE.replace("training", "inference"))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: The image ")
