"""
A hundred times the data: time, memory and cost of each step at 1 x, 10 x and 100 x the reviews, through localaws.

    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.scale --work FOLDER                     # all; prints Markdown
    REVIEWS_SOURCE=reviews.csv.zip python -m benchmarks.scale --work FOLDER --step transform --copies 100

Each step takes minutes at most and keeps its figures in FOLDER, so that they can be taken one by one; a step that has
been taken is not taken again. FOLDER needs 10 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shutil
import signal
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import blazingtext
from benchmarks import scale_kit as kit
from benchmarks.job_code import bundle
from benchmarks.local import BUCKET, ROLE, ROOT, ended, offline_hub, raw_reviews, script, session

COPIES = (1, 10, 100)
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-training:2.9.0-transformers5.3.0-gpu-py312"
PROCESSING, SERVING, TRAINING = "ml.m5.xlarge", "ml.m5.large", "ml.m5.2xlarge"
#: reviews that the training draws from the split, and takes of those, balanced.
DRAWN, TRAINED = 10_000, 480
RECORD = ("review_id", "date", "sentiment", "label_id", "input_ids", "review_body", "split_type")
REPORTS = ("report.json", "report-algo-2.json")
#: CreateProcessingJob's paths.
INPUT, OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a step runs: a localaws whose S3 has what earlier steps of as many copies have made."""

    aws: Any
    server: int
    folder: Path
    copies: int

    def uri(self, *parts: str) -> str:
        """Return a prefix of this number of copies."""
        return f"s3://{BUCKET}/{'/'.join([str(self.copies), *parts])}/"

    def process(
        self,
        job: str,
        inputs: dict[str, str],
        outputs: dict[str, str],
        arguments: dict[str, Any],
        *,
        instances: int = 1,
        sharded: str = "",
    ) -> Figures:
        """Run a processing job to its end; its figures."""
        code = f"{self.copies}/code/{job}"
        for path in bundle(job).iterdir():
            self.aws.client("s3").upload_file(str(path), BUCKET, f"{code}/{path.name}")
        sources = {"code": f"s3://{BUCKET}/{code}/", **inputs}
        name = f"{job.replace('_', '-')}-{self.copies}-{instances}-{time.time_ns() // 10**9}"
        words = [str(word) for flag, value in arguments.items() for word in (flag, value)]
        sagemaker = self.aws.client("sagemaker")
        with kit.Memory(self.server) as memory:
            sagemaker.create_processing_job(
                ProcessingJobName=name,
                RoleArn=ROLE,
                AppSpecification={
                    "ImageUri": IMAGE,
                    "ContainerEntrypoint": ["python3", f"{INPUT}/code/{job}.py"],
                    **({"ContainerArguments": words} if words else {}),
                },
                ProcessingInputs=[_input(key, uri, sharded=key == sharded) for key, uri in sources.items()],
                ProcessingOutputConfig={"Outputs": [_output(key, uri) for key, uri in outputs.items()]},
                ProcessingResources={
                    "ClusterConfig": {"InstanceType": PROCESSING, "InstanceCount": instances, "VolumeSizeInGB": 30}
                },
            )
            done = ended(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
        seconds = (done["ProcessingEndTime"] - done["ProcessingStartTime"]).total_seconds()
        return {"seconds": seconds, **_peaks(memory), "cost": kit.instances(PROCESSING, memory.cpu)}

    def read(self, *parts: str) -> Any:
        """Return a JSON document of this number of copies."""
        key = "/".join([str(self.copies), *parts])
        return json.loads(self.aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def _input(name: str, uri: str, *, sharded: bool) -> dict[str, Any]:
    distribution = "ShardedByS3Key" if sharded else "FullyReplicated"
    place = {"S3Uri": uri, "LocalPath": f"{INPUT}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**place, "S3DataDistributionType": distribution}}


def _output(name: str, uri: str) -> dict[str, Any]:
    place = {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": place}


def _peaks(memory: kit.Memory) -> Figures:
    return {"cpu": memory.cpu, "job": memory.job, "all_jobs": memory.all_jobs, "server": memory.server}


# --- the steps: each returns its figures, of which "rows" is what it has worked on


def upload(place: Place) -> Figures:
    """Resample the reviews, and put them into S3."""
    raw = place.folder / "raw"
    raw_reviews(raw)
    files = place.folder / f"raw-{place.copies}"
    rows = kit.resample(raw / "reviews.csv", files, place.copies)
    began = time.perf_counter()
    with kit.Memory(place.server) as memory:
        for path in sorted(files.iterdir()):
            place.aws.client("s3").upload_file(str(path), BUCKET, f"{place.copies}/raw/{path.name}")
            path.unlink()
    return {"rows": rows, "seconds": time.perf_counter() - began, **_peaks(memory), "cost": 0.0}


def transform(place: Place) -> Figures:
    """Clean the raw reviews."""
    outputs = {name: place.uri(name) for name in ("table", "reviews", "report")}
    figures = place.process("transform", {"raw": place.uri("raw")}, outputs, {})
    report = place.read("report", "report.json")
    return {**figures, "rows": report["rows_in"], "parts": len(report["parts"])}


def crawl(place: Place) -> Figures:
    """Have a crawler find the table."""
    glue, name = place.aws.client("glue"), f"crawl-{place.copies}"
    database = f"reviews{place.copies}"
    with contextlib.suppress(glue.exceptions.AlreadyExistsException):
        glue.create_database(DatabaseInput={"Name": database})
        csv = {"Name": name, "Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}
        glue.create_classifier(CsvClassifier=csv)
        targets = {"S3Targets": [{"Path": place.uri("reviews")}]}
        glue.create_crawler(Name=name, Role=ROLE, DatabaseName=database, Targets=targets, Classifiers=[name])
    began = time.perf_counter()
    with kit.Memory(place.server) as memory:
        glue.start_crawler(Name=name)
        while (told := glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
            time.sleep(0.1)
    seconds = time.perf_counter() - began
    if told["LastCrawl"]["Status"] != "SUCCEEDED":
        raise SystemExit(f"the crawl ended {told['LastCrawl']}")
    return {"rows": _rows(place), "seconds": seconds, **_peaks(memory), "cost": kit.crawler(seconds)}


def ask(place: Place, sql: str, answers: str, database: str = "") -> tuple[str, int]:
    """Wait for a query of Athena, in the database of the reviews unless one is named; its id, and the bytes read."""
    athena = place.aws.client("athena")
    execution = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database or f"reviews{place.copies}"},
        ResultConfiguration={"OutputLocation": place.uri(answers)},
    )["QueryExecutionId"]
    while True:
        told = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
        if told["Status"]["State"] == "SUCCEEDED":
            return execution, told["Statistics"]["DataScannedInBytes"]
        if told["Status"]["State"] in ("FAILED", "CANCELLED"):
            raise SystemExit(f"{sql[:40]}: {told['Status']}")
        time.sleep(0.05)


def query(place: Place) -> Figures:
    """Ask the five questions of ``ingest_reviews``, one after the other."""
    athena, scanned, seconds = place.aws.client("athena"), [], 0.0
    with kit.Memory(place.server) as memory:
        for path in sorted((ROOT / "include" / "sql").glob("*.sql")):
            began = time.perf_counter()
            execution, read = ask(place, path.read_text(), "answers")
            seconds += time.perf_counter() - began
            scanned.append(read)
            if path.stem == "sentiments":
                _, *rows = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
                counted = sum(int(row["Data"][1]["VarCharValue"]) for row in rows)
                if counted != _rows(place):
                    raise SystemExit(f"Athena counts {counted} reviews, the transform job wrote {_rows(place)}")
    return {"rows": _rows(place), "seconds": seconds, **_peaks(memory), "cost": kit.queries(scanned)}


def features(place: Place, instances: int = 1) -> Figures:
    """Tokenise and split, on one instance or sharded."""
    base = f"features-{instances}"
    outputs = {
        name: place.uri(base, name) for name in ("train", "validation", "test", "feature_store", "report", "manifest")
    }
    arguments = {"--base-model": MODEL, "--date": "2026-11-30T00:00:00Z"}
    sharded = "reviews" if instances > 1 else ""
    figures = place.process(
        "features", {"reviews": place.uri("table")}, outputs, arguments, instances=instances, sharded=sharded
    )
    manifests = [place.read(base, "manifest", f"manifest-algo-{number + 1}.json") for number in range(instances)]
    parts = sorted(part["name"] for manifest in manifests for part in manifest["inputs"])
    made = place.read("report", "report.json")
    if parts != [part["name"] for part in made["parts"]] or sum(each["rows"] for each in manifests) != made["rows"]:
        raise SystemExit(f"the manifests have {parts} and {[each['rows'] for each in manifests]} rows: not the table")
    return {**figures, "rows": made["rows"]}


def offline(place: Place) -> Figures:
    """Write the records of the features job on two instances into an offline store, by two more."""
    group, sagemaker = _group(place), place.aws.client("sagemaker")
    store, catalog = (group["OfflineStoreConfig"][part] for part in ("S3StorageConfig", "DataCatalogConfig"))
    outputs = {"offline": f"{store['ResolvedOutputS3Uri']}/", "report": place.uri("offline-report")}
    arguments = {"--features": ",".join(f"{name}:String" for name in RECORD), "--event-time": "date"}
    source = {"records": place.uri("features-2", "feature_store")}
    figures = place.process("offline_store", source, outputs, arguments, instances=2, sharded="records")
    reports = [place.read("offline-report", f"report-algo-{number}.json") for number in (1, 2)]
    table = catalog["TableName"]
    for partition in {hour for report in reports for hour in report["partitions"]}:
        keys = zip(("year", "month", "day", "hour"), partition.split("/"), strict=True)
        values = ", ".join(f"{key} = '{value}'" for key, value in keys)
        ask(
            place,
            f"ALTER TABLE `{table}` ADD IF NOT EXISTS PARTITION ({values})",
            "offline-answers",
            "sagemaker_featurestore",
        )
    execution, _ = ask(place, f'SELECT count(*) FROM "{table}"', "offline-answers", "sagemaker_featurestore")
    _, row = place.aws.client("athena").get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
    there, written = int(row["Data"][0]["VarCharValue"]), sum(report["rows"] for report in reports)
    if there != written:
        raise SystemExit(f"Athena counts {there} records, the jobs wrote {written}")
    sagemaker.delete_feature_group(FeatureGroupName=group["FeatureGroupName"])
    return {**figures, "rows": written}


def _group(place: Place) -> Any:
    """Return a new feature group with an offline store."""
    sagemaker, name = place.aws.client("sagemaker"), f"reviews-{place.copies}-{time.time_ns() // 10**9}"
    sagemaker.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="review_id",
        EventTimeFeatureName="date",
        FeatureDefinitions=[{"FeatureName": feature, "FeatureType": "String"} for feature in RECORD],
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": place.uri("store")}},
        RoleArn=ROLE,
    )
    while (told := sagemaker.describe_feature_group(FeatureGroupName=name))["FeatureGroupStatus"] == "Creating":
        time.sleep(0.1)
    return told


def batch(place: Place) -> Figures:
    """Have BlazingText's model classify all reviews, which Athena unloads as JSON lines, by a batch transform."""
    archive = _blazingtext(place)
    sagemaker, name = place.aws.client("sagemaker"), f"batch-{place.copies}-{time.time_ns() // 10**9}"
    source, results = place.uri(f"{name}-in"), place.uri(f"{name}-out")
    began = time.perf_counter()
    unload = f"UNLOAD (SELECT lower(review_body) AS source FROM reviews) TO '{source}'"
    _, scanned = ask(place, f"{unload} WITH (format = 'JSON', compression = 'NONE')", "unloaded")
    unloading = time.perf_counter() - began
    container = {"Image": blazingtext.IMAGE, "ModelDataUrl": archive}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    with kit.Memory(place.server) as memory:
        sagemaker.create_transform_job(
            TransformJobName=name,
            ModelName=name,
            BatchStrategy="MultiRecord",
            MaxPayloadInMB=1,
            MaxConcurrentTransforms=2,
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                "ContentType": "application/jsonlines",
                "SplitType": "Line",
            },
            TransformOutput={"S3OutputPath": results, "AssembleWith": "Line", "Accept": "application/jsonlines"},
            TransformResources={"InstanceType": SERVING, "InstanceCount": 1},
        )
        done = ended(lambda: sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus")
    answers = sum(block.count(b"\n") for block in _content(place, f"{place.copies}/{name}-out/"))
    if answers != _rows(place):
        raise SystemExit(f"{answers} answers for {_rows(place)} reviews")
    seconds = (done["TransformEndTime"] - done["TransformStartTime"]).total_seconds()
    cost = kit.instances(SERVING, memory.cpu) + kit.queries([scanned])
    return {"rows": answers, "seconds": seconds, "unload": unloading, **_peaks(memory), "cost": cost}


def _content(place: Place, prefix: str) -> Iterator[bytes]:
    """Yield what is in the objects below a prefix, a block at a time."""
    s3 = place.aws.client("s3")
    for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]:
        yield from s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].iter_chunks(1 << 20)


def _blazingtext(place: Place) -> str:
    """Return where a model is that has learnt from the real reviews; a training job makes it once for all copies."""
    path, s3 = place.folder / "blazingtext.tar.gz", place.aws.client("s3")
    if not path.exists():
        made = place.folder / "blazingtext"
        shutil.rmtree(made, ignore_errors=True)
        raw_reviews(made / "raw")
        offline_hub()
        script("transform", input=made / "raw", output=made / "cleaned")
        (made / "in").mkdir()
        (made / "cleaned" / "table").rename(made / "in" / "reviews")
        script("features", input=made / "in" / "reviews", output=made / "split", base_model=MODEL)
        (made / "split" / "test").rename(made / "in" / "test")
        script("blazingtext_prepare", input=made / "in", output=made / "prepared")
        for channel in ("train", "validation"):
            s3.upload_file(str(made / "prepared" / channel / f"{channel}.txt"), BUCKET, f"{channel}/{channel}.txt")
        settings = blazingtext.SETTINGS["DAG's defaults"]
        job = blazingtext.train(place.aws, f"blazingtext-{time.time_ns() // 10**9}", settings)
        key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{BUCKET}/")
        s3.download_file(BUCKET, key, str(path))
    s3.upload_file(str(path), BUCKET, "models/blazingtext/model.tar.gz")
    return f"s3://{BUCKET}/models/blazingtext/model.tar.gz"


def train(place: Place) -> Figures:
    """
    Train MiniLM on two spot instances that are taken away once: ``TRAINED`` reviews, drawn from the training split.

    The splits are those of the features job on two instances.
    """
    code = f"{place.copies}/code/train/sourcedir.tar.gz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(bundle("train"), arcname=".")
    place.aws.client("s3").put_object(Bucket=BUCKET, Key=code, Body=packed.getvalue())
    sagemaker, name = place.aws.client("sagemaker"), f"train-{place.copies}-{time.time_ns() // 10**9}"
    parameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/{code}",
        "sagemaker_region": "us-east-1",
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_instance_type": TRAINING,
        "base_model": MODEL,
        "balance": "oversample",
        "epochs": "1",
        "max_train_rows": str(DRAWN),
        "max_epoch_rows": str(TRAINED),
    }
    channels = {split: place.uri("features-2", split) for split in ("train", "validation")}
    with kit.Memory(place.server) as memory:
        sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            RoleArn=ROLE,
            HyperParameters=parameters,
            InputDataConfig=[
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix"}},
                }
                for channel, uri in channels.items()
            ],
            OutputDataConfig={"S3OutputPath": place.uri("models")},
            ResourceConfig={"InstanceType": TRAINING, "InstanceCount": 2, "VolumeSizeInGB": 30},
            CheckpointConfig={"S3Uri": place.uri(f"{name}-checkpoints")},
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 1200, "MaxWaitTimeInSeconds": 2400},
        )
        log = (
            place.folder / f"home-{place.copies}" / "localaws" / "jobs" / "training-job" / name / "logs" / "algo-1.log"
        )
        while not log.exists() or not re.search(r"epoch 1/1 step \d", log.read_text()):
            if sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] != "InProgress":
                break
            time.sleep(0.2)
        # Under way: the spot instances are reclaimed.
        (log.parent.parent / "interrupt").touch()
        done = ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    statuses = [each["Status"] for each in done["SecondaryStatusTransitions"]]
    resumed = re.search(r"going on from the checkpoint: epoch \d+, step (\d+)", log.read_text())
    if "Interrupted" not in statuses or not resumed:
        raise SystemExit(f"the training went {statuses} and did not go on from a checkpoint")
    cost = kit.instances(TRAINING, 2 * done["BillableTimeInSeconds"])
    return {
        "rows": TRAINED,
        "there": sum(sum(place.read("features-2", "report", each)["splits"]["train"].values()) for each in REPORTS),
        "resumed": int(resumed[1]),
        "seconds": float(done["TrainingTimeInSeconds"]),
        "billable": done["BillableTimeInSeconds"],
        **_peaks(memory),
        "cost": cost,
    }


