"""SageMaker ML Lineage through boto3: entities found or made, associations added once, graphs read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.s3 import split
from amazon_ml.hooks.sagemaker import SageMakerJobHook

#: code is scripts: what is longer is not hashed.
MAX_CODE_BYTES = 50 * 1024 * 1024
#: AWS's own limits of a query, and of a page of its answer.
MAX_DEPTH, _PAGE = 10, 50

#: lineage type -> Describe's method, its argument, and the member that is the name.
_DESCRIBE = {
    "Artifact": ("describe_artifact", "ArtifactArn", "ArtifactName"),
    "Action": ("describe_action", "ActionName", "ActionName"),
    "Context": ("describe_context", "ContextName", "ContextName"),
    "TrialComponent": ("describe_trial_component", "TrialComponentName", "DisplayName"),
}


class LineageHook(SageMakerJobHook):
    """Lineage by the public API alone: on AWS, what SageMaker has tracked by itself is found, not created again."""

    @cached_property
    def _known(self) -> dict[str, dict[str, Any]]:
        """Vertices that were described: one call each, in however many graphs they stand."""
        return {}

    def artifact(
        self, uri: str, kind: str, *, ids: Mapping[str, str] | None = None, properties: Mapping[str, str] | None = None
    ) -> str:
        """
        Return the ARN of the artifact of a source; create a missing one.

        :param kind: type of one that is made: DataSet, Model, Code, ...
        :param ids: what tells the content apart from another one at the same place: S3ETag, S3Version, MD5Hash, Custom.
        """
        wanted = [{"SourceIdType": key, "Value": value} for key, value in sorted((ids or {}).items())]
        if found := self._artifact(uri, wanted):
            return found
        source = {"SourceUri": uri, **({"SourceTypes": wanted} if wanted else {})}
        request = {"Source": source, "ArtifactType": kind, "Properties": dict(properties or {})}
        try:
            made = str(self._call("create_artifact", **request)["ArtifactArn"])
        except RequestRefused:
            # Somebody has made it since we looked.
            if found := self._artifact(uri, wanted):
                return found
            raise
        self.log.info("Made the %s artifact of %s", kind, uri)
        return made

    def artifacts(self, uri: str) -> list[str]:
        """Return the ARNs of all artifacts of a source; makes none."""
        pages = self._pages("list_artifacts", SourceUri=uri)
        return [str(each["ArtifactArn"]) for page in pages for each in page["ArtifactSummaries"]]

    def associate(self, source: str, destination: str, kind: str) -> bool:
        """Add an association, and return False if the two have one, of any type."""
        ends = {"SourceArn": source, "DestinationArn": destination}
        if self._associated(ends):
            return False
        try:
            self._call("add_association", **ends, AssociationType=kind)
        except RequestRefused:
            if self._associated(ends):
                return False
            raise
        self.log.info("Added that %s %s %s", source, kind, destination)
        return True

    def context(self, arn: str) -> str | None:
        """Return the ARN of the context that stands for a resource, such as an endpoint."""
        found = self._call("list_contexts", SourceUri=arn, SortBy="CreationTime", SortOrder="Descending", MaxResults=1)
        return next((str(each["ContextArn"]) for each in found["ContextSummaries"]), None)

    def create_context(self, name: str, kind: str, arn: str) -> str:
        """Create the context that stands for a resource, and return its ARN."""
        source = {"SourceUri": arn, "SourceType": "ARN"}
        return str(self._call("create_context", ContextName=name, ContextType=kind, Source=source)["ContextArn"])

    def component(self, arn: str) -> str | None:
        """Return the ARN of the trial component that stands for a job."""
        found = self._call("list_trial_components", SourceArn=arn)["TrialComponentSummaries"]
        return next((str(each["TrialComponentArn"]) for each in found), None)

    def graph(self, start: str, direction: str = "Ascendants") -> dict[str, list[dict[str, Any]]]:
        """
        Return all entities above an entity, or below it.

        Returns ``{"vertices": [{"arn", "type", "lineage_type", "name", "source", "properties"}], "edges": [{"source",
        "destination", "type"}]}``, the nearest to the start first; ``source`` of a vertex is the URI or ARN that it
        stands for.
        """
        vertices: dict[str, dict[str, Any]] = {}
        edges = []
        request: dict[str, Any] = {"StartArns": [start], "Direction": direction, "IncludeEdges": True}
        for page in self._pages("query_lineage", MaxDepth=MAX_DEPTH, MaxResults=_PAGE, **request):
            for vertex in page["Vertices"]:
                vertices[vertex["Arn"]] = self._vertex(vertex)
            edges += [
                {
                    "source": edge["SourceArn"],
                    "destination": edge["DestinationArn"],
                    "type": edge.get("AssociationType", ""),
                }
                for edge in page.get("Edges", [])
            ]
        return {"vertices": list(vertices.values()), "edges": edges}

    def objects(self, uri: str, most: int = 100) -> list[dict[str, Any]]:
        """
        List the objects at an S3 URI, one or a prefix: ``{"uri", "etag", "bytes", "modified"}`` each.

        :param most: number of them at most, in the order of their keys.
        """
        bucket, key = split(uri)
        found = islice(self.s3.list_objects(bucket, key), most)
        return [
            {
                "uri": f"s3://{bucket}/{each['Key']}",
                "etag": each["ETag"].strip('"'),
                "bytes": each["Size"],
                "modified": each["LastModified"],
            }
            for each in found
            # The objects of a folder, and not those of another one whose name begins alike.
            if not key or key.endswith("/") or each["Key"] == key or each["Key"].startswith(f"{key}/")
        ]

    def content_hash(self, uri: str) -> str | None:
        """
        Return the SHA-256 of an object, or of the objects of a prefix; None for no object or too much data.
        """
        found = self.objects(uri, most=1000)
        if not found or sum(each["bytes"] for each in found) > MAX_CODE_BYTES:
            return None
        if [each["uri"] for each in found] == [uri]:
            return hashlib.sha256(self._read(uri)).hexdigest()
        total = hashlib.sha256()
        for each in found:
            content = self._read(each["uri"])
            total.update(f"{each['uri'].removeprefix(uri)} {len(content)} ".encode() + content)
        return total.hexdigest()

    def _artifact(self, uri: str, wanted: Sequence[Mapping[str, str]]) -> str | None:
        for page in self._pages("list_artifacts", SourceUri=uri):
            for each in page["ArtifactSummaries"]:
                if each["Source"].get("SourceTypes", []) == list(wanted):
                    return str(each["ArtifactArn"])
        return None

    def _associated(self, ends: Mapping[str, str]) -> bool:
        return bool(self._call("list_associations", **ends)["AssociationSummaries"])

    def _vertex(self, vertex: Mapping[str, Any]) -> dict[str, Any]:
        if vertex["Arn"] in self._known:
            return self._known[vertex["Arn"]]
        kind = vertex.get("LineageType", "")
        made = {"arn": vertex["Arn"], "type": vertex.get("Type", ""), "lineage_type": kind}
        made |= {"name": "", "source": "", "properties": {}}
        if kind in _DESCRIBE:
            method, argument, name = _DESCRIBE[kind]
            found = self._call(method, **{argument: vertex["Arn"]})
            source = found.get("Source", {})
            made |= {"name": found.get(name, ""), "source": source.get("SourceUri") or source.get("SourceArn", "")}
            made["properties"] = found.get("Properties", {})
        return self._known.setdefault(vertex["Arn"], made)

    def _read(self, uri: str) -> bytes:
        with self.s3.get_object(*split(uri))["Body"] as body:
            content: bytes = body.read()
        return content


def unchanged(found: Mapping[str, Any], since: datetime) -> bool:
    """Return True if an object of :meth:`LineageHook.objects` is older than that, in whole seconds as in S3."""
    modified: datetime = found["modified"]
    return modified <= since
