"""Whether the account may have the instances that the DAGs ask for, by Service Quotas."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.check.account import Account
from infra.check.findings import Finding, missing, ok, unknown

#: botocore's list of the instance types for a use.
_SHAPES = {
    "training job": "TrainingInstanceType",
    "processing job": "ProcessingInstanceType",
    "endpoint": "ProductionVariantInstanceType",
    "transform job": "TransformInstanceType",
}


@dataclass(frozen=True)
class Need:
    """
    What the DAGs ask for.

    :param use: "training job", "processing job", "endpoint" or "transform job".
    :param at_once: instances that a DAG has at once. With fewer jobs wait for one another; an endpoint does not.
    :param variable: environment variable that names another type.
    """

    use: str
    instance_type: str
    at_once: int
    variable: str

    @property
    def quota(self) -> str:
        """Name of the quota."""
        return f"{self.instance_type} for {self.use} usage"


def needs(settings: Any) -> list[Need]:
    """Return what the DAGs ask for with these settings. None of them has a transform job."""
    blazingtext = os.environ.get("SAGEMAKER_BLAZINGTEXT_INSTANCE", "ml.c5.xlarge")
    return [
        # tune_sentiment has two training jobs at once, and a challenger is judged beside its champion.
        Need("training job", settings.training_instance_type, 2, "SAGEMAKER_TRAINING_INSTANCE"),
        Need("training job", blazingtext, 1, "SAGEMAKER_BLAZINGTEXT_INSTANCE"),
        Need("processing job", settings.processing_instance_type, 2, "SAGEMAKER_PROCESSING_INSTANCE"),
        # Of train_sentiment, and both variants of ab_test.
        Need("endpoint", settings.inference_instance_type, 3, "SAGEMAKER_INFERENCE_INSTANCE"),
    ]


def check(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether each instance type is one of SageMaker's, and how many of it the account may have."""
    wanted = []
    for need in needs(settings):
        if need.instance_type in _known(account, need.use):
            wanted.append(need)
        else:
            detail = f"SageMaker has no instance type {need.instance_type!r} for a {need.use}"
            yield missing("instance type", detail, f"Set {need.variable} to one that it has, such as ml.m5.xlarge")
    quotas = _quotas(account, {need.quota for need in wanted})
    for need in wanted:
        yield _judged(need, quotas, account.region)


def _judged(need: Need, quotas: Mapping[str, float], region: str) -> Finding:
    what = f"quota {need.quota}"
    if need.quota not in quotas:
        return unknown(
            what, f"Service Quotas has none in {region}", f"If the type is not offered there, set {need.variable}"
        )
    value = quotas[need.quota]
    request = f"Request {need.at_once} in the console of Service Quotas, or set {need.variable}"
    if value < 1 or (need.use == "endpoint" and value < need.at_once):
        return missing(what, f"it is {value:g}, and the DAGs need {need.at_once}", request)
    if value < need.at_once:
        return ok(what, f"it is {value:g}: jobs wait for one another where a DAG has {need.at_once} at once")
    return ok(what, f"{value:g}")


def _known(account: Account, use: str) -> Iterable[str]:
    shape = account.client("sagemaker").meta.service_model.shape_for(_SHAPES[use])
    return list(shape.enum)


def _quotas(account: Account, names: set[str]) -> dict[str, float]:
    """Return the account's quotas of these names, and AWS's defaults where the account has none of its own."""
    found: dict[str, float] = {}
    client = account.client("service-quotas")
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            for quota in page["Quotas"]:
                if quota["QuotaName"] in names - found.keys():
                    found[quota["QuotaName"]] = quota["Value"]
            if names <= found.keys():
                return found
    return found
