"""What the runs of this session have called is what the policies of infra/ allow."""

from __future__ import annotations

import pytest

from infra.policy import CALLS, actions, read
from stack.airflow_api import AirflowApi
from stack.layout import Stack

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("caller", "surely"), [("airflow", "airflow sagemaker:CreateTrainingJob"), ("job", "job s3:GetObject")]
)
def test_the_policy_allows_what_was_called(
    stack: Stack, api: AirflowApi, champion: object, caller: str, surely: str
) -> None:
    record = read(stack.home / "localaws" / "calls.txt")
    called, allowed = actions(caller, record), actions(caller, read(CALLS))
    assert surely in record, "the training before this test is not in the record"
    assert called <= allowed, "add them: python -m infra.policy --add <home>/localaws/calls.txt --write"