def _rows(place: Place) -> int:
    return int(place.read("report", "report.json")["rows"])


STEPS: dict[str, Callable[[Place], Figures]] = {
    "upload": upload,
    "transform": transform,
    "crawl": crawl,
    "query": query,
    "features-2": lambda place: features(place, 2),
    "features": features,
    "offline": offline,
    "batch": batch,
    "train": train,
}


#: step -> what the table calls it, and what it works on.
NAMES = {
    "transform": ("transform, 1 instance", "raw reviews"),
    "crawl": ("crawl of the table", "reviews"),
    "query": ("Athena, the five questions", "reviews"),
    "features": ("features, 1 instance", "reviews"),
    "features-2": ("features, 2 instances, sharded", "reviews"),
    "offline": ("offline store in bulk, 2 instances", "records"),
    "batch": ("batch transform, BlazingText", "reviews"),
    "train": ("training, 2 spot instances", "reviews an epoch"),
}


def report(folder: Path) -> Iterator[str]:
    """Yield the lines of the results: what was not taken is said."""
    yield "# A hundred times the data\n"
    prices = ", ".join(f"{kind} ${price}" for kind, price in kit.PRICES.items())
    yield f"The real reviews, and {' and '.join(f'{copies} times' for copies in COPIES[1:])} as many drawn from them;"
    yield "every step goes through localaws on this machine, and all instances share its cores. Seconds are the wall's,"
    yield "longer where other work is on the machine; processor seconds are those of localaws and the job. Memory is"
    yield "resident, the most at any time: of the job's largest process, of all its processes, and of localaws. Cost is"
    yield "AWS's for the processor seconds, as if each instance kept one core busy; of the training, for the seconds"
    yield f"that were billed (us-east-1, on demand, November 2026; an hour of {prices}; a crawl is two DPUs for ten"
    yield "minutes at least, a query 10 MB at least). S3 and the minutes that instances take to start come on top.\n"
    yield "| step | x | rows | seconds | processor s | against 1 x | job, MiB | all, MiB | localaws, MiB | AWS, $ |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for step, (name, _) in NAMES.items():
        first = _figures(folder, step, 1)
        for copies in COPIES:
            yield _line(name, copies, _figures(folder, step, copies), first)
    yield ""
    yield from _notes(folder)


