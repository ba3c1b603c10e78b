"""Resource Groups Tagging API: resources by their tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amazon_ml.hooks.base import ServiceHook


class TaggingHook(ServiceHook):
    """Tagged resources of all services."""

    service = "resourcegroupstaggingapi"

    def resources(
        self, tags: Mapping[str, str], types: Sequence[str] = ("sagemaker",)
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """
        Yield the ARN and the tags of each resource that has all of these tags.

        :param types: services, or types of resources such as ``sagemaker:endpoint``.
        """
        filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        request: dict[str, Any] = {"TagFilters": filters, "ResourceTypeFilters": list(types)}
        for page in self._follow("get_resources", member="PaginationToken", **request):
            for found in page["ResourceTagMappingList"]:
                yield found["ResourceARN"], {tag["Key"]: tag["Value"] for tag in found["Tags"]}
