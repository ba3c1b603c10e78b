"""Lists that are asked for no order come in the one that botocore's documentation of the operation promises."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.session import Session
from localaws_kit import LocalAws
from workforce_kit import make_people, make_team

from localaws.core.operations import LIVE, load_all
from localaws.sagemaker.automl import candidate_api as auto_ml_candidate
from localaws.sagemaker.automl import candidates
from localaws.sagemaker.tuning import api as tuning_job

ROLE = "arn:aws:iam::123456789012:role/lists"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
MODEL = Session().get_service_model("sagemaker")
#: in the order of their creation, which is not that of the alphabet.
NAMES = ("lists-m", "lists-z", "lists-a")
#: what takes long to make: the order is looked at without a server.
ELSEWHERE = {
    *("ListAutoMLJobs", "ListCandidatesForAutoMLJob", "ListEndpoints"),
    *("ListHyperParameterTuningJobs", "ListTrainingJobsForHyperParameterTuningJob"),
}


def documented(operation: str, member: str) -> str | None:
    """The default that the text names, if it does."""
    shape = MODEL.operation_model(operation).input_shape
    if shape is None or member not in shape.members:
        return None
    text = re.sub("<[^>]+>", "", shape.members[member].documentation)
    found = re.search(r"default (?:value )?is (\w+)", text)
    return found[1] if found else None


def defaults() -> dict[str, tuple[str, str]]:
    """Operation -> SortBy and SortOrder, of all that are live and whose text names an order."""
    load_all()
    names = [name for service, name in LIVE if service == "sagemaker" and name.startswith("List")]
    found = {name: (documented(name, "SortBy"), documented(name, "SortOrder")) for name in sorted(names)}
    ordered = {name: both for name, both in found.items() if both[1] in {"Ascending", "Descending"}}
    return {name: (by or "CreationTime", str(order)) for name, (by, order) in ordered.items()}


def training_job(sagemaker: Any, name: str) -> None:
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": "s3://lists/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


def processing_job(sagemaker: Any, name: str) -> None:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
        RoleArn=ROLE,
        ProcessingResources={"ClusterConfig": cluster},
    )


def model(sagemaker: Any, name: str) -> None:
    container = {"Image": IMAGE.replace("training", "inference"), "ModelDataUrl": "s3://lists/model.tar.gz"}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)


def transform_job(sagemaker: Any, name: str) -> None:
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=NAMES[0],
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lists/in"}}},
        TransformOutput={"S3OutputPath": "s3://lists/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )


def endpoint_config(sagemaker: Any, name: str) -> None:
    variant = {"VariantName": "a", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def package(sagemaker: Any, name: str) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    inference = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://lists/model.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    sagemaker.create_model_package(ModelPackageGroupName=NAMES[0], InferenceSpecification=inference)


def lineage(sagemaker: Any, name: str) -> None:
    source = {"SourceUri": f"s3://lists/{name}"}
    sagemaker.create_artifact(ArtifactName=name, ArtifactType="Lists", Source=source)
    sagemaker.create_action(ActionName=name, ActionType="Lists", Source=source)
    arn = sagemaker.create_context(ContextName=name, ContextType="Lists", Source=source)["ContextArn"]
    other = sagemaker.create_artifact(ArtifactType="Other", Source={"SourceUri": f"{source}/o"})["ArtifactArn"]
    sagemaker.add_association(SourceArn=other, DestinationArn=arn)


def trials(sagemaker: Any, name: str) -> None:
    sagemaker.create_experiment(ExperimentName=name)
    sagemaker.create_trial(TrialName=name, ExperimentName=NAMES[0])
    sagemaker.create_trial_component(TrialComponentName=name)


MADE: list[Callable[[Any, str], None]] = [
    *(training_job, processing_job, model, transform_job),
    *(endpoint_config, package, lineage, trials),
]
#: where the text names a value that SortBy does not have, the one that it means.
VALUES = {("ListWorkteams", "CreationTime"): "CreateDate"}
#: what leaves out that which other tests, and localaws itself, have made in the same instant.
ASKED: dict[str, dict[str, str]] = {
    "ListModelPackages": {"ModelPackageGroupName": NAMES[0]},
    "ListArtifacts": {"ArtifactType": "Lists"},
    "ListActions": {"ActionType": "Lists"},
    "ListContexts": {"ContextType": "Lists"},
    "ListAssociations": {"DestinationType": "Lists"},
    "ListWorkteams": {"NameContains": "lists"},
}


@pytest.fixture(scope="module")
def sagemaker(localaws: LocalAws) -> Any:
    client, s3 = boto3.Session().client("sagemaker"), boto3.Session().client("s3")
    s3.create_bucket(Bucket="lists")
    s3.put_object(Bucket="lists", Key="model.tar.gz", Body=b"")
    people = make_people(localaws, "lists")
    for name in NAMES:
        for make in MADE:
            make(client, name)
        make_team(localaws, people, name)
        # Some times are told in whole seconds.
        time.sleep(1.1)
    return client


@pytest.mark.parametrize("operation", sorted(defaults().keys() - ELSEWHERE))
def test_the_default_order_is_the_documented_one(sagemaker: Any, operation: str) -> None:
    by, order = defaults()[operation]
    by = VALUES.get((operation, by), by)
    call = getattr(sagemaker, re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).lower())
    asked: dict[str, Any] = {"MaxResults": 100, **ASKED.get(operation, {})}
    found = summaries(call(**asked))
    assert len(found) == len(NAMES)
    assert found == summaries(call(**asked, SortBy=by, SortOrder=order))
    other = {"Ascending": "Descending", "Descending": "Ascending"}[order]
    assert found == summaries(call(**asked, SortBy=by, SortOrder=other))[::-1]


@pytest.mark.parametrize("operation", ["ListAutoMLJobs", "ListEndpoints", "ListHyperParameterTuningJobs"])
def test_what_takes_long_to_make_is_listed_in_the_documented_order_too(operation: str) -> None:
    noun = operation.removeprefix("List").removesuffix("s")
    records: list[dict[str, Any]] = [
        {f"{noun}Name": name, "CreationTime": number, f"{noun}Config": {"Strategy": "Grid", "ResourceLimits": {}}}
        for number, name in enumerate(NAMES)
    ]
    ctx: Any = SimpleNamespace(store=SimpleNamespace(all=lambda kind: list(records)))
    by, order = defaults()[operation]
    (found,) = LIVE["sagemaker", operation]({}, ctx).values()
    member = {"Name": f"{noun}Name"}.get(by, by)
    expected = sorted(records, key=lambda record: record[member], reverse=order == "Descending")
    assert [each[f"{noun}Name"] for each in found] == [each[f"{noun}Name"] for each in expected]


def test_candidates_are_listed_in_the_documented_order_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # The text has SortBy's default wrong: it names a value of SortOrder.
    assert defaults()["ListCandidatesForAutoMLJob"] == ("Descending", "Ascending")
    made = [{"CandidateName": name, "CreationTime": number} for number, name in enumerate(NAMES)]
    monkeypatch.setattr(auto_ml_candidate, "find", lambda name, ctx: {})
    monkeypatch.setattr(candidates, "of", lambda record, ctx: made[::-1])
    ctx: Any = None
    found = auto_ml_candidate.list_candidates_for_auto_ml_job({"AutoMLJobName": "any"}, ctx)["Candidates"]
    assert [each["CandidateName"] for each in found] == list(NAMES)


def test_the_training_jobs_of_a_tuning_job_are_listed_in_the_documented_order_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operation = "ListTrainingJobsForHyperParameterTuningJob"
    assert defaults()[operation] == ("Name", "Ascending")
    made = [{"TrainingJobName": name, "TrainingJobStatus": "Completed"} for name in NAMES]
    monkeypatch.setattr(tuning_job, "find", lambda name, ctx: {"_Trials": made})
    ctx: Any = None
    found = LIVE["sagemaker", operation]({"HyperParameterTuningJobName": "any"}, ctx)["TrainingJobSummaries"]
    assert [each["TrainingJobName"] for each in found] == sorted(NAMES)


def summaries(answer: dict[str, Any]) -> list[str]:
    """The ARNs of ours in an answer's only list."""
    (found,) = [value for value in answer.values() if isinstance(value, list)]
    arns = [next(value for key, value in each.items() if key.endswith("Arn")) for each in found]
    return [arn for arn in arns if re.search(r"/(lists-\w|lists-m/\d)$|artifact/", arn)]


def test_there_is_no_default_that_nobody_looks_at() -> None:
    assert defaults().keys() > ELSEWHERE
    assert len(defaults()) >= 15
