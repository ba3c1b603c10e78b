"""What localaws makes by itself: from the raw data over jobs, package and endpoint, and back by QueryLineage."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from endpoint_kit import IMAGE as SERVING_IMAGE
from endpoint_kit import MULTIPLIER, Hosting, name
from job_helpers import IMAGE, ROLE, Jobs
from localaws_kit import LocalAws
from waiting_kit import until

TRAIN = f"""
import json, os, pathlib
folder = pathlib.Path(os.environ["SM_MODEL_DIR"])
(folder / "code").mkdir()
(folder / "code/inference.py").write_text({MULTIPLIER!r})
(folder / "factor.json").write_text("2")
print("val_acc: 70.5%")
"""
COPY = """
import pathlib
target = pathlib.Path("/opt/ml/processing/output/train/rows.csv")
target.write_text(pathlib.Path("/opt/ml/processing/input/raw/reviews.csv").read_text())
"""


class Chain:
    """A model from its data to its endpoint, made with the API alone."""

    def __init__(self, home: LocalAws) -> None:
        self.jobs, self.hosting = Jobs(home.home), Hosting()
        self.sagemaker = self.jobs.sagemaker
        self.features, self.train, self.group = name("features"), name("train"), name("Group")
        self.experiment = name("experiment")
        self.raw = self.jobs.put(f"{self.features}/raw/reviews.csv", "1,good\n").rpartition("/")[0] + "/"

    def work(self) -> Chain:
        self.sagemaker.create_experiment(ExperimentName=self.experiment)
        self.jobs.process(self.features, COPY, inputs={"raw": {"S3Uri": self.raw}}, outputs={"train": {}})
        self.rows = f"s3://jobs/{self.features}-out/train"
        job = self.jobs.train(
            self.train,
            TRAIN,
            channels={"train": self.rows},
            parameters={"epochs": 2, "base": "tiny"},
            algorithm={"MetricDefinitions": [{"Name": "accuracy", "Regex": "val_acc: ([0-9.]+)"}]},
            ExperimentConfig={"ExperimentName": self.experiment, "TrialComponentDisplayName": "fine-tuning"},
        )
        self.model_data = job["ModelArtifacts"]["S3ModelArtifacts"]
        self.sagemaker.create_model_package_group(ModelPackageGroupName=self.group)
        container = {"Image": SERVING_IMAGE, "ModelDataUrl": self.model_data}
        self.package = self.sagemaker.create_model_package(
            ModelPackageGroupName=self.group,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )["ModelPackageArn"]
        self.sagemaker.update_model_package(ModelPackageArn=self.package, ModelApprovalStatus="Approved")
        self.model = name("model")
        self.sagemaker.create_model(
            ModelName=self.model, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": self.package}
        )
        self.endpoint = self.hosting.serve(self.model)
        return self

    def context(self) -> str:
        """The ARN of the endpoint's context."""
        arn = self.sagemaker.describe_endpoint(EndpointName=self.endpoint)["EndpointArn"]
        (found,) = self.sagemaker.list_contexts(SourceUri=arn)["ContextSummaries"]
        assert found["ContextType"] == "Endpoint"
        return str(found["ContextArn"])

    def artifact(self, uri: str) -> dict[str, Any]:
        (found,) = self.sagemaker.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
        return dict(found)

    def component(self, job: str, kind: str) -> dict[str, Any]:
        return dict(self.sagemaker.describe_trial_component(TrialComponentName=f"{job}-aws-{kind}-job"))

    def query(self, start: str, direction: str, **more: Any) -> dict[str, Any]:
        return dict(self.sagemaker.query_lineage(StartArns=[start], Direction=direction, **more))

    def sources(self, start: str, **filters: Any) -> set[str]:
        """The source URIs of the artifacts that a query up from an entity finds."""
        found = self.query(start, "Ascendants", Filters={"LineageTypes": ["Artifact"], **filters})["Vertices"]
        describe = self.sagemaker.describe_artifact
        return {describe(ArtifactArn=vertex["Arn"])["Source"]["SourceUri"] for vertex in found}


@pytest.fixture(scope="module")
def chain(localaws: LocalAws) -> Chain:
    return Chain(localaws).work()


def test_from_the_endpoint_up_to_package_model_job_and_raw_data(chain: Chain) -> None:
    up = chain.query(chain.context(), "Ascendants")["Vertices"]
    kinds = {(vertex["LineageType"], vertex["Type"]) for vertex in up}
    assert kinds >= {
        ("Context", "Endpoint"),
        ("Action", "ModelDeployment"),
        ("Action", "Approval"),
        ("Artifact", "ModelPackage"),
        ("Artifact", "Model"),
        ("Artifact", "Image"),
        ("Artifact", "DataSet"),
        ("TrialComponent", "TrainingJob"),
        ("TrialComponent", "ProcessingJob"),
    }
    assert chain.sources(chain.context(), Types=["ModelPackage"]) == {chain.package}
    assert chain.sources(chain.context(), Types=["Model"]) == {chain.model_data}
    assert chain.sources(chain.context(), Types=["Image"]) == {IMAGE, SERVING_IMAGE}
    code = f"s3://jobs/{chain.features}/code/run.py"
    assert chain.sources(chain.context(), Types=["DataSet"]) == {chain.raw, chain.rows, code}


