"""From a version in the model registry to one that may be deployed: who approves it, and which is the latest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import Param, TriggerRule, chain, task

from amazon_ml.operators.model_package import ApproveModelOperator

#: to choose approved versions by.
APPROVED = {"ModelApprovalStatus": "Approved"}
#: for the trigger forms of the DAGs that use :func:`approval`.
REQUIRE_APPROVAL = Param(
    False,
    type="boolean",
    title="Ask a person",
    description="On: the version is deployed only after somebody has approved it, under Required Actions.",
)


def learnt_from_synthetic(package: Mapping[str, Any]) -> bool:
    """Say whether a version was trained on made-up reviews, by its own properties."""
    return str(package.get("CustomerMetadataProperties", {}).get("synthetic")).lower() == "true"


def evaluation_uri(package: Mapping[str, Any]) -> str:
    """Return the S3 URI of the evaluation that a version was registered with, "" without one."""
    return str(package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", ""))


def approval(version: Any, body: str, instead_of: str | None = None) -> tuple[Any, ApproveModelOperator]:
    """
    Make the tasks that approve a version, or have a person decide where the run's param ``require_approval`` is on.

    Returns the first of them and ``approve``, after which the version is approved. A person who does not answer within
    a day has rejected it.

    :param version: the version's ARN; an XComArg or a template.
    :param body: what the person is told, in Markdown; a template.
    :param instead_of: ARN of the approved version that it was found to be better than, "" for none; a template. Where
        another has been approved in the meantime, ``approve`` fails.
    """

    @task.branch
    def who_approves(params: Any = None) -> str:
        """Ask a person where the run says so; else approve, since the model has passed the gate."""
        return "ask" if params["require_approval"] else "approve"

    ask = HITLBranchOperator(
        task_id="ask",
        subject="Deploy this version of the sentiment model?",
        body=body,
        options=["Approve", "Reject"],
        options_mapping={"Approve": "approve", "Reject": "reject"},
        # Nobody's answer is no approval.
        defaults="Reject",
        response_timeout=timedelta(days=1),
    )
    because = "Airflow run {{ run_id }}"
    approve = ApproveModelOperator(
        task_id="approve",
        model_package_arn=version,
        reason=because,
        instead_of=instead_of,
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )
    reject = ApproveModelOperator(task_id="reject", model_package_arn=version, status="Rejected", reason=because)
    first = who_approves()
    chain(first, [ask, approve])
    chain(ask, [approve, reject])
    return first, approve


def latest_approved(group: str) -> Any:
    """
    Return the task that finds the newest approved version of a group, as the container of a model.

    It runs where any of the paths that lead to it was taken.
    """

    @task(task_id="latest_approved", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def latest() -> list[dict[str, Any]]:
        """Return the newest approved version of the group, as a model's container."""
        from amazon_ml.hooks.sagemaker import SageMakerJobHook

        found = SageMakerJobHook().newest_model_package(group, **APPROVED)
        if found is None:
            raise ValueError(f"no version of {group} is approved")
        print(f"Version {found['ModelPackageVersion']} is the latest approved one of {group}")
        return [{"model_package": found["ModelPackageArn"]}]

    return latest()