def _figures(folder: Path, step: str, copies: int) -> Figures | None:
    path = folder / "figures" / f"{step}-{copies}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _line(name: str, copies: int, figures: Figures | None, first: Figures | None) -> str:
    if figures is None:
        return f"| {name} | {copies} | not run | | | | | | | |"
    cpu, before = figures.get("cpu"), first and first.get("cpu")
    against = f"{cpu / before:.1f} x" if cpu and before else ""
    memory = " | ".join(f"{figures[part]:,.0f}" if figures[part] else "" for part in ("job", "all_jobs", "server"))
    figure = f"{figures['rows']:,} | {figures['seconds']:,.1f} | {'' if cpu is None else f'{cpu:,.1f}'} | {against}"
    return f"| {name} | {copies} | {figure} | {memory} | {figures['cost']:.4f} |"


def _notes(folder: Path) -> Iterator[str]:
    """Yield what was trained, and what the answers of Athena were unloaded in."""
    for copies in COPIES:
        if found := _figures(folder, "train", copies):
            yield (
                f"* Training at {copies} x: {DRAWN:,} reviews drawn from the {found['there']:,} of the training split, "
                f"{found['rows']} of those, balanced, in one epoch; interrupted once, resumed at step "
                f"{found['resumed']}; {found['billable']} of {found['seconds']:.0f} s billed."
            )
        if found := _figures(folder, "batch", copies):
            yield f"* Before the batch transform at {copies} x Athena unloads the texts, in {found['unload']:.1f} s."
    yield "* Tokens, not embeddings: the model's own work on 2.3 M texts takes hours on two cores, and was not run."


