"""An account for the page: reports in S3, and what SageMaker and CloudWatch answer, as after a few runs of the DAGs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

# Before Airflow: it sets AIRFLOW_HOME.
import operator_kit  # noqa: F401
from modelled_kit import Modelled

from amazon_ml.hooks.base import ServiceHook
from amazon_ml.naming import loop_name
from include import paths
from sentiment_page.aws import Aws

NOW = datetime.now(UTC)
ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"
MODEL = "s3://sentiment-reviews/jobs/train/output/model.tar.gz"
RUN, EARLIER = "manual__2026-11-30T093812.5_0000", "manual__2026-11-29T010101_0000"
FLOW = f"{ACCOUNT}:flow-definition/sentiment-reviewers"
OTHER_FLOW = f"{ACCOUNT}:flow-definition/sentiment-reviewers-of-somebody"

#: service -> method of boto3 -> answer, as :class:`Modelled` takes it.
Answers = dict[str, dict[str, Any]]


@dataclass
class Account:
    """
    What AWS has.

    :param text: stands wherever a name or text comes from outside: tests make it hostile.
    """

    text: str = "Dresses"
    objects: dict[str, bytes] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Account:
        """Return an account in which nothing has run: there is not even a bucket."""
        missing = {"list_objects_v2": "NoSuchBucket", "get_object": "NoSuchBucket"}
        return cls(
            answers={
                "s3": missing,
                "sagemaker": {
                    "describe_model_package_group": _no,
                    "describe_endpoint": _no,
                    "list_flow_definitions": {"FlowDefinitionSummaries": []},
                    "list_endpoints": {"Endpoints": []},
                    "list_training_jobs": {"TrainingJobSummaries": []},
                    "list_pipeline_executions": "ResourceNotFound",
                },
                "cloudwatch": {"list_metrics": {"Metrics": []}},
            }
        )

    @classmethod
    def denied(cls) -> Account:
        """Return an account whose every answer is that access is denied."""
        return cls(answers={name: _Same("AccessDeniedException") for name in ("s3", "sagemaker", "cloudwatch", _A2I)})

    @classmethod
    def filled(cls, text: str = "Dresses") -> Account:
        """Return an account with something for each section."""
        account = cls(text)
        account._write_reports()
        account.answers = {
            "s3": {"get_object": account._get, "list_objects_v2": account._list},
            "sagemaker": account._sagemaker(),
            "cloudwatch": {"list_metrics": account._metrics, "get_metric_data": _metric_data},
            _A2I: {"list_human_loops": account._loops},
        }
        return account

    def aws(self) -> Aws:
        """Return the page's view of this account."""
        made = Aws()
        for hook in (made.sagemaker, made.s3, made.cloudwatch, made.loops):
            self._connect(hook)
        return made

    def _connect(self, hook: ServiceHook) -> None:
        hook.__dict__["conn"] = Modelled(hook.service, self.answers.get(hook.service, {}))

    def put(self, uri: str, document: Any) -> None:
        """Put an object: JSON, or text as it is."""
        self.objects[uri] = (document if isinstance(document, str) else json.dumps(document)).encode()

    def _get(self, Bucket: str, Key: str) -> Any:
        content = self.objects.get(f"s3://{Bucket}/{Key}")
        return "NoSuchKey" if content is None else {"Body": io.BytesIO(content), "ContentLength": len(content)}

    def _list(self, Bucket: str, Prefix: str, Delimiter: str) -> Any:
        start = f"s3://{Bucket}/{Prefix}"
        below = (uri.removeprefix(start) for uri in self.objects if uri.startswith(start))
        folders = sorted({rest.partition(Delimiter)[0] for rest in below if Delimiter in rest})
        return {"CommonPrefixes": [{"Prefix": f"{Prefix}{folder}/"} for folder in folders], "IsTruncated": False}

    def _write_reports(self) -> None:
        text = self.text
        counts = {"by_sentiment": {"-1": 2370, "0": 2823, "1": 17433}, "by_category": {text: 6145, "Knits": 4626}}
        dropped = {f"blank {text}": 860}
        self.put(
            f"{paths.TRANSFORM_REPORT}report.json",
            {"rows_in": 23486, "rows": 22626, "dropped": dropped, "synthetic": True, **counts},
        )
        self.put(paths.ORIGIN, {"source": f"/home/me/secret/{text}"})
        for name, ci, dpl in (("before", 0.47, 0.05), ("after", 0.75, 0.0)):
            metrics = [{"name": "CI", "value": ci}, {"name": "DPL", "value": dpl}, {"name": "KL", "value": 0.1}]
            facet = [{"value_or_threshold": text, "metrics": metrics}]
            if name == "before":
                facet.append({"value_or_threshold": "Lounge", "metrics": metrics})
            self.put(
                f"{paths.BIAS}/{name}/analysis.json",
                {"pre_training_bias_metrics": {"facets": {"product_category": facet}}},
            )
        self.put(f"{paths.LEADER_BOARD}/leader_board.json", self._board())
        self.put(f"{paths.AB_REPORTS}/{RUN}/look-1/report.json", self._look(1, "continue", -0.01))
        self.put(f"{paths.AB_REPORTS}/{RUN}/look-2/report.json", self._look(2, "challenger", 0.031))
        self.put(
            f"{paths.AB_REPORTS}/manual__2026-11-29T010101_0000/look-1/report.json", self._look(1, "champion", -0.06)
        )
        self.put(f"{paths.HUMAN_REVIEW}/{RUN}/items/items.jsonl", self._items())
        self.put(f"{paths.HUMAN_REVIEW_REPORTS}/{RUN}/selection/report.json", {})
        model = {"reviews": 10, "agree": 9, "accuracy": 0.9}
        labels = {"batch": text, "asked": 40, "answers": 38, "labelled": 36, "synthetic": False}
        self.put(
            f"{paths.HUMAN_REVIEW_REPORTS}/{EARLIER}/labels/report.json",
            {**labels, "model": {"all": model, "control": model}},
        )
        self.put(_EVALUATION, {"metrics": {"accuracy": {"value": 0.871}, "macro_f1": {"value": 0.702}}})

    def _board(self) -> dict[str, Any]:
        def row(rank: int, model: str, accuracy: float, p50: float) -> dict[str, Any]:
            return {
                "rank": rank,
                "model": model,
                "kind": self.text,
                "accuracy": accuracy,
                "macro_f1": 0.7,
                "accuracy_95": [accuracy - 0.02, accuracy + 0.02],
                "training_seconds": 412,
                "latency_ms": {"p50": p50, "p95": 2 * p50},
                "model_bytes": 9e7,
                "evaluated_at": "2026-11-30T10:00:00+00:00",
            }

        return {
            "models": [
                row(1, "fine-tuned", 0.87, 41.5),
                row(2, "autopilot-1", 0.86, 3.1),
                row(3, self.text, 0.81, 0.4),
            ],
            "left_out": [{"model": self.text, "reason": f"judged by {self.text}"}],
            "undecided": ["autopilot-1"],
            "synthetic": True,
            "test_split": {"sha256": "ab" * 32, "reviews": 1160},
        }

    def _look(self, number: int, decision: str, difference: float) -> dict[str, Any]:
        each = {"accuracy": 0.86, "latency_ms": {"p50": {"value": 41.0, "low": 40.0, "high": 42.0}}}
        return {
            "look": number,
            "plan": {"looks": 3},
            "decision": decision,
            "because": f"the difference is sure, says {self.text}",
            "test": {"difference": difference, "interval": [difference - 0.02, difference + 0.02]},
            "variants": {"champion": each, "challenger": each},
            "synthetic": False,
        }

    def _items(self) -> str:
        given = {"title": "So-so", "body": f"Runs  large.\n{self.text}", "taskObject": "x"}
        return "\n".join(json.dumps({"id": name, "input": given}) for name in ("r1", "r2")) + "\n"

    def _sagemaker(self) -> dict[str, Any]:
        endpoint = {"Source": {"SourceUri": f"{ACCOUNT}:endpoint/sentiment"}}
        return {
            "describe_model_package_group": {"ModelPackageGroupName": "sentiment"},
            "list_model_packages": _versions,
            "describe_model_package": self._package,
            "describe_endpoint": _endpoint,
            "describe_endpoint_config": {"ProductionVariants": [{"VariantName": "champion", "ModelName": "m"}]},
            "describe_model": {"PrimaryContainer": {"ModelPackageName": f"{ACCOUNT}:model-package/sentiment/3"}},
            "list_endpoints": {"Endpoints": [{"EndpointName": "sentiment"}]},
            "list_artifacts": {"ArtifactSummaries": [{"ArtifactArn": f"{ACCOUNT}:artifact/model"}]},
            "query_lineage": _lineage,
            "describe_artifact": self._artifact,
            "describe_trial_component": {
                "DisplayName": "t",
                "Source": {"SourceArn": f"{ACCOUNT}:training-job/train-1"},
            },
            "describe_context": endpoint,
            "describe_action": endpoint,
            "list_training_jobs": {"TrainingJobSummaries": [{"TrainingJobName": "train-sentiment-train-1"}]},
            "describe_training_job": self._training_job,
            "list_pipeline_executions": {"PipelineExecutionSummaries": [self._execution()]},
            "list_flow_definitions": {
                "FlowDefinitionSummaries": [_flow(FLOW), _flow(f"{FLOW}-2c23"), _flow(OTHER_FLOW)]
            },
        }

    def _package(self, ModelPackageName: str) -> dict[str, Any]:
        version = int(ModelPackageName.rpartition("/")[2])
        properties = {"synthetic": "True"} | ({"accuracy": f"0.8{version}"} if version > 1 else {})
        return {
            "ModelPackageArn": ModelPackageName,
            "ModelPackageVersion": version,
            "CreationTime": NOW - timedelta(days=4 - version),
            "ModelApprovalStatus": "Approved" if version != 2 else "Rejected",
            "ModelPackageDescription": f"better: {self.text}",
            "ApprovalDescription": f"Airflow run {self.text}",
            "CustomerMetadataProperties": properties,
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": MODEL}]},
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": _EVALUATION}}},
        }

    def _artifact(self, ArtifactArn: str) -> dict[str, Any]:
        sources = {"model": MODEL, "data": f"s3://sentiment-reviews/data/{self.text}/train/"}
        source = sources.get(ArtifactArn.rpartition("/")[2], f"{ACCOUNT}:model-package/sentiment/3")
        return {"ArtifactName": "", "Source": {"SourceUri": source}, "Properties": {}}

    def _training_job(self, TrainingJobName: str) -> dict[str, Any]:
        return {
            "TrainingJobName": TrainingJobName,
            "TrainingJobStatus": "Failed",
            "CreationTime": NOW,
            "TrainingTimeInSeconds": 400,
            "FailureReason": f"it failed: {self.text}",
            "FinalMetricDataList": [{"MetricName": "validation:accuracy", "Value": 86.5}],
        }

    def _execution(self) -> dict[str, Any]:
        name = {"PipelineExecutionDisplayName": self.text, "PipelineExecutionArn": f"{ACCOUNT}:pipeline/p/execution/1"}
        return {**name, "StartTime": NOW, "PipelineExecutionStatus": "Succeeded"}

    def _metrics(self, Dimensions: list[dict[str, str]], **_: Any) -> dict[str, Any]:
        if Dimensions[0]["Value"] != "sentiment":
            return {"Metrics": []}
        return {
            "Metrics": [{"Dimensions": [*Dimensions, {"Name": "VariantName", "Value": name}]} for name in self._names]
        }

    @property
    def _names(self) -> tuple[str, ...]:
        return ("champion", "challenger", self.text)

    def _loops(self, FlowDefinitionArn: str, **_: Any) -> dict[str, Any]:
        assert FlowDefinitionArn != OTHER_FLOW
        changed = loop_name(f"{FLOW}-2c23", "r1", RUN)
        states = {FLOW: [("other", "InProgress"), ("old", "Completed")]}.get(
            FlowDefinitionArn, [(changed, "InProgress")]
        )
        loops = [
            {"HumanLoopName": name, "HumanLoopStatus": status, "CreationTime": NOW - timedelta(hours=1)}
            for name, status in states
        ]
        return {"HumanLoopSummaries": loops}