def test_from_the_raw_data_down_to_the_endpoint(chain: Chain) -> None:
    raw = chain.artifact(chain.raw)["ArtifactArn"]
    found = chain.query(raw, "Descendants", Filters={"Types": ["Endpoint", "ModelGroup"]})["Vertices"]
    assert {vertex["Type"] for vertex in found} == {"Endpoint", "ModelGroup"}
    assert chain.context() in {vertex["Arn"] for vertex in found}


def test_edges_lead_over_what_the_filters_leave_out(chain: Chain) -> None:
    start = chain.context()
    answer = chain.query(start, "Ascendants", IncludeEdges=True, Filters={"Types": ["TrainingJob"]})
    types = {vertex["Type"] for vertex in answer["Vertices"]}
    assert types == {"Endpoint", "ModelDeployment", "ModelPackage", "Model", "TrainingJob"}
    known = {vertex["Arn"]: vertex["Type"] for vertex in answer["Vertices"]}
    edges = {
        (known[edge["SourceArn"]], edge["AssociationType"], known[edge["DestinationArn"]]) for edge in answer["Edges"]
    }
    assert edges == {
        ("TrainingJob", "Produced", "Model"),
        ("Model", "ContributedTo", "ModelPackage"),
        ("Model", "ContributedTo", "ModelDeployment"),
        ("ModelPackage", "ContributedTo", "ModelDeployment"),
        ("ModelDeployment", "AssociatedWith", "Endpoint"),
    }
    assert "Edges" not in chain.query(start, "Ascendants") or not chain.query(start, "Ascendants")["Edges"]


