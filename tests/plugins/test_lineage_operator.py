"""From a deployed endpoint back to what made it, against localaws: jobs, package and endpoint by our operators."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from operator_kit import BUCKET, IMAGE, ROLE, SERVING_IMAGE, Airflow, FakeTask

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.lineage import LineageHook
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.operators.endpoint import EndpointOperator
from amazon_ml.operators.lineage import TraceEndpointOperator
from amazon_ml.operators.model import ModelOperator
from amazon_ml.operators.model_package import ApproveModelOperator, RegisterModelOperator
from amazon_ml.operators.processing import ProcessingJobOperator
from amazon_ml.operators.training import TrainingJobOperator
from amazon_ml.specs.job import ProcessingJobSpec, TrainingJobSpec
from include import job_code

FEATURES = """
import pathlib
source, target = (pathlib.Path("/opt/ml/processing", *path) for path in (("input", "raw"), ("output", "train")))
for file in source.iterdir():
    (target / file.name).write_text(file.read_text())
"""
TRAIN = """
import os, pathlib
folder = pathlib.Path(os.environ["SM_MODEL_DIR"])
(folder / "code").mkdir()
(folder / "code/inference.py").write_text("def model_fn(folder):\\n    return None\\n")
"""
COMMON: dict[str, Any] = {"role_arn": ROLE, "bucket": BUCKET, "instance_type": "ml.m5.large", "image_uri": IMAGE}


class Workflow:
    """Features, training and deployment, with or without the model registry; each task polls and so ends at once."""

    def __init__(self, folder: Path, aws: Any, run: str) -> None:
        self.aws, self.airflow, self.run = aws, Airflow(), run
        self.folder = folder
        self.operators: dict[str, Any] = {}
        (folder / "features.py").write_text(FEATURES)
        (folder / "train.py").write_text(TRAIN)
        self.raw = f"s3://{BUCKET}/{run}/raw/"
        aws("s3").put_object(Bucket=BUCKET, Key=f"{run}/raw/reviews.csv", Body=b"1,good\n")

    def task(self, make: Any, **arguments: Any) -> dict[str, Any]:
        ti = FakeTask(run_id=self.run, task_id=arguments["task_id"])

        def operator() -> Any:
            self.operators[ti.task_id] = make(deferrable=False, **arguments)
            return self.operators[ti.task_id]

        return dict(self.airflow.run(operator, ti))

    def events(self, task_id: str) -> tuple[list[str], list[str]]:
        """The URIs that OpenLineage is told: what the task has read and written."""
        found = self.operators[task_id].get_openlineage_facets_on_complete(None)
        read, written = ([f"{each.namespace}/{each.name}" for each in some] for some in (found.inputs, found.outputs))
        return read, written

    def features(self) -> dict[str, Any]:
        job = ProcessingJobSpec(**COMMON, source_dir=str(self.folder), entry_point="features.py")
        return self.task(
            ProcessingJobOperator, task_id="features", job=job, inputs={"raw": self.raw}, outputs=["train"]
        )

    def train(self, rows: str) -> dict[str, Any]:
        job = TrainingJobSpec(**COMMON, source_dir=str(self.folder), entry_point="train.py")
        return self.task(TrainingJobOperator, task_id="train", job=job, channels={"train": rows}, checkpoints=False)

    def register(self, model_data: str) -> dict[str, Any]:
        made = self.task(
            RegisterModelOperator,
            task_id="register",
            group_name=self.run,
            image_uri=SERVING_IMAGE,
            model_data=model_data,
        )
        return self.task(ApproveModelOperator, task_id="approve", model_package_arn=made["arn"])

    def deploy(self, **container: Any) -> None:
        model = self.task(ModelOperator, task_id="model", role_arn=ROLE, **container)
        self.task(
            EndpointOperator,
            task_id="deploy",
            endpoint_name=self.run,
            model_name=model["name"],
            instance_type="ml.m5.large",
        )

    def trace(self, **arguments: Any) -> dict[str, Any]:
        return self.task(TraceEndpointOperator, task_id="trace", endpoint_name=self.run, **arguments)

    def graph(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The graph that a trace has written."""
        key = answer["graph"].removeprefix(f"s3://{BUCKET}/") + "graph.json"
        return dict(json.loads(self.aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()))

    def draw(self, graph: str) -> str:
        """The S3 prefix of the picture."""
        job = ProcessingJobSpec(**COMMON, **job_code.of("lineage_graph"))
        drawn = self.task(
            ProcessingJobOperator,
            task_id="draw",
            job=job,
            inputs={"graph": graph},
            outputs=["lineage"],
            arguments={"synthetic": "True"},
        )
        return str(drawn["outputs"]["lineage"])

    def entities(self) -> set[str]:
        """Artifacts and associations that there are."""
        client = self.aws("sagemaker")
        artifacts = client.get_paginator("list_artifacts").paginate(PaginationConfig={"PageSize": 100})
        found = {each["ArtifactArn"] for page in artifacts for each in page["ArtifactSummaries"]}
        associations = client.get_paginator("list_associations").paginate(PaginationConfig={"PageSize": 100})
        return found | {
            f"{each['SourceArn']} {each['DestinationArn']}"
            for page in associations
            for each in page["AssociationSummaries"]
        }


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs here end at once."""
    monkeypatch.setattr(SageMakerOperator, "_pause", lambda self, seconds: time.sleep(0.05))


@pytest.fixture
def workflow(tmp_path: Path, aws: Any, request: pytest.FixtureRequest) -> Workflow:
    run = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    return Workflow(tmp_path, aws, run)


def test_a_deployed_package_is_traced_to_its_files_and_scripts(workflow: Workflow, aws: Any) -> None:
    features = workflow.features()
    train = workflow.train(features["outputs"]["train"])
    package = workflow.register(train["model_data"])
    workflow.deploy(containers=[{"model_package": package["arn"]}])
    folder = f"s3://{BUCKET}/{workflow.run}/lineage/"

    answer = workflow.trace(graph_folder=folder)

    (model,) = answer["models"]
    assert model["package"] == package
    assert (model["variant"], model["model_data"]) == ("AllTraffic", train["model_data"])
    assert model["training_job"]["name"] == train["name"]
    assert model["training_job"]["channels"] == {"train": features["outputs"]["train"]}
    job = aws("sagemaker").describe_training_job(TrainingJobName=train["name"])
    uri = job["HyperParameters"]["sagemaker_submit_directory"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert model["code"] == {"uri": uri, "script": "train.py", "sha256": hashlib.sha256(archive).hexdigest()}
    (processing,) = model["processing_jobs"]
    assert (processing["name"], processing["code"]["script"]) == (features["name"], "features.py")
    assert processing["code"]["sha256"]
    etag = hashlib.md5(b"1,good\n").hexdigest()
    assert model["data"] == [{"uri": f"{workflow.raw}reviews.csv", "etag": etag, "bytes": 7, "changed": False}]

    assert answer["graph"].startswith(folder)
    graph = workflow.graph(answer)
    types = {vertex["type"] for vertex in graph["vertices"]}
    assert types >= {"Endpoint", "ModelDeployment", "ModelPackage", "Model", "TrainingJob", "ProcessingJob", "Code"}
    known = {vertex["arn"] for vertex in graph["vertices"]}
    assert all({edge["source"], edge["destination"]} <= known for edge in graph["edges"])
    assert len(json.dumps(answer)) < 8192, "an XCom is small"

    rows = features["outputs"]["train"].rstrip("/")
    assert workflow.events("features") == ([workflow.raw.rstrip("/")], [rows])
    assert workflow.events("train") == ([rows], [train["model_data"]])
    assert workflow.events("trace") == ([], [answer["graph"].rstrip("/")])

    before = workflow.entities()
    assert workflow.trace(graph_folder=folder) == answer
    assert workflow.entities() == before, "a second run adds nothing"

    picture = workflow.draw(answer["graph"]).removeprefix(f"s3://{BUCKET}/")
    svg = aws("s3").get_object(Bucket=BUCKET, Key=f"{picture}lineage.svg")["Body"].read().decode()
    for words in ("ModelPackage", "Code: train.py", "Code: features.py", "SYNTHETIC"):
        assert words in svg
    assert aws("s3").get_object(Bucket=BUCKET, Key=f"{picture}lineage.png")["ContentLength"] > 10_000


def test_without_a_package_the_training_job_is_found_all_the_same(workflow: Workflow, aws: Any) -> None:
    train = workflow.train(workflow.raw)
    workflow.deploy(image_uri=SERVING_IMAGE, model_data=train["model_data"])
    (model,) = workflow.trace()["models"]
    assert (model["package"], model["training_job"]["name"]) == (None, train["name"])
    assert [(file["bytes"], file["changed"]) for file in model["data"]] == [(7, False)]
    registered = workflow.register(train["model_data"])
    began = aws("sagemaker").describe_training_job(TrainingJobName=train["name"])["CreationTime"].timestamp()
    put_after(aws("s3"), began, f"{workflow.run}/raw/reviews.csv")
    before = workflow.entities()
    (model,) = workflow.trace()["models"]
    assert model["package"] == registered, "a version with the same model data"
    assert [(file["bytes"], file["changed"]) for file in model["data"]] == [(3, True)]
    assert workflow.entities() == before, "what the job has not read is no part of its lineage"

    other = f"s3://{BUCKET}/{workflow.run}/found_by_hand/of_no_job/model.tar.gz"
    bucket, _, key = train["model_data"].removeprefix("s3://").partition("/")
    aws("s3").copy_object(
        Bucket=BUCKET,
        Key=f"{workflow.run}/found_by_hand/of_no_job/model.tar.gz",
        CopySource={"Bucket": bucket, "Key": key},
    )
    workflow.deploy(image_uri=SERVING_IMAGE, model_data=other)
    answer = workflow.trace(graph_folder=f"s3://{BUCKET}/{workflow.run}/graphs/")
    (model,) = answer["models"]
    assert (model["model_data"], model["training_job"], model["code"], model["data"]) == (other, None, None, [])
    types = {vertex["type"] for vertex in workflow.graph(answer)["vertices"]}
    assert types == {"Endpoint", "ModelDeployment", "Model", "Image"}, "what served before is not in the graph"


def test_what_aws_does_not_connect_is_connected_once(workflow: Workflow, aws: Any) -> None:
    copied = f"s3://{BUCKET}/{workflow.run}/unloaded/"
    aws("s3").put_object(Bucket=BUCKET, Key=f"{workflow.run}/unloaded/rows.csv", Body=b"1,good\n")
    train = workflow.train(copied)
    workflow.deploy(image_uri=SERVING_IMAGE, model_data=train["model_data"])
    hook = LineageHook()
    model = hook.artifact(train["model_data"], "Model")
    # As where SageMaker has tracked neither the deployment nor what the job produced.
    client = aws("sagemaker")
    for end in ("SourceArn", "DestinationArn"):
        for each in client.list_associations(**{end: model})["AssociationSummaries"]:
            client.delete_association(SourceArn=each["SourceArn"], DestinationArn=each["DestinationArn"])
    derived = [
        {"uri": copied, "sources": [workflow.raw, ""]},
        {"uri": "", "sources": [copied]},
        {"uri": workflow.raw, "sources": [""]},
    ]

    (found,) = workflow.trace(derived_from=derived)["models"]

    assert found["training_job"]["name"] == train["name"]
    assert [each["uri"] for each in found["data"]] == [f"{workflow.raw}reviews.csv"]
    endpoint = client.describe_endpoint(EndpointName=workflow.run)["EndpointArn"]
    above = hook.graph(hook.context(endpoint) or "")["vertices"]
    assert {each["type"] for each in above} >= {"Model", "TrainingJob", "DataSet", "Code"}
    assert {each["source"] for each in above} >= {copied, workflow.raw, f"{workflow.raw}reviews.csv"}
    before = workflow.entities()
    workflow.trace(derived_from=derived)
    assert workflow.entities() == before


def test_a_model_that_was_made_of_another_is_traced_to_that_ones_training(workflow: Workflow, aws: Any) -> None:
    train = workflow.train(workflow.raw)
    twin = f"s3://{BUCKET}/{workflow.run}/compiled/model.tar.gz"
    bucket, _, key = train["model_data"].removeprefix("s3://").partition("/")
    aws("s3").copy_object(Bucket=BUCKET, Key=f"{workflow.run}/compiled/model.tar.gz", CopySource=f"{bucket}/{key}")
    registered = workflow.register(twin)
    workflow.deploy(containers=[{"model_package": registered["arn"]}])
    derived = [{"uri": twin, "sources": [train["model_data"]]}]

    answer = workflow.trace(derived_from=derived, graph_folder=f"s3://{BUCKET}/{workflow.run}/graphs/")

    (model,) = answer["models"]
    assert (model["model_data"], model["package"]) == (twin, registered)
    assert model["training_job"]["name"] == train["name"]
    assert [each["uri"] for each in model["data"]] == [f"{workflow.raw}reviews.csv"]
    vertices = workflow.graph(answer)["vertices"]
    assert {each["source"] for each in vertices if each["type"] == "Model"} >= {twin, train["model_data"]}
    before = workflow.entities()
    workflow.trace(derived_from=derived)
    assert workflow.entities() == before


def put_after(s3: Any, moment: float, key: str) -> None:
    """Write an object whose time, in whole seconds, is later than the moment."""
    while True:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"new")
        if s3.head_object(Bucket=BUCKET, Key=key)["LastModified"].timestamp() > moment:
            return
        time.sleep(0.1)


def test_an_endpoint_that_is_not_there_is_refused(workflow: Workflow) -> None:
    with pytest.raises(RequestRefused, match="there is no endpoint"):
        workflow.trace()


class Pulled(FakeTask):
    """A task instance whose XCom answers anything with what was asked for."""

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        return {"synthetic": False} if key == "return_value" else f"the-{key}-of-{task_ids}"


def test_the_dags_tasks_are_joined_by_the_graph() -> None:
    from include.tasks.lineage import trace_and_draw

    with DAG(dag_id="deployed", schedule=None):
        model = ModelOperator(task_id="model", role_arn=ROLE, containers=[])
        trace, draw = trace_and_draw(
            "sentiment", model, derived_from=[{"uri": "s3://b/{{ run_id }}/", "sources": ["s3://b/in/", "{{ '' }}"]}]
        )
    assert draw.upstream_task_ids == {"lineage"}
    trace.render_template_fields({"run_id": "r", "ti": Pulled()})
    assert trace.derived_from == [{"uri": "s3://b/r/", "sources": ["s3://b/in/", ""]}]
    # Another model's deployment leaves this one's graph and picture as they are.
    assert trace.graph_folder.endswith("/reports/lineage/sentiment/the-model_name-of-model/graphs/")
    draw.render_template_fields({"run_id": "r", "ti": Pulled()})
    assert str(draw.output_uris["lineage"]).endswith("/reports/lineage/sentiment/the-model_name-of-model/")
    assert draw.job.entry_point == "lineage_graph.py"