_A2I = "sagemaker-a2i-runtime"
_EVALUATION = "s3://sentiment-reviews/jobs/evaluate/report/evaluation.json"


class _Same(dict[str, Any]):
    """The same answer to every operation."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __getitem__(self, _: str) -> Any:
        return self.answer


def _no(**_: Any) -> str:
    return "ResourceNotFound"


def _versions(**asked: Any) -> dict[str, Any]:
    found = [3, 1] if asked.get("ModelApprovalStatus") == "Approved" else [3, 2, 1]
    summaries = [{"ModelPackageArn": f"{ACCOUNT}:model-package/sentiment/{version}"} for version in found]
    return {"ModelPackageSummaryList": summaries}


def _endpoint(EndpointName: str) -> Any:
    if EndpointName != "sentiment":
        return "ResourceNotFound"
    weights = {"champion": 9.0, "challenger": 1.0}
    variants = [
        {"VariantName": name, "CurrentWeight": weight, "CurrentInstanceCount": 1} for name, weight in weights.items()
    ]
    return {"EndpointStatus": "InService", "EndpointConfigName": "config", "ProductionVariants": variants}


def _metric_data(MetricDataQueries: list[Any], StartTime: datetime, **_: Any) -> dict[str, Any]:
    times = [StartTime + timedelta(minutes=at) for at in (50, 51, 52, 120)]
    values = {"Invocations": [3.0, 40.0, 22.0, 7.0], "ModelLatency": [41e3, 44e3, 39e3, 1200e3]}
    results = []
    for query in MetricDataQueries:
        given = values.get(query["MetricStat"]["Metric"]["MetricName"])
        results.append({"Id": query["Id"], "Timestamps": times if given else [], "Values": given or []})
    return {"MetricDataResults": results}


def _lineage(Direction: str, **_: Any) -> dict[str, Any]:
    def vertex(name: str, kind: str, lineage: str = "Artifact") -> dict[str, Any]:
        return {"Arn": f"{ACCOUNT}:artifact/{name}", "Type": kind, "LineageType": lineage}

    def edge(source: str, end: str) -> dict[str, Any]:
        return {"SourceArn": f"{ACCOUNT}:artifact/{source}", "DestinationArn": f"{ACCOUNT}:artifact/{end}"}

    model = vertex("model", "Model")
    if Direction == "Ascendants":
        job = vertex("job", "TrainingJob", "TrialComponent")
        image = vertex("image", "Image")
        return {
            "Vertices": [model, job, image, vertex("data", "DataSet")],
            "Edges": [edge("job", "model"), edge("image", "job"), edge("data", "job")],
        }
    deployment = vertex("deployment", "ModelDeployment", "Action")
    return {
        "Vertices": [
            *(model, vertex("package", "ModelPackage"), deployment),
            *(vertex("endpoint", "Endpoint", "Context"), vertex("evaluation", "ProcessingJob", "TrialComponent")),
        ],
        "Edges": [
            *(edge("model", "package"), edge("package", "deployment")),
            *(edge("deployment", "endpoint"), edge("model", "evaluation")),
        ],
    }


def _flow(arn: str) -> dict[str, str]:
    return {"FlowDefinitionArn": arn, "FlowDefinitionName": arn.rpartition("/")[2]}