def test_depth_counts_associations_and_pages_join_to_the_whole(chain: Chain) -> None:
    start = chain.context()
    near = chain.query(start, "Ascendants", MaxDepth=1)["Vertices"]
    assert {vertex["Type"] for vertex in near} == {"Endpoint", "ModelDeployment"}
    whole = chain.query(start, "Ascendants", IncludeEdges=True)
    vertices: list[Any] = []
    edges: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = chain.query(start, "Ascendants", IncludeEdges=True, MaxResults=3, **token)
        assert len(page["Vertices"]) <= 3
        vertices += page["Vertices"]
        edges += page["Edges"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert vertices == whole["Vertices"]
    assert sorted(edges, key=str) == sorted(whole["Edges"], key=str)


def test_filters_by_time_and_property(chain: Chain) -> None:
    start = chain.context()
    approved = {"Properties": {"ModelApprovalStatus": "Approved", "other": "x"}}
    (found,) = chain.query(start, "Ascendants", Filters=approved)["Vertices"]
    assert found["Type"] == "Approval"
    made = chain.sagemaker.describe_action(ActionName=found["Arn"])["CreationTime"]
    # Times are given in milliseconds.
    after = {"CreatedAfter": made + timedelta(milliseconds=1)}
    later = chain.query(start, "Ascendants", Filters=after)["Vertices"]
    earlier = chain.query(start, "Ascendants", Filters={"CreatedBefore": made})["Vertices"]
    assert {vertex["Type"] for vertex in later} == {"Endpoint", "ModelDeployment"}
    assert "TrainingJob" in {vertex["Type"] for vertex in earlier}


def test_a_training_job_s_component_has_what_the_job_had(chain: Chain) -> None:
    found = chain.component(chain.train, "training")
    job = chain.sagemaker.describe_training_job(TrainingJobName=chain.train)
    assert found["Source"] == {"SourceArn": job["TrainingJobArn"], "SourceType": "SageMakerTrainingJob"}
    assert found["Status"] == {"PrimaryStatus": "Completed"}
    assert (found["StartTime"], found["EndTime"]) == (job["TrainingStartTime"], job["TrainingEndTime"])
    assert found["Parameters"]["epochs"] == {"NumberValue": 2.0}
    assert found["Parameters"]["base"] == {"StringValue": json.dumps("tiny")}
    assert found["Parameters"]["SageMaker.InstanceType"] == {"StringValue": "ml.m5.large"}
    assert found["InputArtifacts"] == {"train": {"Value": chain.rows}, "SageMaker.ImageUri": {"Value": IMAGE}}
    assert found["OutputArtifacts"] == {"SageMaker.ModelArtifact": {"Value": chain.model_data}}
    (metric,) = found["Metrics"]
    assert (metric["MetricName"], metric["Last"]) == ("accuracy", 70.5)


def test_an_experiment_config_without_a_trial_makes_one(chain: Chain) -> None:
    (trial,) = chain.sagemaker.list_trials(ExperimentName=chain.experiment)["TrialSummaries"]
    (found,) = chain.sagemaker.list_trial_components(TrialName=trial["TrialName"])["TrialComponentSummaries"]
    assert found["TrialComponentName"] == f"{chain.train}-aws-training-job"
    assert found["DisplayName"] == "fine-tuning"
    with pytest.raises(ClientError, match=r"ResourceNotFound.*Trial 'nothing' does not exist"):
        chain.jobs.training(name("job"), "", ExperimentConfig={"TrialName": "nothing"})


def test_each_decision_about_a_package_is_an_action(chain: Chain) -> None:
    actions = chain.sagemaker.list_actions(SourceUri=chain.package, SortOrder="Ascending")["ActionSummaries"]
    statuses = [
        chain.sagemaker.describe_action(ActionName=each["ActionName"])["Properties"]["ModelApprovalStatus"]
        for each in actions
    ]
    assert statuses == ["PendingManualApproval", "Approved"]
    package = chain.artifact(chain.package)["ArtifactArn"]
    inwards = chain.sagemaker.list_associations(DestinationArn=package)["AssociationSummaries"]
    assert {each["SourceType"] for each in inwards} == {"Image", "Model", "Approval"}
    (group,) = chain.sagemaker.list_associations(SourceArn=package, DestinationType="Context")["AssociationSummaries"]
    assert (group["AssociationType"], group["DestinationType"]) == ("AssociatedWith", "ModelGroup")


def test_another_model_is_another_deployment_of_the_same_endpoint(chain: Chain) -> None:
    endpoint = chain.hosting.serve(chain.model)
    chain.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=chain.hosting.config(chain.model))
    chain.hosting.settled(endpoint)
    bad = chain.hosting.config(chain.hosting.model(code="raise RuntimeError('no')"))
    chain.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)
    chain.hosting.settled(endpoint)
    arn = chain.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    actions = chain.sagemaker.list_actions(SourceUri=arn, SortOrder="Ascending")["ActionSummaries"]
    assert [each["Status"] for each in actions] == ["Completed", "Completed", "Failed"]
    (context,) = chain.sagemaker.list_contexts(SourceUri=arn)["ContextSummaries"]
    into = chain.sagemaker.list_associations(DestinationArn=context["ContextArn"])["AssociationSummaries"]
    assert {each["SourceArn"] for each in into} == {each["ActionArn"] for each in actions}
    chain.sagemaker.delete_endpoint(EndpointName=endpoint)
    chain.hosting.gone(endpoint)
    assert len(chain.sagemaker.list_actions(SourceUri=arn)["ActionSummaries"]) == 3


def test_a_failed_job_has_produced_nothing(chain: Chain) -> None:
    job = chain.jobs.train(name("failed"), "raise SystemExit('no luck')")
    found = chain.component(job["TrainingJobName"], "training")
    assert found["Status"]["PrimaryStatus"] == "Failed"
    assert found["Status"]["Message"] == job["FailureReason"]
    outwards = chain.sagemaker.list_associations(SourceArn=found["TrialComponentArn"])
    assert outwards["AssociationSummaries"] == []


def test_the_entities_are_the_same_after_a_kill(own_localaws: LocalAws) -> None:
    jobs = Jobs(own_localaws.home)
    job = name("slow")
    wait = "while not pathlib.Path('/opt/ml/go').exists(): time.sleep(0.05)"
    wait = f"import pathlib, time\nprint('waiting', flush=True)\n{wait}\n"
    jobs.processing(job, wait, outputs={"o": {}})
    component = f"{job}-aws-processing-job"

    def status() -> str:
        return str(jobs.sagemaker.describe_trial_component(TrialComponentName=component)["Status"]["PrimaryStatus"])

    assert status() == "InProgress"
    jobs.wait_for_line("processing-job", job, "waiting")
    own_localaws.kill()
    (jobs.folder("processing-job", job) / "ml" / "algo-1" / "go").touch()
    time.sleep(0.1)
    own_localaws.restart()
    until(status, lambda now: now == "Completed")
    found = jobs.sagemaker.describe_trial_component(TrialComponentName=component)
    assert found["OutputArtifacts"] == {"o": {"Value": f"s3://jobs/{job}-out/o"}}
    outwards = jobs.sagemaker.list_associations(SourceArn=found["TrialComponentArn"])["AssociationSummaries"]
    assert [(each["AssociationType"], each["DestinationType"]) for each in outwards] == [("Produced", "DataSet")]
