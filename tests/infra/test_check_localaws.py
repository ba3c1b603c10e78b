"""The check of an account against localaws, whose IAM simulates policies, as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.policy import CALLS, actions, read

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::123456789012:role/check-jobs"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["sagemaker.amazonaws.com", "glue.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", **variables}
    return subprocess.run(
        [sys.executable, "-m", "infra.check", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def roles(localaws: Any) -> None:
    """The two roles: Airflow's lacks CreateTrainingJob, and passes the other to SageMaker alone."""
    iam = boto3.client("iam")
    lacking = sorted(actions("airflow", read(CALLS)) - {"sagemaker:CreateTrainingJob", "iam:PassRole"})
    passes = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    allowed = {
        "check-airflow": [{"Effect": "Allow", "Action": lacking, "Resource": "*"}, passes],
        "check-jobs": [{"Effect": "Allow", "Action": sorted(actions("job", read(CALLS))), "Resource": "*"}],
    }
    for name, statements in allowed.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)


def test_against_localaws_it_names_the_permission_that_lacks_and_what_it_cannot_ask(roles: None) -> None:
    found = run("--caller", "arn:aws:iam::123456789012:role/check-airflow", SAGEMAKER_ROLE_ARN=ROLE)
    lines = found.stdout.splitlines()
    assert found.returncode == 1, found.stderr
    assert (
        "missing               permissions of arn:aws:iam::123456789012:role/check-airflow: it may not "
        "sagemaker:CreateTrainingJob. Allow them as infra/template.yaml does for Airflow's role"
    ) in lines
    assert f"ok                    execution role: {ROLE}" in lines
    assert any(line.startswith(f"ok                    permissions of {ROLE}: it may do all") for line in lines)
    assert "could not be checked  quotas: this endpoint has no ListServiceQuotas" in lines
    assert lines[-1].endswith("could not be checked")
    assert "Traceback" not in found.stderr


def test_an_endpoint_that_does_not_answer_is_one_sentence() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    found = run(AWS_ENDPOINT_URL="http://127.0.0.1:9", **keys)
    last, counts = found.stdout.splitlines()[-2:]
    assert last.startswith('could not be checked  credentials: Could not connect to the endpoint URL: "http://127')
    assert counts == "1 ok, 0 missing, 1 could not be checked"
    assert found.returncode == 1
