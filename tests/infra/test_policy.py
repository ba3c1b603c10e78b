"""The roles' policies follow from what the DAGs call."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from infra.policy import CALLS, TEMPLATE, actions, read, written

ROOT = Path(__file__).parents[2]
_SERVICES = (
    *("application-autoscaling", "athena", "cloudwatch", "cognito-idp", "glue", "logs", "s3", "secretsmanager"),
    *("sagemaker", "sagemaker-a2i-runtime", "sagemaker-featurestore-runtime", "sagemaker-runtime"),
    "resourcegroupstaggingapi",
)
#: words of the code that are an operation's name and mean something else.
_OTHER_WORDS = {
    # airflow.sdk's get_connection, and jmespath's and re's search.
    *("glue:GetConnection", "sagemaker:Search"),
    # Of Athena, which has an operation of the same name.
    "logs:GetQueryResults",
    # Methods of our hooks, of Cognito's and of S3's, which call CreateUserPoolDomain and ListObjectsV2.
    *("sagemaker:CreateDomain", "s3:ListObjects"),
}
#: words that are a kind of SageMaker's resources, and mean something else.
_OTHER_KINDS = {"Domain", "Image", "Project"}
#: what is read alone.
_READ = {"Action", "TrialComponent"}


def test_the_template_has_the_policies_of_the_calls() -> None:
    template = TEMPLATE.read_text()
    assert written(template, read(CALLS)) == template, "run: python -m infra.policy --write"


def test_airflow_may_call_every_operation_that_the_code_names() -> None:
    missing = sorted(_named() - _called("airflow"))
    assert not missing, f"add them to {CALLS.name} as `airflow <operation>`, then run: python -m infra.policy --write"


def test_airflow_may_call_what_a_wait_polls() -> None:
    rules = json.loads((ROOT / "plugins/amazon_ml/waiters/sagemaker.json").read_text())
    polled = {rule["operation"] for rule in rules["waiters"].values()}
    assert polled <= {operation.partition(":")[2] for operation in _called("airflow")}


def test_airflow_may_make_describe_and_stop_each_kind() -> None:
    """The hook makes the operation's name of the kind, which the scan of names does not see."""
    known = set(botocore.session.get_session().get_service_model("sagemaker").operation_names)
    kinds = {word for path in _airflows() for word in _words(path) if f"Describe{word}" in known} - _OTHER_KINDS
    assert {"TrainingJob", "Endpoint", "PipelineExecution"} <= kinds
    wanted = {f"{verb}{kind}" for kind in kinds for verb in ("Create", "Describe", "Stop")} & known
    wanted -= {f"Create{kind}" for kind in _READ}
    assert wanted <= {operation.partition(":")[2] for operation in _called("airflow")}


def test_airflow_may_delete_each_kind_that_is_torn_down() -> None:
    from include.sweeping.selection import DURABLE, SERVE

    assert {f"sagemaker:Delete{kind}" for kind in (*SERVE, *DURABLE)} <= _called("airflow")


def test_airflow_may_publish_what_the_notifier_of_the_provider_publishes() -> None:
    assert "sns:Publish" in _called("airflow")


def test_the_scan_of_the_code_finds_operations_of_each_kind() -> None:
    assert {"sagemaker:QueryLineage", "s3:HeadObject", "logs:GetLogEvents", "cognito-idp:CreateUserPool"} <= _named()


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        ("s3:HeadObject", {"s3:GetObject"}),
        ("sagemaker-runtime:InvokeEndpoint", {"sagemaker:InvokeEndpoint"}),
        ("sagemaker:CreateTrainingJob", {"sagemaker:CreateTrainingJob", "iam:PassRole"}),
    ],
)
def test_an_operation_needs_the_actions_of_its_service(operation: str, allowed: set[str]) -> None:
    assert actions("airflow", {f"airflow {operation}", "job logs:PutLogEvents"}) == allowed


def test_a_template_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks for airflow"):
        written("Resources: {}\n", {"airflow s3:GetObject"})


def _called(caller: str) -> set[str]:
    return {line.partition(" ")[2] for line in read(CALLS) if line.startswith(f"{caller} ")}


def _named() -> set[str]:
    """Operations whose name is a string or an attribute in the code of Airflow's side, in boto3's or AWS's spelling."""
    session = botocore.session.get_session()
    operations: dict[str, set[str]] = {}
    for service in _SERVICES:
        for name in session.get_service_model(service).operation_names:
            for spelling in (name, xform_name(name)):
                operations.setdefault(spelling, set()).add(f"{service}:{name}")
    words = {word for path in _airflows() for word in _words(path)}
    return {operation for word in words for operation in operations.get(word, ())} - _OTHER_WORDS


def _airflows() -> Iterator[Path]:
    """Return the files of Airflow's side."""
    files = (path for folder in ("plugins", "dags", "include") for path in (ROOT / folder).rglob("*.py"))
    return (path for path in files if not path.is_relative_to(ROOT / "include" / "jobs"))


def _words(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
