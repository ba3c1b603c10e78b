"""From an endpoint back to what made its models, with the associations added that AWS leaves to its users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.lineage import unchanged

if TYPE_CHECKING:
    from amazon_ml.hooks.lineage import LineageHook

Answer = dict[str, Any]

#: the processing input that is the script, by the convention of SageMaker's SDK and of ProcessingJobSpec.
CODE = "code"
_JOB_NAME = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
#: files of raw data that an answer names.
_MOST_FILES = 20


@dataclass(frozen=True)
class Tracer:
    """
    Traces an endpoint.

    :param derived: S3 URI -> those that it was derived from, where no job of SageMaker has done it, or its lineage does
        not say so: an UNLOAD of Athena, a copy, a model that was compiled of another one.
    """

    hook: LineageHook
    derived: Mapping[str, Sequence[str]]

    def endpoint(self, name: str) -> Answer:
        """
        Trace what serves there and what made it; add what is missing in the lineage.

        :raises RequestRefused: there is no such endpoint.
        """
        endpoint = self.hook.describe("Endpoint", name)
        if endpoint is None:
            raise RequestRefused(f"there is no endpoint {name}")
        config = self.hook.require("EndpointConfig", endpoint["EndpointConfigName"])
        self._add_derived()
        models = [
            {"variant": variant["VariantName"], "model": variant["ModelName"], **self._model(container, endpoint)}
            for variant in config["ProductionVariants"]
            for container in self._containers(variant["ModelName"])
        ]
        return {
            "endpoint": name,
            "arn": endpoint["EndpointArn"],
            "config": config["EndpointConfigName"],
            "models": models,
        }

    def graph(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return the lineage of what serves now (see :meth:`LineageHook.graph`), without models that served before."""
        context = self._context(answer["arn"], answer["endpoint"])
        vertices: dict[str, dict[str, Any]] = {}
        edges: dict[tuple[str, str], dict[str, Any]] = {}
        for uri in dict.fromkeys(model["model_data"] for model in answer["models"] if model["model_data"]):
            below = self.hook.graph(self.hook.artifact(uri, "Model"), "Descendants")
            vertices |= {each["arn"]: each for each in below["vertices"] if each["arn"] == context}
            for last in (edge for edge in below["edges"] if edge["destination"] == context):
                above = self.hook.graph(last["source"])
                vertices |= {each["arn"]: each for each in above["vertices"]}
                edges |= {(each["source"], each["destination"]): each for each in [last, *above["edges"]]}
        return {"endpoint": answer["endpoint"], "vertices": list(vertices.values()), "edges": list(edges.values())}

    def _containers(self, model: str) -> list[dict[str, Any]]:
        found = self.hook.require("Model", model)
        containers: list[dict[str, Any]] = found.get("Containers") or [found["PrimaryContainer"]]
        return containers

    def _model(self, container: Mapping[str, Any], endpoint: Mapping[str, Any]) -> Answer:
        package = self._package(container)
        parts = package["InferenceSpecification"]["Containers"][0] if package else container
        uri = _model_data(container) or _model_data(parts)
        answer: Answer = {
            "package": _package_summary(package),
            "image": container.get("Image") or parts.get("Image"),
            "model_data": uri,
            "training_job": None,
            "code": None,
            "data": [],
            "processing_jobs": [],
        }
        if uri is None:
            return answer
        artifact = self.hook.artifact(uri, "Model")
        self._connect(artifact, endpoint)
        for origin in self._roots([uri]):
            trained = artifact if origin == uri else self.hook.artifact(origin, "Model")
            if job := self._training_job(trained, origin):
                return {**answer, **self._training(job, trained)}
        return answer

    def _package(self, container: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the package that a model was made of, or that was registered with the same data."""
        arn = container.get("ModelPackageName")
        if arn is None and (uri := _model_data(container)):
            below = self.hook.graph(self.hook.artifact(uri, "Model"), "Descendants")["vertices"]
            arn = next((each["source"] for each in below if ":model-package/" in each["source"]), None)
        return self.hook.describe("ModelPackage", arn) if arn else None

    def _connect(self, artifact: str, endpoint: Mapping[str, Any]) -> None:
        """See that the model leads to the endpoint, which AWS tracks for some ways of deploying only."""
        context = self._context(endpoint["EndpointArn"], endpoint["EndpointName"])
        below = self.hook.graph(artifact, "Descendants")["vertices"]
        if context not in {each["arn"] for each in below}:
            self.hook.associate(artifact, context, "ContributedTo")

    def _context(self, arn: str, name: str) -> str:
        if found := self.hook.context(arn):
            return found
        return self.hook.create_context(name, "Endpoint", arn)

    def _training_job(self, artifact: str, uri: str) -> dict[str, Any] | None:
        """Return the job that has produced a model: by the lineage, or by the job's name, which is in the URI."""
        above = self.hook.graph(artifact)["vertices"]
        names = [name for each in above if (name := _named(each["source"], "training-job"))]
        names += [part for part in uri.split("/")[-3:-2] if _JOB_NAME.fullmatch(part)]
        for name in names:
            job = self.hook.describe("TrainingJob", name)
            if job and job.get("ModelArtifacts", {}).get("S3ModelArtifacts") == uri:
                return job
        return None

    def _training(self, job: Mapping[str, Any], artifact: str) -> Answer:
        component = self.hook.component(job["TrainingJobArn"])
        parameters = job.get("HyperParameters", {})
        code = self._code(
            _plain(parameters.get("sagemaker_submit_directory")), _plain(parameters.get("sagemaker_program")), component
        )
        if component:
            self.hook.associate(component, artifact, "Produced")
        channels = _channels(job)
        found = list(self._processing(component)) if component else []
        data = [each for processing in found for each in processing.pop("files")]
        return {
            "training_job": {**_job_summary(job, "TrainingJob"), "channels": channels},
            "code": code,
            "data": data or self._files(self._roots(channels.values()), job, component),
            "processing_jobs": found,
        }

    def _processing(self, component: str) -> Iterator[Answer]:
        """Return the processing jobs above a training job, the nearest first, with the files that no job has made."""
        graph = self.hook.graph(component)
        sources = {each["arn"]: each["source"] for each in graph["vertices"]}
        made = {sources[edge["destination"]] for edge in graph["edges"] if edge["type"] == "Produced"}
        made |= set(self.derived)
        for vertex in graph["vertices"]:
            name = _named(vertex["source"], "processing-job")
            # Lineage outlives the jobs.
            if job := self.hook.describe("ProcessingJob", name) if name else None:
                yield self._processing_job(job, vertex["arn"], made)

    def _processing_job(self, job: Mapping[str, Any], component: str, made: set[str]) -> Answer:
        inputs = {
            each["InputName"]: each["S3Input"]["S3Uri"] for each in job.get("ProcessingInputs", []) if "S3Input" in each
        }
        code = inputs.pop(CODE, None)
        script = (job["AppSpecification"].get("ContainerEntrypoint") or [""])[-1].rpartition("/")[2]
        return {
            **_job_summary(job, "ProcessingJob"),
            "code": self._code(code, script, component),
            "files": self._files([uri for uri in inputs.values() if uri not in made], job, component),
        }

    def _code(self, uri: str | None, script: str | None, component: str | None) -> Answer | None:
        """Describe the code that ran, by its content, and note it as an artifact that contributed to the job."""
        if not uri:
            return None
        digest = self.hook.content_hash(uri)
        if digest and component:
            properties = {"sha256": digest, **({"script": script} if script else {})}
            artifact = self.hook.artifact(uri, "Code", ids={"Custom": digest}, properties=properties)
            self.hook.associate(artifact, component, "ContributedTo")
        return {"uri": uri, "script": script, "sha256": digest}

    def _files(self, uris: Iterable[str], job: Mapping[str, Any], component: str | None) -> list[Answer]:
        """
        List the files at these URIs, and note each by its ETag as an artifact that contributed to the job.

        One that was written after the job began is not what the job has read: it is named with ``changed`` and not
        noted.
        """
        files = []
        for found in (each for uri in uris for each in self.hook.objects(uri, _MOST_FILES)):
            same = unchanged(found, job["CreationTime"])
            if same and component:
                artifact = self.hook.artifact(found["uri"], "DataSet", ids={"S3ETag": found["etag"]})
                self.hook.associate(artifact, component, "ContributedTo")
            files.append({"uri": found["uri"], "etag": found["etag"], "bytes": found["bytes"], "changed": not same})
        return files

    def _roots(self, uris: Iterable[str]) -> list[str]:
        """Return what these URIs were derived from, or themselves where that is nothing."""
        found: dict[str, None] = {}
        for uri in uris:
            found |= dict.fromkeys(self._roots(self.derived[uri]) if self.derived.get(uri) else [uri])
        return list(found)

    def _add_derived(self) -> None:
        for uri, sources in self.derived.items():
            for source in sources:
                kind = "Model" if uri.endswith(".tar.gz") else "DataSet"
                ends = self.hook.artifact(source, kind), self.hook.artifact(uri, kind)
                self.hook.associate(*ends, "DerivedFrom")


def _package_summary(package: Mapping[str, Any] | None) -> Answer | None:
    if package is None:
        return None
    return {
        "arn": package["ModelPackageArn"],
        "group": package.get("ModelPackageGroupName"),
        "version": package.get("ModelPackageVersion"),
        "status": package.get("ModelApprovalStatus"),
    }


def _job_summary(job: Mapping[str, Any], kind: str) -> Answer:
    return {"name": job[f"{kind}Name"], "arn": job[f"{kind}Arn"], "created": job["CreationTime"].isoformat()}


def _channels(job: Mapping[str, Any]) -> dict[str, str]:
    return {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in job.get("InputDataConfig", [])
        if "S3DataSource" in each["DataSource"]
    }


def _model_data(container: Mapping[str, Any]) -> str | None:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri: str | None = source.get("S3Uri") or container.get("ModelDataUrl")
    return uri


def _named(arn: str, kind: str) -> str | None:
    """Return the resource's name if the ARN is of this kind."""
    resource, _, name = arn.rpartition(":")[2].partition("/")
    return name if resource == kind else None


def _plain(value: str | None) -> str | None:
    """Decode a hyperparameter that may be JSON, as SageMaker's SDK writes them."""
    return str(json.loads(value)) if value and value.startswith('"') else value
