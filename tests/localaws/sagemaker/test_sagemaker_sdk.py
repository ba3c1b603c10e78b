"""The SageMaker SDK, version 3, with AWS_ENDPOINT_URL as its only setting; its import alone takes ten seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from localaws_kit import LocalAws
from waiting_kit import until

BUCKET = "sdk-bucket"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.1-cpu-py310"
SCRIPT = """
import os, pathlib
print("score=0.5")
pathlib.Path(os.environ["SM_MODEL_DIR"], "weights").write_text("1")
"""


@pytest.fixture(scope="module")
def session(localaws: LocalAws) -> Any:
    """The bucket is named: the SDK would else ask AWS's own STS, by its region, for the account."""
    from sagemaker.core.helper.session_helper import Session

    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return Session(default_bucket=BUCKET)


@pytest.fixture(scope="module")
def role(session: Any) -> str:
    """A role that the SDK makes, with the least privileges for training."""
    from sagemaker.core.helper import iam_role_resolver

    with pytest.MonkeyPatch.context() as patch:
        # Ten seconds in which AWS would tell all its regions of the role.
        patch.setattr(iam_role_resolver, "_IAM_PROPAGATION_DELAY_SECONDS", 0)
        resolver = iam_role_resolver.IamRoleResolver(sagemaker_session=session)
        return str(resolver.create_execution_role(role_type="training"))


def trainer(session: Any, role: str, folder: Path, name: str) -> Any:
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import Compute, SourceCode

    (folder / "train.py").write_text(SCRIPT)
    return ModelTrainer(
        training_image=IMAGE,
        source_code=SourceCode(source_dir=str(folder), entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        role=role,
        sagemaker_session=session,
        base_job_name=name,
    )


def test_a_model_trainer_checks_the_role_and_trains(session: Any, role: str, tmp_path: Path) -> None:
    made = trainer(session, role, tmp_path, "Sdk-Job")
    made.train(wait=False, logs=False)
    job = made._latest_training_job

    def status() -> str:
        job.refresh()
        return str(job.training_job_status)

    assert until(status, lambda seen: seen in ("Completed", "Failed")) == "Completed"
    assert job.model_artifacts.s3_model_artifacts.startswith(f"s3://{BUCKET}/Sdk-Job/")


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("missing", "cannot be used for 'training' workloads"),
        ("powerless", "Missing permissions: .*cloudwatch:PutMetricData"),
        ("distrustful", "trust policy does not allow 'sagemaker.amazonaws.com'"),
    ],
)
def test_a_role_that_cannot_be_used_is_told_before_anything_starts(
    session: Any, tmp_path: Path, case: str, told: str
) -> None:
    from sagemaker.core.helper.iam_role_resolver import RoleValidationError

    name = f"sdk-{case}"
    if case != "missing":
        service = "lambda" if case == "distrustful" else "sagemaker"
        make_role(name, service, everything=case == "distrustful")
    arn = f"arn:aws:iam::123456789012:role/{name}"
    with pytest.raises(RoleValidationError, match=told):
        trainer(session, arn, tmp_path, name).train(wait=False)
    assert boto3.client("sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"] == []


def make_role(name: str, service: str, *, everything: bool) -> None:
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    if everything:
        policy = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_data_frame_is_ingested_in_batches(session: Any, role: str) -> None:
    import pandas
    from sagemaker.mlops.feature_store import FeatureGroup, OnlineStoreConfig
    from sagemaker.mlops.feature_store.feature_utils import ingest_dataframe, load_feature_definitions_from_dataframe

    frame = pandas.DataFrame(
        {"id": [f"r{n}" for n in range(30)], "at": [1.7e9] * 30, "score": [n / 2 for n in range(30)]}
    )
    frame["id"] = frame["id"].astype("string")
    group = FeatureGroup.create(
        feature_group_name="sdk-group",
        record_identifier_feature_name="id",
        event_time_feature_name="at",
        feature_definitions=load_feature_definitions_from_dataframe(frame),
        role_arn=role,
        online_store_config=OnlineStoreConfig(enable_online_store=True),
    )
    until(lambda: FeatureGroup.get("sdk-group").feature_group_status, lambda status: status == "Created")
    told = ingest_dataframe("sdk-group", frame, max_workers=1, max_processes=1, use_batch_write_record=True)
    assert told.failed_rows == []
    found = group.get_record(record_identifier_value_as_string="r29").record
    assert [value.value_as_string for value in found] == ["r29", "1700000000.0", "14.5"]


def test_a_pipeline_of_a_training_step_succeeds(session: Any, role: str, tmp_path: Path) -> None:
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import TrainingStep

    inside = PipelineSession(default_bucket=BUCKET)
    step = TrainingStep(name="Train", step_args=trainer(inside, role, tmp_path, "Sdk-Step").train())
    made = Pipeline(name="Sdk-Pipeline", steps=[step], sagemaker_session=inside)
    made.upsert(role_arn=role)
    execution = made.start()
    execution.wait(delay=1, max_attempts=60)
    assert [(each["StepName"], each["StepStatus"]) for each in execution.list_steps()] == [("Train", "Succeeded")]
