"""ClarifyCheck steps: a bias analysis by the Clarify image, compared with the one that was accepted before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.core.context import Context
from localaws.core.errors import NotImplementedByLocalAws, ValidationException
from localaws.sagemaker.jobs.staging import split_uri
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.failures import StepFailure
from localaws.sagemaker.pipelines.jobs import PROCESSING, JobKind
from localaws.sagemaker.pipelines.work import Record, Result, Work
from localaws.sagemaker.registry import package_api as model_package

_CHECK = "DATA_BIAS"
_OTHER_CHECKS = ("MODEL_BIAS", "MODEL_EXPLAINABILITY")
_ANALYSIS, _VIOLATIONS = "analysis.json", "constraint_violations.json"
#: a difference that is rounding.
_TOLERANCE = 1e-9

#: facet, its value and the metric's name -> the metric's value.
Metrics = dict[tuple[str, str, str], float]


@dataclass(frozen=True, kw_only=True)
class ClarifyCheck(JobKind):
    """Analyses, then fails where a bias is greater than the baseline's."""

    def check(self, step: Step) -> None:
        """Only what the image does: bias of the data."""
        kind = step.body.get("CheckType")
        if kind in _OTHER_CHECKS:
            raise NotImplementedByLocalAws(
                f"Step '{step.name}' is a ClarifyCheck of the CheckType {kind}, which is not implemented by localaws."
            )
        if kind != _CHECK:
            raise ValidationException(
                f"Unable to parse pipeline definition. Step '{step.name}' has the invalid CheckType '{kind}'."
            )
        super().check(step)

    def metadata(self, work: Work, job: Record) -> Record:
        """Return the job and the settings of the check."""
        found = {
            "CheckType": _CHECK,
            "CheckJobArn": job["ProcessingJobArn"],
            "ModelPackageGroupName": work.body.get("ModelPackageGroupName"),
            "SkipCheck": bool(work.body.get("SkipCheck", False)),
            "RegisterNewBaseline": bool(work.body.get("RegisterNewBaseline", False)),
        }
        return {"ClarifyCheck": {key: value for key, value in found.items() if value is not None}}

    def result(self, work: Work, job: Record) -> Result:
        """Return the baselines, after the comparison."""
        metadata = self.metadata(work, job)
        shown = metadata["ClarifyCheck"]
        folder = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].rstrip("/")
        calculated = f"{folder}/{_ANALYSIS}"
        before = _baseline(work, required=not (shown["SkipCheck"] and shown["RegisterNewBaseline"]))
        used = calculated if shown["RegisterNewBaseline"] else before
        properties = {"CalculatedBaselineConstraints": calculated, "BaselineUsedForDriftCheckConstraints": used}
        shown |= {key: value for key, value in properties.items() if value is not None}
        if before is not None and not shown["SkipCheck"]:
            violations = list(_violations(_read(before, work.ctx), _read(calculated, work.ctx)))
            if violations:
                shown["ViolationReport"] = _report(f"{folder}/{_VIOLATIONS}", violations, work.ctx)
                if work.body.get("FailOnViolation", True):
                    raise StepFailure(
                        f"ClientError: Clarify check failed with {len(violations)} violation(s), see "
                        f"{shown['ViolationReport']}. {violations[0]['description']} ({violations[0]['metric_name']} "
                        f"of {violations[0]['facet']} {violations[0]['facet_value']})",
                        metadata=metadata,
                    )
        return Result(metadata, properties)


CLARIFY_CHECK = ClarifyCheck(
    type="ClarifyCheck",
    operation=PROCESSING.operation,
    shown="ClarifyCheck",
    described=(),
    properties=("CalculatedBaselineConstraints", "BaselineUsedForDriftCheckConstraints"),
    cached=(
        *PROCESSING.cached,
        "SkipCheck",
        "RegisterNewBaseline",
        "ModelPackageGroupName",
        "SuppliedBaselineConstraints",
    ),
    start=PROCESSING.start,
    jobs=PROCESSING.jobs,
)


def _baseline(work: Work, *, required: bool) -> str | None:
    """Return where the baseline is: as supplied, else with the latest approved package of the group."""
    if supplied := work.body.get("SuppliedBaselineConstraints"):
        return str(supplied)
    group = work.body.get("ModelPackageGroupName")
    packages = [
        package
        for package in work.ctx.store.all(model_package.KIND)
        if group in (package.get("ModelPackageGroupName"), package["ModelPackageArn"].rpartition("/")[0])
        and package.get("ModelApprovalStatus") == "Approved"
    ]
    for package in sorted(packages, key=lambda found: -found["ModelPackageVersion"])[:1]:
        bias = package.get("DriftCheckBaselines", {}).get("Bias", {})
        if found := bias.get("PreTrainingConstraints", {}).get("S3Uri"):
            return str(found)
    if required:
        raise StepFailure(
            "ClientError: No baseline is available for the drift check: SuppliedBaselineConstraints is not given, and "
            f"the model package group {group} has no approved package with one."
        )
    return None


def _violations(baseline: Metrics, found: Metrics) -> Iterator[dict[str, str]]:
    """
    Yield the metrics that are further from 0 (no bias) than in the baseline; those without a baseline are skipped.
    """
    for (facet, value, metric), now in found.items():
        before = baseline.get((facet, value, metric))
        if before is not None and abs(now) > abs(before) + _TOLERANCE:
            yield {
                "facet": facet,
                "facet_value": value,
                "metric_name": metric,
                "constraint_check_type": "bias_drift_check",
                "description": f"Metric value {now} doesn't meet the baseline constraint requirement {before}",
            }


def _read(uri: str, ctx: Context) -> Metrics:
    bucket, key = split_uri(uri)
    try:
        document = json.loads(ctx.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        return dict(_metrics(document))
    except ClientError as error:
        raise StepFailure(f"ClientError: {uri} cannot be read: {error.response['Error']['Message']}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StepFailure(f"ClientError: {uri} is not a bias analysis: {error!r}") from error


def _metrics(document: Any) -> Iterator[tuple[tuple[str, str, str], float]]:
    for facet, entries in document["pre_training_bias_metrics"]["facets"].items():
        for entry in entries:
            for metric in entry["metrics"]:
                if isinstance(metric["value"], int | float):
                    yield (facet, str(entry["value_or_threshold"]), metric["name"]), float(metric["value"])


def _report(uri: str, violations: list[dict[str, str]], ctx: Context) -> str:
    bucket, key = split_uri(uri)
    ctx.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps({"violations": violations}, indent=2).encode())
    return uri
