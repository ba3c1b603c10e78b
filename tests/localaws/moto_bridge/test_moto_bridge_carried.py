"""The table of what moto carries, against botocore's models, moto's code and our own registry."""

from __future__ import annotations

import importlib

import pytest
from localaws_kit import ROOT

from localaws.core import operations
from localaws.core.coverage import BEGIN, END, EXECUTES, KEPT, REFUSED, rewritten, services, table, word
from localaws.core.operations import LIVE, service_model
from localaws.moto_bridge.carried import CARRIED, METADATA_ONLY, PRETENDED, carries

RESPONSES = {
    "iam": "iam.responses.IamResponse",
    "sts": "sts.responses.TokenResponse",
    "glue": "glue.responses.GlueResponse",
    "cognito-idp": "cognitoidp.responses.CognitoIdpResponse",
    "cloudwatch": "cloudwatch.responses.CloudWatchResponse",
    "logs": "logs.responses.LogsResponse",
    "secretsmanager": "secretsmanager.responses.SecretsManagerResponse",
}


def operations_of(service: str) -> list[str]:
    return list(service_model(service).operation_names)


@pytest.mark.parametrize("service", sorted(CARRIED))
def test_every_carried_operation_exists_on_aws_and_is_not_ours_too(service: str) -> None:
    operations.load_all()
    assert set(CARRIED[service]) <= set(service_model(service).operation_names)
    assert not [operation for operation in CARRIED[service] if (service, operation) in LIVE]
    pretended = {operation for operations in PRETENDED[service].values() for operation in operations}
    assert pretended <= set(service_model(service).operation_names)
    assert not pretended & CARRIED[service]


@pytest.mark.parametrize("service", sorted(RESPONSES))
def test_moto_has_a_function_for_every_carried_operation(service: str) -> None:
    from moto.core.utils import camelcase_to_underscores

    module, _, name = RESPONSES[service].rpartition(".")
    answers = getattr(importlib.import_module(f"moto.{module}"), name)
    assert not [name for name in CARRIED[service] if not hasattr(answers, camelcase_to_underscores(name))]


def test_sagemaker_and_athena_are_never_motos() -> None:
    assert not {service for service in CARRIED if service.startswith("sagemaker") or service == "athena"}
    assert not carries("sagemaker", "CreateTrainingJob")
    assert not carries("glue", "StartCrawler")
    assert carries("s3", "PutObject")


def test_the_coverage_table_lists_what_is_live_and_replaces_only_its_own_place() -> None:
    page = f"before\n{BEGIN}\nformer table\n{END}\nafter\n"
    fresh = rewritten(page)
    assert fresh.startswith("before\n")
    assert fresh.endswith("after\n")
    assert "former table" not in fresh
    assert rewritten(fresh) == fresh
    for _, operation in LIVE:
        assert operation in table()
    with pytest.raises(ValueError, match="no place"):
        rewritten("a page without marks")


def test_the_page_has_the_present_table() -> None:
    page = (ROOT / "docs" / "coverage.md").read_text()
    assert rewritten(page) == page, "python -m localaws.core.coverage --write docs/coverage.md"


def test_every_operation_has_one_of_three_words() -> None:
    words = {(service, name): word(service, name)[0] for service in services() for name in operations_of(service)}
    assert set(words.values()) == {EXECUTES, KEPT, REFUSED}
    assert {key for key, said in words.items() if said != REFUSED} == {
        *LIVE,
        *((service, name) for service, names in CARRIED.items() for name in names),
    }
    assert words["sagemaker", "CreateTrainingJob"] == words["s3", "PutObject"] == EXECUTES
    assert words["s3", "PutBucketEncryption"] == words["iam", "PutRolePolicy"] == words["sagemaker", "AddTags"] == KEPT
    assert words["glue", "StartJobRun"] == words["sagemaker", "CreateCluster"] == REFUSED


def test_what_is_said_to_be_only_kept_is_live() -> None:
    operations.load_all()
    assert operations.METADATA_ONLY.keys() <= LIVE.keys()
    for service, by_reason in METADATA_ONLY.items():
        names = [name for kept in by_reason.values() for name in kept]
        assert len(names) == len(set(names)) and set(names) <= CARRIED[service]
