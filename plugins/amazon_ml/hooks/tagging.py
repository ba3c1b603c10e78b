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
        for page in self._paginated("get_resources", TagFilters=filters, ResourceTypeFilters=list(types)):
            for found in page["ResourceTagMappingList"]:
                yield found["ResourceARN"], {tag["Key"]: tag["Value"] for tag in found["Tags"]}

    def _paginated(self, method: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of an operation until one has no ``PaginationToken``: this API's name for it."""
        token: dict[str, str] = {}
        while True:
            page = self._call(method, **request, **token)
            yield page
            if not page.get("PaginationToken"):
                return
            token = {"PaginationToken": page["PaginationToken"]}
