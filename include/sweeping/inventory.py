"""What there is on AWS, for :mod:`include.sweeping.selection`: read only, and whoever made it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from amazon_ml.naming import EXPIRES
from include.sweeping.selection import RUN, Limits, Resource

if TYPE_CHECKING:
    from amazon_ml.hooks.inventory import InventoryHook

#: type of a resource in its ARN -> kind.
_KINDS = {
    "training-job": "TrainingJob",
    "processing-job": "ProcessingJob",
    "transform-job": "TransformJob",
    "hyper-parameter-tuning-job": "HyperParameterTuningJob",
    "automl-job": "AutoMLJob",
    "pipeline": "Pipeline",
    "flow-definition": "FlowDefinition",
    "human-task-ui": "HumanTaskUi",
    "workteam": "Workteam",
    "feature-group": "FeatureGroup",
}
#: of endpoints, configurations and models, which are listed by themselves.
_SERVING = ("endpoint", "endpoint-config", "model")
LOG_GROUPS = "/aws/sagemaker/"

Tags = Mapping[str, Mapping[str, str]]


class Inventory:
    """
    Reads the resources of a project, and the endpoints of all, which may use them.

    :param project: value of the tag ``project``.
    :param protected: names of endpoints that nobody sweeps.
    """

    def __init__(self, hook: InventoryHook, project: str, *, protected: Iterable[str] = ()) -> None:
        from amazon_ml.hooks.tagging import TaggingHook

        self.hook = hook
        self.protected = set(protected)
        self.tags: Tags = dict(hook.sibling(TaggingHook).resources({"project": project}))

    def of_tags(self) -> list[Resource]:
        """Return what SageMaker has: of all kinds with tags, those of the project."""
        jobs = list(self._jobs())
        return [*jobs, *self.serving(), *self._others({each.arn for each in jobs})]

    def of_rules(self, limits: Limits, now: datetime) -> list[Resource]:
        """Return what may not be needed any more, and what uses it, with the endpoints' invocations."""
        serving = [self._counted(each, limits, now) for each in self.serving()]
        return [*self._jobs(), *serving, *self._trials(limits, now), *self._log_groups()]

    def _resource(self, kind: str, name: str, arn: str, **given: Any) -> Resource:
        return Resource(kind, name, arn, tags=self.tags.get(arn, {}), ours=arn in self.tags, **given)

    def _jobs(self) -> Iterator[Resource]:
        """Yield the project's jobs that run."""
        for kind, summary in self.hook.running_jobs():
            arn = summary[f"{kind}Arn"]
            if arn in self.tags:
                yield self._resource(
                    kind, summary[f"{kind}Name"], arn, status="InProgress", created=summary["CreationTime"]
                )

    def serving(self) -> Iterator[Resource]:
        """Yield all endpoints, the configurations that they use, and the project's configurations and models."""
        configs: dict[str, tuple[str, ...]] = {}
        for found in self.hook.all_endpoints():
            endpoint = self._endpoint(found)
            configs |= {name: self._models_of(name) for name in endpoint.uses}
            yield endpoint
        for found in self.hook.all_endpoint_configs():
            name, arn = found["EndpointConfigName"], found["EndpointConfigArn"]
            if arn in self.tags or name in configs:
                uses = configs.get(name, ())
                yield self._resource("EndpointConfig", name, arn, created=found["CreationTime"], uses=uses)
        for found in self.hook.models():
            if found["ModelArn"] in self.tags:
                yield self._resource("Model", found["ModelName"], found["ModelArn"], created=found["CreationTime"])

    def _endpoint(self, found: Mapping[str, Any]) -> Resource:
        pending = found.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
        return self._resource(
            "Endpoint",
            found["EndpointName"],
            found["EndpointArn"],
            status=found["EndpointStatus"],
            created=found["CreationTime"],
            changed=found["LastModifiedTime"],
            uses=tuple(filter(None, (found["EndpointConfigName"], pending))),
            variants=tuple(variant["VariantName"] for variant in found.get("ProductionVariants", ())),
            protected=found["EndpointName"] in self.protected,
        )

    def _models_of(self, config: str) -> tuple[str, ...]:
        found = self.hook.describe("EndpointConfig", config) or {}
        variants = [*found.get("ProductionVariants", ()), *found.get("ShadowProductionVariants", ())]
        return tuple(variant["ModelName"] for variant in variants if "ModelName" in variant)

    def _others(self, running: set[str]) -> Iterator[Resource]:
        """Yield all else that has the project's tag: jobs that have ended, what is to stay, and what is not known."""
        for arn in self.tags.keys() - running:
            type_, _, name = arn.split(":", 5)[-1].partition("/")
            if type_ in _SERVING:
                continue
            kind = _KINDS.get(type_, "")
            ended = "Ended" if kind in RUN else ""
            yield self._resource(kind, name.rpartition("/")[2] if kind else f"{type_}/{name}", arn, status=ended)
            if kind == "Pipeline":
                yield from self._executions(name, arn)

    def _executions(self, pipeline: str, arn: str) -> Iterator[Resource]:
        """Yield the executions of a pipeline that run, which take no tags, with those of the pipeline."""
        tags = {key: value for key, value in self.tags[arn].items() if key != EXPIRES}
        for found in self.hook.pipeline_executions(pipeline):
            if found["PipelineExecutionStatus"] == "Executing":
                name = found["PipelineExecutionArn"]
                yield Resource("PipelineExecution", name, name, status="Executing", tags=tags, ours=True)

    def _counted(self, resource: Resource, limits: Limits, now: datetime) -> Resource:
        """Return an endpoint of the project with its invocations."""
        from amazon_ml.endpoint_series import read_series
        from amazon_ml.hooks.cloudwatch import CloudWatchHook

        if resource.kind != "Endpoint" or not resource.ours or not resource.variants:
            return resource
        since = now - timedelta(hours=limits.idle_hours)
        series = read_series(
            self.hook.sibling(CloudWatchHook),
            resource.name,
            resource.variants,
            {"Invocations": "Sum"},
            since=since,
            until=now,
            period=3600,
        )
        return replace(
            resource, invocations=sum(point["value"] for of in series.values() for point in of["Invocations"])
        )

    def _trials(self, limits: Limits, now: datetime) -> Iterator[Resource]:
        """Yield the models in S3 of the project's trials that did not win, of tuning jobs that ended long ago."""
        for summary in self.hook.ended_tuning_jobs():
            arn, ended = summary["HyperParameterTuningJobArn"], summary.get("HyperParameterTuningEndTime")
            if arn not in self.tags or ended is None or ended > now - timedelta(days=limits.tuning_days):
                continue
            for uri in self._losers(summary["HyperParameterTuningJobName"]):
                yield Resource("S3Object", uri, arn, created=ended, tags=self.tags[arn], ours=True)

    def _losers(self, tuning_job: str) -> Iterator[str]:
        from amazon_ml.hooks.s3 import split

        best = (self.hook.describe("HyperParameterTuningJob", tuning_job) or {}).get("BestTrainingJob", {})
        for trial in self.hook.training_jobs_of(tuning_job):
            if trial["TrainingJobName"] == best.get("TrainingJobName"):
                continue
            trained = self.hook.describe("TrainingJob", trial["TrainingJobName"]) or {}
            uri = trained.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
            if uri and self.hook.s3.has_object(*split(uri)):
                yield uri

    def _log_groups(self) -> Iterator[Resource]:
        """Yield SageMaker's log groups, which all of an account share; of endpoints' with the last event."""
        for group in self.hook.logs.groups(LOG_GROUPS):
            name = group["logGroupName"]
            yield Resource(
                "LogGroup",
                name,
                created=datetime.fromtimestamp(group["creationTime"] / 1000, UTC),
                changed=self.hook.logs.last_event(name) if "/Endpoints/" in name else None,
                retention=group.get("retentionInDays"),
                ours=True,
            )