@contextlib.contextmanager
def running(folder: Path, copies: int) -> Iterator[Place]:
    """Start a localaws with the objects of this number of copies."""
    home = folder / f"home-{copies}"
    for stale in home.glob("localaws/server.json"):
        stale.unlink()
    with session(home) as aws:
        pid = json.loads((home / "localaws" / "server.json").read_text())["pid"]
        yield Place(aws, pid, folder, copies)


def take(folder: Path, step: str, copies: int) -> None:
    """Take one step, unless its figures are there."""
    path = folder / "figures" / f"{step}-{copies}.json"
    if path.exists():
        return
    print(f"{step}, {copies} x", file=sys.stderr, flush=True)
    with running(folder, copies) as place:
        figures = STEPS[step](place)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures) + "\n")
    print(figures, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / ".local" / "scale")
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--copies", type=int, choices=COPIES)
    parser.add_argument("--seconds", type=float, default=86400, help="start no further step after this time")
    options = parser.parse_args()
    # So that a time limit ends localaws too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for step in [options.step] if options.step else STEPS:
        for copies in [options.copies] if options.copies else COPIES:
            if time.monotonic() - began < options.seconds:
                take(options.work, step, copies)
    print("\n".join(report(options.work)))


if __name__ == "__main__":
    main()
